//! Conversion of leases of a running server to rows of an export.

use std::collections::HashMap;

use dhcp_control::LeaseRow;
use dhcp_migrate::export::{Row, epoch_of, network_name};
use dhcp_model::{
    AgentIds,
    hex::{parse_hex, with_colons},
};

/// Converts a lease of the running server.
pub(super) fn row(lease: LeaseRow, networks: &HashMap<u32, String>) -> Row {
    let relay_info = lease.relay_info.as_deref().and_then(parse_hex);
    let ids = relay_info
        .as_deref()
        .map(AgentIds::parse)
        .unwrap_or_default();
    let (circuit_id, remote_id) = (ids.circuit.map(with_colons), ids.remote.map(with_colons));
    Row {
        address: lease.address,
        state: lease.state,
        network: network_name(lease.network, networks),
        hardware_type: lease.hardware_type,
        hardware_address: lease.hardware_address,
        client_id: lease.client_id,
        host_name: lease.host_name,
        circuit_id,
        remote_id,
        relay_info: lease.relay_info,
        since_epoch: lease.since.as_deref().and_then(epoch_of),
        since: lease.since,
        expires_epoch: epoch_of(&lease.expires),
        expires: lease.expires,
    }
}

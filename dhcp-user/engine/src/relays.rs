//! The map `RELAYS`: networks and addresses behind relay agents, for the kernel.

use std::collections::BTreeMap;

use dhcp_common::abi::{
    NETWORK_IGNORES_CLIENT_ID, NETWORK_IS_BROADCAST, NETWORK_IS_OURS, NetworkRef,
};
use dhcp_config::Config;
use ipnet::Ipv4Net;

use crate::networks::LinkTable;

/// No network.
pub const NO_NETWORK: NetworkRef = NetworkRef { id: 0, flags: 0 };

/// A network as the program knows it.
pub fn network_ref(network: &dhcp_config::Network) -> NetworkRef {
    NetworkRef {
        id: network.id,
        flags: if network.match_client_id {
            0
        } else {
            NETWORK_IGNORES_CLIENT_ID
        },
    }
}

/// The contents of `RELAYS`: the subnets, the server's own addresses, and broadcast addresses.
pub fn relays(config: &Config, links: &LinkTable) -> Vec<(Ipv4Net, NetworkRef)> {
    let prefixes = config
        .subnets()
        .map(|(network, subnet)| (subnet.prefix.trunc(), network_ref(network)));
    let mut relays: BTreeMap<_, _> = prefixes.collect();
    let ours = links
        .addresses()
        .chain(config.subnets().filter_map(|(_, subnet)| subnet.server_id));
    for address in ours {
        let containing = config
            .subnets()
            .filter(|(_, subnet)| subnet.prefix.contains(&address))
            .max_by_key(|(_, subnet)| subnet.prefix.prefix_len());
        let mut ours = containing.map_or(NO_NETWORK, |(network, _)| network_ref(network));
        ours.flags |= NETWORK_IS_OURS;
        relays.insert(Ipv4Net::from(address), ours);
    }
    for (address, network) in links.directed_broadcasts(config) {
        let entry = relays.entry(Ipv4Net::from(address));
        let entry = entry.or_insert_with(|| network_ref(network));
        entry.flags |= NETWORK_IS_BROADCAST;
    }
    relays.into_iter().collect()
}

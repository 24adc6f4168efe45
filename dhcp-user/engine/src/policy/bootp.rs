//! BOOTP (RFC 951) for clients that an address is reserved for (RFC 1534 §2).
//!
//! Such a client asks once and keeps its address for ever. No other client gets a reserved address,
//! so nothing is committed, and nothing ends. A lease that the same hardware has by DHCP is not
//! affected.

use dhcp_model::ClientOriginRef;

use super::{Requester, View};
use crate::{counters::Silence, lease_table::LeaseState, reply::Answer, request::Request};

/// Returns the answer to a BOOTP request.
///
/// # Errors
/// The reason why there is no answer.
pub fn answer(view: View<'_>, requester: &Requester, request: &Request) -> Result<Answer, Silence> {
    let network = view.networks.get(requester.network);
    let network = network.ok_or(Silence::UnknownNetwork)?;
    // A reservation by circuit or remote id does not count: it is for any client at that port, and
    // nothing would show that the address is in use.
    let origin = ClientOriginRef {
        relay_info: None,
        ..request.origin()
    };
    let address = network
        .reservation(&requester.client, &origin)
        .address
        .ok_or(Silence::Bootp)?;
    let subnet = network.subnet_of(address);
    // Another client may have leased it before it was reserved, or declined it.
    let is_theirs = view.table.held(address).is_none_or(|held| {
        held.client == requester.client
            && !matches!(held.state, LeaseState::Revoked | LeaseState::Quarantined)
    });
    if !subnet.is_some_and(|subnet| subnet.bootp) || !is_theirs {
        return Err(Silence::Bootp);
    }
    Ok(Answer::Bootp(address))
}

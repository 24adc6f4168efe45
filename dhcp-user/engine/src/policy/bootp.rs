//! BOOTP (RFC 951) for clients that an address is reserved for (RFC 1534 §2).
//!
//! Such a client asks once and never again, so that its address is its own for ever. A reserved one
//! is nobody else's anyway: nothing is committed, and nothing ends. What the same hardware leases
//! by DHCP stays as it is.

use super::{Requester, View};
use crate::{counters::Silence, lease_table::LeaseState, reply::Answer, request::Request};

/// Returns the answer to a BOOTP request.
///
/// # Errors
/// Why there is none.
pub fn answer(view: View<'_>, requester: &Requester, request: &Request) -> Result<Answer, Silence> {
    let network = view.networks.get(requester.network);
    let network = network.ok_or(Silence::UnknownNetwork)?;
    // A reservation by circuit or remote id does not count: it is for whatever client is there, and
    // nothing would tell that one is.
    let address = network
        .reservation(&requester.client, &request.hardware, None)
        .ok_or(Silence::Bootp)?;
    let subnet = network.subnet_of(address);
    // Another client may have had it before it was reserved, or found it in use.
    let is_theirs = view.table.held(address).is_none_or(|held| {
        held.client == requester.client
            && !matches!(held.state, LeaseState::Revoked | LeaseState::Quarantined)
    });
    if !subnet.is_some_and(|subnet| subnet.bootp) || !is_theirs {
        return Err(Silence::Bootp);
    }
    Ok(Answer::Bootp(address))
}

//! BOOTP (RFC 951) for clients that an address is reserved for (RFC 1534 §2).
//!
//! Such a client asks once and never again, so that its address is its own for ever. A reserved one is nobody
//! else's anyway: nothing is committed, and nothing ends. What the same hardware leases by DHCP stays as it is.

use super::{Context, Counter, Engine, protocol::Party, reply::Answer, request::Request};
use crate::live::LeaseState;

impl Engine {
    pub(super) fn bootp(
        &mut self,
        party: &Party,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        let network = self.networks.get(party.network);
        let network = network.ok_or(Counter::UnknownNetwork)?;
        // Not one for its port: that is for whoever is there, and nothing would tell that somebody is.
        let address = network
            .reservation(&party.client, &request.hardware, None)
            .ok_or(Counter::Bootp)?;
        let subnet = network.subnet_of(address);
        // Somebody may have had it before it was reserved, or found it in use.
        let is_theirs = self.held(address).is_none_or(|held| {
            held.client == party.client
                && !matches!(held.state, LeaseState::Revoked | LeaseState::Quarantined)
        });
        if !subnet.is_some_and(|subnet| subnet.bootp) || !is_theirs {
            return Err(Counter::Bootp);
        }
        self.send(Answer::Bootp(address), party, request, cx)?;
        self.count(Counter::BootpAnswered);
        Ok(())
    }
}

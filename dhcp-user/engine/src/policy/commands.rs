//! Commands of an operator.
//!
//! *Delete* forgets a lease. The address is kept for its client as long as the client may still use
//! it, that is, to the end of the lease or of the time that the kernel granted. If the client asks
//! before that, it gets its lease again; after that the address is free. *Revoke* forbids the
//! address: the client gets a NAK, and another address when it starts again.

use std::net::Ipv4Addr;

use super::View;
use crate::{
    effect::Command,
    lease_table::{EndReason, Event, LeaseState},
};

/// Returns the effect of a command on the lease of its address, and the state to restore if the
/// commit fails; `None` if there is no lease.
pub fn decide(view: View<'_>, command: Command, address: Ipv4Addr) -> Option<(Event, LeaseState)> {
    use LeaseState as L;
    let was = view.table.held(address)?.state;
    let event = match (command, was) {
        (Command::Delete(_), L::Bound | L::Revoked) => Event::Delete,
        (Command::Revoke(_), L::Bound | L::Deleted) => Event::Revoke,
        // Deleting a quarantine puts the address back into service.
        (Command::Delete(_), L::Quarantined) => Event::End(EndReason::Removed),
        (
            Command::Delete(_),
            L::Probing | L::Offered | L::Committing | L::Deleted | L::Withdrawn,
        )
        | (
            Command::Revoke(_),
            L::Probing | L::Offered | L::Committing | L::Revoked | L::Quarantined | L::Withdrawn,
        ) => return None,
    };
    Some((event, was))
}

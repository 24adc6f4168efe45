//! What an operator asks for.
//!
//! *Delete* forgets a lease. Its address is kept for its client for as long as that client may
//! still use it, that is, to the end of the lease or of what the kernel granted, and whenever the
//! client asks before that it has its lease again; after that the address is free. *Revoke* forbids
//! it: the client is told NAK, and gets another address when it starts again.

use std::net::Ipv4Addr;

use super::View;
use crate::{
    effect::Command,
    lease_table::{EndReason, Event, LeaseState},
};

/// Returns what a command does to the lease of its address, and the state that a commit which fails
/// leads back to; `None` if there is no lease.
pub fn decide(view: View<'_>, command: Command, address: Ipv4Addr) -> Option<(Event, LeaseState)> {
    use LeaseState as L;
    let was = view.table.held(address)?.state;
    let event = match (command, was) {
        (Command::Delete(_), L::Bound | L::Revoked) => Event::Delete,
        (Command::Revoke(_), L::Bound | L::Deleted) => Event::Revoke,
        // What was taken out of service is in service again.
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

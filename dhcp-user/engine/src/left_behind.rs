//! Addresses that their clients have been told to give up.
//!
//! A client that is refused its own lease, because the configuration has another address for it or
//! none, starts again (RFC 2131 §4.4.5). Once it has another lease it uses the first one no more,
//! and that is free before its time is over.

use std::{collections::HashMap, net::Ipv4Addr};

use dhcp_common::abi::ClientKey;

/// The leases that were refused to their own clients, of those that have no other one yet: one a
/// client, and not more than there are leases.
#[derive(Debug, Default)]
pub struct LeftBehind {
    refused: HashMap<ClientKey, Ipv4Addr>,
}

impl LeftBehind {
    /// Notes that a client was told NAK about its own lease.
    pub fn refuse(&mut self, client: ClientKey, address: Ipv4Addr) {
        self.refused.insert(client, address);
    }

    /// Returns the refused lease of a client that has another one now.
    pub fn take(&mut self, client: &ClientKey) -> Option<Ipv4Addr> {
        self.refused.remove(client)
    }

    /// Forgets a lease that has ended, or that its client has again.
    pub fn forget(&mut self, client: &ClientKey, address: Ipv4Addr) {
        if self.refused.get(client) == Some(&address) {
            self.refused.remove(client);
        }
    }
}

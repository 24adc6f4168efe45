//! Differences between two configurations that affect leases.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;
use ipnet::Ipv4Net;

/// The differences of a configuration from another one that affect leases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Prefixes all of whose addresses are affected.
    pub prefixes: Vec<Ipv4Net>,
    pub addresses: Vec<Ipv4Addr>,
    /// Clients whose addresses are affected.
    pub clients: Vec<ClientKey>,
}

impl Changes {
    pub fn extend(&mut self, other: Self) {
        self.prefixes.extend(other.prefixes);
        self.addresses.extend(other.addresses);
        self.clients.extend(other.clients);
    }
}

//! Where two configurations differ in what matters to leases.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;
use ipnet::Ipv4Net;

/// Where a configuration differs from another one in what matters to leases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Prefixes of which all addresses are concerned.
    pub prefixes: Vec<Ipv4Net>,
    pub addresses: Vec<Ipv4Addr>,
    /// Clients whose addresses are concerned.
    pub clients: Vec<ClientKey>,
}

impl Changes {
    pub fn extend(&mut self, other: Self) {
        self.prefixes.extend(other.prefixes);
        self.addresses.extend(other.addresses);
        self.clients.extend(other.clients);
    }
}

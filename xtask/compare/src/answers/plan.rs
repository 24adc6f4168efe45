//! The subnets and options that every server is configured to serve, each in its own format.

use std::net::Ipv4Addr;

/// The only subnet whose clients need no relay agent.
pub const LAN: Subnet = Subnet {
    network: [10, 77, 0],
    first: 100,
    last: 199,
};
/// A subnet behind a relay agent.
pub const BEHIND: Subnet = subnet([10, 88, 0]);
/// A subnet that clients reach only through a relay agent's link selection (RFC 3527).
pub const SELECTED: Subnet = subnet([10, 55, 0]);
/// Subnets with one address, for cases about offers; each is used by one case.
pub const ONE: Subnet = only([10, 66, 0]);
pub const ANOTHER_ONE: Subnet = only([10, 67, 0]);
/// A subnet for exchanges that only show that a server has handled all earlier requests.
pub const PULSE: Subnet = Subnet {
    network: [10, 99, 0],
    first: 10,
    last: 250,
};
pub const SUBNETS: [Subnet; 6] = [LAN, BEHIND, SELECTED, ONE, ANOTHER_ONE, PULSE];

/// An address on none of the servers' links.
pub const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
/// A server that does not exist.
pub const OTHER_SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 9);

pub const LEASE_SECS: u32 = 3600;
pub const DOMAIN: &str = "lab.example";
pub const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 53);
/// Two site options of this length together do not fit into 576 octets.
pub const LONG_OPTIONS: [u8; 2] = [224, 225];
pub const LONG_LEN: usize = 180;

/// How a server treats unknown clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    Plain,
    /// The server knows all addresses of its subnets.
    Authoritative,
}

impl Setting {
    pub const ALL: [Self; 2] = [Self::Plain, Self::Authoritative];

    pub const fn is_authoritative(self) -> bool {
        matches!(self, Self::Authoritative)
    }
}

/// A /24 with a pool; its router is the first address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    network: [u8; 3],
    first: u8,
    last: u8,
}

const fn subnet(network: [u8; 3]) -> Subnet {
    Subnet {
        network,
        first: 100,
        last: 199,
    }
}

const fn only(network: [u8; 3]) -> Subnet {
    Subnet {
        network,
        first: 100,
        last: 100,
    }
}

impl Subnet {
    pub const fn host(self, number: u8) -> Ipv4Addr {
        let [a, b, c] = self.network;
        Ipv4Addr::new(a, b, c, number)
    }

    pub const fn network(self) -> Ipv4Addr {
        self.host(0)
    }

    /// Returns the relay agent's address on the subnet, `giaddr`.
    pub const fn router(self) -> Ipv4Addr {
        self.host(1)
    }

    pub const fn pool(self) -> (Ipv4Addr, Ipv4Addr) {
        (self.host(self.first), self.host(self.last))
    }

    /// Returns the addresses of the pool, in an order that no server would follow.
    pub fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        let middle = self.first.midpoint(self.last);
        (middle..=self.last)
            .chain(self.first..middle)
            .map(move |number| self.host(number))
    }

    pub fn contains(self, address: Ipv4Addr) -> bool {
        address.octets().starts_with(&self.network)
    }

    pub fn has_in_pool(self, address: Ipv4Addr) -> bool {
        let (first, last) = self.pool();
        (first..=last).contains(&address)
    }
}

pub fn long_text() -> String {
    "x".repeat(LONG_LEN)
}

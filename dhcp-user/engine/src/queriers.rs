//! Relay agents that may ask about leases, and an index of the leases by client (RFC 4388).

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher as _, RandomState},
    net::Ipv4Addr,
};

use dhcp_model::{ClientOrigin, Hardware};
use ipnet::Ipv4Net;

/// The most addresses of one client that a query examines. More do not fit into one message, and a
/// host that takes leases under many identities must not slow the server down.
const MAX_ADDRESSES: usize = 256;

/// The identity of a client in a query, on any network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity<'a> {
    Hardware(&'a Hardware),
    ClientId(&'a [u8]),
}

impl<'a> Identity<'a> {
    /// Returns the hardware address of a client; an address of zeros counts as absent.
    pub fn hardware(origin: &'a ClientOrigin) -> Option<Self> {
        let hardware = &origin.hardware;
        let is_given = hardware.octets().iter().any(|octet| *octet != 0);
        is_given.then_some(Self::Hardware(hardware))
    }

    pub fn client_id(origin: &'a ClientOrigin) -> Option<Self> {
        origin.client_id.as_deref().map(Self::ClientId)
    }

    /// Returns whether the client that got a lease gave this identity.
    pub fn is_of(self, origin: &'a ClientOrigin) -> bool {
        [Self::hardware(origin), Self::client_id(origin)].contains(&Some(self))
    }
}

/// Relay agents that may ask, and, if there are any, all leases by their clients: a query names no
/// network.
///
/// The index holds hashes of identities. If two share one, both are found, and [`Identity::is_of`]
/// tells them apart.
#[derive(Debug)]
pub struct Queriers {
    permitted: Vec<Ipv4Net>,
    hasher: RandomState,
    addresses: BTreeSet<(u64, Ipv4Addr)>,
    /// The hashes under which an address is noted.
    noted: HashMap<Ipv4Addr, [Option<u64>; 2]>,
}

impl Queriers {
    pub fn new(permitted: Vec<Ipv4Net>) -> Self {
        Self {
            permitted,
            hasher: RandomState::new(),
            addresses: BTreeSet::new(),
            noted: HashMap::new(),
        }
    }

    pub const fn are_any(&self) -> bool {
        !self.permitted.is_empty()
    }

    pub fn may_ask(&self, giaddr: Ipv4Addr) -> bool {
        let mut permitted = self.permitted.iter();
        permitted.any(|queriers| queriers.contains(&giaddr))
    }

    /// Permits these relay agents instead. Returns whether all leases must be added to the index,
    /// because it has kept none so far.
    #[must_use]
    pub fn permit(&mut self, permitted: Vec<Ipv4Net>) -> bool {
        let has_kept_none = !self.are_any();
        self.permitted = permitted;
        if !self.are_any() {
            self.addresses.clear();
            self.noted.clear();
        }
        has_kept_none && self.are_any()
    }

    /// Records the client of a lease, in place of the one before.
    pub fn note(&mut self, address: Ipv4Addr, origin: &ClientOrigin) {
        if !self.are_any() {
            return;
        }
        self.forget(address);
        let identities = [Identity::hardware(origin), Identity::client_id(origin)];
        let hashes = identities.map(|identity| Some(self.hasher.hash_one(identity?)));
        for hash in hashes.into_iter().flatten() {
            self.addresses.insert((hash, address));
        }
        self.noted.insert(address, hashes);
    }

    pub fn forget(&mut self, address: Ipv4Addr) {
        for hash in self.noted.remove(&address).into_iter().flatten().flatten() {
            self.addresses.remove(&(hash, address));
        }
    }

    /// Returns the addresses that a client may have.
    pub fn addresses(&self, identity: Identity<'_>) -> impl Iterator<Item = Ipv4Addr> {
        let hash = self.hasher.hash_one(identity);
        let all = (hash, Ipv4Addr::UNSPECIFIED)..=(hash, Ipv4Addr::BROADCAST);
        let addresses = self.addresses.range(all).take(MAX_ADDRESSES);
        addresses.map(|(_, address)| *address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    fn origin(client: u8, client_id: Option<&[u8]>) -> ClientOrigin {
        let mut chaddr = [0; 16];
        chaddr[5] = client;
        ClientOrigin {
            hardware: Hardware {
                htype: 1,
                len: 6,
                chaddr,
            },
            client_id: client_id.map(Into::into),
            ..ClientOrigin::default()
        }
    }

    fn permitting(queriers: &[&str]) -> Queriers {
        let queriers = queriers.iter().map(|prefix| prefix.parse().unwrap());
        Queriers::new(queriers.collect())
    }

    #[test]
    fn a_lease_is_found_under_the_last_names_of_its_client_only() {
        let mut queriers = permitting(&["10.9.0.1/32"]);
        let (first, second) = (origin(1, Some(b"id")), origin(2, None));
        let find = |queriers: &Queriers, identity: Option<Identity<'_>>| {
            let addresses = queriers.addresses(identity.unwrap());
            addresses.collect::<Vec<_>>()
        };
        queriers.note(ADDRESS, &first);
        assert_eq!(find(&queriers, Identity::hardware(&first)), [ADDRESS]);
        assert_eq!(find(&queriers, Identity::client_id(&first)), [ADDRESS]);
        queriers.note(ADDRESS, &second);
        assert_eq!(find(&queriers, Identity::hardware(&first)), [ADDRESS; 0]);
        assert_eq!(find(&queriers, Identity::client_id(&first)), [ADDRESS; 0]);
        assert_eq!(find(&queriers, Identity::hardware(&second)), [ADDRESS]);
        queriers.forget(ADDRESS);
        assert_eq!(find(&queriers, Identity::hardware(&second)), [ADDRESS; 0]);
        assert!(queriers.addresses.is_empty() && queriers.noted.is_empty());
    }

    #[test]
    fn c115_nothing_is_kept_where_nobody_may_ask() {
        let mut queriers = permitting(&[]);
        queriers.note(ADDRESS, &origin(1, Some(b"id")));
        assert!(queriers.addresses.is_empty() && queriers.noted.is_empty());
        assert!(!queriers.may_ask(ADDRESS));
    }
}

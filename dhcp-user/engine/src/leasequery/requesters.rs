//! Who may ask, and the leases that are asked for by client.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher as _, RandomState},
    net::Ipv4Addr,
};

use dhcp_model::{ClientOrigin, Hardware};
use ipnet::Ipv4Net;

/// More addresses of one client are not looked at: nobody could be told of them in one message, and a
/// host that takes leases under many names does not get to slow this server down.
const MAX_ADDRESSES: usize = 256;

/// What a client is asked for by, on whichever network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity<'a> {
    Hardware(&'a Hardware),
    ClientId(&'a [u8]),
}

impl<'a> Identity<'a> {
    /// A hardware address of zeros is none, whatever its length.
    pub fn hardware(origin: &'a ClientOrigin) -> Option<Self> {
        let hardware = &origin.hardware;
        let is_given = hardware.octets().iter().any(|octet| *octet != 0);
        is_given.then_some(Self::Hardware(hardware))
    }

    pub fn client_id(origin: &'a ClientOrigin) -> Option<Self> {
        origin.client_id.as_deref().map(Self::ClientId)
    }

    /// Whether whoever got a lease has said that it is this one.
    pub fn is_of(self, origin: &'a ClientOrigin) -> bool {
        [Self::hardware(origin), Self::client_id(origin)].contains(&Some(self))
    }
}

/// The relay agents that may ask, and, if there are any, all leases by their clients: a question names
/// no network.
///
/// It holds hashes for identities. Of two that share one both are found, and [`Identity::is_of`] tells.
#[derive(Debug)]
pub struct Requesters {
    permitted: Vec<Ipv4Net>,
    hasher: RandomState,
    addresses: BTreeSet<(u64, Ipv4Addr)>,
    /// The hashes under which an address is noted.
    noted: HashMap<Ipv4Addr, [Option<u64>; 2]>,
}

impl Requesters {
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
        permitted.any(|requesters| requesters.contains(&giaddr))
    }

    /// Permits these instead. Whether it has to be told of all leases, having kept none so far.
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

    /// Notes who has a lease, in place of who had it.
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

    /// Addresses that a client may have.
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

    fn permitting(requesters: &[&str]) -> Requesters {
        let requesters = requesters.iter().map(|prefix| prefix.parse().unwrap());
        Requesters::new(requesters.collect())
    }

    #[test]
    fn a_lease_is_found_under_the_last_names_of_its_client_only() {
        let mut requesters = permitting(&["10.9.0.1/32"]);
        let (first, second) = (origin(1, Some(b"id")), origin(2, None));
        let find = |requesters: &Requesters, identity: Option<Identity<'_>>| {
            let addresses = requesters.addresses(identity.unwrap());
            addresses.collect::<Vec<_>>()
        };
        requesters.note(ADDRESS, &first);
        assert_eq!(find(&requesters, Identity::hardware(&first)), [ADDRESS]);
        assert_eq!(find(&requesters, Identity::client_id(&first)), [ADDRESS]);
        requesters.note(ADDRESS, &second);
        assert_eq!(find(&requesters, Identity::hardware(&first)), [ADDRESS; 0]);
        assert_eq!(find(&requesters, Identity::client_id(&first)), [ADDRESS; 0]);
        assert_eq!(find(&requesters, Identity::hardware(&second)), [ADDRESS]);
        requesters.forget(ADDRESS);
        assert_eq!(find(&requesters, Identity::hardware(&second)), [ADDRESS; 0]);
        assert!(requesters.addresses.is_empty() && requesters.noted.is_empty());
    }

    #[test]
    fn c115_nothing_is_kept_where_nobody_may_ask() {
        let mut requesters = permitting(&[]);
        requesters.note(ADDRESS, &origin(1, Some(b"id")));
        assert!(requesters.addresses.is_empty() && requesters.noted.is_empty());
        assert!(!requesters.may_ask(ADDRESS));
    }
}

//! Slots: indexes into the kernel's arrays `LEASES` and `GRANTS`, one for each published binding.

use dhcp_common::abi::{ClientDigest, Grant, lease_homes, lease_slots};
use dhcp_model::Address;

/// The slot of a lease that is not published.
pub const NO_SLOT: u32 = u32::MAX;

/// The slots of the kernel's map. A slot is used again only after the fence of its last use, and
/// then with another epoch.
#[derive(Debug)]
pub(super) struct Slots<A: Address> {
    /// How many may be in use.
    max: u32,
    taken: u32,
    homes: u32,
    /// The address that each slot is taken for, packed; the default, which is never leased, for a
    /// free slot.
    owners: Vec<A::Packed>,
}

impl<A: Address> Slots<A> {
    pub fn new(max: u32) -> Self {
        Self {
            max,
            taken: 0,
            homes: lease_homes(max),
            owners: vec![A::Packed::default(); lease_slots(max) as usize],
        }
    }

    /// Takes a slot at which the program looks for the client.
    pub fn take(&mut self, client: ClientDigest, address: A) -> Option<u32> {
        if self.taken >= self.max {
            return None;
        }
        let slot = client
            .slots(self.homes)
            .find(|slot| self.owners.get(*slot as usize) == Some(&A::Packed::default()))?;
        self.owners[slot as usize] = address.pack();
        self.taken += 1;
        Some(slot)
    }

    pub fn give_back(&mut self, slot: u32) {
        if let Some(owner) = self.owners.get_mut(slot as usize)
            && *owner != A::Packed::default()
        {
            *owner = A::Packed::default();
            self.taken -= 1;
        }
    }

    pub fn owner(&self, slot: u32) -> Option<A> {
        let owner = self.owners.get(slot as usize).copied()?;
        (owner != A::Packed::default()).then(|| A::unpack(owner))
    }

    /// Takes a certain slot, as found in the kernel's map. Returns `false` if it is beyond the map
    /// or taken.
    pub fn adopt(&mut self, slot: u32, address: A) -> bool {
        match self.owners.get_mut(slot as usize) {
            Some(owner) if *owner == A::Packed::default() => *owner = address.pack(),
            _ => return false,
        }
        self.taken += 1;
        true
    }
}

/// Returns an epoch with which nothing in a slot has been written yet.
pub const fn fresh_epoch(grant: Grant) -> u16 {
    let (granted, asked) = (grant.granted as u16, grant.asked as u16);
    let next = granted.wrapping_add(1);
    if next == asked {
        next.wrapping_add(1)
    } else {
        next
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use dhcp_common::abi::ClientKey;

    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    fn client(n: u8) -> ClientDigest {
        let client = ClientKey::hardware(1, 1, &[2, 0, 0, 0, 0, n]).unwrap();
        ClientDigest::new(&client, &core::array::from_fn(|i| !i as u64))
    }

    #[test]
    fn never_more_than_the_map_holds() {
        let mut slots = Slots::new(2);
        let mut take = || slots.take(client(1), ADDRESS);
        let (first, second) = (take().unwrap(), take().unwrap());
        assert_ne!(first, second);
        assert_eq!(take(), None);
        slots.give_back(first);
        slots.give_back(first);
        assert_eq!(slots.owner(first), None);
        assert_eq!(slots.take(client(1), ADDRESS), Some(first));
        assert_eq!(slots.take(client(1), ADDRESS), None);
        assert_eq!(slots.owner(second), Some(ADDRESS));
    }

    #[test]
    fn a_slot_is_where_the_program_looks() {
        let mut slots = Slots::new(40);
        for n in 0..40 {
            let places = client(n).slots(lease_homes(40));
            assert!(places.contains(&slots.take(client(n), ADDRESS).unwrap()));
        }
    }

    #[test]
    fn adopted_slots_are_not_given_again() {
        let mut slots = Slots::new(4);
        let places = client(1).slots(lease_homes(4));
        assert!(slots.adopt(places.start, ADDRESS));
        assert!(!slots.adopt(places.start, ADDRESS));
        assert!(!slots.adopt(lease_slots(4), ADDRESS));
        assert_eq!(slots.take(client(1), ADDRESS), Some(places.start + 1));
    }

    #[test]
    fn a_fresh_epoch_is_in_neither_word() {
        for (granted, asked) in [(0, 0), (7, 8), (7, 7), (0xffff, 0), (0xffff, 1)] {
            let grant = Grant {
                granted: Grant::pack(1 << 20, granted),
                asked: Grant::pack(1 << 20, asked),
            };
            let epoch = fresh_epoch(grant);
            assert!(
                epoch != granted && epoch != asked,
                "{granted} {asked} {epoch}"
            );
        }
    }
}

//! Indices into the kernel's array `GRANTS`, one for each published binding.

use std::{collections::VecDeque, net::Ipv4Addr, num::NonZeroU32};

use dhcp_common::abi::Grant;

/// A lease that is not published.
pub const NO_SLOT: u32 = u32::MAX;

/// An address in as little memory as it takes: nobody is leased 0.0.0.0.
type Owner = Option<NonZeroU32>;

fn owner(address: Ipv4Addr) -> Owner {
    NonZeroU32::new(address.into())
}

/// A slot is used again only after the fence of its last use, and then under another epoch.
#[derive(Debug)]
pub struct Slots {
    max: u32,
    /// The address that each slot was last taken for; those beyond the end were never taken.
    owners: Vec<Owner>,
    /// The one free for the longest time first.
    free: VecDeque<u32>,
}

impl Slots {
    pub const fn new(max: u32) -> Self {
        Self {
            max,
            owners: Vec::new(),
            free: VecDeque::new(),
        }
    }

    pub fn take(&mut self, address: Ipv4Addr) -> Option<u32> {
        if let Some(slot) = self.free.pop_front() {
            self.owners[slot as usize] = owner(address);
            return Some(slot);
        }
        let slot = u32::try_from(self.owners.len())
            .ok()
            .filter(|slot| *slot < self.max)?;
        self.owners.push(owner(address));
        Some(slot)
    }

    pub fn give_back(&mut self, slot: u32) {
        if let Some(owner) = self.owners.get_mut(slot as usize)
            && owner.take().is_some()
        {
            self.free.push_back(slot);
        }
    }

    pub fn owner(&self, slot: u32) -> Option<Ipv4Addr> {
        let owner = self.owners.get(slot as usize).copied().flatten()?;
        Some(owner.get().into())
    }

    /// Takes a certain slot, as found in the kernel's map. False if it is beyond the map or taken.
    /// [`Slots::close_gaps`] must follow before any other is taken.
    pub fn adopt(&mut self, slot: u32, address: Ipv4Addr) -> bool {
        if slot >= self.max {
            return false;
        }
        let index = slot as usize;
        if self.owners.len() <= index {
            self.owners.resize(index + 1, None);
        }
        let is_free = self.owners[index].is_none();
        self.owners[index] = owner(address);
        is_free
    }

    /// Makes the slots between the adopted ones free.
    pub fn close_gaps(&mut self) {
        self.free = (0..)
            .zip(&self.owners)
            .filter_map(|(slot, owner)| owner.is_none().then_some(slot))
            .collect();
    }
}

/// An epoch under which nothing in a slot has been written yet.
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
    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    #[test]
    fn never_more_than_the_map_holds() {
        let mut slots = Slots::new(2);
        assert_eq!(
            [(); 3].map(|()| slots.take(ADDRESS)),
            [Some(0), Some(1), None]
        );
        slots.give_back(0);
        slots.give_back(0);
        assert_eq!([(); 2].map(|()| slots.take(ADDRESS)), [Some(0), None]);
    }

    #[test]
    fn adopted_slots_are_not_given_again() {
        let mut slots = Slots::new(4);
        assert!(slots.adopt(2, ADDRESS));
        assert!(!slots.adopt(2, ADDRESS));
        assert!(!slots.adopt(4, ADDRESS));
        slots.close_gaps();
        assert_eq!(
            [(); 4].map(|()| slots.take(ADDRESS)),
            [Some(0), Some(1), Some(3), None]
        );
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

//! The free addresses of a subnet.
//!
//! Taking any, taking a certain one and giving back cost O(1) at any fill. Nothing is kept for an
//! address until it is used for the first time, so that a pool of millions costs what its clients do.

use std::{collections::HashSet, net::Ipv4Addr};

use hashlink::LinkedHashSet;

/// Addresses never used come first, in ascending order, then the one given back longest ago: a client
/// that returns has the best chance to find its former address free.
#[derive(Debug)]
pub struct Pool {
    ranges: Vec<Range>,
    /// The range in which the next never-used address is looked for.
    current: usize,
    /// Inside the ranges, but kept for the clients they are reserved for.
    reserved: HashSet<u32>,
    /// Used before `take_any` came to them; it skips them, and forgets them then.
    used_ahead: HashSet<u32>,
    /// Given back, the longest ago first.
    given_back: LinkedHashSet<u32>,
    size: u64,
    free: u64,
}

/// Inclusive; `next` is the first that `take_any` has not come to. Wider than an address, so that one
/// past the last of all fits.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: u64,
    next: u64,
    last: u64,
}

impl Range {
    const fn contains(&self, address: u64) -> bool {
        self.first <= address && address <= self.last
    }
}

impl Pool {
    /// The addresses of `pools` (ascending, disjoint) but those that are reserved.
    pub fn new<'a>(
        pools: impl IntoIterator<Item = &'a dhcp_config::Pool>,
        reserved: impl IntoIterator<Item = Ipv4Addr>,
    ) -> Self {
        let ranges: Vec<_> = pools
            .into_iter()
            .map(|pool| {
                let first = u64::from(u32::from(pool.first));
                Range {
                    first,
                    next: first,
                    last: u64::from(u32::from(pool.last)),
                }
            })
            .collect();
        let reserved: HashSet<_> = reserved
            .into_iter()
            .map(u32::from)
            .filter(|address| in_ranges(&ranges, *address))
            .collect();
        let all: u64 = ranges
            .iter()
            .map(|range| range.last - range.first + 1)
            .sum();
        let size = all - reserved.len() as u64;
        Self {
            ranges,
            current: 0,
            reserved,
            used_ahead: HashSet::new(),
            given_back: LinkedHashSet::new(),
            size,
            free: size,
        }
    }

    /// Whether the address may be given to any client.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        let address = u32::from(address);
        in_ranges(&self.ranges, address) && !self.reserved.contains(&address)
    }

    /// Takes the address that has been free for the longest time.
    pub fn take_any(&mut self) -> Option<Ipv4Addr> {
        let address = self
            .take_never_used()
            .or_else(|| self.given_back.pop_front())?;
        self.free -= 1;
        Some(address.into())
    }

    /// Every address is passed once in the life of the pool, so that this is O(1) over all calls.
    fn take_never_used(&mut self) -> Option<u32> {
        while let Some(range) = self.ranges.get_mut(self.current) {
            while range.next <= range.last {
                let address = range.next as u32;
                range.next += 1;
                if !self.reserved.contains(&address) && !self.used_ahead.remove(&address) {
                    return Some(address);
                }
            }
            self.current += 1;
        }
        None
    }

    /// Takes a certain address. False, and nothing changed, if it is not free or not of this pool.
    pub fn take(&mut self, address: Ipv4Addr) -> bool {
        if !self.contains(address) {
            return false;
        }
        let address = u32::from(address);
        if self.is_never_used(address) {
            self.use_ahead(address);
        } else if !self.given_back.remove(&address) {
            return false;
        }
        self.free -= 1;
        true
    }

    /// Addresses that are taken in ascending order, as by a start, are not noted one by one.
    fn use_ahead(&mut self, address: u32) {
        let wide = u64::from(address);
        let mut ranges = self.ranges.iter_mut();
        let next = ranges.find(|range| range.contains(wide) && range.next == wide);
        match next {
            Some(range) => range.next += 1,
            None => {
                self.used_ahead.insert(address);
            }
        }
    }

    /// Whether the address could be taken.
    pub fn is_free(&self, address: Ipv4Addr) -> bool {
        let raw = u32::from(address);
        self.contains(address) && (self.is_never_used(raw) || self.given_back.contains(&raw))
    }

    /// Gives back a taken address. One that is free or not of this pool is left alone.
    pub fn give_back(&mut self, address: Ipv4Addr) {
        if !self.contains(address) || self.is_free(address) {
            return;
        }
        self.given_back.insert(u32::from(address));
        self.free += 1;
    }

    /// Whether the other pool is of the same addresses, free or not.
    pub fn is_of_the_same(&self, other: &Self) -> bool {
        let bounds = |pool: &Self| -> Vec<_> {
            let ranges = pool.ranges.iter();
            ranges.map(|range| (range.first, range.last)).collect()
        };
        bounds(self) == bounds(other) && self.reserved == other.reserved
    }

    /// Makes a new pool know which addresses are not free, and in which order others were given back.
    pub fn fill(
        &mut self,
        taken: impl IntoIterator<Item = Ipv4Addr>,
        given_back: impl IntoIterator<Item = Ipv4Addr>,
    ) {
        for address in taken {
            self.take(address);
        }
        for address in given_back {
            if self.take(address) {
                self.give_back(address);
            }
        }
    }

    /// Used before and free, the longest ago first.
    pub fn given_back(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.given_back.iter().map(|address| (*address).into())
    }

    fn is_never_used(&self, address: u32) -> bool {
        let wide = u64::from(address);
        self.ranges
            .iter()
            .any(|range| range.contains(wide) && range.next <= wide)
            && !self.used_ahead.contains(&address)
    }

    /// Addresses in all, taken or not.
    pub const fn size(&self) -> u64 {
        self.size
    }

    pub const fn free(&self) -> u64 {
        self.free
    }
}

fn in_ranges(ranges: &[Range], address: u32) -> bool {
    ranges
        .iter()
        .any(|range| range.contains(u64::from(address)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ip(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }

    fn pool(ranges: &[(u8, u8)], reserved: &[u8]) -> Pool {
        let ranges: Vec<_> = ranges
            .iter()
            .map(|(first, last)| dhcp_config::Pool::new(ip(*first), ip(*last)))
            .collect();
        Pool::new(&ranges, reserved.iter().map(|last| ip(*last)))
    }

    #[test]
    fn never_used_come_first_then_the_longest_free() {
        let mut pool = pool(&[(1, 3), (8, 8)], &[]);
        assert_eq!(pool.take_any(), Some(ip(1)));
        assert_eq!(pool.take_any(), Some(ip(2)));
        pool.give_back(ip(2));
        pool.give_back(ip(1));
        let rest: Vec<_> = std::iter::from_fn(|| pool.take_any()).collect();
        assert_eq!(rest, [ip(3), ip(8), ip(2), ip(1)]);
        assert_eq!(pool.free(), 0);
    }

    #[test]
    fn m09_reserved_addresses_are_never_taken() {
        let mut pool = pool(&[(1, 4)], &[2, 9]);
        assert_eq!(pool.size(), 3);
        assert!(!pool.take(ip(2)));
        pool.give_back(ip(2));
        let all: Vec<_> = std::iter::from_fn(|| pool.take_any()).collect();
        assert_eq!(all, [ip(1), ip(3), ip(4)]);
    }

    #[test]
    fn a_pool_of_a_whole_class_a_network_takes_no_memory_for_it() {
        let ranges = [dhcp_config::Pool::new(
            Ipv4Addr::new(10, 0, 0, 1),
            Ipv4Addr::new(10, 255, 255, 254),
        )];
        let mut pool = Pool::new(&ranges, []);
        assert_eq!(pool.size(), (1 << 24) - 2);
        assert!(pool.take(Ipv4Addr::new(10, 200, 0, 0)));
        assert_eq!(pool.used_ahead.len(), 1);
        assert_eq!(pool.given_back.len(), 0);
    }

    #[test]
    fn the_last_address_of_all_is_an_address_like_others() {
        let last = Ipv4Addr::BROADCAST;
        let mut pool = Pool::new(&[dhcp_config::Pool::new(last, last)], []);
        assert_eq!(pool.take_any(), Some(last));
        assert_eq!(pool.take_any(), None);
    }

    proptest! {
        /// Against a plain set: nothing is given twice, nothing is lost.
        #[test]
        fn agrees_with_a_set(steps in proptest::collection::vec((0u8..3, 0u8..20), 0..200)) {
            let mut pool = pool(&[(1, 4), (5, 6), (10, 15)], &[3, 12]);
            let all: BTreeSet<_> = (1..=6).chain(10..=15).filter(|a| ![3, 12].contains(a)).map(ip).collect();
            let mut taken = BTreeSet::new();
            for (step, last) in steps {
                match step {
                    0 => match pool.take_any() {
                        Some(address) => prop_assert!(all.contains(&address) && taken.insert(address)),
                        None => prop_assert_eq!(taken.len(), all.len()),
                    },
                    1 => {
                        let expected = all.contains(&ip(last)) && !taken.contains(&ip(last));
                        prop_assert_eq!(pool.is_free(ip(last)), expected);
                        prop_assert_eq!(pool.take(ip(last)), expected);
                        if expected {
                            taken.insert(ip(last));
                        }
                    }
                    _ => {
                        pool.give_back(ip(last));
                        taken.remove(&ip(last));
                    }
                }
                prop_assert_eq!(pool.free(), (all.len() - taken.len()) as u64);
            }
        }
    }
}

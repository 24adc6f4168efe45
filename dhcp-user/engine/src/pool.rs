//! The free addresses, or prefixes, of a subnet.
//!
//! Taking any address, taking a certain one and giving one back cost O(1) at any fill. No memory is
//! used for an address until its first use, so the memory of a large pool grows with its clients.

use std::collections::HashSet;

use dhcp_model::Address;
use hashlink::LinkedHashSet;

/// Gives out addresses that were never used first, in ascending order, then the one given back
/// longest ago: a client that returns has the best chance to find its former address free.
#[derive(Debug)]
pub struct Pool<A> {
    ranges: Vec<Range<A>>,
    /// The range in which the next never-used address is looked for.
    current: usize,
    /// Inside the ranges, but kept for the clients that they are reserved for.
    reserved: HashSet<A>,
    /// Used before `take_any` reached them; it skips and removes them then.
    used_ahead: HashSet<A>,
    /// Given back, the longest ago first.
    given_back: LinkedHashSet<A>,
    size: u64,
    free: u64,
}

/// Inclusive; `next` is the first that `take_any` has not reached, `None` after the last.
#[derive(Clone, Copy, Debug)]
struct Range<A> {
    first: A,
    next: Option<A>,
    last: A,
}

impl<A: Address> Range<A> {
    fn contains(&self, address: A) -> bool {
        self.first <= address && address <= self.last
    }

    fn step(&mut self, address: A) {
        self.next = address.successor().filter(|next| *next <= self.last);
    }
}

impl<A: Address> Pool<A> {
    /// Creates a pool of the addresses of `ranges` (ascending, disjoint, ends included) without the
    /// reserved ones.
    pub fn new(
        ranges: impl IntoIterator<Item = (A, A)>,
        reserved: impl IntoIterator<Item = A>,
    ) -> Self {
        let ranges: Vec<_> = ranges
            .into_iter()
            .map(|(first, last)| Range {
                first,
                next: Some(first),
                last,
            })
            .collect();
        let reserved: HashSet<_> = reserved
            .into_iter()
            .filter(|address| in_ranges(&ranges, *address))
            .collect();
        let counts = ranges.iter().map(|range| A::count(range.first, range.last));
        let all = counts.fold(0, u64::saturating_add);
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

    /// Returns whether the address is one of this pool, free or not.
    pub fn contains(&self, address: A) -> bool {
        in_ranges(&self.ranges, address) && !self.reserved.contains(&address)
    }

    /// Takes the address that has been free for the longest time.
    pub fn take_any(&mut self) -> Option<A> {
        let address = self
            .take_never_used()
            .or_else(|| self.given_back.pop_front())?;
        self.free -= 1;
        Some(address)
    }

    /// Every address is passed once in the life of the pool, so that this is O(1) over all calls.
    fn take_never_used(&mut self) -> Option<A> {
        while let Some(range) = self.ranges.get_mut(self.current) {
            while let Some(address) = range.next {
                range.step(address);
                if !self.reserved.contains(&address) && !self.used_ahead.remove(&address) {
                    return Some(address);
                }
            }
            self.current += 1;
        }
        None
    }

    /// Takes a certain address. Returns `false`, and changes nothing, if it is not free or not of
    /// this pool.
    pub fn take(&mut self, address: A) -> bool {
        if !self.contains(address) {
            return false;
        }
        if self.is_never_used(address) {
            self.use_ahead(address);
        } else if !self.given_back.remove(&address) {
            return false;
        }
        self.free -= 1;
        true
    }

    /// Takes an address before `take_any` reaches it. Addresses that are taken in ascending order,
    /// as by a start, are not recorded one by one.
    fn use_ahead(&mut self, address: A) {
        let mut ranges = self.ranges.iter_mut();
        match ranges.find(|range| range.next == Some(address)) {
            Some(range) => range.step(address),
            None => {
                self.used_ahead.insert(address);
            }
        }
    }

    /// Returns whether the address can be taken.
    pub fn is_free(&self, address: A) -> bool {
        self.contains(address)
            && (self.is_never_used(address) || self.given_back.contains(&address))
    }

    /// Gives back a taken address. One that is free or not of this pool is left alone.
    pub fn give_back(&mut self, address: A) {
        if !self.contains(address) || self.is_free(address) {
            return;
        }
        self.given_back.insert(address);
        self.free += 1;
    }

    /// Returns whether another pool has the same addresses, free or not.
    pub fn is_of_the_same(&self, other: &Self) -> bool {
        let bounds = |pool: &Self| -> Vec<_> {
            let ranges = pool.ranges.iter();
            ranges.map(|range| (range.first, range.last)).collect()
        };
        bounds(self) == bounds(other) && self.reserved == other.reserved
    }

    /// Tells a new pool which addresses are not free, and in which order others were given back.
    pub fn fill(
        &mut self,
        taken: impl IntoIterator<Item = A>,
        given_back: impl IntoIterator<Item = A>,
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

    /// Returns the addresses that were used before and are free, the longest ago first.
    pub fn given_back(&self) -> impl Iterator<Item = A> {
        self.given_back.iter().copied()
    }

    fn is_never_used(&self, address: A) -> bool {
        self.ranges
            .iter()
            .any(|range| range.contains(address) && range.next.is_some_and(|next| next <= address))
            && !self.used_ahead.contains(&address)
    }

    /// Returns the number of all addresses, taken or not.
    pub const fn size(&self) -> u64 {
        self.size
    }

    pub const fn free(&self) -> u64 {
        self.free
    }
}

fn in_ranges<A: Address>(ranges: &[Range<A>], address: A) -> bool {
    ranges.iter().any(|range| range.contains(address))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, net::Ipv4Addr};

    use proptest::prelude::*;

    use super::*;

    fn ip(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }

    fn pool(ranges: &[(u8, u8)], reserved: &[u8]) -> Pool<Ipv4Addr> {
        let ranges = ranges.iter().map(|(first, last)| (ip(*first), ip(*last)));
        Pool::new(ranges, reserved.iter().map(|last| ip(*last)))
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
        let range = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 255, 255, 254));
        let mut pool = Pool::new([range], []);
        assert_eq!(pool.size(), (1 << 24) - 2);
        assert!(pool.take(Ipv4Addr::new(10, 200, 0, 0)));
        assert_eq!(pool.used_ahead.len(), 1);
        assert_eq!(pool.given_back.len(), 0);
    }

    #[test]
    fn the_last_address_of_all_is_an_address_like_others() {
        let last = Ipv4Addr::BROADCAST;
        let mut pool = Pool::new([(last, last)], []);
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

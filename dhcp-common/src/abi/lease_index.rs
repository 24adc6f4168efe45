//! Where a client's binding is in `LEASES`.
//!
//! The map is an array, and a hash table only by convention: a client's keyed digest names the
//! bucket where the search begins, and the next buckets follow. A slot is an index into the cells
//! of that array and, with the same number, into `GRANTS`, so both can be fetched from memory in
//! parallel. A lookup in a hash map of the kernel waits for memory four or five times, one after
//! the other.

use core::ops::Range;

use super::{binding::Binding, digest::ClientDigest};

/// Bindings in a bucket.
pub const WAYS: u32 = 4;

/// Buckets where a binding may be, from its home on. In a table whose leases are all in use nine in
/// ten bindings are in the first one, and not one in a million is beyond the last.
pub const PROBES: u32 = 32;

/// Returns the number of home buckets for `max_leases` leases: three cells for every two leases.
pub const fn lease_homes(max_leases: u32) -> u32 {
    let cells = max_leases as u64 * 3 / 2;
    let homes = cells.div_ceil(WAYS as u64);
    if homes == 0 { 1 } else { homes as u32 }
}

/// Returns the entries of `LEASES` for `max_leases` leases. Those after the last home bucket take
/// its overflow.
pub const fn lease_buckets(max_leases: u32) -> u32 {
    lease_homes(max_leases) + PROBES - 1
}

/// Returns the entries of `GRANTS` and of `CLIENTS` for `max_leases` leases.
pub const fn lease_slots(max_leases: u32) -> u32 {
    lease_buckets(max_leases) * WAYS
}

impl ClientDigest {
    /// Returns the tag of the client's cell, see [`Cell::tag`].
    #[inline(always)]
    pub const fn tag(self) -> u64 {
        (self.lanes()[1] & !Cell::PASSED) | Cell::IN_USE
    }

    /// Returns the bucket where the search begins.
    #[inline(always)]
    pub const fn home(self, homes: u32) -> u32 {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (self.lanes()[0] ^ self.lanes()[0] >> 32).wrapping_mul(ODD);
        (((mixed >> 32) * homes as u64) >> 32) as u32
    }

    /// Returns the slots that the client's binding may have. The first free one is to be taken.
    pub const fn slots(self, homes: u32) -> Range<u32> {
        let first = self.home(homes) * WAYS;
        first..first + PROBES * WAYS
    }
}

/// A slot of a bucket: a binding and the tag of its client. It fills a cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Cell {
    /// [`ClientDigest::tag`], or zero in a free cell. The first one of a bucket may have
    /// [`Cell::PASSED`] as well.
    pub tag: u64,
    pub binding: Binding,
}

impl Cell {
    /// Set in the first tag of a bucket that was full, so that searches continue with the next.
    pub const PASSED: u64 = 1;
    const IN_USE: u64 = 2;

    /// Returns whether a tag is that of a client.
    #[inline(always)]
    pub const fn is_of(tag: u64, digest: ClientDigest) -> bool {
        tag & !Self::PASSED == digest.tag()
    }

    /// Returns whether the cell holds a binding.
    pub const fn is_in_use(&self) -> bool {
        self.tag & Self::IN_USE != 0
    }
}

/// Value of `LEASES`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Bucket {
    pub cells: [Cell; WAYS as usize],
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::{vec, vec::Vec};

    use super::*;
    use crate::{abi::client::ClientKey, fingerprint::KEY_WORDS};

    fn key() -> [u64; KEY_WORDS] {
        core::array::from_fn(|i| {
            let word = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            word ^ word >> 29
        })
    }

    #[test]
    fn digests_of_different_clients_differ() {
        let clients = [
            ClientKey::hardware(1, 1, &[2, 0, 0, 0, 0, 1]),
            ClientKey::hardware(2, 1, &[2, 0, 0, 0, 0, 1]),
            ClientKey::hardware(1, 6, &[2, 0, 0, 0, 0, 1]),
            ClientKey::client_id(1, &[2, 0, 0, 0, 0, 1]),
            ClientKey::client_id(1, &[0; 8]),
            ClientKey::client_id(1, &[0; 9]),
            ClientKey::client_id(1, &[0; 32]),
        ];
        let digests = clients.map(|client| ClientDigest::new(&client.unwrap(), &key()));
        for (i, digest) in digests.iter().enumerate() {
            assert!(!digests[..i].contains(digest), "{i}");
            assert!(Cell::is_of(digest.tag() | Cell::PASSED, *digest));
            assert!(!Cell::is_of(Cell::PASSED, *digest));
        }
    }

    /// A fleet has consecutive addresses, which a poor hash would crowd together.
    #[test]
    fn a_full_table_has_a_place_for_everyone() {
        const LEASES: u32 = 50_000;
        type Client = fn(u32) -> Option<ClientKey>;
        let kinds: [Client; 3] = [
            |n| ClientKey::hardware(1, 1, &[[2, 0].as_slice(), &n.to_be_bytes()].concat()),
            |n| ClientKey::client_id(1, &[[1, 2, 0].as_slice(), &n.to_be_bytes()].concat()),
            |n| ClientKey::client_id(1, &[[7; 28].as_slice(), &(n * 256).to_be_bytes()].concat()),
        ];
        for client in kinds {
            let mut used = vec![0; lease_buckets(LEASES) as usize];
            let mut distances = Vec::new();
            for n in 0..LEASES {
                let digest = ClientDigest::new(&client(n).unwrap(), &key());
                let home = digest.home(lease_homes(LEASES)) as usize;
                let free = used[home..].iter().position(|used| *used < WAYS).unwrap();
                used[home + free] += 1;
                distances.push(free);
            }
            let at_home = distances.iter().filter(|distance| **distance == 0).count();
            assert!(at_home > LEASES as usize * 85 / 100, "{at_home}");
            assert!(*distances.iter().max().unwrap() < PROBES as usize);
        }
    }

    #[test]
    fn the_smallest_and_the_largest_table_have_room() {
        assert_eq!(lease_homes(0), 1);
        assert_eq!(lease_buckets(1), PROBES);
        assert_eq!(lease_slots(1 << 24), (6_291_456 + PROBES - 1) * WAYS);
    }
}

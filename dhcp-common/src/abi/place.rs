//! Where a client's binding stands in `LEASES`.
//!
//! The map is an array, and a hash table only by what its two sides agree on here: a client's keyed digest
//! says in which bucket its binding is looked for first, and the next ones follow. A slot is a place in that
//! array, and the same place in `GRANTS`; so that whoever has the digest asks memory for both at once, and
//! waits once. A hash map of the kernel takes four or five waits, one after the other.

use core::ops::Range;

use super::{Binding, ClientKey};
use crate::fingerprint::{Fingerprint, KEY_WORDS};

/// Bindings in a bucket.
pub const WAYS: u32 = 4;

/// Buckets that a binding may stand in, from its home on. Of a table in which all leases are in use nine
/// in ten are in the first, and none in a million beyond this many.
pub const PROBES: u32 = 32;

/// Buckets that are the home of some client, for so many leases: three places for every two of them.
pub const fn lease_homes(max_leases: u32) -> u32 {
    let places = max_leases as u64 * 3 / 2;
    let homes = places.div_ceil(WAYS as u64);
    if homes == 0 { 1 } else { homes as u32 }
}

/// Entries of `LEASES` for so many leases. Those behind the last home take what it has no room for.
pub const fn lease_buckets(max_leases: u32) -> u32 {
    lease_homes(max_leases) + PROBES - 1
}

/// Entries of `GRANTS` and of `CLIENTS` for so many leases.
pub const fn lease_slots(max_leases: u32) -> u32 {
    lease_buckets(max_leases) * WAYS
}

/// A client's key, hashed with the key of the fingerprints. Two clients have the same one with a probability
/// of about 2^-62, see [`crate::fingerprint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientDigest {
    lanes: [u64; 2],
}

impl ClientDigest {
    #[inline(always)]
    pub fn new(client: &ClientKey, key: &[u64; KEY_WORDS]) -> Self {
        let mut fingerprint = Fingerprint::default();
        fingerprint.mix(client.scope, [key[0], key[1]]);
        fingerprint.mix(client.id[0], [key[1], key[2]]);
        // Most are known by so few octets that the other words, which are zero, need not be looked at.
        if client.id_len() > 8 {
            fingerprint.mix(client.id[1], [key[2], key[3]]);
            fingerprint.mix(client.id[2], [key[3], key[4]]);
            fingerprint.mix(client.id[3], [key[4], key[5]]);
        }
        Self {
            lanes: fingerprint.finish(),
        }
    }

    /// Of [`Cell::tag`].
    #[inline(always)]
    pub const fn tag(self) -> u64 {
        (self.lanes[1] & !Cell::PASSED) | Cell::IN_USE
    }

    /// The first bucket to look into.
    #[inline(always)]
    pub const fn home(self, homes: u32) -> u32 {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (self.lanes[0] ^ self.lanes[0] >> 32).wrapping_mul(ODD);
        (((mixed >> 32) * homes as u64) >> 32) as u32
    }

    /// The slots that the client's binding may have; of those that are free the first one is to be taken.
    pub const fn slots(self, homes: u32) -> Range<u32> {
        let first = self.home(homes) * WAYS;
        first..first + PROBES * WAYS
    }

    pub(super) const fn lanes(self) -> [u64; 2] {
        self.lanes
    }
}

/// One place of a bucket: a binding, and whose it is. It fills a cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Cell {
    /// [`ClientDigest::tag`], or zero where there is none; the first one of a bucket has
    /// [`Cell::PASSED`] as well.
    pub tag: u64,
    pub binding: Binding,
}

impl Cell {
    /// In the first tag of a bucket: clients that found it full have looked further.
    pub const PASSED: u64 = 1;
    const IN_USE: u64 = 2;

    #[inline(always)]
    pub const fn is_of(tag: u64, digest: ClientDigest) -> bool {
        tag & !Self::PASSED == digest.tag()
    }

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

    /// Addresses in a row are what a fleet has, and what a poor hash would crowd together.
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

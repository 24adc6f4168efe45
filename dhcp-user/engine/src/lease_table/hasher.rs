//! A hasher that puts neighbouring addresses beside each other.

use std::hash::{BuildHasher, Hasher};

/// Builds hashes that put each sixteen neighbouring addresses into adjacent places of a table. A
/// start goes through a million leases in the order of their addresses, and the time that it takes
/// is that of memory accesses.
///
/// Only the configuration decides which addresses there are, so that the hash needs no secret.
#[derive(Clone, Copy, Debug, Default)]
pub struct AddressHasher;

/// The low bits in which neighbours differ; hashbrown looks at 16 places at a time.
const BLOCK_BITS: u32 = 4;
/// An odd constant for multiplicative hashing (Knuth, "The Art of Computer Programming" 3, section
/// 6.4): the high bits of a product depend on all bits.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

impl BuildHasher for AddressHasher {
    type Hasher = Hash;

    fn build_hasher(&self) -> Hash {
        Hash(0)
    }
}

/// The state of a hash. The standard library writes an address as octets or as one number of them.
/// The first octets of an address of more than eight are folded into the last ones, which differ
/// most.
#[derive(Clone, Copy, Debug)]
pub struct Hash(u64);

impl Hasher for Hash {
    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = self.0.rotate_left(8) ^ u64::from(*octet);
        }
    }

    fn write_u32(&mut self, octets: u32) {
        self.write(&octets.to_ne_bytes());
    }

    /// The length of the octets that follow.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        const LOW: u64 = (1 << BLOCK_BITS) - 1;
        // DashMap takes the part from the bits below the highest seven, a table the place from the
        // lowest and a mark from the highest seven, which is to tell neighbours apart.
        const MARK: u64 = 0x7f << 57;
        let block = (self.0 >> BLOCK_BITS).wrapping_mul(ODD);
        let block = block ^ (block >> 32);
        let place = (block & !LOW) | (self.0 & LOW);
        let mark = self.0.wrapping_mul(ODD);
        (place & !MARK) | (mark & MARK)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, net::Ipv4Addr};

    use super::*;

    fn hash(address: u32) -> u64 {
        AddressHasher.hash_one(Ipv4Addr::from(address))
    }

    #[test]
    fn neighbours_are_beside_each_other_and_told_apart() {
        let first = 0x0a10_0040;
        for n in 0..16 {
            assert_eq!(
                hash(first + n) & 0xffff,
                (hash(first) + u64::from(n)) & 0xffff
            );
        }
        let mut marks: Vec<_> = (0..16).map(|n| hash(first + n) >> 57).collect();
        marks.sort_unstable();
        marks.dedup();
        assert!(marks.len() > 12, "{marks:?}");
    }

    /// Networks of all shapes fill every part of a table alike.
    #[test]
    fn blocks_are_everywhere() {
        for (networks, apart, hosts) in [
            (1, 0, 1 << 18),
            (1 << 10, 1 << 8, 1 << 8),
            (1 << 8, 1 << 16, 1 << 6),
        ] {
            let all = (0..networks)
                .flat_map(|n| (0..hosts).map(move |host| 0x0a00_0000 + n * apart + host));
            let mut parts: HashMap<u64, u32> = HashMap::new();
            let mut places: HashMap<u64, u32> = HashMap::new();
            for address in all {
                *parts.entry((hash(address) << 7) >> 61).or_default() += 1;
                *places.entry((hash(address) >> 4) & 0x3f).or_default() += 1;
            }
            let all = networks * hosts;
            assert!(
                parts.values().all(|part| part.abs_diff(all / 8) < all / 32),
                "{parts:?}"
            );
            assert!(
                places
                    .values()
                    .all(|place| place.abs_diff(all / 64) < all / 64),
                "{places:?}"
            );
        }
    }
}

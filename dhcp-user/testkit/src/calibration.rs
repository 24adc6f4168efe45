//! A fixed piece of work, timed together with each figure: nanoseconds differ between machines and
//! hours, but the ratio of a figure to this work does not.

/// Octets that the work reads; they fit into the cache of any core.
pub const LEN: usize = 4096;

/// Hashes the octets in memory order, with a multiplication for each: FNV-1a.
pub fn work(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

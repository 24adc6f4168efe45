//! Metadata of the maps, and limits for the controller.

use super::time::NS_PER_SEC;
use crate::fingerprint;

/// Version of everything in the maps: layouts, and the meaning of each field.
pub const ABI_VERSION: u32 = 5;

/// Index of the only entry of `META`.
pub const META_INDEX: u32 = 0;

/// In [`Meta::flags`]: the program answers nothing and hands every request to the controller.
pub const META_SLOW_ONLY: u32 = 1;

/// The only entry of `META`: metadata of all maps. The controller writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Meta {
    /// [`ABI_VERSION`] of the controller that created the maps.
    pub abi_version: u32,
    /// See the `META_*` constants.
    pub flags: u32,
    /// Number of leases for which the maps were created.
    pub max_leases: u32,
    /// `lease_homes` for that number.
    pub lease_homes: u32,
    /// Key of the digests in `LEASES` and of the fingerprints in `TEMPLATES`, drawn when the maps
    /// were created.
    pub fingerprint_key: [u64; fingerprint::KEY_WORDS],
    /// Requests that one client may send to the controller.
    pub client_limit: Limit,
    /// Requests that one relay agent may send to the controller.
    pub relay_limit: Limit,
    /// Requests that all clients without a published entry together may send to the controller:
    /// those on links, and separately those behind relay agents.
    pub unknown_limit: Limit,
}

/// A token bucket in the form of GCRA (ITU-T I.371): one packet every `interval_ns`, and up to
/// `burst_ns` saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Limit {
    pub interval_ns: u64,
    pub burst_ns: u64,
}

impl Limit {
    /// Allows `packets` a second, and a burst of `burst`.
    pub const fn per_second(packets: u32, burst: u32) -> Self {
        let interval_ns = NS_PER_SEC / if packets == 0 { 1 } else { packets as u64 };
        Self {
            interval_ns,
            burst_ns: interval_ns * burst as u64,
        }
    }

    /// Returns the bucket after one more packet at `now_ns`, or `None` if it holds no token.
    #[inline(always)]
    pub const fn admit(&self, bucket: u64, now_ns: u64) -> Option<u64> {
        let arrival = if bucket > now_ns { bucket } else { now_ns };
        if arrival - now_ns > self.burst_ns {
            return None;
        }
        Some(arrival.wrapping_add(self.interval_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_admits_its_burst_and_then_its_rate() {
        let limit = Limit::per_second(10, 5);
        let mut bucket = 0;
        let now = 1_000 * NS_PER_SEC;
        let mut admitted = 0;
        while let Some(next) = limit.admit(bucket, now) {
            bucket = next;
            admitted += 1;
        }
        assert_eq!(admitted, 6, "five saved up and the one due");
        assert!(limit.admit(bucket, now + NS_PER_SEC / 10).is_some());
    }
}

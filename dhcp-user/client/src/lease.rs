//! A lease as its client counts it.

use core::{net::Ipv4Addr, num::NonZeroU32};

use crate::SEC_NS;

/// A lease that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub address: Ipv4Addr,
    /// Identifier of the server that has acknowledged it.
    pub server: Ipv4Addr,
    /// The first transmission of the REQUEST that was acknowledged: the lease counts from then (RFC
    /// 2131 §4.4.1).
    pub since_ns: u64,
    /// `u32::MAX` is infinite (RFC 2131 §3.3).
    pub lease_secs: NonZeroU32,
}

impl Lease {
    /// Returns when the lease ends.
    pub const fn until_ns(&self) -> u64 {
        self.after_eighths(8)
    }

    /// Returns T1, by its default (RFC 2131 §4.4.5).
    pub const fn renewal_ns(&self) -> u64 {
        self.after_eighths(4)
    }

    /// Returns T2, by its default (RFC 2131 §4.4.5).
    pub const fn rebinding_ns(&self) -> u64 {
        self.after_eighths(7)
    }

    /// Returns whether the client may use the address.
    pub const fn is_valid(&self, now_ns: u64) -> bool {
        now_ns < self.until_ns()
    }

    const fn after_eighths(&self, eighths: u64) -> u64 {
        if self.lease_secs.get() == u32::MAX {
            return u64::MAX;
        }
        // 2^32 seconds are less than 2^63 ns.
        let part_ns = self.lease_secs.get() as u64 * SEC_NS / 8 * eighths;
        self.since_ns.saturating_add(part_ns)
    }
}

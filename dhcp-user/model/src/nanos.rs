//! The engine's time.
//!
//! The engine and the maps count nanoseconds of `CLOCK_BOOTTIME`, which steps of the wall clock do
//! not affect. This crate reads no clock: callers pass the time.

use std::time::Duration;

use dhcp_common::{abi, wire};

/// A point in time: nanoseconds of `CLOCK_BOOTTIME`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The end of an infinite lease.
    pub const FOREVER: Self = Self(abi::FOREVER_NS);

    /// Returns whether this is the end of an infinite lease.
    pub const fn is_forever(self) -> bool {
        self.0 == abi::FOREVER_NS
    }

    /// Returns this time plus `lease_secs`; an infinite lease never ends (RFC 2131 §3.3).
    #[must_use]
    pub const fn plus_lease(self, lease_secs: u32) -> Self {
        if lease_secs == wire::INFINITE_SECS {
            return Self::FOREVER;
        }
        Self(self.0.saturating_add(lease_secs as u64 * abi::NS_PER_SEC))
    }

    /// Returns this time plus a duration.
    #[must_use]
    pub const fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_nanos() as u64))
    }

    /// Returns the time from `earlier` to this, or zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

//! The horizon: until when an address is its client's on disk, ahead of what the kernel grants.

use dhcp_common::{abi::NS_PER_SEC, wire};

use crate::{LeaseTimes, Nanos};

/// `expires` and the further lease times for which an address is kept on disk.
pub fn horizon(expires: Nanos, lease: &LeaseTimes) -> Nanos {
    if expires.is_forever() || lease.lease_secs == wire::INFINITE_SECS {
        return Nanos::FOREVER;
    }
    let ahead = u64::from(lease.lease_secs)
        .saturating_mul(u64::from(lease.horizon_leases))
        .saturating_mul(NS_PER_SEC);
    Nanos(expires.0.saturating_add(ahead))
}

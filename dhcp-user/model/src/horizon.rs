//! The horizon: the time until which the store reserves an address for its client, ahead of the
//! kernel's grants.

use dhcp_common::{abi::NS_PER_SEC, wire};

use crate::{LeaseTimes, Nanos};

/// Returns `expires` plus the further lease times for which the store reserves the address.
pub fn horizon(expires: Nanos, lease: &LeaseTimes) -> Nanos {
    if expires.is_forever() || lease.lease_secs == wire::INFINITE_SECS {
        return Nanos::FOREVER;
    }
    let ahead = u64::from(lease.lease_secs)
        .saturating_mul(u64::from(lease.horizon_leases))
        .saturating_mul(NS_PER_SEC);
    Nanos(expires.0.saturating_add(ahead))
}

//! The times of a lease.

use dhcp_common::wire::INFINITE_SECS;

/// Times in seconds as they go into options 51, 58 and 59; `u32::MAX` is infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTimes {
    pub lease_secs: u32,
    /// T1, less than T2.
    pub renewal_secs: u32,
    /// T2, less than the lease.
    pub rebinding_secs: u32,
    /// Further lease times for which an address is committed ahead of the lease's end.
    pub horizon_leases: u32,
    /// The least and the most for a client that asks for a time; `None`: every client gets the
    /// same.
    pub range: Option<[u32; 2]>,
}

impl LeaseTimes {
    /// Returns the times for a client that asks for one (RFC 2131 §4.3.1): the nearest one allowed,
    /// with T1 and T2 at the same fractions of it.
    #[must_use]
    pub fn requested(self, secs: u32) -> Self {
        let Some([least, most]) = self.range else {
            return self;
        };
        let lease_secs = secs.clamp(least, most);
        if lease_secs == self.lease_secs {
            return self;
        }
        let of_lease = |secs: u32, default: [u64; 2]| match (secs, self.lease_secs, lease_secs) {
            (.., INFINITE_SECS) => INFINITE_SECS,
            // An infinite lease has no fractions.
            (INFINITE_SECS, ..) | (_, INFINITE_SECS, _) => {
                (u64::from(lease_secs) * default[0] / default[1]) as u32
            }
            (secs, whole, _) => (u64::from(lease_secs) * u64::from(secs) / u64::from(whole)) as u32,
        };
        Self {
            lease_secs,
            renewal_secs: of_lease(self.renewal_secs, [1, 2]),
            rebinding_secs: of_lease(self.rebinding_secs, [7, 8]),
            ..self
        }
    }
}

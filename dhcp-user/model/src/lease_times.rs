//! How long a lease is given for.

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
    /// The least and the most that a client gets who asks for a certain time; `None`: it gets what all get.
    pub range: Option<[u32; 2]>,
}

impl LeaseTimes {
    /// What a client gets who asks for a time (RFC 2131 §4.3.1): the time as near to it as is allowed,
    /// with renewals at the same parts of it.
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
            // A lease without end has no part.
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

//! What RFC 2131 leaves to a client: times, numbers of attempts.

use crate::SEC_NS;

/// The parameters of clients, shared by any number of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The delay before the first retransmission. It doubles with each further one (§4.1).
    pub first_ns: u64,
    /// The longest delay.
    pub longest_ns: u64,
    /// By how much a delay varies at random, either way.
    pub jitter_ns: u64,
    /// Transmissions of a DISCOVER until the client starts again, if it ever does.
    pub discovers: Option<u8>,
    /// Transmissions of a REQUEST in REQUESTING until the client starts again.
    pub requests: u8,
    /// Transmissions of a REQUEST in REBOOTING until the client continues with a lease that is
    /// valid, or starts again.
    pub reboots: u8,
    pub renewals: Renewals,
}

/// When a REQUEST in RENEWING or REBINDING is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewals {
    /// After half of the time to T2, or to the end of the lease, but not within this time (§4.4.5).
    HalfOfRest { least_ns: u64 },
    /// As other messages are, with this many transmissions before the client is in BOUND again: for
    /// clients that renew on demand, long before T1.
    LikeOthers { attempts: u8 },
}

impl Policy {
    /// The times of §4.1 and §4.4.5, and the attempts that §3.1(5) and §3.2 suggest.
    pub const RFC_2131: Self = Self {
        first_ns: 4 * SEC_NS,
        longest_ns: 64 * SEC_NS,
        jitter_ns: SEC_NS,
        discovers: None,
        requests: 5,
        reboots: 5,
        renewals: Renewals::HalfOfRest {
            least_ns: 60 * SEC_NS,
        },
    };

    /// Multiplies the delays before retransmissions.
    #[must_use]
    pub const fn scaled(self, scale: f64) -> Self {
        const fn times(time_ns: u64, scale: f64) -> u64 {
            (time_ns as f64 * scale) as u64
        }
        Self {
            first_ns: times(self.first_ns, scale),
            longest_ns: times(self.longest_ns, scale),
            jitter_ns: times(self.jitter_ns, scale),
            ..self
        }
    }

    /// Returns the delay after a number of earlier transmissions. `random` is any word; its part of
    /// all words is the part of the variation.
    pub fn delay_ns(&self, earlier: u8, random: u64) -> u64 {
        let factor = 1u64.checked_shl(earlier.into()).unwrap_or(u64::MAX);
        let middle_ns = self.first_ns.saturating_mul(factor).min(self.longest_ns);
        let range_ns = u128::from(self.jitter_ns) * 2;
        // Below `range_ns`, for `random` is below 2^64.
        let part_ns = ((u128::from(random) * range_ns) >> 64) as u64;
        middle_ns
            .saturating_sub(self.jitter_ns)
            .saturating_add(part_ns)
    }
}

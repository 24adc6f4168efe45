//! The live table: every address that is not free, and whose it is.
//!
//! The engine is its only writer; the control interface and the metrics read it at any time, without
//! the engine knowing.

use std::{net::Ipv4Addr, num::NonZeroU8};

use dashmap::DashMap;
use ipnet::Ipv4Net;

pub use self::{hasher::AddressHasher, holder::Holder};
use dhcp_model::{LeaseTimes, Nanos};

mod hasher;
mod holder;

/// By address. In boxes, for up to half of a table is empty.
pub type Live = DashMap<Ipv4Addr, Box<Lease>, AddressHasher>;

/// Those of a prefix, in no order.
pub fn addresses_in(live: &Live, prefix: Ipv4Net) -> Vec<Ipv4Addr> {
    let size = 1 << (u32::from(prefix.max_prefix_len()) - u32::from(prefix.prefix_len()));
    if size <= live.len() as u64 {
        let first = u64::from(u32::from(prefix.network()));
        let all = (first..first + size).map(|address| Ipv4Addr::from(address as u32));
        return all.filter(|address| live.contains_key(address)).collect();
    }
    let all = live.iter().map(|lease| *lease.key());
    all.filter(|address| prefix.contains(address)).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseState {
    /// Held for a client that is to be offered it, while hosts are asked whether one of them has it.
    Probing,
    /// Held for a client that has not asked for it yet; not durable.
    Offered,
    /// The first commit is under way; nothing has been promised.
    Committing,
    /// Leased.
    Bound,
    /// Deleted by the operator; kept for its client.
    Forgotten,
    /// Revoked by the operator.
    Revoked,
    /// Declined, or found in use by a probe.
    Quarantined,
    /// On the way back to its pool: the fence has not passed yet.
    Withdrawn,
}

impl LeaseState {
    /// Whether the client has not asked for the address yet.
    pub const fn is_offer(self) -> bool {
        matches!(self, Self::Probing | Self::Offered)
    }

    /// The word in tables and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Probing => "probing",
            Self::Offered => "offered",
            Self::Committing => "committing",
            Self::Bound => "bound",
            Self::Forgotten => "deleted",
            Self::Revoked => "revoked",
            Self::Quarantined => "quarantined",
            Self::Withdrawn => "withdrawn",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Lease {
    pub holder: Holder,
    pub state: LeaseState,
    pub since: Nanos,
    /// As last known; the kernel may have granted more, see `GRANTS`.
    pub expires: Nanos,
    /// What the store has committed.
    pub durable_until: Nanos,
    /// When the engine looks at it again, or [`Nanos::FOREVER`].
    pub deadline: Nanos,
    /// For how long it was last given; not known after a restart.
    pub terms: Option<Terms>,
    /// Index into `GRANTS`.
    pub slot: u32,
    pub epoch: u16,
}

// What a million leases take depends on it.
const _: () = assert!(size_of::<Lease>() <= 72, "with what malloc adds, 80 octets");

/// [`LeaseTimes`] as they were given, in less memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    lease_secs: u32,
    renewal_secs: u32,
    rebinding_secs: u32,
    horizon_leases: NonZeroU8,
}

impl From<LeaseTimes> for Terms {
    fn from(times: LeaseTimes) -> Self {
        let horizon_leases = u8::try_from(times.horizon_leases).ok();
        Self {
            lease_secs: times.lease_secs,
            renewal_secs: times.renewal_secs,
            rebinding_secs: times.rebinding_secs,
            // The configuration allows 1 to 8.
            horizon_leases: horizon_leases
                .and_then(NonZeroU8::new)
                .unwrap_or(NonZeroU8::MIN),
        }
    }
}

impl From<Terms> for LeaseTimes {
    fn from(terms: Terms) -> Self {
        Self {
            lease_secs: terms.lease_secs,
            renewal_secs: terms.renewal_secs,
            rebinding_secs: terms.rebinding_secs,
            horizon_leases: u32::from(terms.horizon_leases.get()),
            range: None,
        }
    }
}

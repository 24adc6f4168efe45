//! The live table: every address that is not free, and whose it is.
//!
//! The engine is its only writer; the control interface and the metrics read it at any time, without
//! the engine knowing.

use std::net::Ipv4Addr;

use dashmap::DashMap;
use dhcp_common::abi::ClientKey;
use ipnet::Ipv4Net;

use crate::{clock::Nanos, config::LeaseTimes, store::Origin};

/// By address.
pub type Live = DashMap<Ipv4Addr, Lease>;

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
    pub client: ClientKey,
    pub state: LeaseState,
    pub origin: Origin,
    pub since: Nanos,
    /// As last known; the kernel may have granted more, see `GRANTS`.
    pub expires: Nanos,
    /// What the store has committed.
    pub durable_until: Nanos,
    /// For how long it was last given; not known after a restart.
    pub terms: Option<LeaseTimes>,
    /// Index into `GRANTS`.
    pub slot: u32,
    pub epoch: u16,
}

//! What became of each lease.

use std::{collections::BTreeMap, fmt, net::Ipv4Addr};

use dhcp_model::{Record, RecordState};
use serde::Serialize;

use crate::{leases::Place, lines::printable};

/// Entries that are named one by one; further ones are counted.
pub const MAX_NAMED: usize = 10_000;

/// Why a lease is not imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The entry cannot be read.
    Unreadable,
    OutsideSubnets,
    /// One of the server's own addresses.
    ServersOwn,
    /// Nothing by which its client could be known.
    NoIdentity,
    /// The client has another address on the same network.
    OtherAddress,
    /// The store holds the address for somebody else, or as an operator has decided.
    HeldInStore,
}

impl Reason {
    pub const fn text(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::OutsideSubnets => "outside every subnet",
            Self::ServersOwn => "the server's own address",
            Self::NoIdentity => "no client identity",
            Self::OtherAddress => "client with another address",
            Self::HeldInStore => "held in the store",
        }
    }
}

/// One entry, and what there is to say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    pub place: Place,
    pub address: Option<Ipv4Addr>,
    pub reason: Reason,
    pub why: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.place.file.display(), self.place.line)?;
        if let Some(address) = self.address {
            write!(f, "{address}: ")?;
        }
        // It may repeat what a client has sent.
        f.write_str(&printable(&self.why))
    }
}

/// Counts, and the entries behind those that someone should look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Leased, with the time that was left.
    pub imported: u64,
    /// Ended: the address is free, and its client gets it again while it is.
    pub former: u64,
    pub quarantined: u64,
    /// In the store already.
    pub unchanged: u64,
    /// Entries that say nothing that lasts, such as of an address that nobody has had.
    pub nothing: u64,
    pub skipped: BTreeMap<Reason, u64>,
    /// The first [`MAX_NAMED`] of those that were skipped.
    pub named: Vec<Remark>,
    /// Imported, but its client will get another address: place, address, why.
    pub moving: Vec<(Place, Ipv4Addr, String)>,
    /// All of those.
    pub moving_count: u64,
}

impl Report {
    pub fn skipped_count(&self) -> u64 {
        self.skipped.values().sum()
    }

    pub(super) fn skip(&mut self, remark: Remark) {
        *self.skipped.entry(remark.reason).or_default() += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push(remark);
        }
    }

    pub(super) fn moves(&mut self, place: Place, address: Ipv4Addr, why: String) {
        self.moving_count += 1;
        if self.moving.len() < MAX_NAMED {
            self.moving.push((place, address, why));
        }
    }

    pub(super) const fn count(&mut self, state: RecordState) -> &mut u64 {
        match state {
            RecordState::Former => &mut self.former,
            RecordState::Quarantined => &mut self.quarantined,
            RecordState::Bound | RecordState::Deleted | RecordState::Revoked => &mut self.imported,
        }
    }

    /// The store has not taken a record that was planned.
    pub(super) fn take_back(&mut self, record: &Record, place: Place) {
        let count = self.count(record.state);
        *count = count.saturating_sub(1);
        self.skip(Remark {
            place,
            address: Some(record.address),
            reason: Reason::HeldInStore,
            why: "the store holds it for another client".to_owned(),
        });
    }
}

//! The report of an import.

use std::{collections::BTreeMap, fmt, net::Ipv4Addr};

use dhcp_model::{Record, RecordState};
use serde::Serialize;

use crate::{leases::Position, lines::printable};

/// The most entries that are listed individually; all are counted.
pub const MAX_NAMED: usize = 10_000;

/// The reason why a lease is not imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The entry cannot be parsed.
    Unreadable,
    /// The address is in no subnet of the configuration.
    OutsideSubnets,
    /// The address is one of the server's own.
    ServersOwn,
    /// The entry has nothing that identifies a client.
    NoIdentity,
    /// The client has another address on the same network.
    OtherAddress,
    /// The store has the address for another client, or in a state that an operator has set.
    HeldInStore,
}

impl Reason {
    /// Returns the reason in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::OutsideSubnets => "outside all subnets",
            Self::ServersOwn => "the server's own address",
            Self::NoIdentity => "no client identity",
            Self::OtherAddress => "client has another address",
            Self::HeldInStore => "held in the store",
        }
    }
}

/// An entry that is not imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    pub position: Position,
    pub address: Option<Ipv4Addr>,
    pub reason: Reason,
    pub why: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: ",
            self.position.file.display(),
            self.position.line
        )?;
        if let Some(address) = self.address {
            write!(f, "{address}: ")?;
        }
        // The reason may contain data from a client.
        f.write_str(&printable(&self.why))
    }
}

/// Counts of all entries, and the entries that need attention.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Active leases, with their remaining times.
    pub imported: u64,
    /// Ended leases: the address is free, and its client gets it again as long as it is.
    pub former: u64,
    /// Declined addresses.
    pub quarantined: u64,
    /// Entries whose record is already in the store.
    pub unchanged: u64,
    /// Entries without a lasting effect, such as those of addresses that were never leased.
    pub nothing: u64,
    /// Entries that are not imported, by reason.
    pub skipped: BTreeMap<Reason, u64>,
    /// The first [`MAX_NAMED`] entries that are not imported.
    pub named: Vec<Remark>,
    /// Imported leases whose clients will get another address: position, address, reason.
    pub moving: Vec<(Position, Ipv4Addr, String)>,
    /// The number of those leases.
    pub moving_count: u64,
}

impl Report {
    /// Returns the number of entries that are not imported.
    pub fn skipped_count(&self) -> u64 {
        self.skipped.values().sum()
    }

    pub(super) fn skip(&mut self, remark: Remark) {
        *self.skipped.entry(remark.reason).or_default() += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push(remark);
        }
    }

    pub(super) fn moves(&mut self, position: Position, address: Ipv4Addr, why: String) {
        self.moving_count += 1;
        if self.moving.len() < MAX_NAMED {
            self.moving.push((position, address, why));
        }
    }

    pub(super) const fn count(&mut self, state: RecordState) -> &mut u64 {
        match state {
            RecordState::Former => &mut self.former,
            RecordState::Quarantined => &mut self.quarantined,
            RecordState::Bound | RecordState::Deleted | RecordState::Revoked => &mut self.imported,
        }
    }

    /// Counts a planned record that the store refused as skipped.
    pub(super) fn take_back(&mut self, record: &Record, position: Position) {
        let count = self.count(record.state);
        *count = count.saturating_sub(1);
        self.skip(Remark {
            position,
            address: Some(record.address),
            reason: Reason::HeldInStore,
            why: "the store holds it for another client".to_owned(),
        });
    }
}

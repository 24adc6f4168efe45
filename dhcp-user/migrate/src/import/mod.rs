//! Leases of another server as records of ours: keyed as the engine will key their clients' next requests, so that
//! these renew as if nothing had happened.
//!
//! [`Journal`] keeps the last entry for each address, [`plan`] decides what becomes of each and says why where
//! nothing does, and [`commit`] writes. Nothing of another client's is overwritten, and a second run changes nothing.

use std::{collections::HashMap, net::Ipv4Addr};

mod plan;
mod report;

pub use self::{
    plan::{Plan, Terrain},
    report::{Reason, Remark, Report},
};
use super::leases::{Entry, ForeignLease, Place};
use dhcp_model::{Applied, CommitError};
use dhcp_store::{Store, WallChange, WallRecord};

/// Records of one commit: some hundred milliseconds of work.
const MAX_CHANGES: usize = 65_536;

/// What a file says in the end.
#[derive(Debug, Default)]
pub struct Journal {
    last: HashMap<Ipv4Addr, (Place, ForeignLease)>,
    report: Report,
}

impl Journal {
    /// Takes the next entry in, which counts instead of an earlier one for the same address.
    pub fn take(&mut self, entry: Entry) {
        match entry.lease {
            Ok(lease) => {
                self.last.insert(lease.address, (entry.place, lease));
            }
            Err(why) => self.report.skip(Remark {
                place: entry.place,
                address: None,
                reason: Reason::Unreadable,
                why,
            }),
        }
    }
}

/// Writes what was planned, and returns what became of it all.
///
/// # Errors
/// The store did not take it. What earlier commits of the same run have written stays, and is found unchanged by the
/// next run.
pub fn commit(store: &mut dyn Store, plan: Plan) -> Result<Report, CommitError> {
    let Plan {
        records,
        mut report,
    } = plan;
    let mut records = records.into_iter().peekable();
    while records.peek().is_some() {
        let (places, changes): (Vec<_>, Vec<_>) = records
            .by_ref()
            .take(MAX_CHANGES)
            .map(|(place, record)| (place, WallChange::Put(record)))
            .unzip();
        let applied = store.commit(&changes)?;
        for ((place, change), applied) in places.into_iter().zip(&changes).zip(applied) {
            if let (WallChange::Put(record), Applied::Conflict) = (change, applied) {
                report.take_back(&record.record, place);
            }
        }
    }
    Ok(report)
}

/// A record on its way to the store, and where it comes from.
type Placed = (Place, Box<WallRecord>);

//! Writing a plan to the store.

use dhcp_model::{Applied, CommitError};
use dhcp_store::{Store, WallChange};

use super::{plan::Plan, report::Report};

/// The number of records in one commit, which takes some hundred milliseconds.
const MAX_CHANGES: usize = 65_536;

/// Writes the planned records, and returns the report with those that the store refused.
///
/// # Errors
/// The store failed. Records of earlier commits of the same run remain; the next run finds them
/// unchanged.
pub fn commit(store: &mut dyn Store, plan: Plan) -> Result<Report, CommitError> {
    let Plan {
        records,
        mut report,
    } = plan;
    let mut records = records.into_iter().peekable();
    while records.peek().is_some() {
        let (positions, changes): (Vec<_>, Vec<_>) = records
            .by_ref()
            .take(MAX_CHANGES)
            .map(|(position, record)| (position, WallChange::Put(record)))
            .unzip();
        let applied = store.commit(&changes)?;
        for ((position, change), applied) in positions.into_iter().zip(&changes).zip(applied) {
            if let (WallChange::Put(record), Applied::Conflict) = (change, applied) {
                report.take_back(&record.record, position);
            }
        }
    }
    Ok(report)
}

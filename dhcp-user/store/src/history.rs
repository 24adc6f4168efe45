//! The history: which client had which address when, written in the commit that ends each interval.
//!
//! The row of a lease holds the time since which its client has the address; renewals write nothing
//! to the history. When the lease ends, or its client moves to another port, that interval becomes
//! a row of `past`. Unlike leases, which use the boot's one offset ([`crate::wall_clock`]), these
//! rows have the times of the wall clock: nothing is counted from them, and people compare them
//! with other logs.

use std::time::Duration;

use dhcp_model::{RecordState, defaults::DEFAULT_HISTORY};
use rusqlite::{
    CachedStatement, Connection, OptionalExtension as _, Transaction, named_params, params,
};

use crate::{
    interface::WallChange,
    schema::{HELD, StoredAddress, Tables, is_held, state_number},
    utc::{Sample, Utc},
};

/// Rows that a commit deletes at most: more than it adds, so that the table cannot outgrow its
/// time.
const PRUNED_BY_COMMIT: usize = 64;
/// Rows that the anchor's tick deletes at most: some milliseconds of work.
pub(crate) const PRUNED_BY_TICK: usize = 4096;

/// Closes the interval that a change ends. Times are the store's; `:drift` makes them the wall
/// clock's. Only a lease's own client ends it or continues it, so that no other condition is needed
/// for the change to be applied. No damaged time may lead to a sum that overflows, because the
/// commit would fail with it.
const CLOSE: &str = "\
INSERT INTO {past} (address, client, htype, chaddr, client_id, host_name, relay_info, since, until)
SELECT address, client, htype, chaddr, client_id, host_name, relay_info, min(began, ended) + :drift, ended + :drift
FROM (
    SELECT *, max(0, min(horizon, :until)) AS ended, max(since, coalesce(
        (SELECT max(until) - :drift FROM {past} AS past WHERE past.address = lease.address), 0)) AS began
    FROM {lease} AS lease
    WHERE address = :address AND client = :client AND state IN (:bound, :deleted, :revoked)
        AND NOT (:stays AND htype = :htype AND chaddr = :chaddr AND relay_info IS :relay_info)
)";
const OLDEST: &str = "SELECT until FROM {past} ORDER BY id LIMIT 1";
const PRUNE: &str = "\
DELETE FROM {past} WHERE id IN (SELECT id FROM {past} ORDER BY id LIMIT ?1) AND until < ?2";

/// Writes the rows that a transaction adds to the history.
pub(crate) struct Closing<'a> {
    history: &'a History,
    close: CachedStatement<'a>,
}

impl Closing<'_> {
    /// Writes the interval that a change ends. Call it before the change is applied, while the
    /// record is still there.
    pub fn note<A: StoredAddress>(&mut self, change: &WallChange<A>) -> rusqlite::Result<()> {
        let History {
            keep,
            drift_ns,
            clock,
            ..
        } = self.history;
        if keep.is_zero() {
            return Ok(());
        }
        let now = clock().shifted(drift_ns.saturating_neg());
        let (address, client, after) = match change {
            WallChange::Put(put) => (put.record.address, put.record.client, Some(&**put)),
            WallChange::Remove { address, client } => (*address, *client, None),
        };
        let origin = after.map(|put| &put.record.origin);
        let until = match after {
            // The end includes time that the kernel had granted.
            Some(put) if put.record.state == RecordState::Former => put.expires.min(now),
            _ => now,
        };
        let [bound, deleted, revoked] = HELD.map(state_number);
        self.close.execute(named_params! {
            ":address": address.column(),
            ":client": client.to_octets(),
            ":stays": after.is_some_and(|put| is_held(put.record.state)),
            ":htype": origin.map(|origin| origin.hardware.htype),
            ":chaddr": origin.map(|origin| origin.hardware.octets()),
            ":relay_info": origin.and_then(|origin| origin.relay_info.as_deref()),
            ":until": until.0,
            ":drift": drift_ns,
            ":bound": bound,
            ":deleted": deleted,
            ":revoked": revoked,
        })?;
        Ok(())
    }
}

/// Returns how far the wall clock is ahead of a store's time.
pub(crate) fn drift_of(connection: &Connection) -> rusqlite::Result<i64> {
    let drift_ns = connection.query_row("SELECT drift_ns FROM anchor", [], |row| row.get(0));
    Ok(drift_ns.optional()?.unwrap_or(0))
}

/// Keeps the history of a store.
#[derive(Debug)]
pub(crate) struct History {
    pub keep: Duration,
    /// How far the wall clock is ahead of the store's time.
    pub drift_ns: i64,
    pub clock: fn() -> Utc,
    close: String,
    oldest: String,
    prune: String,
}

impl History {
    pub fn new(tables: &Tables, drift_ns: i64) -> Self {
        Self {
            keep: DEFAULT_HISTORY,
            drift_ns,
            clock: || Sample::now().utc,
            close: tables.fill(CLOSE),
            oldest: tables.fill(OLDEST),
            prune: tables.fill(PRUNE),
        }
    }

    /// Prepares for the changes of one transaction.
    pub fn closing<'a>(
        &'a self,
        transaction: &'a Transaction<'_>,
    ) -> rusqlite::Result<Closing<'a>> {
        Ok(Closing {
            history: self,
            close: transaction.prepare_cached(&self.close)?,
        })
    }

    /// Deletes old rows, in proportion to the `changes` of the commit.
    pub fn prune(&self, transaction: &Transaction<'_>, changes: usize) -> rusqlite::Result<()> {
        self.prune_rows(transaction, PRUNED_BY_COMMIT.saturating_add(2 * changes))
    }

    /// Deletes the oldest rows that are no longer to be kept, at most `most` of them.
    pub fn prune_rows(&self, connection: &Connection, most: usize) -> rusqlite::Result<()> {
        let keep_ns = i64::try_from(self.keep.as_nanos()).unwrap_or(i64::MAX);
        let from = (self.clock)().shifted(keep_ns.saturating_neg());
        let oldest: Option<i64> = connection
            .prepare_cached(&self.oldest)?
            .query_row([], |row| row.get(0))
            .optional()?;
        if oldest.is_some_and(|until| until < from.0) {
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            connection
                .prepare_cached(&self.prune)?
                .execute(params![most, from.0])?;
        }
        Ok(())
    }
}

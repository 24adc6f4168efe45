//! Who had which address, and when: derived from the changes of leases, in the commit of each.
//!
//! A lease's own row says since when its client has the address; while it goes on, nothing more is written,
//! however often it is renewed. When it ends, or its client moves to another port, what has been becomes a
//! row of `past`. Rows have the times of the wall clock, and not, like leases, those of the boot's one offset
//! ([`super::wall`]): nothing is counted from them, and people compare them with other logs.

use std::time::Duration;

use dhcp_model::{RecordState, defaults::DEFAULT_HISTORY};
use rusqlite::{
    CachedStatement, Connection, OptionalExtension as _, Transaction, named_params, params,
};

use super::{
    WallChange,
    sqlite::state_number,
    wall_clock::{Sample, Utc},
};

/// Rows that a commit prunes at most: more than it adds, so that the table never outgrows its time.
const PRUNED_BY_COMMIT: usize = 64;
/// Rows that the anchor's tick prunes at most: some milliseconds of work.
pub(super) const PRUNED_BY_TICK: usize = 4096;

/// Times are the store's; `:drift` makes them the wall clock's. Only the client of a lease ends it or goes on
/// with it, so that this needs no other condition for being applied. No damaged time may make a sum that
/// overflows, for the commit would fail with it.
const CLOSE: &str = "\
INSERT INTO past (address, client, htype, chaddr, client_id, host_name, relay_info, since, until)
SELECT address, client, htype, chaddr, client_id, host_name, relay_info, min(began, ended) + :drift, ended + :drift
FROM (
    SELECT *, max(0, min(horizon, :until)) AS ended, max(since, coalesce(
        (SELECT max(until) - :drift FROM past WHERE past.address = lease.address), 0)) AS began
    FROM lease
    WHERE address = :address AND client = :client AND state IN (:bound, :forgotten, :revoked)
        AND NOT (:stays AND htype = :htype AND chaddr = :chaddr AND relay_info IS :relay_info)
)";
const OLDEST: &str = "SELECT until FROM past ORDER BY id LIMIT 1";
const PRUNE: &str = "\
DELETE FROM past WHERE id IN (SELECT id FROM past ORDER BY id LIMIT ?1) AND until < ?2";

/// What a transaction adds to the past.
pub(super) struct Closing<'a> {
    history: &'a History,
    close: CachedStatement<'a>,
}

impl Closing<'_> {
    /// To be called before a change is applied, while what it ends is still there.
    pub fn note(&mut self, change: &WallChange) -> rusqlite::Result<()> {
        let History {
            keep,
            drift_ns,
            clock,
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
            // With what the kernel had granted.
            Some(put) if put.record.state == RecordState::Former => put.expires.min(now),
            _ => now,
        };
        let [bound, forgotten, revoked] = HELD.map(state_number);
        self.close.execute(named_params! {
            ":address": u32::from(address),
            ":client": client.to_octets(),
            ":stays": after.is_some_and(|put| is_held(put.record.state)),
            ":htype": origin.map(|origin| origin.hardware.htype),
            ":chaddr": origin.map(|origin| origin.hardware.octets()),
            ":relay_info": origin.and_then(|origin| origin.relay_info.as_deref()),
            ":until": until.0,
            ":drift": drift_ns,
            ":bound": bound,
            ":forgotten": forgotten,
            ":revoked": revoked,
        })?;
        Ok(())
    }
}

/// How far the wall clock is ahead of a store's time.
pub(super) fn drift_of(connection: &Connection) -> rusqlite::Result<i64> {
    let drift_ns = connection.query_row("SELECT drift_ns FROM anchor", [], |row| row.get(0));
    Ok(drift_ns.optional()?.unwrap_or(0))
}

/// States in which an address is its client's to use.
pub(super) const HELD: [RecordState; 3] = [
    RecordState::Bound,
    RecordState::Deleted,
    RecordState::Revoked,
];

/// Whether an address in this state is its client's to use.
pub(super) fn is_held(state: RecordState) -> bool {
    HELD.contains(&state)
}

/// What is kept, and the clock for it.
#[derive(Debug)]
pub(super) struct History {
    pub keep: Duration,
    /// How far the wall clock is ahead of the store's time.
    pub drift_ns: i64,
    pub clock: fn() -> Utc,
}

impl Default for History {
    fn default() -> Self {
        Self {
            keep: DEFAULT_HISTORY,
            drift_ns: 0,
            clock: || Sample::now().utc,
        }
    }
}

impl History {
    /// For the changes of one transaction.
    pub fn closing<'a>(
        &'a self,
        transaction: &'a Transaction<'_>,
    ) -> rusqlite::Result<Closing<'a>> {
        Ok(Closing {
            history: self,
            close: transaction.prepare_cached(CLOSE)?,
        })
    }

    /// Prunes with a commit of so many changes.
    pub fn prune(&self, transaction: &Transaction<'_>, changes: usize) -> rusqlite::Result<()> {
        self.prune_rows(transaction, PRUNED_BY_COMMIT.saturating_add(2 * changes))
    }

    /// Deletes the oldest rows that are no longer to be kept, at most so many of them.
    pub fn prune_rows(&self, connection: &Connection, most: usize) -> rusqlite::Result<()> {
        let keep_ns = i64::try_from(self.keep.as_nanos()).unwrap_or(i64::MAX);
        let from = (self.clock)().shifted(keep_ns.saturating_neg());
        let oldest: Option<i64> = connection
            .prepare_cached(OLDEST)?
            .query_row([], |row| row.get(0))
            .optional()?;
        if oldest.is_some_and(|until| until < from.0) {
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            connection
                .prepare_cached(PRUNE)?
                .execute(params![most, from.0])?;
        }
        Ok(())
    }
}

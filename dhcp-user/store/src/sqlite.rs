//! The store in one SQLite file, which an operator can open with `sqlite3` at any time.
//!
//! WAL with `synchronous=FULL`: a commit that has returned is on disk, and readers never block it.
//! [`crate::file`] opens and makes the file, [`crate::schema`] defines how it holds records.

use std::{
    fs::{File, OpenOptions},
    marker::PhantomData,
    net::Ipv4Addr,
    path::Path,
    time::Duration,
};

use dhcp_model::{Applied, RecordState, StoreError, StoreFault};
use nix::fcntl::{Flock, FlockArg};
use rusqlite::{
    CachedStatement, Connection, ErrorCode, OptionalExtension, ToSql, Transaction, params,
};

pub use crate::file::OpenError;
use crate::{
    file::{check_header, create, open_checked},
    history::{Closing, History, PRUNED_BY_TICK, drift_of},
    interface::{Store, WallChange, WallRecord},
    schema::{LOAD, StoredAddress, Tables, address, record, state_number},
    utc::{Anchor, Utc},
};

macro_rules! insert {
    ($on_conflict:literal) => {
        concat!(
            "INSERT INTO {lease} (address, client, state, htype, chaddr, client_id, host_name, relay_info, \
             since, expires, horizon) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
             ON CONFLICT (address) DO ",
            $on_conflict
        )
    };
}

/// Inserts where there is no record, as for most new clients: nothing to compare, and no history.
const NEW: &str = insert!("NOTHING");
const PUT: &str = insert!(
    "UPDATE SET
    client = excluded.client, state = excluded.state, htype = excluded.htype, chaddr = excluded.chaddr,
    client_id = excluded.client_id, host_name = excluded.host_name, relay_info = excluded.relay_info,
    expires = excluded.expires, horizon = excluded.horizon,
    since = CASE WHEN {lease}.client = excluded.client AND {lease}.state IN (?13, ?14, ?15)
        THEN min({lease}.since, excluded.since) ELSE excluded.since END
WHERE {lease}.client = excluded.client OR {lease}.state = ?12"
);
/// The last parameters of [`PUT`].
const PUT_STATES: [RecordState; 4] = [
    RecordState::Former,
    RecordState::Bound,
    RecordState::Deleted,
    RecordState::Revoked,
];
const REMOVE: &str = "DELETE FROM {lease} WHERE address = ?1 AND client = ?2";
const EXISTS: &str = "SELECT 1 FROM {lease} WHERE address = ?1";
const SHIFT: &str = "\
UPDATE {lease} SET
    since = CASE since WHEN ?2 THEN ?2 ELSE since + ?1 END,
    expires = CASE expires WHEN ?2 THEN ?2 ELSE expires + ?1 END,
    horizon = CASE horizon WHEN ?2 THEN ?2 ELSE horizon + ?1 END";

/// The statements for one kind of address.
#[derive(Debug)]
struct Sql {
    new: String,
    put: String,
    remove: String,
    exists: String,
    load: String,
    shift: String,
}

impl Sql {
    fn new(tables: &Tables) -> Self {
        Self {
            new: tables.fill(NEW),
            put: tables.fill(PUT),
            remove: tables.fill(REMOVE),
            exists: tables.fill(EXISTS),
            load: tables.fill(LOAD),
            shift: tables.fill(SHIFT),
        }
    }
}

/// A store in a file.
#[derive(Debug)]
pub struct SqliteStore<A = Ipv4Addr> {
    connection: Connection,
    sql: Sql,
    history: History,
    /// Keeps a second controller out. Closed after the connection: closing any descriptor of the
    /// file drops the locks that SQLite holds on it (fcntl(2), "Record locks").
    _lock: Flock<File>,
    addresses: PhantomData<A>,
}

impl SqliteStore {
    /// Opens a store of IPv4 leases, or makes one where there is no file.
    ///
    /// # Errors
    /// The file is not a store of xdhcpd, or cannot be used; it is left as it is.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_for_addresses(path)
    }
}

impl<A: StoredAddress> SqliteStore<A> {
    /// Opens a store of leases of any kind of address, or makes one where there is no file.
    ///
    /// # Errors
    /// The file is not a store of xdhcpd, or cannot be used; it is left as it is.
    pub fn open_for_addresses(path: &Path) -> Result<Self, OpenError> {
        let io_error = |error| OpenError::Io {
            path: path.to_owned(),
            error,
        };
        let damaged = |error: rusqlite::Error| OpenError::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        if !path.try_exists().map_err(io_error)? {
            create(path)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(io_error)?;
        let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                return Err(OpenError::InUse(path.to_owned()));
            }
            Err((_, errno)) => return Err(io_error(errno.into())),
        };
        check_header(path, &lock)?;
        let connection = open_checked(path)?;
        if let Some(definition) = A::TABLES.definition() {
            connection.execute_batch(&definition).map_err(damaged)?;
        }
        let drift_ns = drift_of(&connection).map_err(damaged)?;
        Ok(Self {
            connection,
            sql: Sql::new(&A::TABLES),
            history: History::new(&A::TABLES, drift_ns),
            _lock: lock,
            addresses: PhantomData,
        })
    }

    /// Sets how long the history is kept; zero keeps none and deletes what there is.
    #[must_use]
    pub fn keeping_history(mut self, keep: Duration) -> Self {
        self.history.keep = keep;
        self
    }

    /// Reads the time by which history is deleted from `clock` instead of the system's clock.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> Utc) -> Self {
        self.history.clock = clock;
        self
    }

    /// Runs `write` in a transaction and commits it.
    fn transact<T>(
        &mut self,
        write: impl FnOnce(&Transaction<'_>, &Sql, &History) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let transaction = self.connection.transaction().map_err(not_applied)?;
        // If it fails, the transaction is rolled back.
        let written = write(&transaction, &self.sql, &self.history).map_err(not_applied)?;
        transaction.commit().map_err(commit_failed)?;
        Ok(written)
    }
}

fn not_applied(error: rusqlite::Error) -> StoreError {
    StoreError::NotApplied(Box::new(error))
}

pub(crate) fn unreadable(error: impl Into<StoreFault>) -> StoreError {
    StoreError::Unreadable(error.into())
}

/// Classifies an error of COMMIT itself.
///
/// SQLite writes the transaction's frames to the WAL, the last one marked as a commit, and then
/// syncs. A lock that is not free and a disk that is full leave the WAL without that frame. After
/// any other error, such as a failed `fsync`, it may be there: this process does not see the
/// transaction, but the recovery after a crash would.
fn commit_failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::ReadOnly
            | ErrorCode::ConstraintViolation,
        ) => StoreError::NotApplied(Box::new(error)),
        _ => StoreError::Unknown(Box::new(error)),
    }
}

impl<A: StoredAddress> Store<A> for SqliteStore<A> {
    fn commit(&mut self, changes: &[WallChange<A>]) -> Result<Vec<Applied>, StoreError> {
        self.transact(|transaction, sql, history| {
            let mut statements = Statements::new(transaction, sql, history)?;
            let applied = changes.iter().map(|change| statements.apply(change));
            let applied = applied.collect::<Result<_, _>>()?;
            drop(statements);
            history.prune(transaction, changes.len())?;
            Ok(applied)
        })
    }

    fn load(&mut self, each: &mut dyn FnMut(WallRecord<A>)) -> Result<(), StoreError> {
        let mut read = || -> Result<(), StoreFault> {
            let mut statement = self.connection.prepare_cached(&self.sql.load)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let address: A = address(row)?;
                let record = record(address, row)
                    .map_err(|error| format!("the record of {address} in the store: {error}"))?;
                each(record);
            }
            Ok(())
        };
        read().map_err(unreadable)
    }

    fn anchor(&mut self) -> Result<Option<Anchor>, StoreError> {
        let query = "SELECT boot_id, offset_ns, drift_ns, seen FROM anchor";
        let anchor = self.connection.query_row(query, [], |row| {
            Ok(Anchor {
                boot_id: row.get(0)?,
                offset_ns: row.get(1)?,
                drift_ns: row.get(2)?,
                seen: Utc(row.get(3)?),
            })
        });
        anchor.optional().map_err(unreadable)
    }

    fn set_anchor(&mut self, anchor: &Anchor, shift_ns: i64) -> Result<(), StoreError> {
        self.transact(|transaction, sql, history| {
            transaction.execute(
                "REPLACE INTO anchor (id, boot_id, offset_ns, drift_ns, seen) VALUES (0, ?1, ?2, ?3, ?4)",
                params![anchor.boot_id, anchor.offset_ns, anchor.drift_ns, anchor.seen.0],
            )?;
            if shift_ns != 0 {
                transaction.execute(&sql.shift, params![shift_ns, Utc::FOREVER.0])?;
            }
            history.prune_rows(transaction, PRUNED_BY_TICK)
        })?;
        self.history.drift_ns = anchor.drift_ns;
        Ok(())
    }
}

struct Statements<'a> {
    new: CachedStatement<'a>,
    put: CachedStatement<'a>,
    remove: CachedStatement<'a>,
    exists: CachedStatement<'a>,
    history: Closing<'a>,
}

impl<'a> Statements<'a> {
    fn new(
        transaction: &'a Transaction<'_>,
        sql: &Sql,
        history: &'a History,
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            new: transaction.prepare_cached(&sql.new)?,
            put: transaction.prepare_cached(&sql.put)?,
            remove: transaction.prepare_cached(&sql.remove)?,
            exists: transaction.prepare_cached(&sql.exists)?,
            history: history.closing(transaction)?,
        })
    }

    fn apply<A: StoredAddress>(&mut self, change: &WallChange<A>) -> rusqlite::Result<Applied> {
        let is_done = match change {
            WallChange::Put(put) => {
                write(&mut self.new, put, &[])? || {
                    self.history.note(change)?;
                    write(&mut self.put, put, &PUT_STATES)?
                }
            }
            WallChange::Remove { address, client } => {
                self.history.note(change)?;
                let address = address.column();
                let removed = self.remove.execute(params![address, client.to_octets()])?;
                // A missing record counts as removed.
                removed != 0 || !self.exists.exists([address])?
            }
        };
        Ok(if is_done {
            Applied::Done
        } else {
            Applied::Conflict
        })
    }
}

/// Returns whether the record was written.
fn write<A: StoredAddress>(
    statement: &mut CachedStatement<'_>,
    put: &WallRecord<A>,
    states: &[RecordState],
) -> rusqlite::Result<bool> {
    let WallRecord {
        record,
        since,
        expires,
        horizon,
    } = put;
    let origin = &record.origin;
    let columns: &[&dyn ToSql] = params![
        record.address.column(),
        record.client.to_octets(),
        state_number(record.state),
        origin.hardware.htype,
        origin.hardware.octets(),
        origin.client_id,
        origin.host_name,
        origin.relay_info,
        since.0,
        expires.0,
        horizon.0,
    ];
    for (index, value) in (1..).zip(columns) {
        statement.raw_bind_parameter(index, value)?;
    }
    for (index, state) in (columns.len() + 1..).zip(states) {
        statement.raw_bind_parameter(index, state_number(*state))?;
    }
    Ok(statement.raw_execute()? != 0)
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn a_commit_that_may_be_in_the_log_is_unknown() {
        let failed = |code| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            commit_failed(error).is_unknown()
        };
        for code in [
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_NOMEM,
        ] {
            assert!(failed(code), "{code}");
        }
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_FULL, ffi::SQLITE_READONLY] {
            assert!(!failed(code), "{code}");
        }
    }
}

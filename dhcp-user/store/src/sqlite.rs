//! The store that is there: one SQLite file, which an operator can open with `sqlite3` at any time.
//!
//! WAL with `synchronous=FULL`: a commit that has returned is on disk, and readers never stand in its
//! way. [`super::file`] opens and makes it.

use std::{
    fs::{File, OpenOptions},
    net::Ipv4Addr,
    path::Path,
    time::Duration,
};

use dhcp_common::abi::ClientKey;
use nix::fcntl::{Flock, FlockArg};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, ToSql, Transaction, params};

pub use super::file::OpenError;
use dhcp_model::{Applied, ClientOrigin, CommitError, Hardware, Record, RecordState};

use super::{
    Store, WallChange, WallRecord,
    file::{check_header, create, open_checked},
    history::{Closing, History, PRUNED_BY_TICK, drift_of},
    wall_clock::{Anchor, Utc},
};
use dhcp_model::Nanos;

macro_rules! insert {
    ($on_conflict:literal) => {
        concat!(
            "INSERT INTO lease (address, client, state, htype, chaddr, client_id, host_name, relay_info, \
             since, expires, horizon) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
             ON CONFLICT (address) DO ",
            $on_conflict
        )
    };
}

/// Of an address that has no record, as those of most new clients have none: there is nothing to be compared, and no past.
const NEW: &str = insert!("NOTHING");
const PUT: &str = insert!(
    "UPDATE SET
    client = excluded.client, state = excluded.state, htype = excluded.htype, chaddr = excluded.chaddr,
    client_id = excluded.client_id, host_name = excluded.host_name, relay_info = excluded.relay_info,
    expires = excluded.expires, horizon = excluded.horizon,
    since = CASE WHEN lease.client = excluded.client AND lease.state IN (?13, ?14, ?15)
        THEN min(lease.since, excluded.since) ELSE excluded.since END
WHERE lease.client = excluded.client OR lease.state = ?12"
);
/// The last parameters of [`PUT`].
const PUT_STATES: [RecordState; 4] = [
    RecordState::Former,
    RecordState::Bound,
    RecordState::Deleted,
    RecordState::Revoked,
];
const REMOVE: &str = "DELETE FROM lease WHERE address = ?1 AND client = ?2";
const EXISTS: &str = "SELECT 1 FROM lease WHERE address = ?1";
pub(super) const LOAD: &str = "\
SELECT address, client, state, htype, chaddr, client_id, host_name, since, expires, horizon, relay_info FROM lease";
const SHIFT: &str = "\
UPDATE lease SET
    since = CASE since WHEN ?2 THEN ?2 ELSE since + ?1 END,
    expires = CASE expires WHEN ?2 THEN ?2 ELSE expires + ?1 END,
    horizon = CASE horizon WHEN ?2 THEN ?2 ELSE horizon + ?1 END";

/// A store in a file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    pub(super) history: History,
    /// Keeps a second controller out. Closed after the connection: closing any descriptor of the file
    /// drops the locks that SQLite holds on it (fcntl(2), "Record locks").
    _lock: Flock<File>,
}

impl SqliteStore {
    /// Opens a store, or makes one where there is no file.
    ///
    /// # Errors
    /// The file is no store of ours, or cannot be used; it is left as it is.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let io_error = |error| OpenError::Io {
            path: path.to_owned(),
            error,
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
        let drift_ns = drift_of(&connection).map_err(|error| OpenError::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        let history = History {
            drift_ns,
            ..History::default()
        };
        Ok(Self {
            connection,
            history,
            _lock: lock,
        })
    }

    /// How long it is kept who had an address; zero keeps nothing, and forgets what there is.
    #[must_use]
    pub fn keeping_history(mut self, keep: Duration) -> Self {
        self.history.keep = keep;
        self
    }

    /// Takes the time by which history is forgotten from `clock` instead of the system's clock.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> Utc) -> Self {
        self.history.clock = clock;
        self
    }
}

/// A statement failed, so that the transaction is rolled back.
fn not_applied(error: rusqlite::Error) -> CommitError {
    CommitError::NotApplied(Box::new(error))
}

/// COMMIT itself failed. After an error of input or output, such as a failed `fsync`, the write-ahead log may hold the
/// whole transaction, and the next recovery would find it there; after any other it does not.
fn commit_failed(error: rusqlite::Error) -> CommitError {
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure) {
        CommitError::Unknown(Box::new(error))
    } else {
        CommitError::NotApplied(Box::new(error))
    }
}

impl Store for SqliteStore {
    fn commit(&mut self, changes: &[WallChange]) -> Result<Vec<Applied>, CommitError> {
        let history = &self.history;
        let write = |transaction: &Transaction<'_>| {
            let mut statements = Statements::new(transaction, history)?;
            let applied = changes.iter().map(|change| statements.apply(change));
            let applied = applied.collect::<Result<_, _>>()?;
            drop(statements);
            history.prune(transaction, changes.len())?;
            Ok(applied)
        };
        let transaction = self.connection.transaction().map_err(not_applied)?;
        let applied = write(&transaction).map_err(not_applied)?;
        transaction.commit().map_err(commit_failed)?;
        Ok(applied)
    }

    fn load(
        &mut self,
        each: &mut dyn FnMut(WallRecord),
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut statement = self.connection.prepare_cached(LOAD)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let address: u32 = row.get(0)?;
            let address = Ipv4Addr::from(address);
            let record = record(address, row)
                .map_err(|error| format!("the record of {address} in the store: {error}"))?;
            each(record);
        }
        Ok(())
    }

    fn anchor(&mut self) -> Result<Option<Anchor>, Box<dyn std::error::Error + Send + Sync>> {
        let query = "SELECT boot_id, offset_ns, drift_ns, seen FROM anchor";
        let anchor = self.connection.query_row(query, [], |row| {
            Ok(Anchor {
                boot_id: row.get(0)?,
                offset_ns: row.get(1)?,
                drift_ns: row.get(2)?,
                seen: Utc(row.get(3)?),
            })
        });
        Ok(anchor.optional()?)
    }

    fn set_anchor(&mut self, anchor: &Anchor, shift_ns: i64) -> Result<(), CommitError> {
        let history = &self.history;
        let write = |transaction: &Transaction<'_>| {
            transaction.execute(
                "REPLACE INTO anchor (id, boot_id, offset_ns, drift_ns, seen) VALUES (0, ?1, ?2, ?3, ?4)",
                params![anchor.boot_id, anchor.offset_ns, anchor.drift_ns, anchor.seen.0],
            )?;
            if shift_ns != 0 {
                transaction.execute(SHIFT, params![shift_ns, Utc::FOREVER.0])?;
            }
            history.prune_rows(transaction, PRUNED_BY_TICK)
        };
        let transaction = self.connection.transaction().map_err(not_applied)?;
        write(&transaction).map_err(not_applied)?;
        transaction.commit().map_err(commit_failed)?;
        self.history.drift_ns = anchor.drift_ns;
        Ok(())
    }
}

/// What a transaction is made of.
struct Statements<'a> {
    new: CachedStatement<'a>,
    put: CachedStatement<'a>,
    remove: CachedStatement<'a>,
    exists: CachedStatement<'a>,
    history: Closing<'a>,
}

impl<'a> Statements<'a> {
    fn new(transaction: &'a Transaction<'_>, history: &'a History) -> rusqlite::Result<Self> {
        Ok(Self {
            new: transaction.prepare_cached(NEW)?,
            put: transaction.prepare_cached(PUT)?,
            remove: transaction.prepare_cached(REMOVE)?,
            exists: transaction.prepare_cached(EXISTS)?,
            history: history.closing(transaction)?,
        })
    }

    fn apply(&mut self, change: &WallChange) -> rusqlite::Result<Applied> {
        let is_done = match change {
            WallChange::Put(put) => {
                write(&mut self.new, put, &[])? || {
                    self.history.note(change)?;
                    write(&mut self.put, put, &PUT_STATES)?
                }
            }
            WallChange::Remove { address, client } => {
                self.history.note(change)?;
                let address = u32::from(*address);
                let removed = self.remove.execute(params![address, client.to_octets()])?;
                // What is not there is removed already.
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

/// Whether the record was written.
fn write(
    statement: &mut CachedStatement<'_>,
    put: &WallRecord,
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
        u32::from(record.address),
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

/// As the schema's view names them.
pub(super) const fn state_number(state: RecordState) -> u8 {
    match state {
        RecordState::Bound => 1,
        RecordState::Deleted => 2,
        RecordState::Revoked => 3,
        RecordState::Quarantined => 4,
        RecordState::Former => 5,
    }
}

fn state_of(number: u8) -> Option<RecordState> {
    [
        RecordState::Bound,
        RecordState::Deleted,
        RecordState::Revoked,
        RecordState::Quarantined,
        RecordState::Former,
    ]
    .into_iter()
    .find(|state| state_number(*state) == number)
}

/// From a row of [`LOAD`].
pub(super) fn record(
    address: Ipv4Addr,
    row: &Row<'_>,
) -> Result<WallRecord, Box<dyn std::error::Error + Send + Sync>> {
    let client: [u8; size_of::<ClientKey>()] = row.get(1)?;
    let state = row.get(2)?;
    let origin = origin(row, [3, 4, 5, 6, 10])?;
    Ok(WallRecord {
        record: Record {
            address,
            client: ClientKey::from_octets(&client).ok_or("a client key of no known kind")?,
            state: state_of(state).ok_or_else(|| format!("a state {state} that is not known"))?,
            origin,
            since: Nanos::default(),
            expires: Nanos::default(),
            horizon: Nanos::default(),
        },
        since: Utc(row.get(7)?),
        expires: Utc(row.get(8)?),
        horizon: Utc(row.get(9)?),
    })
}

/// From these columns: `htype`, `chaddr`, `client_id`, `host_name`, `relay_info`.
pub(super) fn origin(
    row: &Row<'_>,
    [htype, chaddr, client_id, host_name, relay_info]: [usize; 5],
) -> Result<ClientOrigin, Box<dyn std::error::Error + Send + Sync>> {
    let chaddr = row.get_ref(chaddr)?.as_blob()?;
    let mut hardware = Hardware {
        htype: row.get(htype)?,
        len: u8::try_from(chaddr.len())?,
        ..Hardware::default()
    };
    let octets = hardware.chaddr.get_mut(..chaddr.len());
    octets
        .ok_or("a hardware address longer than 16 octets")?
        .copy_from_slice(chaddr);
    let client_id: Option<Vec<u8>> = row.get(client_id)?;
    let host_name: Option<String> = row.get(host_name)?;
    let relay_info: Option<Vec<u8>> = row.get(relay_info)?;
    Ok(ClientOrigin {
        hardware,
        client_id: client_id.map(Vec::into_boxed_slice),
        host_name: host_name.map(String::into_boxed_str),
        relay_info: relay_info.map(Vec::into_boxed_slice),
    })
}

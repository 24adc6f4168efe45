//! The store that is there: one SQLite file, which an operator can open with `sqlite3` at any time.
//!
//! WAL with `synchronous=FULL`: a commit that has returned is on disk, and readers never stand in its
//! way. A file is touched only after it has proved to be a store of ours, whole, and of a schema that
//! this version knows; [`OpenError`] says what to do with any other.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use dhcp_common::abi::ClientKey;
use nix::fcntl::{Flock, FlockArg};
use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Row, Transaction, config::DbConfig, params,
};

use super::{
    Applied, CommitError, Hardware, Origin, Record, RecordState, Store, WallChange, WallRecord,
    wall::{Anchor, Utc},
};
use crate::clock::Nanos;

/// `xdhc`, in the header of the file.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"xdhc");
const SCHEMA_VERSION: i32 = 2;
const SCHEMA: &str = include_str!("schema.sql");
/// <https://sqlite.org/fileformat.html#the_database_header>
const HEADER_LEN: usize = 100;
const HEADER_MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_APPLICATION_ID: usize = 68;
/// How long a commit waits for an operator who writes to the file; then it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const PUT: &str = "\
INSERT INTO lease (address, client, state, htype, chaddr, client_id, host_name, relay_info, since, expires, horizon)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT (address) DO UPDATE SET
    client = excluded.client, state = excluded.state, htype = excluded.htype, chaddr = excluded.chaddr,
    client_id = excluded.client_id, host_name = excluded.host_name, relay_info = excluded.relay_info,
    since = excluded.since, expires = excluded.expires, horizon = excluded.horizon
WHERE lease.client = excluded.client OR lease.state = ?12";
const REMOVE: &str = "DELETE FROM lease WHERE address = ?1 AND client = ?2";
const EXISTS: &str = "SELECT 1 FROM lease WHERE address = ?1";
const LOAD: &str = "\
SELECT address, client, state, htype, chaddr, client_id, host_name, since, expires, horizon, relay_info FROM lease";
const SHIFT: &str = "\
UPDATE lease SET
    since = CASE since WHEN ?2 THEN ?2 ELSE since + ?1 END,
    expires = CASE expires WHEN ?2 THEN ?2 ELSE expires + ?1 END,
    horizon = CASE horizon WHEN ?2 THEN ?2 ELSE horizon + ?1 END";

/// Why a file cannot be the store. It was not changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the directory {} of the store does not exist; make it, or set `server.store`", .0.display())]
    NoDirectory(PathBuf),
    #[error("{}: cannot be opened: {source}; xdhcpd must be able to read and write it and its directory", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: another xdhcpd has this store open; stop it first, or set another `server.store`", .0.display())]
    InUse(PathBuf),
    #[error("{}: {what}, not a store of xdhcpd; move it away, or set another `server.store`", path.display())]
    Foreign { path: PathBuf, what: &'static str },
    #[error("{}: the store is damaged ({reason}); move it and its -wal file away, and put a backup in its place or start with an empty store", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error(
        "{}: written by a newer xdhcpd (schema {found}, this one knows {SCHEMA_VERSION}); run that version, or put a backup from before the upgrade in its place",
        path.display()
    )]
    Newer { path: PathBuf, found: i32 },
}

/// A store in a file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
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
        let io_error = |source| OpenError::Io {
            path: path.to_owned(),
            source,
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
        Ok(Self {
            connection,
            _lock: lock,
        })
    }
}

/// Makes a whole store beside `path` and then gives it that name, so that no crash leaves half of one.
fn create(path: &Path) -> Result<(), OpenError> {
    let directory = match path.parent() {
        Some(directory) if directory.is_dir() => directory,
        other => return Err(OpenError::NoDirectory(other.unwrap_or(path).to_owned())),
    };
    let io_error = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    let file = tempfile::Builder::new()
        .prefix(".xdhcpd-")
        .suffix(".new")
        .tempfile_in(directory)
        .map_err(io_error)?;
    let make = || {
        let mut connection = Connection::open(file.path())?;
        let transaction = connection.transaction()?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.execute_batch(SCHEMA)?;
        transaction.commit()
    };
    make().map_err(|error: rusqlite::Error| io_error(io::Error::other(error)))?;
    file.as_file().sync_all().map_err(io_error)?;
    match file.persist_noclobber(path) {
        // Another xdhcpd was faster; its lock decides.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        persisted => drop(persisted.map_err(|error| io_error(error.error))?),
    }
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(io_error)
}

/// Looks at the file before SQLite does: it would recover, and so change, whatever it is given.
fn check_header(path: &Path, mut file: &File) -> Result<(), OpenError> {
    let foreign = |what| {
        let path = path.to_owned();
        Err(OpenError::Foreign { path, what })
    };
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return foreign("not a regular file");
    }
    let mut header = [0; HEADER_LEN];
    match file.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return foreign("not an SQLite file");
        }
        Err(source) => {
            let path = path.to_owned();
            return Err(OpenError::Io { path, source });
        }
    }
    if !header.starts_with(HEADER_MAGIC) {
        return foreign("not an SQLite file");
    }
    let id = header.get(HEADER_APPLICATION_ID..HEADER_APPLICATION_ID + 4);
    if id != Some(&APPLICATION_ID.to_be_bytes()) {
        return foreign("the SQLite file of another application");
    }
    Ok(())
}

fn open_checked(path: &Path) -> Result<Connection, OpenError> {
    let damaged = |error: rusqlite::Error| OpenError::Damaged {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(damaged)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(damaged)?;
    // If the file is refused below, closing it must not write the rest of a WAL into it.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(damaged)?;
    let found: i32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(damaged)?;
    if found > SCHEMA_VERSION {
        let path = path.to_owned();
        return Err(OpenError::Newer { path, found });
    }
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(damaged)?;
    if verdict != "ok" {
        return Err(OpenError::Damaged {
            path: path.to_owned(),
            reason: verdict,
        });
    }
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .map_err(damaged)?;
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .map_err(damaged)?;
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(damaged)?;
    if found < SCHEMA_VERSION {
        upgrade(&connection).map_err(damaged)?;
    }
    Ok(connection)
}

/// From schema 1, the only other one there has been. All of it, or nothing.
fn upgrade(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch("ALTER TABLE lease ADD COLUMN relay_info BLOB; DROP VIEW leases")?;
    let view = SCHEMA.find("CREATE VIEW").and_then(|at| SCHEMA.get(at..));
    transaction.execute_batch(view.unwrap_or_default())?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

fn failed(error: rusqlite::Error) -> CommitError {
    CommitError(Box::new(error))
}

impl Store for SqliteStore {
    fn commit(&mut self, changes: &[WallChange]) -> Result<Vec<Applied>, CommitError> {
        let transaction = self.connection.transaction().map_err(failed)?;
        let applied = changes.iter().map(|change| apply(&transaction, change));
        let applied = applied.collect::<Result<_, _>>().map_err(failed)?;
        transaction.commit().map_err(failed)?;
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
        let write = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            transaction.execute(
                "REPLACE INTO anchor (id, boot_id, offset_ns, drift_ns, seen) VALUES (0, ?1, ?2, ?3, ?4)",
                params![anchor.boot_id, anchor.offset_ns, anchor.drift_ns, anchor.seen.0],
            )?;
            if shift_ns != 0 {
                transaction.execute(SHIFT, params![shift_ns, Utc::FOREVER.0])?;
            }
            transaction.commit()
        };
        write(&mut self.connection).map_err(failed)
    }
}

fn apply(transaction: &Transaction<'_>, change: &WallChange) -> rusqlite::Result<Applied> {
    let changed = match change {
        WallChange::Put(put) => {
            let WallRecord {
                record,
                since,
                expires,
                horizon,
            } = &**put;
            let origin = &record.origin;
            transaction.prepare_cached(PUT)?.execute(params![
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
                state_number(RecordState::Former),
            ])?
        }
        WallChange::Remove { address, client } => {
            let address = u32::from(*address);
            let removed = transaction
                .prepare_cached(REMOVE)?
                .execute(params![address, client.to_octets()])?;
            // What is not there is removed already.
            let is_gone = removed == 0 && !transaction.prepare_cached(EXISTS)?.exists([address])?;
            removed + usize::from(is_gone)
        }
    };
    Ok(if changed == 0 {
        Applied::Conflict
    } else {
        Applied::Done
    })
}

/// As the schema's view names them.
const fn state_number(state: RecordState) -> u8 {
    match state {
        RecordState::Bound => 1,
        RecordState::Forgotten => 2,
        RecordState::Revoked => 3,
        RecordState::Quarantined => 4,
        RecordState::Former => 5,
    }
}

fn state_of(number: u8) -> Option<RecordState> {
    [
        RecordState::Bound,
        RecordState::Forgotten,
        RecordState::Revoked,
        RecordState::Quarantined,
        RecordState::Former,
    ]
    .into_iter()
    .find(|state| state_number(*state) == number)
}

fn record(
    address: Ipv4Addr,
    row: &Row<'_>,
) -> Result<WallRecord, Box<dyn std::error::Error + Send + Sync>> {
    let client: [u8; size_of::<ClientKey>()] = row.get(1)?;
    let state = row.get(2)?;
    let chaddr = row.get_ref(4)?.as_blob()?;
    let mut hardware = Hardware {
        htype: row.get(3)?,
        len: u8::try_from(chaddr.len())?,
        ..Hardware::default()
    };
    let octets = hardware.chaddr.get_mut(..chaddr.len());
    octets
        .ok_or("a hardware address longer than 16 octets")?
        .copy_from_slice(chaddr);
    let client_id: Option<Vec<u8>> = row.get(5)?;
    let host_name: Option<String> = row.get(6)?;
    let relay_info: Option<Vec<u8>> = row.get(10)?;
    Ok(WallRecord {
        record: Record {
            address,
            client: ClientKey::from_octets(&client).ok_or("a client key of no known kind")?,
            state: state_of(state).ok_or_else(|| format!("a state {state} that is not known"))?,
            origin: Origin {
                hardware,
                client_id: client_id.map(Vec::into_boxed_slice),
                host_name: host_name.map(String::into_boxed_str),
                relay_info: relay_info.map(Vec::into_boxed_slice),
            },
            since: Nanos::default(),
            expires: Nanos::default(),
            horizon: Nanos::default(),
        },
        since: Utc(row.get(7)?),
        expires: Utc(row.get(8)?),
        horizon: Utc(row.get(9)?),
    })
}

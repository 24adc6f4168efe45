//! Recognizes, opens, makes and upgrades the store's file.
//!
//! A file is changed only after it has proved to be a store of xdhcpd, intact, and of a schema that
//! this version knows; [`OpenError`] says what to do with any other.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use crate::schema::SCHEMA;

/// `xdhc`, in the file's header.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"xdhc");
pub const SCHEMA_VERSION: i32 = 3;
/// <https://sqlite.org/fileformat.html#the_database_header>
const HEADER_LEN: usize = 100;
const HEADER_MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_APPLICATION_ID: usize = 68;
/// How long a commit waits for another program that writes to the file, until it fails.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest store, in octets, that is checked completely at each start. That takes under a second.
const CHECKED_WHOLE: i64 = 256 << 20;
/// The tables that are checked in a larger store: those that the start depends on. The history of
/// months may be many times as large as the leases; `xdhcpd check --store` checks all of it.
const CHECKED: [&str; 3] = ["sqlite_schema", "lease", "anchor"];

/// Why a file cannot be used as the store. It was not changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the directory {} of the store does not exist; make it, or set `server.store`", .0.display())]
    NoDirectory(PathBuf),
    #[error("{}: cannot be opened: {error}; xdhcpd must be able to read and write it and its directory", path.display())]
    Io { path: PathBuf, error: io::Error },
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
    #[error(
        "{}: written by an earlier xdhcpd (schema {found}, this one knows {SCHEMA_VERSION}); it is upgraded when this one is started with it",
        path.display()
    )]
    Older { path: PathBuf, found: i32 },
    #[error("{}: no such store; the server makes one when it starts; `--store` names another file", .0.display())]
    Missing(PathBuf),
}

/// Makes a store beside `path` and then renames it to `path`, so that no crash leaves half of one.
pub(crate) fn create(path: &Path) -> Result<(), OpenError> {
    let directory = match path.parent() {
        Some(directory) if directory.is_dir() => directory,
        other => return Err(OpenError::NoDirectory(other.unwrap_or(path).to_owned())),
    };
    let io_error = |error| OpenError::Io {
        path: path.to_owned(),
        error,
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
        // Another xdhcpd was faster; the lock decides which one serves.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        persisted => drop(persisted.map_err(|error| io_error(error.error))?),
    }
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(io_error)
}

/// Checks the header before SQLite opens the file: SQLite would recover, and so change, any file.
pub(crate) fn check_header(path: &Path, mut file: &File) -> Result<(), OpenError> {
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
        Err(error) => {
            let path = path.to_owned();
            return Err(OpenError::Io { path, error });
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

/// Opens the file for writing, checks it, and upgrades its schema if it is older.
pub(crate) fn open_checked(path: &Path) -> Result<Connection, OpenError> {
    let damaged = |error: rusqlite::Error| OpenError::Damaged {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(damaged)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(damaged)?;
    // If the file is refused below, closing it must not copy the rest of a WAL into it.
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
    let size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let size: i64 = connection
        .query_row(size, [], |row| row.get(0))
        .map_err(damaged)?;
    let checked: &[&str] = match size {
        ..=CHECKED_WHOLE => &["1"],
        _ => &CHECKED,
    };
    for what in checked {
        let check = format!("PRAGMA quick_check({what})");
        let verdict: String = connection
            .query_row(&check, [], |row| row.get(0))
            .map_err(damaged)?;
        if verdict != "ok" {
            return Err(OpenError::Damaged {
                path: path.to_owned(),
                reason: verdict,
            });
        }
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
        upgrade(&connection, found).map_err(damaged)?;
    }
    Ok(connection)
}

/// Upgrades from schema 1 or 2, the only other ones so far, completely or not at all.
fn upgrade(connection: &Connection, from: i32) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    if from < 2 {
        transaction.execute_batch("ALTER TABLE lease ADD COLUMN relay_info BLOB")?;
    }
    transaction.execute_batch("DROP VIEW leases")?;
    let new = SCHEMA
        .find("CREATE TABLE past")
        .and_then(|at| SCHEMA.get(at..));
    transaction.execute_batch(new.unwrap_or_default())?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

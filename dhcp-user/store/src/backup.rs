//! Copies the store, while the server runs or not.
//!
//! The copy is made in one step: SQLite's backup reads one snapshot of the WAL, so that commits
//! neither wait for it nor restart it. The copy gets its name when it is complete, on disk, and has
//! been read back.

use std::{
    fs::{self, File},
    io,
    net::Ipv4Addr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};
use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use crate::{file::OpenError, reader::Reader, schema::StoredAddress};

/// The numbers of rows in a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    pub records: u64,
    /// Rows of the history.
    pub past: u64,
    pub octets: u64,
}

/// Why no backup was made. A file that was there under its name is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Store(#[from] OpenError),
    #[error("{}: exists already; give another name, or --force to replace it", .0.display())]
    Exists(PathBuf),
    #[error("{}: is the store itself; give another name", .0.display())]
    Itself(PathBuf),
    #[error("{}: is the store of a running xdhcpd; give another name", .0.display())]
    InUse(PathBuf),
    #[error("{}: cannot be written: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("the store cannot be copied: {0}")]
    Copy(rusqlite::Error),
    #[error("the copy is incomplete ({0}): `xdhcpd check --store` says more about the store")]
    NotWhole(String),
}

/// Copies the store at `from` to `to`; an existing file there is replaced only with `force`.
///
/// # Errors
/// No copy was made, and nothing has changed.
pub fn backup(from: &Path, to: &Path, force: bool) -> Result<Copied, BackupError> {
    backup_for_addresses::<Ipv4Addr>(from, to, force)
}

/// Copies a store with leases of any kind of address, as [`backup`] does.
///
/// # Errors
/// No copy was made, and nothing has changed.
pub fn backup_for_addresses<A: StoredAddress>(
    from: &Path,
    to: &Path,
    force: bool,
) -> Result<Copied, BackupError> {
    let io_error = |error| BackupError::Io {
        path: to.to_owned(),
        error,
    };
    let reader = Reader::<A>::open_for_addresses(from)?;
    check_target(from, to, force)?;
    let directory = match to.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    // A private directory for the files that SQLite may put beside this one.
    let private = tempfile::Builder::new()
        .prefix(".xdhcpd-backup-")
        .tempdir_in(directory)
        .map_err(io_error)?;
    let file = tempfile::NamedTempFile::new_in(private.path()).map_err(io_error)?;
    copy(&reader.connection, file.path()).map_err(BackupError::Copy)?;
    drop(reader);
    let copied = read_back::<A>(file.path())?;
    file.as_file().sync_all().map_err(io_error)?;
    let persisted = match force {
        true => file.persist(to),
        false => file.persist_noclobber(to),
    };
    drop(persisted.map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
        _ => io_error(error.error),
    })?);
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(io_error)?;
    Ok(copied)
}

/// Refuses early any target that would be refused at the end or would harm a server.
fn check_target(from: &Path, to: &Path, force: bool) -> Result<(), BackupError> {
    let Ok(there) = fs::metadata(to) else {
        return Ok(());
    };
    let is_same = |store: fs::Metadata| (store.dev(), store.ino()) == (there.dev(), there.ino());
    if fs::metadata(from).is_ok_and(is_same) {
        return Err(BackupError::Itself(to.to_owned()));
    }
    if !force || !there.is_file() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    // A server continues to write to its file after the file has lost its name.
    if let Ok(file) = File::open(to)
        && let Err((_, Errno::EWOULDBLOCK)) = Flock::lock(file, FlockArg::LockSharedNonblock)
    {
        return Err(BackupError::InUse(to.to_owned()));
    }
    Ok(())
}

fn copy(from: &Connection, to: &Path) -> rusqlite::Result<()> {
    let mut copy = Connection::open(to)?;
    // After a crash, its remains have no name that could be taken for a backup.
    copy.pragma_update(None, "synchronous", "OFF")?;
    let backup = Backup::new(from, &mut copy)?;
    match backup.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
            Some("the store is locked by another program".to_owned()),
        )),
    }
}

/// Reads the copy as a server or an operator would.
fn read_back<A: StoredAddress>(path: &Path) -> Result<Copied, BackupError> {
    fn not_whole(error: impl std::error::Error) -> BackupError {
        BackupError::NotWhole(error.to_string())
    }
    let reader = Reader::<A>::open_for_addresses(path).map_err(not_whole)?;
    if let Some(problem) = reader.damage(1).map_err(not_whole)?.first() {
        return Err(BackupError::NotWhole(problem.clone()));
    }
    let (mut records, mut problem) = (0, None);
    reader
        .records(|address, record| {
            records += 1;
            problem = record
                .err()
                .map(|error| format!("the record of {address}: {error}"))
                .or(problem.take());
        })
        .map_err(not_whole)?;
    if let Some(problem) = problem {
        return Err(BackupError::NotWhole(problem));
    }
    let octets = fs::metadata(path).map_err(|error| BackupError::Io {
        path: path.to_owned(),
        error,
    })?;
    Ok(Copied {
        records,
        past: reader.past_len().map_err(not_whole)?,
        octets: octets.len(),
    })
}

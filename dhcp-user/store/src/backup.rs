//! A copy of the store, made while the server runs or not.
//!
//! It is made in one step: what SQLite's backup reads is one snapshot of the WAL, which commits neither wait for
//! nor make it start again. It gets its name when it is whole, on disk, and has been read back.

use std::{
    fs::{self, File},
    io,
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

use super::{reader::Reader, sqlite::OpenError};

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    pub records: u64,
    /// Rows of who had which address.
    pub past: u64,
    pub octets: u64,
}

/// Why there is no backup. Whatever stood under its name still does.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Store(#[from] OpenError),
    #[error("{}: is there already; give another name, or --force to replace it", .0.display())]
    Exists(PathBuf),
    #[error("{}: is the store itself; give another name", .0.display())]
    Itself(PathBuf),
    #[error("{}: a running xdhcpd has it as its store; give another name", .0.display())]
    InUse(PathBuf),
    #[error("{}: cannot be written: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("the store cannot be copied: {0}")]
    Copy(rusqlite::Error),
    #[error("the copy is not whole ({0}): `xdhcpd check --store` says more of the store")]
    NotWhole(String),
}

/// Copies the store at `from` to `to`, which is replaced with `force` only.
///
/// # Errors
/// There is no copy, and nothing has changed.
pub fn backup(from: &Path, to: &Path, force: bool) -> Result<Copied, BackupError> {
    let io_error = |error| BackupError::Io {
        path: to.to_owned(),
        error,
    };
    let reader = Reader::open(from)?;
    check_target(from, to, force)?;
    let directory = match to.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    // A directory of its own for what SQLite may put beside the file.
    let private = tempfile::Builder::new()
        .prefix(".xdhcpd-backup-")
        .tempdir_in(directory)
        .map_err(io_error)?;
    let file = tempfile::NamedTempFile::new_in(private.path()).map_err(io_error)?;
    copy(&reader, file.path()).map_err(BackupError::Copy)?;
    drop(reader);
    let copied = read_back(file.path())?;
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

/// Refuses early what would be refused at the end, and what no server would survive.
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
    // Another server goes on writing to a file that has lost its name.
    if let Ok(file) = File::open(to)
        && let Err((_, Errno::EWOULDBLOCK)) = Flock::lock(file, FlockArg::LockSharedNonblock)
    {
        return Err(BackupError::InUse(to.to_owned()));
    }
    Ok(())
}

fn copy(reader: &Reader, to: &Path) -> rusqlite::Result<()> {
    let mut copy = Connection::open(to)?;
    // What a crash leaves of it has no name that anybody would take for a backup.
    copy.pragma_update(None, "synchronous", "OFF")?;
    let backup = Backup::new(&reader.connection, &mut copy)?;
    match backup.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
            Some("the store is locked by another program".to_owned()),
        )),
    }
}

/// As a server or an operator would read it.
fn read_back(path: &Path) -> Result<Copied, BackupError> {
    let not_whole = |error: rusqlite::Error| BackupError::NotWhole(error.to_string());
    let reader = Reader::open(path).map_err(|error| BackupError::NotWhole(error.to_string()))?;
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

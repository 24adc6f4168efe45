//! Lease files of other servers. All three formats are journals or can be read as such: the last
//! entry for an address counts.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    file_format::{self, FileFormat},
    source::Source,
};

mod dnsmasq;
mod isc;
mod kea;
mod lease;

pub use self::lease::{Entry, ForeignLease, ForeignState, Position};

/// The reason why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{}: cannot be read: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}: looks like {found}, not like a lease file of {}; {}", path.display(), wanted.name(), remedy(*found))]
    Other {
        path: PathBuf,
        found: FileFormat,
        wanted: Source,
    },
}

const fn remedy(found: FileFormat) -> &'static str {
    match found {
        FileFormat::Leases(Source::Kea) => "use `--from kea`",
        FileFormat::Leases(Source::Dnsmasq) => "use `--from dnsmasq`",
        FileFormat::Leases(Source::Isc) => "use `--from isc`",
        FileFormat::Config(_) => "use `xdhcpd convert`",
        FileFormat::Leases6 => "only DHCPv4 is supported",
        FileFormat::Sqlite | FileFormat::Binary => "give the text file that the server writes",
    }
}

/// Passes every entry of a file to `each`, oldest first. A file of Kea is read together with the
/// files that its lease file cleanup (LFC) leaves beside it.
///
/// # Errors
/// The file cannot be read, or has another format. `each` may have been called before.
pub fn read(source: Source, path: &Path, each: &mut dyn FnMut(Entry)) -> Result<(), FileError> {
    let files = match source {
        Source::Kea => kea::files(path),
        Source::Dnsmasq | Source::Isc => vec![path.to_owned()],
    };
    for path in files {
        let file = File::open(&path).map_err(|error| FileError::Io {
            path: path.clone(),
            error,
        })?;
        read_one(
            source,
            &path,
            BufReader::with_capacity(file_format::HEAD_LEN, file),
            each,
        )?;
    }
    Ok(())
}

/// Passes every entry of one file to `each`. Positions name `path`.
///
/// # Errors
/// The file cannot be read, or has another format. `each` may have been called before.
pub fn read_one(
    source: Source,
    path: &Path,
    mut reader: impl BufRead,
    each: &mut dyn FnMut(Entry),
) -> Result<(), FileError> {
    let io_error = |error| FileError::Io {
        path: path.to_owned(),
        error,
    };
    let head = reader.fill_buf().map_err(io_error)?;
    let head = head.get(..file_format::HEAD_LEN).unwrap_or(head);
    if let Some(found) =
        file_format::recognize(head).filter(|found| *found != FileFormat::Leases(source))
    {
        return Err(FileError::Other {
            path: path.to_owned(),
            found,
            wanted: source,
        });
    }
    let file: Arc<Path> = path.into();
    let each = &mut |line, lease| {
        let file = Arc::clone(&file);
        each(Entry {
            position: Position { file, line },
            lease,
        });
    };
    match source {
        Source::Kea => kea::read(reader, each),
        Source::Dnsmasq => dnsmasq::read(reader, each),
        Source::Isc => isc::read(reader, each),
    }
    .map_err(io_error)
}

//! Leases as other servers have written them. All three formats are journals, or may be read as such: of several
//! entries for one address the last one counts.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
};

use dhcp_model::Hardware;

use super::{
    Source,
    looks::{self, Looks},
};

mod dnsmasq;
mod isc;
mod kea;

/// One lease of another server. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignLease {
    pub address: Ipv4Addr,
    pub state: ForeignState,
    /// Of no length where the server does not say.
    pub hardware: Hardware,
    /// Option 61.
    pub client_id: Option<Box<[u8]>>,
    pub host_name: Option<Box<str>>,
    /// Option 82.
    pub relay_info: Option<Box<[u8]>>,
    pub since: Option<u64>,
    /// How long the lease was given for, where the server says.
    pub lease_secs: Option<u32>,
    /// `None`: never.
    pub expires: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignState {
    /// Leased, until its time.
    Leased,
    /// A client found the address in use.
    Declined,
    /// Expired, released, or reset.
    Ended,
}

/// Where an entry stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<Path>,
    pub line: usize,
}

/// One entry of a file: a lease, or what is wrong with it.
#[derive(Debug)]
pub struct Entry {
    pub place: Place,
    pub lease: Result<ForeignLease, String>,
}

/// Why a file gives no leases at all.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{}: cannot be read: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}: looks like {looks}, and not like a file of leases of {}; {}", path.display(), wanted.name(), remedy(*looks))]
    Other {
        path: PathBuf,
        looks: Looks,
        wanted: Source,
    },
}

const fn remedy(looks: Looks) -> &'static str {
    match looks {
        Looks::Leases(Source::Kea) => "say `--from kea`",
        Looks::Leases(Source::Dnsmasq) => "say `--from dnsmasq`",
        Looks::Leases(Source::Isc) => "say `--from isc`",
        Looks::Config(_) => "`xdhcpd convert` takes that one",
        Looks::Leases6 => "only DHCPv4 is served",
        Looks::Sqlite | Looks::Binary => "name the text file that the server keeps",
    }
}

/// Hands every entry of a file to `each`, in the order in which they count. A file of Kea is read with those that
/// its cleaning leaves beside it.
///
/// # Errors
/// There is no such file, or it is of another kind. `each` may have been called.
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
            BufReader::with_capacity(looks::HEAD_LEN, file),
            each,
        )?;
    }
    Ok(())
}

/// Hands every entry of one file to `each`.
///
/// # Errors
/// It cannot be read, or is of another kind. `each` may have been called.
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
    let head = head.get(..looks::HEAD_LEN).unwrap_or(head);
    if let Some(looks) = looks::like(head).filter(|looks| *looks != Looks::Leases(source)) {
        return Err(FileError::Other {
            path: path.to_owned(),
            looks,
            wanted: source,
        });
    }
    let file: Arc<Path> = path.into();
    let each = &mut |line, lease| {
        let file = Arc::clone(&file);
        each(Entry {
            place: Place { file, line },
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

/// A hardware address; `None` for one longer than `chaddr`.
fn hardware(htype: u8, octets: &[u8]) -> Option<Hardware> {
    let mut hardware = Hardware {
        htype,
        len: u8::try_from(octets.len()).ok()?,
        ..Hardware::default()
    };
    hardware
        .chaddr
        .get_mut(..octets.len())?
        .copy_from_slice(octets);
    Some(hardware)
}

//! Configurations of other servers as ours.
//!
//! Each of [`kea`], [`isc`] and [`dnsmasq`] turns its file into a [`Draft`] and notes what has no counterpart;
//! [`finish`] makes the draft one that passes our own checks, and [`render`] writes it. What does not fit is listed,
//! never dropped in silence.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use dhcp_config::{Host, Problems, file};

use super::{
    Source,
    looks::{self, Looks},
};

mod addresses;
mod dnsmasq;
mod draft;
mod expression;
mod finish;
mod interfaces;
mod isc;
mod kea;
mod notes;
mod options;
mod render;
mod times;

pub use notes::{Kind, Note};

use draft::Draft;
use notes::Notes;

/// Octets of a file; the largest that are written by hand or by program have some ten million.
const MAX_LEN: usize = 64 << 20;

/// A configuration of ours, and what it lacks.
#[derive(Debug)]
pub struct Converted {
    pub toml: String,
    pub notes: Vec<Note>,
    /// What our own checks say of it; nothing, unless the file has what nobody has thought of.
    pub problems: Option<Problems>,
}

/// Why a file gives no configuration at all.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    #[error("{}: cannot be read: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}: more than {MAX_LEN} octets", .0.display())]
    TooLong(PathBuf),
    #[error("{}: looks like {looks}, and not like a configuration of {}; {}", path.display(), wanted.name(), remedy(*looks))]
    Other {
        path: PathBuf,
        looks: Looks,
        wanted: Source,
    },
    #[error("{}:{line}: {why}", path.display())]
    Unreadable {
        path: PathBuf,
        line: usize,
        why: String,
    },
    #[error("{}: no subnet in it can be taken over; {}", .0.display(), .1)]
    NoSubnet(PathBuf, String),
}

const fn remedy(looks: Looks) -> &'static str {
    match looks {
        Looks::Config(Source::Kea) => "say `--from kea`",
        Looks::Config(Source::Dnsmasq) => "say `--from dnsmasq`",
        Looks::Config(Source::Isc) => "say `--from isc`",
        Looks::Leases(_) => "`xdhcpd import` takes that one",
        Looks::Leases6 => "only DHCPv4 is served",
        Looks::Sqlite | Looks::Binary => "name the text file that the server reads",
    }
}

/// Reads a file and converts it.
///
/// # Errors
/// It cannot be read, is of another kind, or has nothing that could be taken over.
pub fn convert_file(source: Source, path: &Path, host: &Host) -> Result<Converted, ConvertError> {
    let io_error = |error| ConvertError::Io {
        path: path.to_owned(),
        error,
    };
    let mut octets = Vec::new();
    let file = File::open(path).map_err(io_error)?;
    let mut limited = file.take(MAX_LEN as u64 + 1);
    limited.read_to_end(&mut octets).map_err(io_error)?;
    if octets.len() > MAX_LEN {
        return Err(ConvertError::TooLong(path.to_owned()));
    }
    convert(source, path, &octets, host)
}

/// Converts what stands in a file.
///
/// # Errors
/// As [`convert_file`].
pub fn convert(
    source: Source,
    path: &Path,
    octets: &[u8],
    host: &Host,
) -> Result<Converted, ConvertError> {
    let head = octets.get(..looks::HEAD_LEN).unwrap_or(octets);
    if let Some(looks) = looks::like(head).filter(|looks| *looks != Looks::Config(source)) {
        return Err(ConvertError::Other {
            path: path.to_owned(),
            looks,
            wanted: source,
        });
    }
    let text = String::from_utf8_lossy(octets);
    let mut notes = Notes::new(path);
    let read = match source {
        Source::Kea => kea::read(&text, &mut notes),
        Source::Isc => isc::read(&text, &mut notes),
        Source::Dnsmasq => dnsmasq::read(&text, host, &mut notes),
    };
    let mut draft: Draft = read.map_err(|(line, why)| ConvertError::Unreadable {
        path: path.to_owned(),
        line,
        why,
    })?;
    finish::finish(&mut draft, host, &mut notes);
    if draft.subnets.is_empty() {
        let hint = match source {
            Source::Dnsmasq => "a `dhcp-range` of IPv4 with a netmask makes one",
            Source::Kea => "`subnet4` in `Dhcp4` makes some",
            Source::Isc => "`subnet … netmask …` makes one",
        };
        let said: Vec<_> = notes.notes.iter().map(|note| format!("\n{note}")).collect();
        return Err(ConvertError::NoSubnet(
            path.to_owned(),
            format!("{hint}{}", said.concat()),
        ));
    }
    let toml = render::render(&draft, &format!("{} of {}", one_line(path), source.name()));
    let mut notes = notes.notes;
    notes.sort_by_key(|note| note.line);
    Ok(Converted {
        problems: file::parse(Path::new("the result"), &toml, None).err(),
        toml,
        notes,
    })
}

/// A path as it can stand in a comment.
fn one_line(path: &Path) -> String {
    path.display().to_string().replace(char::is_control, "?")
}

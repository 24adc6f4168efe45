//! Conversion of the configurations of other servers.
//!
//! [`kea`], [`isc`] and [`dnsmasq`] each turn a file into a [`Draft`], and note elements without
//! equivalent. [`finish`] makes the draft valid for xdhcpd, and [`render`] writes it as TOML.
//! Everything that is left out or changed is listed.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use dhcp_config::{Host, Problems, file};

use super::{
    file_format::{self, FileFormat},
    source::Source,
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

/// The longest file that is read, in octets. Generated configurations reach some ten million.
const MAX_LEN: usize = 64 << 20;

/// A converted configuration, and notes on the differences.
#[derive(Debug)]
pub struct Converted {
    /// The configuration for xdhcpd.
    pub toml: String,
    /// The elements that were left out or changed, in the order of the file.
    pub notes: Vec<Note>,
    /// Problems of the result, of which there should be none.
    pub problems: Option<Problems>,
}

/// The reason why a file cannot be converted at all.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    #[error("{}: cannot be read: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}: longer than {MAX_LEN} octets", .0.display())]
    TooLong(PathBuf),
    #[error("{}: looks like {found}, not like a configuration of {}; {}", path.display(), wanted.name(), remedy(*found))]
    Other {
        path: PathBuf,
        found: FileFormat,
        wanted: Source,
    },
    #[error("{}:{line}: {why}", path.display())]
    Unreadable {
        path: PathBuf,
        line: usize,
        why: String,
    },
    #[error("{}: no subnet can be converted; {}", .0.display(), .1)]
    NoSubnet(PathBuf, String),
}

const fn remedy(found: FileFormat) -> &'static str {
    match found {
        FileFormat::Config(Source::Kea) => "use `--from kea`",
        FileFormat::Config(Source::Dnsmasq) => "use `--from dnsmasq`",
        FileFormat::Config(Source::Isc) => "use `--from isc`",
        FileFormat::Leases(_) => "use `xdhcpd import`",
        FileFormat::Leases6 => "only DHCPv4 is supported",
        FileFormat::Sqlite | FileFormat::Binary => "give the text file that the server reads",
    }
}

/// Reads a file and converts it.
///
/// # Errors
/// The file cannot be read or parsed, has another format, or contains no subnet.
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

/// Converts the content of a file. Notes name `path`.
///
/// # Errors
/// As [`convert_file`].
pub fn convert(
    source: Source,
    path: &Path,
    octets: &[u8],
    host: &Host,
) -> Result<Converted, ConvertError> {
    let head = octets.get(..file_format::HEAD_LEN).unwrap_or(octets);
    if let Some(found) =
        file_format::recognize(head).filter(|found| *found != FileFormat::Config(source))
    {
        return Err(ConvertError::Other {
            path: path.to_owned(),
            found,
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
            Source::Dnsmasq => "add a `dhcp-range` of IPv4 addresses with a netmask",
            Source::Kea => "add `subnet4` to `Dhcp4`",
            Source::Isc => "add `subnet … netmask …`",
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

/// Returns a path that fits into a comment.
fn one_line(path: &Path) -> String {
    path.display().to_string().replace(char::is_control, "?")
}

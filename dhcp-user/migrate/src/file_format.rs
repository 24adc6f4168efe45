//! Recognition of file formats, so that errors can name the format of an unsuitable file.

use std::fmt;

use super::source::Source;

/// The number of octets at the beginning of a file that are examined.
pub const HEAD_LEN: usize = 16 * 1024;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    Leases(Source),
    Config(Source),
    /// A file of DHCPv6 leases of Kea.
    Leases6,
    /// An SQLite file, such as the store of xdhcpd.
    Sqlite,
    Binary,
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leases(source) => write!(f, "a lease file of {}", source.name()),
            Self::Config(source) => write!(f, "a configuration of {}", source.name()),
            Self::Leases6 => f.write_str("a DHCPv6 lease file of Kea"),
            Self::Sqlite => f.write_str("an SQLite file"),
            Self::Binary => f.write_str("a binary file"),
        }
    }
}

/// Recognizes a format by the first octets of a file. Returns `None` for unknown formats and empty
/// files.
pub fn recognize(head: &[u8]) -> Option<FileFormat> {
    if head.starts_with(b"SQLite format 3\0") {
        return Some(FileFormat::Sqlite);
    }
    if head.contains(&0) {
        return Some(FileFormat::Binary);
    }
    let text = String::from_utf8_lossy(head);
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.clone().next()?;
    if first.starts_with("address,hwaddr,") {
        return Some(FileFormat::Leases(Source::Kea));
    }
    if first.starts_with("address,duid,") {
        return Some(FileFormat::Leases6);
    }
    if ["{", "/*", "//"]
        .iter()
        .any(|start| first.starts_with(start))
        && text.contains('"')
    {
        return Some(FileFormat::Config(Source::Kea));
    }
    if lines.clone().any(is_of_isc_leases) {
        return Some(FileFormat::Leases(Source::Isc));
    }
    if is_dnsmasq_lease(first) {
        return Some(FileFormat::Leases(Source::Dnsmasq));
    }
    if first.ends_with([';', '{']) {
        return Some(FileFormat::Config(Source::Isc));
    }
    lines
        .any(|line| line.starts_with("dhcp-") || line.starts_with("interface="))
        .then_some(FileFormat::Config(Source::Dnsmasq))
}

fn is_of_isc_leases(line: &str) -> bool {
    let is_lease = line
        .strip_prefix("lease ")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.ends_with('{'));
    is_lease || line.starts_with("authoring-byte-order ") || line.starts_with("server-duid ")
}

fn is_dnsmasq_lease(line: &str) -> bool {
    if line.starts_with("duid ") {
        return true;
    }
    let mut fields = line.split(' ');
    let time = fields.next().unwrap_or_default();
    let hardware = fields.next().unwrap_or_default();
    let address = fields.next().unwrap_or_default();
    !time.is_empty()
        && time.bytes().all(|octet| octet.is_ascii_digit())
        && hardware.contains(':')
        && address.parse::<std::net::IpAddr>().is_ok()
}

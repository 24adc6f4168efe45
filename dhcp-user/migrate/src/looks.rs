//! What a file looks like, so that one of the wrong kind is called by its name.

use std::fmt;

use super::Source;

/// Octets at a file's beginning that are looked at.
pub const HEAD_LEN: usize = 16 * 1024;

/// What a file may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    Leases(Source),
    Config(Source),
    /// Kea's file of DHCPv6 leases.
    Leases6,
    /// A store of ours, or another one.
    Sqlite,
    Binary,
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leases(source) => write!(f, "a file of leases of {}", source.name()),
            Self::Config(source) => write!(f, "a configuration of {}", source.name()),
            Self::Leases6 => f.write_str("a file of DHCPv6 leases of Kea"),
            Self::Sqlite => f.write_str("an SQLite file"),
            Self::Binary => f.write_str("a binary file"),
        }
    }
}

/// By the first octets of a file; `None` for what looks like nothing known, as an empty file does.
pub fn like(head: &[u8]) -> Option<Looks> {
    if head.starts_with(b"SQLite format 3\0") {
        return Some(Looks::Sqlite);
    }
    if head.contains(&0) {
        return Some(Looks::Binary);
    }
    let text = String::from_utf8_lossy(head);
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.clone().next()?;
    if first.starts_with("address,hwaddr,") {
        return Some(Looks::Leases(Source::Kea));
    }
    if first.starts_with("address,duid,") {
        return Some(Looks::Leases6);
    }
    if ["{", "/*", "//"]
        .iter()
        .any(|start| first.starts_with(start))
        && text.contains('"')
    {
        return Some(Looks::Config(Source::Kea));
    }
    if lines.clone().any(is_of_isc_leases) {
        return Some(Looks::Leases(Source::Isc));
    }
    if is_dnsmasq_lease(first) {
        return Some(Looks::Leases(Source::Dnsmasq));
    }
    if first.ends_with([';', '{']) {
        return Some(Looks::Config(Source::Isc));
    }
    lines
        .any(|line| line.starts_with("dhcp-") || line.starts_with("interface="))
        .then_some(Looks::Config(Source::Dnsmasq))
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

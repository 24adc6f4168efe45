//! The state of the conversion while the file is read.

use std::{collections::BTreeMap, net::Ipv4Addr};

use dhcp_config::Host as ThisHost;
use ipnet::Ipv4Net;

use super::tags::Tags;
use crate::convert::{
    draft::{Draft, Owner, Settings},
    notes::Notes,
};

/// The default and the minimum lease time of dnsmasq.
pub(super) const DEFAULT_LEASE_SECS: u32 = 3600;
pub(super) const MIN_LEASE_SECS: u32 = 120;

pub(super) struct Reader<'a> {
    pub(super) draft: Draft,
    pub(super) host: &'a ThisHost,
    pub(super) tags: Tags,
    pub(super) hosts: Vec<Host>,
    pub(super) ranges: Vec<Range>,
    /// Options and boot files, which are assigned when all tags are known.
    pub(super) values: Vec<Value>,
    /// Options without a value, which suppress the defaults of dnsmasq.
    pub(super) silenced: Vec<u8>,
    /// Keys that do not concern DHCP, with their first line and their number.
    pub(super) others: BTreeMap<String, (usize, usize)>,
    pub(super) serves_dns: bool,
    pub(super) notes: &'a mut Notes,
}

/// `dhcp-range`
#[derive(Clone, Debug)]
pub(super) struct Range {
    pub(super) line: usize,
    pub(super) prefix: Ipv4Net,
    /// `None` for a range of reservations only.
    pub(super) addresses: Option<(Ipv4Addr, Ipv4Addr)>,
    pub(super) lease_secs: u32,
    /// The tags that it sets.
    pub(super) sets: Vec<String>,
    /// The tags that its clients need.
    pub(super) needs: Vec<String>,
    pub(super) settings: Settings,
}

/// Settings for clients with certain tags.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) line: usize,
    pub(super) what: String,
    pub(super) tags: Vec<String>,
    pub(super) settings: Settings,
}

/// A host whose subnet is not yet known.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) line: usize,
    pub(super) owner: Owner,
    pub(super) address: Ipv4Addr,
    pub(super) host_name: Option<String>,
    pub(super) settings: Settings,
}

/// Parses a lease time such as `2m`, `12h`, `1d`, `1w`, seconds, or `infinite`.
pub(super) fn seconds(text: &str) -> Option<u32> {
    if text == "infinite" {
        return Some(u32::MAX);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..)? {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    let secs = digits.parse::<u32>().ok()?.checked_mul(unit)?;
    // dnsmasq raises shorter times.
    Some(secs.max(MIN_LEASE_SECS))
}

//! `dnsmasq.conf` (dnsmasq(8)), as far as it is about DHCPv4.

use std::{collections::BTreeMap, net::Ipv4Addr};

use dhcp_config::{Field, Host as ThisHost};
use ipnet::Ipv4Net;

use self::{
    hosts::Host,
    reasons::reason,
    tags::{Match, Tags},
};
use super::{
    draft::{Draft, Interface, Settings},
    notes::Notes,
};

mod hosts;
mod options;
mod ranges;
mod reasons;
mod tags;

/// What dnsmasq leases last of which a range does not say how long, and the least that it gives.
const DEFAULT_LEASE_SECS: u32 = 3600;
const MIN_LEASE_SECS: u32 = 120;

/// # Errors
/// Line, and what is wrong there.
pub fn read(text: &str, host: &ThisHost, notes: &mut Notes) -> Result<Draft, (usize, String)> {
    let mut reader = Reader {
        draft: Draft::default(),
        host,
        tags: Tags::default(),
        hosts: Vec::new(),
        ranges: Vec::new(),
        values: Vec::new(),
        silenced: Vec::new(),
        others: BTreeMap::new(),
        serves_dns: true,
        notes,
    };
    for (index, line) in text.lines().enumerate() {
        if let Some((key, value)) = setting(line) {
            reader.take(index + 1, key, &value);
        }
    }
    reader.finish();
    Ok(reader.draft)
}

/// A line as key and value, without its comment and without quotation marks around the value.
fn setting(line: &str) -> Option<(&str, String)> {
    let line = line.trim();
    let mut in_quotes = false;
    let mut before = ' ';
    let mut end = line.len();
    for (index, c) in line.char_indices() {
        match c {
            '"' if before != '\\' => in_quotes = !in_quotes,
            '#' if !in_quotes && before.is_whitespace() => {
                end = index;
                break;
            }
            _ => {}
        }
        before = c;
    }
    let line = line.get(..end)?.trim();
    if line.is_empty() {
        return None;
    }
    let (key, value) = line.split_once('=').unwrap_or((line, ""));
    let key = key.trim().trim_start_matches("--");
    Some((key, value.trim().replace('"', "")))
}

struct Reader<'a> {
    draft: Draft,
    host: &'a ThisHost,
    tags: Tags,
    hosts: Vec<Host>,
    ranges: Vec<Range>,
    /// Options and boot files, until it is known what their tags are.
    values: Vec<Value>,
    /// Options that are given without a value: not even dnsmasq's own is sent.
    silenced: Vec<u8>,
    /// Keys that are not about DHCP: the first line and how many there are.
    others: BTreeMap<String, (usize, usize)>,
    serves_dns: bool,
    notes: &'a mut Notes,
}

/// `dhcp-range`
#[derive(Clone, Debug)]
struct Range {
    line: usize,
    prefix: Ipv4Net,
    /// None for a range of reservations only.
    addresses: Option<(Ipv4Addr, Ipv4Addr)>,
    lease_secs: u32,
    /// What its clients are tagged with.
    sets: Vec<String>,
    /// What they have to be tagged with.
    needs: Vec<String>,
    settings: Settings,
}

/// Something that is given to clients with certain tags.
#[derive(Clone, Debug)]
struct Value {
    line: usize,
    what: String,
    tags: Vec<String>,
    settings: Settings,
}

impl Reader<'_> {
    fn take(&mut self, line: usize, key: &str, value: &str) {
        match key {
            "interface" => {
                for name in value.split(',').map(str::trim) {
                    self.draft.interfaces.push(Interface {
                        line,
                        name: name.to_owned(),
                        addresses: Vec::new(),
                    });
                }
            }
            "dhcp-range" => self.range(line, value),
            "dhcp-host" => self.reservation(line, value),
            "dhcp-option" | "dhcp-option-force" => self.option(line, key, value),
            "dhcp-boot" => self.boot(line, value),
            "dhcp-authoritative" => self.draft.defaults.authoritative = Some(true),
            "dhcp-rapid-commit" => self.draft.defaults.rapid_commit = Some(true),
            "dhcp-ignore-clid" => self.draft.defaults.match_client_id = Some(false),
            "dhcp-match" => self.matching(line, value, None),
            "dhcp-vendorclass" => {
                self.matching(line, value, Some(Match::Field(Field::VendorClass)))
            }
            "dhcp-userclass" => self.matching(line, value, Some(Match::Field(Field::UserClass))),
            "dhcp-mac" => self.matching(line, value, Some(Match::Field(Field::HardwareAddress))),
            "dhcp-circuitid" => self.matching(line, value, Some(Match::Field(Field::CircuitId))),
            "dhcp-remoteid" => self.matching(line, value, Some(Match::Field(Field::RemoteId))),
            "dhcp-subscrid" => self.matching(line, value, Some(Match::Field(Field::SubscriberId))),
            "tag-if" => self.tag_if(line, value),
            "dhcp-ignore" => self.ignore(line, value),
            "domain" => {
                let mut parts = value.split(',');
                let name = parts.next().unwrap_or_default();
                match parts.next() {
                    None if name != "#" && !name.is_empty() => {
                        let value = super::options::encode(15, &[name.to_owned()]);
                        let put = value.and_then(|octets| {
                            super::options::put(&mut self.draft.defaults, 15, octets)
                        });
                        if let Err(why) = put {
                            self.notes
                                .left(line, format_args!("{key}={value}", value = name), why);
                        }
                    }
                    _ => self.notes.left(
                        line,
                        format_args!("{key}={value}"),
                        "a domain name for certain addresses; give `domain-name` to their subnet",
                    ),
                }
            }
            "port" => {
                self.serves_dns = value != "0";
                self.other(line, key);
            }
            "conf-file" | "conf-dir" | "dhcp-hostsfile" | "dhcp-hostsdir" | "dhcp-optsfile"
            | "dhcp-optsdir" => {
                self.notes.left(
                    line,
                    format_args!("{key}={value}"),
                    "put what is in it into the file, and convert that",
                );
            }
            _ => match reason(key) {
                Some(why) => self.notes.left(
                    line,
                    format_args!("{key}={value}")
                        .to_string()
                        .trim_end_matches('='),
                    why,
                ),
                None => self.other(line, key),
            },
        }
    }

    fn other(&mut self, line: usize, key: &str) {
        let (_, count) = self.others.entry(key.to_owned()).or_insert((line, 0));
        *count += 1;
    }

    /// What can be said when all lines are known.
    fn finish(&mut self) {
        for (key, (line, count)) in std::mem::take(&mut self.others) {
            let more = if count > 1 {
                format!(" ({count} lines)")
            } else {
                String::new()
            };
            self.notes.left(line, format_args!("{key}{more}"), "not of DHCPv4; dnsmasq can go on with DNS, TFTP and the rest, without `dhcp-range`");
        }
        self.give_values();
        self.subnets();
        self.place_hosts();
        let draft = &mut self.draft;
        let leases = draft.subnets.iter().flat_map(|subnet| {
            let pools = subnet
                .pools
                .iter()
                .filter_map(|pool| pool.settings.lease_secs);
            pools.chain(subnet.settings.lease_secs)
        });
        let least = leases
            .min()
            .unwrap_or(DEFAULT_LEASE_SECS)
            .min(MIN_LEASE_SECS);
        draft.defaults.lease_secs = Some(DEFAULT_LEASE_SECS);
        draft.defaults.min_lease_secs = Some(least);
    }

    fn ignore(&mut self, line: usize, value: &str) {
        let tags: Vec<_> = value
            .split(',')
            .map(|tag| tag.trim().trim_start_matches("tag:").to_owned())
            .collect();
        match self.tags.condition(&tags) {
            Ok(when) => self.tags.refuse(line, when),
            Err(why) => self
                .notes
                .left(line, format_args!("dhcp-ignore={value}"), why),
        }
    }
}

/// `2m`, `12h`, `1d`, `1w`, seconds, or `infinite`.
fn seconds(text: &str) -> Option<u32> {
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
    // Less is not given.
    Some(secs.max(MIN_LEASE_SECS))
}

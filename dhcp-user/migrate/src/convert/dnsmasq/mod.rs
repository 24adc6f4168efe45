//! The DHCPv4 settings of `dnsmasq.conf` (dnsmasq(8)).

use std::collections::BTreeMap;

use dhcp_config::{Field, Host as ThisHost};

use self::{
    reader::{DEFAULT_LEASE_SECS, MIN_LEASE_SECS, Reader},
    reasons::reason,
    tags::{Match, Tags},
};
use super::{
    draft::{Draft, Interface},
    notes::Notes,
};

mod hosts;
mod matches;
mod options;
mod ranges;
mod reader;
mod reasons;
mod tags;

/// Converts a file to a draft.
///
/// # Errors
/// The line and the reason of a syntax error.
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

/// Splits a line into key and value, without comment and quotation marks.
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
                        "applies to certain addresses; set `domain-name` in their subnet",
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
                    "includes are not followed; insert its content into the file and convert again",
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

    /// Converts the elements that depend on several lines.
    fn finish(&mut self) {
        for (key, (line, count)) in std::mem::take(&mut self.others) {
            let more = if count > 1 {
                format!(" ({count} lines)")
            } else {
                String::new()
            };
            self.notes.left(line, format_args!("{key}{more}"), "not part of DHCPv4; dnsmasq can continue to serve DNS and TFTP without `dhcp-range`");
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

//! `dhcp-host`.

use std::net::Ipv4Addr;

use dhcp_config::{Field, Pattern};
use dhcp_model::hex::parse_hex;

use super::reader::{Host, Reader, seconds};
use crate::convert::draft::{Condition, Owner, Reservation, Settings};

impl Reader<'_> {
    /// Reads `[HARDWARE,…][id:IDENTIFIER|*][set:TAG][tag:TAG][ADDRESS][NAME][LEASE][ignore]`, in
    /// any order.
    pub(super) fn reservation(&mut self, line: usize, value: &str) {
        let what = format!("dhcp-host={value}");
        let mut owners = Vec::new();
        let mut address = None;
        let mut host_name = None;
        let mut lease_secs = None;
        let (mut sets, mut is_ignored) = (Vec::new(), false);
        for part in value
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            if let Some(id) = part.strip_prefix("id:") {
                // `id:*` ignores the identifier, which reservations by hardware address do anyway.
                let octets = || {
                    if id.contains(':') {
                        parse_hex(id)
                    } else {
                        None
                    }
                };
                if id != "*" {
                    owners.push(Ok(Owner::ClientId(
                        octets().unwrap_or_else(|| id.as_bytes().to_vec()),
                    )));
                }
            } else if let Some(tag) = part
                .strip_prefix("set:")
                .or_else(|| part.strip_prefix("net:"))
            {
                sets.push(tag.to_owned());
            } else if part.starts_with("tag:") {
                self.notes.left(
                    line,
                    format_args!("{part} of {what}"),
                    "reservations apply regardless of tags",
                );
            } else if part == "ignore" {
                is_ignored = true;
            } else if part.starts_with('[') {
                self.notes.left(
                    line,
                    format_args!("{part} of {what}"),
                    "only DHCPv4 is supported",
                );
            } else if let Ok(found) = part.parse::<Ipv4Addr>() {
                address = Some(found);
            } else if part.contains(':') {
                owners.push(hardware(part).map(Owner::Hardware));
            } else if let Some(secs) = seconds(part) {
                lease_secs = Some(secs);
            } else {
                host_name = Some(part.to_owned());
            }
        }
        if is_ignored {
            self.ignore_hosts(line, &what, &owners);
            return;
        }
        let mut owners = owners.into_iter();
        let owner =
            match owners.next() {
                Some(Ok(owner)) => owner,
                Some(Err(why)) => return self.notes.left(line, what, why),
                None => return self.notes.left(
                    line,
                    what,
                    "it has neither a hardware address nor a client identifier; clients are not identified by host names",
                ),
            };
        for _ in owners {
            self.notes.left(
                line,
                format_args!("another client of {what}"),
                "an address can be reserved for one client only",
            );
        }
        let Some(address) = address else {
            return self.notes.left(line, what, "a reservation needs an address; for other settings use a class by hardware address");
        };
        for tag in sets {
            self.tags.set_by_host(&tag, self.hosts.len());
        }
        self.hosts.push(Host {
            line,
            owner,
            address,
            host_name,
            settings: Settings {
                lease_secs,
                ..Settings::default()
            },
        });
    }

    /// Adds a class of clients that get no answer.
    fn ignore_hosts(&mut self, line: usize, what: &str, owners: &[Result<Owner, String>]) {
        let hardware = owners.iter().filter_map(|owner| match owner {
            Ok(Owner::Hardware(octets)) => Some(Pattern {
                octets: octets.to_vec(),
                is_prefix: false,
            }),
            _ => None,
        });
        let patterns: Vec<_> = hardware.collect();
        if patterns.len() != owners.len() || patterns.is_empty() {
            self.notes
                .left(line, what, "only hardware addresses can be ignored");
            return;
        }
        self.tags
            .refuse(line, Condition::Is(Field::HardwareAddress, patterns));
    }

    pub(super) fn place_hosts(&mut self) {
        let finder = self.draft.finder();
        for host in std::mem::take(&mut self.hosts) {
            let Host {
                line,
                owner,
                address,
                host_name,
                settings,
            } = host;
            let index = finder.find(address);
            match index.and_then(|index| self.draft.subnets.get_mut(index)) {
                Some(subnet) => subnet.reservations.push(Reservation {
                    line,
                    owner,
                    address,
                    host_name,
                    settings,
                }),
                None => self.notes.left(
                    line,
                    format_args!("dhcp-host of {address}"),
                    "no range is on its network",
                ),
            }
        }
    }
}

fn hardware(text: &str) -> Result<[u8; 6], String> {
    let octets = parse_hex(text.trim_start_matches("1-").trim_start_matches("01-"));
    let octets = octets.and_then(|octets| octets.try_into().ok());
    octets.ok_or_else(|| format!("{text} is not an Ethernet address of six octets"))
}

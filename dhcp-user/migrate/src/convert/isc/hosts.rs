//! `host` declarations.

use std::net::Ipv4Addr;

use super::reader::{Host, Inside, Reader, shown};
use crate::{
    convert::draft::{Owner, Reservation, Settings},
    statements::{Statement, Word},
};

impl Reader<'_> {
    pub(super) fn host(&mut self, statement: &Statement, block: &[Statement], inside: &Inside) {
        let name = statement.name();
        let mut settings = Settings::default();
        let mut owner = None;
        let mut addresses = Vec::new();
        let mut host_name = None;
        let place = Inside {
            what: format!("host {name}"),
            ..Inside::default()
        };
        for statement in block {
            let octets = |index: usize| statement.words.get(index).and_then(Word::octets);
            if statement.begins(&["hardware"]) {
                let hardware = octets(2).and_then(|octets| octets.try_into().ok());
                match hardware.filter(|_| {
                    statement
                        .words
                        .get(1)
                        .is_some_and(|word| word.is("ethernet"))
                }) {
                    Some(hardware) => owner = owner.or(Some(Owner::Hardware(hardware))),
                    None => self.notes.left(
                        statement.line,
                        shown(statement),
                        "a reservation needs an Ethernet address of six octets",
                    ),
                }
            } else if statement.begins(&["option", "dhcp-client-identifier"]) {
                // It takes precedence over the hardware address, as in dhcpd.
                owner = octets(2).map(Owner::ClientId).or(owner);
            } else if statement.begins(&["host-identifier", "option", "agent.circuit-id"]) {
                owner = octets(3).map(Owner::CircuitId).or(owner);
            } else if statement.begins(&["host-identifier", "option", "agent.remote-id"]) {
                owner = octets(3).map(Owner::RemoteId).or(owner);
            } else if statement.begins(&["option", "host-name"])
                || statement.begins(&["ddns-hostname"])
            {
                host_name = statement.words.last().and_then(Word::text).or(host_name);
            } else if statement.begins(&["fixed-address"]) {
                addresses.extend(self.fixed_addresses(statement));
            } else if statement.begins(&["dynamic"]) || statement.begins(&["deleted"]) {
                // Statements of hosts that were created over OMAPI.
            } else if statement.block.is_some() {
                self.notes
                    .left(statement.line, shown(statement), "not supported in a host");
            } else {
                self.parameter(statement, &mut settings, &place);
            }
        }
        let Some(owner) = owner else {
            self.notes.left(
                statement.line,
                format_args!("host {name}"),
                "it has no hardware address, client identifier, circuit id or remote id",
            );
            return;
        };
        self.hosts.push(Host {
            line: statement.line,
            name,
            owner,
            addresses,
            host_name,
            settings: settings.over(&inside.groups),
        });
    }

    fn fixed_addresses(&mut self, statement: &Statement) -> Vec<Ipv4Addr> {
        let words = statement.words.iter().skip(1).filter_map(Word::text);
        let mut addresses = Vec::new();
        for word in words {
            match word.parse() {
                Ok(address) => addresses.push(address),
                Err(_) => self.notes.left(
                    statement.line,
                    format_args!("fixed-address {word}"),
                    "host names are not resolved; give the address",
                ),
            }
        }
        addresses
    }

    /// Adds the hosts to the subnets that contain their addresses.
    pub(super) fn place_hosts(&mut self) {
        let finder = self.draft.finder();
        for host in std::mem::take(&mut self.hosts) {
            let Host { line, name, .. } = &host;
            if host.addresses.is_empty() {
                self.notes.left(*line, format_args!("host {name}"), "a reservation needs an address; for other settings use a class by hardware address");
            }
            for address in &host.addresses {
                let index = finder.find(*address);
                let subnet = index.and_then(|index| self.draft.subnets.get_mut(index));
                let Some(subnet) = subnet else {
                    self.notes.left(
                        *line,
                        format_args!("host {name}, {address}"),
                        "in no subnet of the file",
                    );
                    continue;
                };
                let declared = self.uses_host_names.then(|| name.clone());
                subnet.reservations.push(Reservation {
                    line: *line,
                    owner: host.owner.clone(),
                    address: *address,
                    host_name: host.host_name.clone().or(declared),
                    settings: host.settings.clone(),
                });
            }
        }
    }
}

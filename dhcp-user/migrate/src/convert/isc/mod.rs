//! `dhcpd.conf` of ISC dhcpd (dhcpd.conf(5), dhcp-options(5), dhcp-eval(5)).

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use self::{
    definitions::Definitions,
    reader::{Classes, Inside, Reader, shown},
    reasons::reason,
};
use super::{
    draft::{Draft, Network, Settings, Subnet},
    notes::Notes,
};
use crate::statements::{Statement, Statements};

mod classes;
mod definitions;
mod hosts;
mod options;
mod parameters;
mod pools;
mod reader;
mod reasons;

/// The defaults of dhcpd (`DEFAULT_…` in `server/dhcpd.c`).
const DEFAULT_LEASE_SECS: u32 = 43_200;
const DEFAULT_MAX_LEASE_SECS: u32 = 86_400;
const DEFAULT_MIN_LEASE_SECS: u32 = 300;

/// Converts a file to a draft.
///
/// # Errors
/// The line and the reason of a syntax error.
pub fn read(text: &str, notes: &mut Notes) -> Result<Draft, (usize, String)> {
    // The last line may lack a newline.
    let text = format!("{text}\n");
    let mut statements = Vec::new();
    for statement in Statements::new(text.as_bytes()) {
        match statement {
            Ok(Ok(statement)) => statements.push(statement),
            Ok(Err(unreadable)) => return Err((unreadable.line, unreadable.why)),
            Err(error) => return Err((1, error.to_string())),
        }
    }
    let mut reader = Reader {
        draft: Draft::default(),
        definitions: Definitions::default(),
        classes: Classes::default(),
        hosts: Vec::new(),
        uses_host_names: false,
        notes,
    };
    reader.definitions.read(&statements);
    let mut settings = reader.scope(&statements, Inside::default());
    settings.lease_secs.get_or_insert(DEFAULT_LEASE_SECS);
    settings
        .max_lease_secs
        .get_or_insert(DEFAULT_MAX_LEASE_SECS);
    reader.draft.defaults = settings;
    reader.place_hosts();
    reader.finish_classes();
    reader.allow_short_leases();
    Ok(reader.draft)
}

impl Reader<'_> {
    /// Reads a block: first its settings, then its declarations.
    fn scope(&mut self, statements: &[Statement], inside: Inside) -> Settings {
        let mut settings = Settings::default();
        for statement in statements {
            if statement.block.is_none() && !statement.begins(&["subclass"]) {
                self.parameter(statement, &mut settings, &inside);
            }
        }
        let mut chain = Vec::new();
        for statement in statements {
            let Some(block) = &statement.block else {
                // Its position among the classes matters.
                if statement.begins(&["subclass"]) {
                    self.subclass(statement, None);
                }
                continue;
            };
            let keyword = statement.word(0).unwrap_or_default().to_ascii_lowercase();
            match &*keyword {
                "subnet" => self.subnet(statement, block, &inside),
                "shared-network" => self.shared_network(statement, block, &inside),
                "group" => self.group(block, &inside),
                "host" => self.host(statement, block, &inside),
                "pool" => self.pool(statement, block, &inside),
                "class" => self.class(statement, block),
                "subclass" => self.subclass(statement, Some(block)),
                "if" | "elsif" | "else" => {
                    self.branch(&keyword, statement, block, &inside, &mut chain)
                }
                "subnet6" | "shared-network6" => {
                    self.notes
                        .left(statement.line, shown(statement), "only DHCPv4 is supported")
                }
                _ => self
                    .notes
                    .left(statement.line, shown(statement), reason(&keyword)),
            }
        }
        settings
    }

    /// Reads a group, whose settings are repeated for each declaration in it.
    fn group(&mut self, block: &[Statement], inside: &Inside) {
        let mut settings = Settings::default();
        let mut declarations = Vec::new();
        for statement in block {
            if statement.block.is_none() && !statement.begins(&["subclass"]) {
                self.parameter(statement, &mut settings, inside);
            } else {
                declarations.push(statement.clone());
            }
        }
        let inside = Inside {
            groups: settings.over(&inside.groups),
            ..inside.clone()
        };
        // All settings are in `groups`.
        self.scope(&declarations, inside);
    }

    fn shared_network(&mut self, statement: &Statement, block: &[Statement], inside: &Inside) {
        let name = statement.name();
        let settings = self.scope(
            block,
            Inside {
                network: Some(name.clone()),
                groups: Settings::default(),
                what: format!("shared-network {name}"),
                ..inside.clone()
            },
        );
        self.draft.networks.push(Network {
            line: statement.line,
            name,
            settings: settings.over(&inside.groups),
        });
    }

    fn subnet(&mut self, statement: &Statement, block: &[Statement], inside: &Inside) {
        let address = statement
            .word(1)
            .and_then(|word| word.parse::<Ipv4Addr>().ok());
        let mask = statement
            .word(3)
            .and_then(|word| word.parse::<Ipv4Addr>().ok());
        let prefix = address
            .zip(mask)
            .and_then(|(address, mask)| Ipv4Net::with_netmask(address, mask).ok());
        let Some(prefix) = prefix.map(|prefix| prefix.trunc()) else {
            self.notes.left(
                statement.line,
                shown(statement),
                "give `subnet` an address and a netmask",
            );
            return;
        };
        let index = self.draft.subnets.len();
        let mut subnet = Subnet::new(statement.line, prefix);
        subnet.network.clone_from(&inside.network);
        self.draft.subnets.push(subnet);
        let settings = self.scope(
            block,
            Inside {
                subnet: Some(index),
                groups: Settings::default(),
                what: format!("subnet {prefix}"),
                network: inside.network.clone(),
            },
        );
        if let Some(subnet) = self.draft.subnets.get_mut(index) {
            subnet.settings = settings.over(&inside.groups);
        }
    }

    /// Allows the shorter leases that dhcpd gives on request, down to five minutes.
    fn allow_short_leases(&mut self) {
        let draft = &mut self.draft;
        let subnets = draft.subnets.iter().map(|subnet| &subnet.settings);
        let around = subnets
            .chain(draft.networks.iter().map(|network| &network.settings))
            .chain([&draft.defaults]);
        let shortest = around
            .flat_map(|settings| [settings.lease_secs, settings.max_lease_secs])
            .flatten()
            .min();
        if draft.defaults.min_lease_secs.is_none() {
            let least = shortest
                .unwrap_or(DEFAULT_LEASE_SECS)
                .min(DEFAULT_MIN_LEASE_SECS);
            draft.defaults.min_lease_secs = Some(least);
        }
    }
}

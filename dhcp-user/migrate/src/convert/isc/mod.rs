//! `dhcpd.conf` of ISC dhcpd (dhcpd.conf(5), dhcp-options(5), dhcp-eval(5)).

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use self::{classes::Classes, hosts::Host, options::Definitions, pools::range, reasons::reason};
use super::{
    draft::{Draft, Interface, Network, Pool, Settings, Subnet},
    notes::Notes,
};
use crate::statements::{Statement, Statements, Word};

mod classes;
mod hosts;
mod options;
mod pools;
mod reasons;

pub use classes::any;

/// What dhcpd does where the file does not say (`DEFAULT_…` in `server/dhcpd.c`).
const DEFAULT_LEASE_SECS: u32 = 43_200;
const DEFAULT_MAX_LEASE_SECS: u32 = 86_400;
const DEFAULT_MIN_LEASE_SECS: u32 = 300;

/// # Errors
/// Line, and what is wrong there.
pub fn read(text: &str, notes: &mut Notes) -> Result<Draft, (usize, String)> {
    // The last line of a file need not end.
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

struct Reader<'n> {
    draft: Draft,
    definitions: Definitions,
    classes: Classes,
    hosts: Vec<Host>,
    /// `use-host-decl-names`
    uses_host_names: bool,
    notes: &'n mut Notes,
}

/// What a statement stands in.
#[derive(Clone, Debug, Default)]
struct Inside {
    network: Option<String>,
    /// Index in the draft.
    subnet: Option<usize>,
    /// Of the groups around it, which our file does not have.
    groups: Settings,
    what: String,
}

impl Reader<'_> {
    /// Reads what stands in a block: first what it sets, then the declarations in it.
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
                // In its place among the classes.
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
                        .left(statement.line, shown(statement), "only DHCPv4 is served")
                }
                _ => self
                    .notes
                    .left(statement.line, shown(statement), reason(&keyword)),
            }
        }
        settings
    }

    /// What a group sets is said again of each thing in it.
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
        // All that it sets is in `groups` by now.
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

    /// A statement without a block.
    fn parameter(&mut self, statement: &Statement, settings: &mut Settings, inside: &Inside) {
        let keyword = statement.word(0).unwrap_or_default().to_ascii_lowercase();
        let text = || statement.words.get(1).and_then(Word::text);
        let seconds = || statement.word(1).and_then(seconds);
        let done = match &*keyword {
            "option" => {
                self.option(statement, settings, inside);
                true
            }
            "default-lease-time" => seconds()
                .map(|secs| settings.lease_secs = Some(secs))
                .is_some(),
            "max-lease-time" => seconds()
                .map(|secs| settings.max_lease_secs = Some(secs))
                .is_some(),
            "min-lease-time" => seconds()
                .map(|secs| settings.min_lease_secs = Some(secs))
                .is_some(),
            "abandon-lease-time" => seconds()
                .map(|secs| settings.decline_secs = Some(secs))
                .is_some(),
            "authoritative" => {
                settings.authoritative = Some(true);
                true
            }
            "not" if statement.word(1) == Some("authoritative") => {
                settings.authoritative = Some(false);
                true
            }
            "ignore-client-uids" => switch(statement)
                .map(|is_on| settings.match_client_id = Some(!is_on))
                .is_some(),
            "next-server" => {
                settings.next_server = text().and_then(|text| text.parse().ok());
                settings.next_server.is_some()
            }
            "filename" => {
                settings.boot_file = text().filter(|text| !text.is_empty());
                true
            }
            "server-name" => {
                settings.server_name = text().filter(|text| !text.is_empty());
                true
            }
            "use-host-decl-names" => switch(statement)
                .map(|is_on| self.uses_host_names |= is_on)
                .is_some(),
            "server-identifier" => {
                let address = text().and_then(|text| text.parse().ok());
                let subnet = inside
                    .subnet
                    .and_then(|index| self.draft.subnets.get_mut(index));
                subnet
                    .filter(|_| address.is_some())
                    .map(|subnet| subnet.server_id = address)
                    .is_some()
            }
            "interface" => {
                let name = text().unwrap_or_default();
                self.notes.changed(
                    statement.line,
                    shown(statement),
                    "a link serves the subnet that an address of it lies in",
                );
                self.draft.interfaces.push(Interface {
                    line: statement.line,
                    name,
                    addresses: Vec::new(),
                });
                true
            }
            "range" => match (range(statement), inside.subnet) {
                (Some((first, last)), Some(_)) => {
                    let pool = Pool {
                        line: statement.line,
                        first,
                        last,
                        classes: Vec::new(),
                        settings: Settings::default(),
                    };
                    self.add_pool(pool, inside);
                    true
                }
                _ => false,
            },
            // BOOTP is not served anyway, and booting always.
            "allow"
                if matches!(
                    statement.word(1),
                    Some(
                        "booting"
                            | "bootp"
                            | "unknown-clients"
                            | "declines"
                            | "duplicates"
                            | "known-clients"
                    )
                ) =>
            {
                true
            }
            "deny" | "ignore" if matches!(statement.word(1), Some("bootp")) => true,
            // Where they stand they end the options that a statement sets.
            "" | "break" => true,
            _ => false,
        };
        if !done {
            let place = if inside.what.is_empty() {
                String::new()
            } else {
                format!(" in {}", inside.what)
            };
            self.notes.left(
                statement.line,
                format_args!("{}{place}", shown(statement)),
                reason(&keyword),
            );
        }
    }

    /// dhcpd gives less to clients that ask for it, down to five minutes.
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

/// A number of seconds; −1 and the largest are infinite.
fn seconds(word: &str) -> Option<u32> {
    if word == "-1" || word == "infinite" {
        return Some(u32::MAX);
    }
    word.parse().ok()
}

/// `true`, `on`, or nothing, and their opposites.
fn switch(statement: &Statement) -> Option<bool> {
    match &*statement.word(1).unwrap_or("true").to_ascii_lowercase() {
        "true" | "on" => Some(true),
        "false" | "off" => Some(false),
        _ => None,
    }
}

/// The beginning of a statement, for people.
fn shown(statement: &Statement) -> String {
    const MAX_WORDS: usize = 6;
    let words = statement
        .words
        .iter()
        .take(MAX_WORDS)
        .map(|word| match word {
            Word::Bare(word) => word.clone(),
            Word::Quoted(octets) => format!("{:?}", String::from_utf8_lossy(octets)),
            Word::Mark(mark) => mark.to_string(),
        });
    let words: Vec<_> = words.collect();
    let more = if statement.words.len() > MAX_WORDS {
        " …"
    } else {
        ""
    };
    format!("{}{more}", words.join(" "))
}

//! Statements without a block.

use std::net::Ipv4Addr;

use super::{
    reader::{Inside, Reader, shown},
    reasons::reason,
};
use crate::{
    convert::draft::{Interface, Pool, Settings},
    statements::{Statement, Word},
};

impl Reader<'_> {
    /// Reads a statement without a block.
    pub(super) fn parameter(
        &mut self,
        statement: &Statement,
        settings: &mut Settings,
        inside: &Inside,
    ) {
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
                    "a link serves the subnets that contain its addresses",
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
            // These have no effect, or are the default.
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
            // They end a list of statements.
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
}

/// Parses a number of seconds; −1 and the largest number mean infinite.
fn seconds(word: &str) -> Option<u32> {
    if word == "-1" || word == "infinite" {
        return Some(u32::MAX);
    }
    word.parse().ok()
}

/// Parses `true`, `on` or nothing, and `false` or `off`.
fn switch(statement: &Statement) -> Option<bool> {
    match &*statement.word(1).unwrap_or("true").to_ascii_lowercase() {
        "true" | "on" => Some(true),
        "false" | "off" => Some(false),
        _ => None,
    }
}

/// Parses `range [dynamic-bootp] FIRST [LAST]`.
pub fn range(statement: &Statement) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let mut words = statement
        .words
        .iter()
        .skip(1)
        .filter(|word| !word.is("dynamic-bootp"));
    let first: Ipv4Addr = words.next()?.bare()?.parse().ok()?;
    let last = match words.next() {
        Some(word) => word.bare()?.parse().ok()?,
        None => first,
    };
    Some((first, last))
}

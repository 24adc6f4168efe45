//! `pool` and `range` of dhcpd.

use std::net::Ipv4Addr;

use super::{Inside, Reader, shown};
use crate::{
    convert::draft::{Pool, Settings},
    statements::{Statement, Word},
};

impl Reader<'_> {
    pub(super) fn pool(&mut self, statement: &Statement, block: &[Statement], inside: &Inside) {
        let what = format!("pool in {}", inside.what);
        let mut settings = Settings::default();
        let mut ranges = Vec::new();
        let (mut allowed, mut denied, mut closed) = (Vec::new(), Vec::new(), None);
        for statement in block {
            let words: Vec<_> = statement.words.iter().filter_map(Word::text).collect();
            let words: Vec<_> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let name = || {
                statement
                    .words
                    .last()
                    .and_then(Word::text)
                    .unwrap_or_default()
            };
            match &*words {
                ["range", ..] => {
                    ranges.extend(range(statement).map(|range| (statement.line, range)))
                }
                ["allow", "members", "of", _] => allowed.push(name()),
                ["deny" | "ignore", "members", "of", _] => denied.push(name()),
                ["deny" | "ignore", "unknown-clients" | "unknown", ..]
                | ["allow", "known-clients" | "known", ..] => {
                    closed = Some(
                        "it is for clients with a host declaration only, which pools here cannot tell",
                    );
                }
                ["deny" | "ignore", "all", ..] => closed = Some("nobody may have its addresses"),
                ["deny" | "ignore", "dynamic", ..]
                | ["allow", "dynamic", ..]
                | ["allow", "all", ..] => {}
                ["allow", "unknown-clients" | "unknown", ..]
                | ["deny" | "ignore", "known-clients" | "known", ..] => {
                    self.notes.changed(
                        statement.line,
                        shown(statement),
                        "clients with a reservation elsewhere may have them as well",
                    );
                }
                _ if statement.block.is_some() => self.notes.left(
                    statement.line,
                    shown(statement),
                    "a pool has no such thing here",
                ),
                _ => self.parameter(
                    statement,
                    &mut settings,
                    &Inside {
                        what: what.clone(),
                        ..Inside::default()
                    },
                ),
            }
        }
        if let Some(why) = closed {
            self.notes.left(statement.line, what, why);
            return;
        }
        let classes = self.class_of_pool(statement.line, allowed, denied);
        for (line, (first, last)) in ranges {
            let pool = Pool {
                line,
                first,
                last,
                classes: classes.clone(),
                settings: settings.clone(),
            };
            self.add_pool(pool, inside);
        }
    }

    /// To the subnet around it, or the one of the shared network that its addresses lie in.
    pub(super) fn add_pool(&mut self, pool: Pool, inside: &Inside) {
        let index = inside.subnet.or_else(|| {
            let mut subnets = self.draft.subnets.iter().rev();
            let from_end = subnets.position(|subnet| subnet.prefix.contains(&pool.first))?;
            self.draft.subnets.len().checked_sub(from_end + 1)
        });
        match index.and_then(|index| self.draft.subnets.get_mut(index)) {
            Some(subnet) => subnet.pools.push(pool),
            None => self.notes.left(
                pool.line,
                format_args!("range {} {}", pool.first, pool.last),
                "it lies in no subnet that comes before it",
            ),
        }
    }
}

/// `range [dynamic-bootp] FIRST [LAST]`
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

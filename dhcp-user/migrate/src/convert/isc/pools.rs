//! `pool` and `range` of dhcpd.

use super::{
    parameters::range,
    reader::{Inside, Reader, shown},
};
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
                        "it is only for clients with a host declaration, which pools cannot test",
                    );
                }
                ["deny" | "ignore", "all", ..] => {
                    closed = Some("none of its addresses may be used")
                }
                ["deny" | "ignore", "dynamic", ..]
                | ["allow", "dynamic", ..]
                | ["allow", "all", ..] => {}
                ["allow", "unknown-clients" | "unknown", ..]
                | ["deny" | "ignore", "known-clients" | "known", ..] => {
                    self.notes.changed(
                        statement.line,
                        shown(statement),
                        "clients with a reservation elsewhere may also use these addresses",
                    );
                }
                _ if statement.block.is_some() => {
                    self.notes
                        .left(statement.line, shown(statement), "not supported in a pool")
                }
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
}

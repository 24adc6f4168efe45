//! The state of the conversion while the file is read.

use std::net::Ipv4Addr;

use super::definitions::Definitions;
use crate::{
    convert::{
        draft::{Condition, Draft, Owner, Pool, Settings},
        notes::Notes,
    },
    statements::{Statement, Word},
};

pub(super) struct Reader<'n> {
    pub(super) draft: Draft,
    pub(super) definitions: Definitions,
    pub(super) classes: Classes,
    pub(super) hosts: Vec<Host>,
    /// `use-host-decl-names`
    pub(super) uses_host_names: bool,
    pub(super) notes: &'n mut Notes,
}

/// The blocks around a statement.
#[derive(Clone, Debug, Default)]
pub(super) struct Inside {
    pub(super) network: Option<String>,
    /// Index in the draft.
    pub(super) subnet: Option<usize>,
    /// Settings of the groups around it, which xdhcpd does not have.
    pub(super) groups: Settings,
    pub(super) what: String,
}

/// Classes whose members are defined by subclasses.
#[derive(Debug, Default)]
pub(super) struct Classes {
    pub(super) matching: Vec<Matching>,
}

#[derive(Debug)]
pub(super) struct Matching {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) subject: Vec<Word>,
    pub(super) settings: Settings,
    pub(super) members: Vec<Condition>,
    /// Its index among the classes.
    pub(super) place: usize,
}

/// A host whose subnets are not yet known.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) owner: Owner,
    pub(super) addresses: Vec<Ipv4Addr>,
    pub(super) host_name: Option<String>,
    pub(super) settings: Settings,
}

impl Reader<'_> {
    /// Adds a pool to the subnet around it, or to the preceding subnet that contains its addresses.
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
                "in no preceding subnet",
            ),
        }
    }
}

/// Returns the beginning of a statement, for notes.
pub(super) fn shown(statement: &Statement) -> String {
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

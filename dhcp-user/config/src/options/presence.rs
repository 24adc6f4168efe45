//! Options that are sent, or not sent, whatever a client lists: `always` and `never`.

use std::collections::BTreeSet;

use dhcp_common::wire::option;

use super::names::{NAMED, refusal};
use crate::{
    raw::{Node, Section, nearest},
    types::Presence,
};

/// The name of option 12, which a reservation sets, and not `options`.
const HOST_NAME: &str = "host-name";

impl Presence {
    /// Reads both lists of a table.
    pub(crate) fn read(section: &Section<'_>) -> Self {
        let [always, never] = ["always", "never"].map(|key| {
            let nodes = section.get(key).map(|node| node.list(SUCH_AS));
            let mut codes = Vec::new();
            for node in nodes.into_iter().flatten() {
                codes.extend(code(&node).map(|code| (code, node)));
            }
            codes
        });
        for (code, node) in &never {
            if let Some((_, other)) = always.iter().find(|(other, _)| other == code) {
                node.refuse(format_args!(
                    "option {code} is also in {}; remove one of the two",
                    other.pointer()
                ));
            }
        }
        let codes = |list: &[(u8, Node<'_>)]| list.iter().map(|(code, _)| *code).collect();
        Self {
            always: codes(&always),
            never: codes(&never),
        }
    }

    /// Returns these lists over those of `parent`: the innermost table that names an option
    /// decides about it.
    #[must_use]
    pub fn over(&self, parent: &Self) -> Self {
        let merged = |own: &BTreeSet<u8>, inherited: &BTreeSet<u8>, other: &BTreeSet<u8>| {
            own.union(&(inherited - other)).copied().collect()
        };
        Self {
            always: merged(&self.always, &parent.always, &self.never),
            never: merged(&self.never, &parent.never, &self.always),
        }
    }
}

const SUCH_AS: &str = "options such as \"pxelinux-path-prefix\" or 210";

/// Reads the name or the number of an option.
fn code(node: &Node<'_>) -> Option<u8> {
    let code = match node.as_string() {
        Some(HOST_NAME) => option::HOST_NAME,
        Some(name) => {
            let named = NAMED.iter().find(|named| named.name == name);
            let code = named.map(|named| named.code).or_else(|| super::key(name));
            let Some(code) = code else {
                let known = NAMED.iter().map(|named| named.name).chain([HOST_NAME]);
                let hint = match nearest(name, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "give it by number, such as 210".to_owned(),
                };
                node.refuse(format_args!("unknown option; {hint}"));
                return None;
            };
            code
        }
        None => node.integer(1..=254)?,
    };
    if let Some(reason) = presence_refusal(code) {
        node.refuse(format_args!(
            "whether option {code} is sent cannot be chosen: {reason}; remove it"
        ));
        return None;
    }
    Some(code)
}

/// Returns why `always` and `never` cannot name an option.
pub fn presence_refusal(code: u8) -> Option<&'static str> {
    match code {
        option::HOST_NAME => None,
        option::V6_ONLY_PREFERRED => {
            Some("set `ipv6-mostly`, which sends it to clients that list it (RFC 8925 §3.1)")
        }
        _ => refusal(code),
    }
}

/// Notes each option that is always sent and set nowhere in the file.
pub(crate) fn refuse_unset(root: &Section<'_>) {
    let (mut set, mut always) = (BTreeSet::new(), Vec::new());
    collect(root, &mut set, &mut always);
    for (code, node) in always {
        if !set.contains(&code) {
            let what = NAMED.iter().find(|named| named.code == code);
            let what = match what {
                Some(named) => named.name.to_owned(),
                None => format!("\"{code}\""),
            };
            node.refuse(format_args!(
                "option {code} is set nowhere in the file; add `{what}` to `options`, or remove it"
            ));
        }
    }
}

/// Collects the options that a table and those in it set, and the items of `always`.
fn collect<'a>(table: &Section<'a>, set: &mut BTreeSet<u8>, always: &mut Vec<(u8, Node<'a>)>) {
    for (key, node) in table.fields() {
        match key {
            "options" if node.is_table() => {
                let fields = node.free_section().map(|section| section.fields());
                let names = fields.into_iter().flatten().map(|(name, _)| name);
                set.extend(names.filter_map(|name| super::code(name).or_else(|| super::key(name))));
            }
            "always" if node.is_list() => {
                for node in node.list(SUCH_AS) {
                    let code = match node.as_string() {
                        Some(HOST_NAME) => Some(option::HOST_NAME),
                        Some(name) => super::code(name).or_else(|| super::key(name)),
                        None => node.as_integer(),
                    };
                    let code = code.filter(|code| presence_refusal(*code).is_none());
                    always.extend(code.map(|code| (code, node)));
                }
            }
            "boot-file" => {
                set.insert(option::BOOTFILE_NAME);
            }
            "server-name" => {
                set.insert(option::TFTP_SERVER_NAME);
            }
            HOST_NAME => {
                set.insert(option::HOST_NAME);
            }
            // Conditions of a class set nothing.
            "when" => {}
            _ => {
                let nodes = if node.is_list() {
                    node.list("tables")
                } else {
                    vec![node]
                };
                for node in nodes.iter().filter(|node| node.is_table()) {
                    if let Some(section) = node.free_section() {
                        collect(&section, set, always);
                    }
                }
            }
        }
    }
}

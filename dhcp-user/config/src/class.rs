//! Classes of clients: their conditions and settings.

use std::{cell::Cell, collections::HashMap};

use dhcp_common::wire::MAX_HLEN;
use dhcp_model::hex::{parse_hex, text_or_hex};

use super::{
    options::key,
    raw::{Node, Section, each, nearest},
    settings,
    types::{Class, Classes, Condition, Field, Overrides, Pattern},
    value::replace,
};

/// The number of bits in [`Classes`].
const MAX_CLASSES: usize = Classes::BITS as usize;
/// The deepest nesting of conditions.
const MAX_DEPTH: u32 = 8;
/// The most conditions on the origin of a request, in all classes together. The engine represents
/// those that hold as bits of a `u64`.
const MAX_OF_ORIGIN: usize = u64::BITS as usize;

/// The classes of a file, and the bit of each name.
#[derive(Default)]
pub(super) struct ClassNames {
    pub classes: Vec<Class>,
    by_name: HashMap<String, Classes>,
    /// Conditions on the origin of a request that have been read.
    of_origin: Cell<usize>,
}

impl ClassNames {
    /// Reads all classes of the file.
    pub fn read(root: &Section<'_>) -> Self {
        let mut named = Self::default();
        for node in root.tables("class") {
            if named.classes.len() == MAX_CLASSES {
                node.refuse(format_args!(
                    "too many classes; at most {MAX_CLASSES} are supported"
                ));
                break;
            }
            named.add(&node);
        }
        named
    }

    fn add(&mut self, node: &Node<'_>) {
        let known: Vec<_> = ["name", "when", "refuse"]
            .into_iter()
            .chain(settings::OVERRIDES)
            .collect();
        let Some(section) = node.section(&known) else {
            return;
        };
        let mut refuse = false;
        replace(&mut refuse, section.get("refuse"), Node::boolean);
        let when = section
            .require("when", "{ vendor-class = \"PXEClient*\" }")
            .and_then(|node| self.condition(&node, 0));
        let name = section.require("name", "\"phones\"").and_then(|node| {
            let name = node.string("phones")?;
            if name.is_empty() {
                node.refuse("empty name; give at least one character");
            }
            let bit = 1 << self.classes.len();
            if self.by_name.insert(name.to_owned(), bit).is_some() {
                node.refuse("duplicate class name; give each class its own name");
            }
            Some(name.to_owned())
        });
        self.classes.push(Class {
            name: name.unwrap_or_default(),
            when: when.unwrap_or(Condition::Any(Vec::new())),
            refuse,
            overrides: Overrides::read(&section),
        });
    }

    /// Reads a table of conditions, all of which must hold.
    fn condition(&self, node: &Node<'_>, depth: u32) -> Option<Condition> {
        if depth == MAX_DEPTH {
            node.refuse(format_args!(
                "conditions are nested too deeply; at most {MAX_DEPTH} levels are supported"
            ));
            return None;
        }
        let known = [
            "vendor-class",
            "vi-vendor-class",
            "user-class",
            "architecture",
            "boot-item",
            "hardware-address",
            "circuit-id",
            "remote-id",
            "subscriber-id",
            "class",
            "all",
            "any",
            "not",
        ];
        let section = node.section(&known)?;
        let fields = section.fields();
        if fields.is_empty() {
            node.refuse("empty condition; give one such as { vendor-class = \"PXEClient*\" }");
        }
        let conditions = each(fields, |(key, node)| self.field(key, &node, depth));
        Some(Condition::All(conditions?))
    }

    fn field(&self, key: &str, node: &Node<'_>, depth: u32) -> Option<Condition> {
        let list = || -> Option<Vec<_>> {
            let nodes = node.list("conditions such as { vendor-class = \"PXEClient*\" }");
            each(&nodes, |node| self.condition(node, depth + 1))
        };
        Some(match key {
            "vendor-class" => Condition::Is(Field::VendorClass, patterns(node)?),
            "vi-vendor-class" => Condition::All(enterprises(node)?),
            "user-class" => Condition::Is(Field::UserClass, patterns(node)?),
            "architecture" => Condition::Architecture(architectures(node)?),
            "boot-item" => Condition::BootItem(boot_items(node)?),
            "hardware-address" => self.of_origin(Field::HardwareAddress, node)?,
            "circuit-id" => self.of_origin(Field::CircuitId, node)?,
            "remote-id" => self.of_origin(Field::RemoteId, node)?,
            "subscriber-id" => self.of_origin(Field::SubscriberId, node)?,
            "class" => Condition::In(self.named(node)?),
            "all" => Condition::All(list()?),
            "any" => Condition::Any(list()?),
            "not" => Condition::Not(Box::new(self.condition(node, depth + 1)?)),
            // `section` has noted it as unknown.
            _ => return None,
        })
    }

    /// Reads a condition on the origin of a request.
    fn of_origin(&self, field: Field, node: &Node<'_>) -> Option<Condition> {
        self.of_origin.set(self.of_origin.get() + 1);
        if self.of_origin.get() == MAX_OF_ORIGIN + 1 {
            node.refuse(format_args!(
                "too many conditions on hardware addresses and option 82; all classes together have at most {MAX_OF_ORIGIN}, each with any number of values"
            ));
        }
        let patterns = match field {
            Field::HardwareAddress => hardware_patterns(node),
            _ => patterns(node),
        };
        Some(Condition::Is(field, patterns?))
    }

    /// Returns the bits of a class or of a list of classes.
    pub fn named(&self, node: &Node<'_>) -> Option<Classes> {
        let mut classes = 0;
        for node in node.one_or_list("names of classes") {
            let name = node.string("phones")?;
            let Some(bit) = self.by_name.get(name) else {
                let known = self.by_name.keys().map(String::as_str);
                let hint = match nearest(name, known) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => {
                        format!("add `[[class]]` with `name = {name:?}` before its first use")
                    }
                };
                node.refuse(format_args!("unknown class; {hint}"));
                return None;
            };
            classes |= bit;
        }
        Some(classes)
    }
}

/// Reads a pattern or a list of patterns, one of which must match.
fn patterns(node: &Node<'_>) -> Option<Vec<Pattern>> {
    let nodes = node.one_or_list("strings such as \"PXEClient*\"");
    each(&nodes, pattern)
}

fn pattern(node: &Node<'_>) -> Option<Pattern> {
    let text = node.string("PXEClient*")?;
    let (text, is_prefix) = match text.strip_suffix('*') {
        Some(prefix) => (prefix, true),
        None => (text, false),
    };
    let octets = text_or_hex(text);
    if octets.is_none() {
        node.refuse(
            "not a pattern; give text such as \"MSFT 5.0\", a prefix such as \"PXEClient*\", or octets such as \"hex:0102\"",
        );
    }
    Some(Pattern {
        octets: octets?,
        is_prefix,
    })
}

/// Reads hardware addresses, or prefixes of them.
fn hardware_patterns(node: &Node<'_>) -> Option<Vec<Pattern>> {
    let nodes = node.one_or_list("hardware addresses such as \"02:00:00:*\"");
    each(&nodes, |node| {
        let text = node.string("02:00:00:*")?;
        let (text, is_prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix.strip_suffix([':', '-']).unwrap_or(prefix), true),
            None => (text, false),
        };
        let octets = parse_hex(text).filter(|octets| octets.len() <= usize::from(MAX_HLEN));
        if octets.is_none() {
            node.refuse(format_args!(
                "not a hardware address; give up to {MAX_HLEN} octets such as \"02:00:00:00:00:01\", or a prefix such as \"02:00:00:*\""
            ));
        }
        Some(Pattern {
            octets: octets?,
            is_prefix,
        })
    })
}

/// Reads patterns by enterprise number, such as `{ 4491 = "docsis3*" }`, all of which must match.
fn enterprises(node: &Node<'_>) -> Option<Vec<Condition>> {
    let fields = node.free_section()?.fields();
    if fields.is_empty() {
        node.refuse("empty table; give an enterprise such as { 4491 = \"docsis3*\" }");
        return None;
    }
    each(fields, |(name, node)| {
        let Some(number) = key(name) else {
            node.refuse("not an enterprise number; give one from IANA's registry, such as 4491");
            return None;
        };
        Some(Condition::Enterprise(number, patterns(&node)?))
    })
}

/// Reads numbers from IANA's registry of processor architectures (RFC 5970, RFC 4578 §2.1).
fn architectures(node: &Node<'_>) -> Option<Vec<u16>> {
    let nodes = node.one_or_list("numbers of architectures, such as 7 for x64 UEFI");
    each(&nodes, |node| node.integer(0..=i64::from(u16::MAX)))
}

/// Reads types of items of a boot menu (PXE 2.1 §2.2.4).
fn boot_items(node: &Node<'_>) -> Option<Vec<u16>> {
    let nodes = node.one_or_list("types of boot items, such as 32768");
    each(&nodes, |node| node.integer(0..=i64::from(u16::MAX)))
}

//! Classes of clients: their names and settings.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use super::{
    condition,
    raw::{Node, Section, nearest},
    settings,
    types::{Class, Classes, Condition, Overrides},
    value::replace,
};

/// The number of bits in [`Classes`].
const MAX_CLASSES: usize = Classes::BITS as usize;

/// The classes of a file, and the bit of each name.
#[derive(Default)]
pub(super) struct ClassNames<'a> {
    pub classes: Vec<Class>,
    by_name: HashMap<String, Classes>,
    /// Conditions on the origin of a request that have been read.
    pub of_origin: Cell<usize>,
    /// Conditions that hold only for clients with a reservation.
    pub on_reservations: RefCell<Vec<Node<'a>>>,
    /// Classes without a condition.
    unconditional: Vec<(Classes, Node<'a>)>,
    /// Classes that reservations name.
    given: Cell<Classes>,
}

impl<'a> ClassNames<'a> {
    /// Reads all classes of the file.
    pub fn read(root: &Section<'a>) -> Self {
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

    /// Returns the classes, and notes those that can have no member. `are_reserved` says whether
    /// the file has any reservation.
    pub fn finish(self, are_reserved: bool) -> Vec<Class> {
        for (class, node) in &self.unconditional {
            if self.given.get() & class == 0 {
                node.refuse(
                    "no client can be a member; add `when = { vendor-class = \"PXEClient*\" }`, or name the class in `classes` of a reservation",
                );
            }
        }
        if !are_reserved {
            for node in self.on_reservations.take() {
                node.refuse(
                    "no reservation makes a client known; add one, or remove the condition",
                );
            }
        }
        self.classes
    }

    fn add(&mut self, node: &Node<'a>) {
        let known: Vec<_> = ["name", "when", "refuse"]
            .into_iter()
            .chain(settings::OVERRIDES)
            .collect();
        let Some(section) = node.section(&known) else {
            return;
        };
        let mut refuse = false;
        replace(&mut refuse, section.get("refuse"), Node::boolean);
        let bit = 1 << self.classes.len();
        let when = section.get("when");
        if when.is_none() {
            self.unconditional.push((bit, node.clone()));
        }
        let when = when.and_then(|node| condition::read(self, &node, 0));
        let name = section.require("name", "\"phones\"").and_then(|node| {
            let name = node.string("phones")?;
            if name.is_empty() {
                node.refuse("empty name; give at least one character");
            }
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

    /// Returns the bits of a class or of a list of classes that a reservation names.
    pub fn given(&self, node: &Node<'_>) -> Option<Classes> {
        let named = self.named(node)?;
        self.given.set(self.given.get() | named);
        Some(named)
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

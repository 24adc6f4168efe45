//! Which classes a request is of.

use super::request::Shape;
use crate::config::{Class, Classes, Condition, Field, Pattern};

/// The classes of a request, in which each condition may refer to those before it.
pub fn of(classes: &[Class], shape: &Shape) -> Classes {
    classes.iter().enumerate().fold(0, |found, (index, class)| {
        found | Classes::from(holds(&class.when, shape, found)) << index
    })
}

/// The classes in a set, in the order of the configuration.
pub fn members(classes: &[Class], set: Classes) -> impl Iterator<Item = &Class> {
    classes
        .iter()
        .enumerate()
        .filter(move |(index, _)| set >> index & 1 != 0)
        .map(|(_, class)| class)
}

fn holds(condition: &Condition, shape: &Shape, found: Classes) -> bool {
    let inner = |condition: &Condition| holds(condition, shape, found);
    match condition {
        Condition::All(conditions) => conditions.iter().all(inner),
        Condition::Any(conditions) => conditions.iter().any(inner),
        Condition::Not(condition) => !inner(condition),
        Condition::In(classes) => found & classes != 0,
        Condition::Architecture(wanted) => shape
            .architectures
            .iter()
            .any(|architecture| wanted.contains(architecture)),
        Condition::Is(Field::VendorClass, patterns) => {
            fits(patterns, shape.vendor_class.as_deref())
        }
        Condition::Is(Field::UserClass, patterns) => {
            let whole = shape.user_class.as_deref();
            fits(patterns, whole)
                || user_classes(whole.unwrap_or_default()).any(|class| fits(patterns, Some(class)))
        }
    }
}

fn fits(patterns: &[Pattern], value: Option<&[u8]>) -> bool {
    let Some(value) = value else {
        return false;
    };
    patterns.iter().any(|pattern| {
        if pattern.is_prefix {
            value.starts_with(&pattern.octets)
        } else {
            value == pattern.octets
        }
    })
}

/// RFC 3004 §4: each with its length before it. Many clients send one class without; it is compared
/// as a whole as well.
fn user_classes(mut value: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = value.split_first()?;
        let (class, rest) = rest.split_at_checked(usize::from(*len))?;
        value = rest;
        Some(class)
    })
}

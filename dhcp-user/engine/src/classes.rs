//! Which classes a request is of, and where it comes from as far as that decides.

use dhcp_config::{Class, Classes, Condition, Field, Pattern};
use dhcp_model::AgentIds;

use super::request::Shape;

/// Which of the conditions on the origin of a request hold, a bit for each in the order of the configuration.
pub type Marks = u64;

/// Where a request comes from: what classes are told by, and the fingerprint does not cover.
#[derive(Clone, Copy, Debug)]
pub struct Whence<'a> {
    /// The octets of `chaddr` in use.
    pub hardware: &'a [u8],
    pub agent: AgentIds<'a>,
}

/// All classes, in the order of the configuration.
#[derive(Debug)]
pub struct ClassTable {
    classes: Vec<Class>,
    of_origin: Vec<(Field, Vec<Pattern>)>,
}

impl ClassTable {
    pub fn new(classes: &[Class]) -> Self {
        let mut of_origin = Vec::new();
        for class in classes {
            collect(&class.when, &mut of_origin);
        }
        Self {
            classes: classes.to_vec(),
            of_origin,
        }
    }

    /// The classes of a request, in which each condition may refer to those before it.
    pub fn of(&self, shape: &Shape, whence: Whence<'_>) -> Classes {
        let classes = self.classes.iter().enumerate();
        classes.fold(0, |found, (index, class)| {
            let holds = holds(&class.when, shape, whence, found);
            found | Classes::from(holds) << index
        })
    }

    /// The classes in a set, in the order of the configuration.
    pub fn members(&self, set: Classes) -> impl Iterator<Item = &Class> {
        self.classes
            .iter()
            .enumerate()
            .filter(move |(index, _)| set >> index & 1 != 0)
            .map(|(_, class)| class)
    }

    /// With these and its shape the classes of a request are known.
    pub fn marks(&self, whence: Whence<'_>) -> Marks {
        let of_origin = self.of_origin.iter().enumerate();
        of_origin.fold(0, |marks, (index, (field, patterns))| {
            marks | Marks::from(whence.fits(*field, patterns)) << index
        })
    }

    /// Whether anything depends on what relay agents say.
    pub fn look_at_relay_info(&self) -> bool {
        let mut fields = self.of_origin.iter();
        fields.any(|(field, _)| field.is_of_relay_info())
    }

    /// Whether anything depends on hardware addresses.
    pub fn look_at_hardware(&self) -> bool {
        let mut fields = self.of_origin.iter();
        fields.any(|(field, _)| *field == Field::HardwareAddress)
    }
}

fn collect(condition: &Condition, of_origin: &mut Vec<(Field, Vec<Pattern>)>) {
    match condition {
        Condition::All(conditions) | Condition::Any(conditions) => {
            for condition in conditions {
                collect(condition, of_origin);
            }
        }
        Condition::Not(condition) => collect(condition, of_origin),
        Condition::Is(field, patterns) if field.is_of_origin() => {
            of_origin.push((*field, patterns.clone()));
        }
        Condition::Is(..)
        | Condition::Architecture(_)
        | Condition::Enterprise(..)
        | Condition::In(_) => {}
    }
}

impl Whence<'_> {
    fn fits(&self, field: Field, patterns: &[Pattern]) -> bool {
        let value = match field {
            Field::HardwareAddress => Some(self.hardware),
            Field::CircuitId => self.agent.circuit,
            Field::RemoteId => self.agent.remote,
            Field::SubscriberId => self.agent.subscriber,
            Field::VendorClass | Field::UserClass => None,
        };
        fits(patterns, value)
    }
}

fn holds(condition: &Condition, shape: &Shape, whence: Whence<'_>, found: Classes) -> bool {
    let inner = |condition: &Condition| holds(condition, shape, whence, found);
    match condition {
        Condition::All(conditions) => conditions.iter().all(inner),
        Condition::Any(conditions) => conditions.iter().any(inner),
        Condition::Not(condition) => !inner(condition),
        Condition::In(classes) => found & classes != 0,
        Condition::Architecture(wanted) => shape
            .architectures
            .iter()
            .any(|architecture| wanted.contains(architecture)),
        Condition::Enterprise(number, patterns) => {
            let value = shape.vi_vendor_class.as_deref().unwrap_or_default();
            enterprises(value).any(|(of, data)| of == *number && fits(patterns, Some(data)))
        }
        Condition::Is(Field::VendorClass, patterns) => {
            fits(patterns, shape.vendor_class.as_deref())
        }
        Condition::Is(Field::UserClass, patterns) => {
            let whole = shape.user_class.as_deref();
            fits(patterns, whole)
                || user_classes(whole.unwrap_or_default()).any(|class| fits(patterns, Some(class)))
        }
        Condition::Is(field, patterns) => whence.fits(*field, patterns),
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

/// RFC 3925 §3: enterprise numbers, each with its data. What is cut off at the end says nothing.
fn enterprises(mut value: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        let (number, rest) = value.split_first_chunk()?;
        let (len, rest) = rest.split_first()?;
        let (data, rest) = rest.split_at_checked(usize::from(*len))?;
        value = rest;
        Some((u32::from_be_bytes(*number), data))
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

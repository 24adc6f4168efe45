//! Client classes: which of them a request belongs to.

use dhcp_config::{Class, Classes, Condition, Field, Pattern};
use dhcp_model::{AgentIds, ClientOriginRef};

use crate::request::Shape;

/// The conditions on the origin of a client that hold, one bit each in the order of the
/// configuration.
pub type OriginMatches = u64;

/// The part of a client's origin that conditions look at, and that the fingerprint does not cover.
#[derive(Clone, Copy)]
struct OriginFields<'a> {
    /// The octets of `chaddr` in use.
    hardware: &'a [u8],
    agent: AgentIds<'a>,
}

impl<'a> OriginFields<'a> {
    fn new(origin: &'a ClientOriginRef<'_>) -> Self {
        let agent = origin.relay_info.map(AgentIds::parse);
        Self {
            hardware: origin.hardware.octets(),
            agent: agent.unwrap_or_default(),
        }
    }
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

    /// Returns the classes of a request. A condition may refer to the classes before it.
    pub fn of(&self, shape: &Shape, origin: &ClientOriginRef<'_>) -> Classes {
        let origin = OriginFields::new(origin);
        let classes = self.classes.iter().enumerate();
        classes.fold(0, |found, (index, class)| {
            let holds = holds(&class.when, shape, origin, found);
            found | Classes::from(holds) << index
        })
    }

    /// Returns the classes in a set, in the order of the configuration.
    pub fn members(&self, set: Classes) -> impl Iterator<Item = &Class> {
        self.classes
            .iter()
            .enumerate()
            .filter(move |(index, _)| set >> index & 1 != 0)
            .map(|(_, class)| class)
    }

    /// Returns the conditions on the origin that hold. Together with the shape of a request they
    /// decide its classes.
    pub fn matches(&self, origin: &ClientOriginRef<'_>) -> OriginMatches {
        let origin = OriginFields::new(origin);
        let of_origin = self.of_origin.iter().enumerate();
        of_origin.fold(0, |matches, (index, (field, patterns))| {
            matches | OriginMatches::from(origin.fits(*field, patterns)) << index
        })
    }

    /// Returns whether any condition depends on option 82.
    pub fn look_at_relay_info(&self) -> bool {
        let mut fields = self.of_origin.iter();
        fields.any(|(field, _)| field.is_of_relay_info())
    }

    /// Returns whether any condition depends on hardware addresses.
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
        | Condition::BootItem(_)
        | Condition::Enterprise(..)
        | Condition::In(_) => {}
    }
}

impl OriginFields<'_> {
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

fn holds(condition: &Condition, shape: &Shape, origin: OriginFields<'_>, found: Classes) -> bool {
    let inner = |condition: &Condition| holds(condition, shape, origin, found);
    match condition {
        Condition::All(conditions) => conditions.iter().all(inner),
        Condition::Any(conditions) => conditions.iter().any(inner),
        Condition::Not(condition) => !inner(condition),
        Condition::In(classes) => found & classes != 0,
        Condition::Architecture(wanted) => shape
            .architectures
            .iter()
            .any(|architecture| wanted.contains(architecture)),
        Condition::BootItem(wanted) => shape
            .boot_item
            .is_some_and(|item| wanted.contains(&item.kind)),
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
        Condition::Is(field, patterns) => origin.fits(*field, patterns),
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

/// Returns enterprise numbers with their data (RFC 3925 §3). Data cut off at the end is ignored.
fn enterprises(mut value: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        let (number, rest) = value.split_first_chunk()?;
        let (len, rest) = rest.split_first()?;
        let (data, rest) = rest.split_at_checked(usize::from(*len))?;
        value = rest;
        Some((u32::from_be_bytes(*number), data))
    })
}

/// Returns user classes, each behind its length (RFC 3004 §4). Many clients send one class without
/// a length, so that the value is compared as a whole as well.
fn user_classes(mut value: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = value.split_first()?;
        let (class, rest) = rest.split_at_checked(usize::from(*len))?;
        value = rest;
        Some(class)
    })
}

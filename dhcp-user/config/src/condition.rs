//! Conditions of classes: what a request, or the client that sends it, must be like.

use dhcp_common::wire::MAX_HLEN;
use dhcp_model::hex::{parse_hex, text_or_hex};
use ipnet::Ipv4Net;

use super::{
    class::ClassNames,
    option_test,
    options::key,
    raw::{Node, each},
    types::{Condition, Field, Pattern},
    value::{has_no_host_bits, host_address},
};

/// The deepest nesting of conditions.
const MAX_DEPTH: u32 = 8;
/// The most conditions on the origin of a request, in all classes together. The engine represents
/// those that hold as bits of a `u64`.
const MAX_OF_ORIGIN: usize = u64::BITS as usize;
/// The longest name that option 12 or 81 can hold, in text form.
const MAX_NAME: usize = 255;

/// Reads a table of conditions, all of which must hold.
pub(super) fn read<'a>(names: &ClassNames<'a>, node: &Node<'a>, depth: u32) -> Option<Condition> {
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
        "option",
        "host-name",
        "hardware-address",
        "giaddr",
        "circuit-id",
        "remote-id",
        "subscriber-id",
        "known",
        "secs",
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
    let conditions = each(fields, |(key, node)| field(names, key, &node, depth))?;
    if let Some(contradiction) = contradiction(&conditions) {
        node.refuse(format_args!("can never hold: {contradiction}; remove one"));
    }
    Some(Condition::All(conditions))
}

/// Returns what is wrong with conditions of which one is the opposite of another.
fn contradiction(conditions: &[Condition]) -> Option<&'static str> {
    fn flat<'c>(conditions: &'c [Condition], found: &mut Vec<&'c Condition>) {
        for condition in conditions {
            match condition {
                Condition::All(inner) => flat(inner, found),
                condition => found.push(condition),
            }
        }
    }
    fn only(condition: &Condition) -> &Condition {
        match condition {
            Condition::All(inner) => match &**inner {
                [one] => only(one),
                _ => condition,
            },
            condition => condition,
        }
    }
    let mut found = Vec::new();
    flat(conditions, &mut found);
    let is_denied = found.iter().any(|condition| match condition {
        Condition::Not(denied) => found.iter().any(|other| *other == only(denied)),
        _ => false,
    });
    is_denied.then_some("it wants a condition and its opposite")
}

fn field<'a>(names: &ClassNames<'a>, key: &str, node: &Node<'a>, depth: u32) -> Option<Condition> {
    let list = || -> Option<Vec<_>> {
        let nodes = node.list("conditions such as { vendor-class = \"PXEClient*\" }");
        if nodes.is_empty() && node.is_list() {
            node.refuse("empty list; give conditions such as { vendor-class = \"PXEClient*\" }");
        }
        each(&nodes, |node| read(names, node, depth + 1))
    };
    Some(match key {
        "vendor-class" => Condition::Is(Field::VendorClass, patterns(node)?),
        "vi-vendor-class" => Condition::All(enterprises(node)?),
        "user-class" => Condition::Is(Field::UserClass, patterns(node)?),
        "architecture" => Condition::Architecture(architectures(node)?),
        "boot-item" => Condition::BootItem(boot_items(node)?),
        "option" => {
            let tests = option_test::read(node)?;
            for node in &tests.of_origin {
                count_of_origin(names, node);
            }
            Condition::All(tests.conditions)
        }
        "host-name" => Condition::HostName(host_names(node)?),
        "hardware-address" => of_origin(names, Field::HardwareAddress, node)?,
        "giaddr" => giaddr(node)?,
        "circuit-id" => of_origin(names, Field::CircuitId, node)?,
        "remote-id" => of_origin(names, Field::RemoteId, node)?,
        "subscriber-id" => of_origin(names, Field::SubscriberId, node)?,
        "known" => {
            count_of_origin(names, node);
            if node.boolean()? {
                names.on_reservations.borrow_mut().push(node.clone());
                Condition::Known
            } else {
                Condition::Not(Box::new(Condition::Known))
            }
        }
        "secs" => Condition::Secs(node.integer(1..=i64::from(u16::MAX))?),
        "class" => Condition::In(names.named(node)?),
        "all" => Condition::All(list()?),
        "any" => Condition::Any(list()?),
        "not" => Condition::Not(Box::new(read(names, node, depth + 1)?)),
        // `section` has noted it as unknown.
        _ => return None,
    })
}

/// Reads a condition on the origin of a request.
fn of_origin(names: &ClassNames<'_>, field: Field, node: &Node<'_>) -> Option<Condition> {
    count_of_origin(names, node);
    let patterns = match field {
        Field::HardwareAddress => hardware_patterns(node),
        _ => patterns(node),
    };
    Some(Condition::Is(field, patterns?))
}

fn count_of_origin(names: &ClassNames<'_>, node: &Node<'_>) {
    let count = names.of_origin.get() + 1;
    names.of_origin.set(count);
    if count == MAX_OF_ORIGIN + 1 {
        node.refuse(format_args!(
            "too many conditions on hardware addresses, client identifiers, reservations and option 82; all classes together have at most {MAX_OF_ORIGIN}, each with any number of values"
        ));
    }
}

/// Reads names or beginnings of names, which are compared without regard to case (RFC 4343 §2).
fn host_names(node: &Node<'_>) -> Option<Vec<Pattern>> {
    let nodes = node.one_or_list("host names such as \"cam-*\"");
    each(&nodes, |node| {
        let text = node.string("cam-*")?;
        let (name, is_prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        if name.is_empty() || name.len() > MAX_NAME || name.contains('*') {
            node.refuse(format_args!(
                "not a host name; give 1 to {MAX_NAME} octets such as \"printer-2\", or the beginning of a name such as \"cam-*\""
            ));
            return None;
        }
        Some(Pattern {
            octets: name.to_ascii_lowercase().into(),
            is_prefix,
        })
    })
}

/// Reads addresses and prefixes of relay agents, or whether there is a relay agent.
fn giaddr(node: &Node<'_>) -> Option<Condition> {
    if let Some(is_relayed) = node.as_boolean() {
        let direct = Condition::Giaddr(vec![Ipv4Net::from(std::net::Ipv4Addr::UNSPECIFIED)]);
        return Some(match is_relayed {
            true => Condition::Not(Box::new(direct)),
            false => direct,
        });
    }
    let nodes = node.one_or_list("addresses and prefixes such as \"10.9.0.1\"");
    let prefixes = each(&nodes, |node| {
        let text = node.string("10.9.0.1")?;
        if !text.contains('/') {
            return host_address(node).map(Ipv4Net::from);
        }
        let Ok(prefix) = text.parse() else {
            node.refuse("not a prefix; give one such as \"10.8.0.0/16\"");
            return None;
        };
        has_no_host_bits(node, prefix, "").then_some(prefix)
    });
    Some(Condition::Giaddr(prefixes?))
}

/// Reads a pattern or a list of patterns, one of which must match.
pub(super) fn patterns(node: &Node<'_>) -> Option<Vec<Pattern>> {
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

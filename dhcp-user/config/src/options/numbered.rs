//! Values whose notation names their type: options by number, and sub-options.

use dhcp_model::hex::parse_hex;

use super::elements::{addresses, all, domains, text};
use crate::raw::{Node, Section};

const FORMS: [&str; 7] = ["hex", "text", "addresses", "domains", "u8", "u16", "u32"];

/// Reads `"hex:0a000001"`, or a table with one field that names the notation.
pub(super) fn value(node: &Node<'_>) -> Option<Vec<u8>> {
    if !node.is_table() {
        return hex(node);
    }
    let section = node.section(&FORMS)?;
    let fields = section.fields();
    let &[(form, ref value)] = &*fields else {
        if fields.len() != 1 {
            section.refuse(
                "give the value in exactly one form, such as `{ addresses = [\"10.0.0.1\"] }`",
            );
        }
        return None;
    };
    match form {
        "hex" => octets(value),
        "text" => text(value),
        "addresses" => addresses(value),
        "domains" => domains(value),
        "u8" => numbers::<1>(value, u8::MAX.into()),
        "u16" => numbers::<2>(value, u16::MAX.into()),
        "u32" => numbers::<4>(value, u32::MAX.into()),
        // `section` has noted it as unknown.
        _ => None,
    }
}

/// Reads octets as `"hex:…"`.
fn hex(node: &Node<'_>) -> Option<Vec<u8>> {
    let data = node
        .string("hex:0a000001")?
        .strip_prefix("hex:")
        .and_then(parse_hex);
    if data.is_none() {
        node.refuse(
            "not a value of an option by number; give octets such as \"hex:0a000001\", or a table such as `{ addresses = [\"10.0.0.1\"] }`",
        );
    }
    data
}

fn octets(node: &Node<'_>) -> Option<Vec<u8>> {
    let text = node.string("0a000001")?;
    let data = parse_hex(text.strip_prefix("hex:").unwrap_or(text));
    if data.is_none() {
        node.refuse("not hexadecimal octets; give some such as \"0a000001\"");
    }
    data
}

/// Reads one number of `LEN` octets or a list of them, and encodes them in network byte order.
fn numbers<const LEN: usize>(node: &Node<'_>, max: i64) -> Option<Vec<u8>> {
    let one = |node: &Node<'_>| {
        let number: u32 = node.integer(0..=max)?;
        let octets = number.to_be_bytes();
        octets.get(octets.len() - LEN..).map(<[u8]>::to_vec)
    };
    if node.is_list() {
        return Some(all(node, "numbers", one)?.concat());
    }
    one(node)
}

/// Reads encapsulated options, of codes from 1 to 254, each encoded as code, length octet and value
/// (RFC 2132 §8.4).
pub(super) fn encapsulated(node: &Node<'_>) -> Option<Vec<u8>> {
    let section = numbered_section(node, "{ 1 = { u32 = 0 }, 2 = { text = \"x\" } }")?;
    encapsulated_in(&section.fields())
}

/// Reads encapsulated options from these fields, each of which has a number.
pub(super) fn encapsulated_in(fields: &[(&str, Node<'_>)]) -> Option<Vec<u8>> {
    let options: Vec<_> = fields
        .iter()
        .map(|(name, node)| {
            let Some(code) = key::<u8>(name).filter(|code| (1..=254).contains(code)) else {
                node.refuse("not a sub-option code; give 1 to 254");
                return None;
            };
            let data = value(node)?;
            let Ok(len) = u8::try_from(data.len()) else {
                node.refuse(format_args!(
                    "{} octets; the length of a sub-option is one octet, so give at most 255",
                    data.len()
                ));
                return None;
            };
            Some([vec![code, len], data].concat())
        })
        .collect();
    concat(options)
}

/// Reads data by enterprise number, each encoded as number, length octet and data (RFC 3925 §3,
/// §4).
pub(super) fn by_enterprise(
    node: &Node<'_>,
    data: fn(&Node<'_>) -> Option<Vec<u8>>,
    such_as: &str,
) -> Option<Vec<u8>> {
    let section = numbered_section(node, such_as)?;
    let fields = section.fields();
    let entries: Vec<_> = fields
        .iter()
        .map(|(name, node)| {
            let Some(number) = key::<u32>(name) else {
                node.refuse("not an enterprise number; give one from IANA's registry, such as 4491");
                return None;
            };
            let data = data(node)?;
            let Ok(len) = u8::try_from(data.len()) else {
                node.refuse(format_args!(
                    "{} octets for one enterprise, whose length is one octet (RFC 3925 §3); give at most 255",
                    data.len()
                ));
                return None;
            };
            Some([&number.to_be_bytes()[..], &[len], &data].concat())
        })
        .collect();
    concat(entries)
}

/// Reads the vendor class data of one enterprise.
pub(super) fn class_data(node: &Node<'_>) -> Option<Vec<u8>> {
    value(node)
}

/// Returns a non-empty table whose keys are numbers.
fn numbered_section<'a>(node: &Node<'a>, such_as: &str) -> Option<Section<'a>> {
    let section = node.free_section()?;
    if section.fields().is_empty() {
        section.refuse(format_args!(
            "empty table; give a value for each number, such as `{such_as}`, or remove the option"
        ));
        return None;
    }
    Some(section)
}

/// Parses a key as a number in its canonical form: `7`, not `07`.
pub(crate) fn key<T: std::str::FromStr + ToString>(name: &str) -> Option<T> {
    name.parse()
        .ok()
        .filter(|number: &T| number.to_string() == name)
}

fn concat(values: Vec<Option<Vec<u8>>>) -> Option<Vec<u8>> {
    let values: Option<Vec<_>> = values.into_iter().collect();
    values.map(|values| values.concat())
}

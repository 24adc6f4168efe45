//! Values that say themselves what they are, for codes without a name: options by number and
//! sub-options.

use std::net::Ipv4Addr;

use dhcp_model::hex::parse_hex;

use super::kind::{all, domains, text};
use crate::{
    check::address,
    raw::{Node, Section},
};

const FORMS: [&str; 7] = ["hex", "text", "addresses", "domains", "u8", "u16", "u32"];

/// `"hex:0a000001"`, or a table of one field that names the form.
pub(super) fn value(node: &Node<'_>) -> Option<Vec<u8>> {
    if !node.is_table() {
        return hex(node);
    }
    let section = node.section(&FORMS)?;
    let fields = section.fields();
    let &[(form, ref value)] = &*fields else {
        if fields.len() != 1 {
            section.refuse("give the value in one form, such as `{ addresses = [\"10.0.0.1\"] }`");
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
        // Noted as unknown.
        _ => None,
    }
}

pub(super) fn addresses(node: &Node<'_>) -> Option<Vec<u8>> {
    let addresses: Vec<Ipv4Addr> = all(node, "addresses", address)?;
    Some(addresses.iter().flat_map(Ipv4Addr::octets).collect())
}

/// Octets as `"hex:…"`.
fn hex(node: &Node<'_>) -> Option<Vec<u8>> {
    let data = node
        .string("hex:0a000001")?
        .strip_prefix("hex:")
        .and_then(parse_hex);
    if data.is_none() {
        node.refuse(
            "an option by number is given in octets, such as \"hex:0a000001\", or as a table, such as `{ addresses = [\"10.0.0.1\"] }`",
        );
    }
    data
}

fn octets(node: &Node<'_>) -> Option<Vec<u8>> {
    let text = node.string("0a000001")?;
    let data = parse_hex(text.strip_prefix("hex:").unwrap_or(text));
    if data.is_none() {
        node.refuse("not octets; give some such as \"0a000001\"");
    }
    data
}

/// One number of `LEN` octets, or a list of them, in network order.
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

/// Options in an option: codes from 1 to 254, a length octet and the value each (RFC 2132 §8.4).
pub(super) fn encapsulated(node: &Node<'_>) -> Option<Vec<u8>> {
    let section = numbered_section(node, "{ 1 = { u32 = 0 }, 2 = { text = \"x\" } }")?;
    let fields = section.fields();
    let options: Vec<_> = fields
        .iter()
        .map(|(name, node)| {
            let Some(code) = key::<u8>(name).filter(|code| (1..=254).contains(code)) else {
                node.refuse("no number of a sub-option; give 1 to 254");
                return None;
            };
            let data = value(node)?;
            let Ok(len) = u8::try_from(data.len()) else {
                node.refuse(format_args!(
                    "{} octets; a sub-option has one octet for its length, so give at most 255",
                    data.len()
                ));
                return None;
            };
            Some([vec![code, len], data].concat())
        })
        .collect();
    concat(options)
}

/// Data by enterprise number, a length octet before each (RFC 3925 §3, §4).
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
                node.refuse("no enterprise number; give one of IANA's, such as 4491");
                return None;
            };
            let data = data(node)?;
            let Ok(len) = u8::try_from(data.len()) else {
                node.refuse(format_args!(
                    "{} octets for one enterprise, which has one octet for its length (RFC 3925 §3); give at most 255",
                    data.len()
                ));
                return None;
            };
            Some([&number.to_be_bytes()[..], &[len], &data].concat())
        })
        .collect();
    concat(entries)
}

/// Vendor class data of one enterprise.
pub(super) fn class_data(node: &Node<'_>) -> Option<Vec<u8>> {
    value(node)
}

/// A table by number that is not empty.
fn numbered_section<'a>(node: &Node<'a>, such_as: &str) -> Option<Section<'a>> {
    let section = node.free_section()?;
    if section.fields().is_empty() {
        section.refuse(format_args!(
            "give a value for each number, such as `{such_as}`, or leave the option out"
        ));
        return None;
    }
    Some(section)
}

/// A number written as TOML's key, in its one form: `7`, not `07`.
pub(crate) fn key<T: std::str::FromStr + ToString>(name: &str) -> Option<T> {
    name.parse()
        .ok()
        .filter(|number: &T| number.to_string() == name)
}

fn concat(values: Vec<Option<Vec<u8>>>) -> Option<Vec<u8>> {
    let values: Option<Vec<_>> = values.into_iter().collect();
    values.map(|values| values.concat())
}

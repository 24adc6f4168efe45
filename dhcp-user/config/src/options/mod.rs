//! DHCP options of the file: by name, in the types of their RFCs, or by number, in several
//! notations.

use std::collections::HashMap;

use dhcp_common::wire::option;

use super::{
    raw::{Node, nearest},
    types::OptionValue,
};

mod elements;
mod kind;
mod names;
mod numbered;
mod presence;
mod pxe;
mod written;

use self::{
    elements::MAX_OCTETS,
    names::{NAMED, NamedOption, refusal},
};
pub use self::{
    kind::Kind,
    presence::presence_refusal,
    written::{code, kind, label, string, written},
};
pub(super) use self::{numbered::key, presence::refuse_unset, written::names_of_all};

/// Reads the options of a table, in the order of the file.
pub(crate) fn read(node: &Node<'_>) -> Vec<OptionValue> {
    let mut places = HashMap::new();
    let mut options = Vec::new();
    let Some(section) = node.free_section() else {
        return options;
    };
    for (name, node) in section.fields() {
        let Some(option) = read_one(name, &node) else {
            continue;
        };
        if let Some(other) = places.insert(option.code, node.pointer()) {
            node.refuse(format_args!(
                "option {} is already set by {other}; remove one",
                option.code
            ));
        }
        options.push(option);
    }
    options
}

fn read_one(name: &str, node: &Node<'_>) -> Option<OptionValue> {
    if name.bytes().all(|octet| octet.is_ascii_digit()) {
        let Ok(code) = name.parse::<u8>() else {
            node.refuse("no such option; option codes range from 1 to 254");
            return None;
        };
        if let Some(reason) = refusal(code) {
            node.refuse(format_args!("option {code} cannot be set: {reason}"));
            return None;
        }
        return limited(node, code, by_number(node, code)?);
    }
    let Some(named) = NAMED.iter().find(|named| named.name == name) else {
        let hint = match nearest(name, NAMED.iter().map(|named| named.name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "give it by number, such as `\"150\" = \"hex:0a000001\"`".to_owned(),
        };
        node.refuse(format_args!("unknown option; {hint}"));
        return None;
    };
    // The server sends no class of its own either.
    if named.code == option::VENDOR_CLASS && node.as_string() == Some("") {
        return limited(node, named.code, Vec::new());
    }
    limited(node, named.code, named.kind.read(node)?)
}

/// Reads an option by number. If the option has a name, its octets must be valid for its type.
fn by_number(node: &Node<'_>, code: u8) -> Option<Vec<u8>> {
    let data = numbered::value(node)?;
    let named = NAMED.iter().find(|named| named.code == code);
    if let Some(NamedOption {
        name, kind, rfc, ..
    }) = named
        && !kind.accepts(&data)
    {
        node.refuse(format_args!(
            "option {code} takes {} ({rfc}), but the value has {} octets; set it by name, as `{name}`",
            kind.description(),
            data.len()
        ));
        return None;
    }
    Some(data)
}

fn limited(node: &Node<'_>, code: u8, data: Vec<u8>) -> Option<OptionValue> {
    if data.len() > MAX_OCTETS {
        node.refuse(format_args!(
            "{} octets, too long for a reply; give at most {MAX_OCTETS}",
            data.len()
        ));
        return None;
    }
    Some(OptionValue { code, data })
}

//! Options that a file defines.

use std::collections::HashMap;

use super::json::Node;
use crate::convert::notes::Notes;

/// The options that a file defines, by name and by code.
#[derive(Debug, Default)]
pub struct Definitions {
    pub by_name: HashMap<String, (u8, Form)>,
    pub by_code: HashMap<u8, Form>,
}

/// The format of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// One type, or the types of a record.
    pub types: Vec<String>,
    pub is_array: bool,
}

impl Definitions {
    /// Reads all definitions of a file.
    pub fn read(dhcp4: Node<'_>, notes: &mut Notes) -> Self {
        let mut definitions = Self::default();
        for node in dhcp4.get("option-def").into_iter().flat_map(Node::elements) {
            let text = |key: &str| node.get(key).and_then(Node::string).unwrap_or_default();
            let name = text("name");
            if node.is_null() {
                continue;
            }
            let space = node.get("space").and_then(Node::string).unwrap_or("dhcp4");
            let encapsulate = text("encapsulate");
            let code = node
                .get("code")
                .and_then(Node::number)
                .and_then(|code| u8::try_from(code).ok());
            let Some(code) = code.filter(|_| space == "dhcp4" && encapsulate.is_empty()) else {
                notes.left(node.line(), format_args!("definition of option {name}"), "options in option spaces are not converted; set the encapsulating option by number, as octets");
                continue;
            };
            let types = match text("type") {
                "record" => text("record-types")
                    .split(',')
                    .map(|one| one.trim().to_owned())
                    .collect(),
                one => vec![one.to_owned()],
            };
            let is_array = node.get("array").and_then(Node::boolean).unwrap_or(false);
            let form = Form { types, is_array };
            definitions
                .by_name
                .insert(name.to_owned(), (code, form.clone()));
            definitions.by_code.insert(code, form);
        }
        definitions
    }
}

//! Client identifiers of reservations.

use dhcp_model::hex::parse_hex;

use super::json::Node;

/// The field that the flexible identifier consists of, if it is a single supported field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identifiers {
    pub flex: Option<Flex>,
}

/// A field that a flexible identifier can consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flex {
    CircuitId,
    RemoteId,
    Hardware,
}

impl Identifiers {
    /// Reads the flexible identifier from the parameters of its hook.
    pub fn read(dhcp4: Node<'_>) -> Self {
        let hooks = dhcp4
            .get("hooks-libraries")
            .into_iter()
            .flat_map(Node::elements);
        let mut parameters = hooks.filter_map(|hook| {
            hook.get("parameters")?
                .get("identifier-expression")?
                .string()
        });
        let flex = parameters
            .next()
            .and_then(|expression| match expression.trim() {
                "relay4[1].hex" => Some(Flex::CircuitId),
                "relay4[2].hex" => Some(Flex::RemoteId),
                "pkt4.mac" => Some(Flex::Hardware),
                _ => None,
            });
        Self { flex }
    }
}

/// Parses octets in any of Kea's hexadecimal notations, or text in single quotation marks.
pub fn octets(data: &str) -> Result<Vec<u8>, String> {
    let data = data.trim();
    if let Some(text) = data
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''))
    {
        return Ok(text.as_bytes().to_vec());
    }
    let digits = data.strip_prefix("0x").unwrap_or(data);
    let digits = digits.replace(' ', ":");
    parse_hex(&digits).ok_or_else(|| "not octets in hexadecimal".to_owned())
}

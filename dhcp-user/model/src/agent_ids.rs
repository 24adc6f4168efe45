//! The identifiers by which relay agents name where a client is attached (RFC 3046).

use dhcp_common::wire::relay_suboption;

/// A relay agent's identifiers of the client's attachment: octets that only the agent interprets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgentIds<'a> {
    /// RFC 3046 §3.1.
    pub circuit: Option<&'a [u8]>,
    /// RFC 3046 §3.2.
    pub remote: Option<&'a [u8]>,
    /// RFC 3993.
    pub subscriber: Option<&'a [u8]>,
}

impl<'a> AgentIds<'a> {
    /// Parses the value of option 82 (RFC 3046). Of several sub-options with one code the first
    /// counts.
    pub fn parse(mut value: &'a [u8]) -> Self {
        let mut ids = Self::default();
        while let Some((code, id, rest)) = split_suboption(value) {
            let slot = match code {
                relay_suboption::CIRCUIT_ID => Some(&mut ids.circuit),
                relay_suboption::REMOTE_ID => Some(&mut ids.remote),
                relay_suboption::SUBSCRIBER_ID => Some(&mut ids.subscriber),
                _ => None,
            };
            if let Some(slot) = slot {
                *slot = slot.or(Some(id));
            }
            value = rest;
        }
        ids
    }
}

/// Splits the first sub-option off an option 82. Returns its code, its value and the rest; `None`
/// at the end, or if the sub-option runs past it.
pub fn split_suboption(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [code, len, rest @ ..] = octets else {
        return None;
    };
    let (value, rest) = rest.split_at_checked(usize::from(*len))?;
    Some((*code, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m27_ids_are_mere_octets() {
        let value = [
            19, 0, 2, 2, 0, 255, 1, 3, b'a', 0, b'b', 1, 1, 9, 6, 0, 7, 9,
        ];
        assert_eq!(
            AgentIds::parse(&value),
            AgentIds {
                circuit: Some(b"a\0b"),
                remote: Some(&[0, 255]),
                subscriber: Some(&[]),
            }
        );
        assert_eq!(AgentIds::parse(&[1, 4, 7]), AgentIds::default());
    }
}

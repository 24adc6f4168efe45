//! Names that relay agents give to where a client is attached (RFC 3046).

use dhcp_common::wire::relay_suboption;

/// What a relay agent calls the client's place, as octets that mean something to itself alone.
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
    /// Of the value of option 82, as relay agents write it (RFC 3046): of each code the first counts.
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

/// Code and value of the first sub-option of an option 82, and what follows; `None` at its end, or where
/// the sub-option runs past it.
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

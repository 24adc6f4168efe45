//! The client's name in option 81 (RFC 4702).

use dhcp_common::fqdn::{self, HEAD_LEN, WIRE_FORMAT};

/// The longest label of a name (RFC 1035 §3.1). A larger length octet would be a pointer, which is
/// not allowed here (RFC 4702 §2.3).
const MAX_LABEL: u8 = 63;

/// An option 81 that is long enough for its fixed part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fqdn {
    flags: u8,
    /// As it came.
    name: Box<[u8]>,
}

impl Fqdn {
    /// Reads the value of option 81; `None` if it is shorter than its fixed part.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let ([flags, ..], name) = value.split_first_chunk::<HEAD_LEN>()?;
        Some(Self {
            flags: *flags,
            name: name.into(),
        })
    }

    /// Returns the value that is sent back.
    pub fn answer(&self) -> Vec<u8> {
        [&fqdn::answer(self.flags)[..], &self.name].concat()
    }

    /// Returns the name, for people; `None` if the client gives none, or none that is well formed.
    pub fn text(&self) -> Option<Box<str>> {
        let text = if self.flags & WIRE_FORMAT == 0 {
            String::from_utf8_lossy(&self.name).into_owned()
        } else {
            labels(&self.name)?.join(".")
        };
        (!text.is_empty()).then(|| text.into())
    }
}

/// Returns the labels of a name in wire format. It ends with an empty label, or with the value if
/// it is only a part of a name (RFC 4702 §2.3).
fn labels(mut name: &[u8]) -> Option<Vec<String>> {
    let mut labels = Vec::new();
    while let Some((len @ 1..=MAX_LABEL, rest)) = name.split_first() {
        let (label, rest) = rest.split_at_checked(usize::from(*len))?;
        labels.push(String::from_utf8_lossy(label).into_owned());
        name = rest;
    }
    matches!(name, [] | [0]).then_some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &[u8]) -> Option<Box<str>> {
        Fqdn::parse(value).expect("it is long enough").text()
    }

    #[test]
    fn m24_names_are_read_in_both_encodings() {
        let good: [(&[u8], &str); 6] = [
            (b"\x00\0\0laptop", "laptop"),
            (b"\x01\0\0laptop.example.net", "laptop.example.net"),
            (b"\x01\0\0l\xff", "l\u{fffd}"),
            (b"\x04\0\0\x06laptop", "laptop"),
            (
                b"\x05\0\0\x06laptop\x07example\x03net\0",
                "laptop.example.net",
            ),
            (b"\x04\0\0\x02l\xff", "l\u{fffd}"),
        ];
        for (value, name) in good {
            assert_eq!(text(value).as_deref(), Some(name), "{value:?}");
        }
    }

    #[test]
    fn m24_a_name_that_is_none_or_not_well_formed_is_left_out() {
        let long = [b"\x04\0\0\x40", &[b'a'; 64][..]].concat();
        let bad: [&[u8]; 8] = [
            b"\x00\0\0",
            b"\x04\0\0",
            b"\x04\0\0\0",
            b"\x04\0\0\x06lapto",
            b"\x04\0\0\x06laptop\0\x03net",
            b"\x04\0\0\x06laptop\xc0\x00",
            b"\x04\0\0laptop",
            &long,
        ];
        for value in bad {
            assert_eq!(text(value), None, "{value:?}");
        }
        for short in [&b""[..], b"\x01", b"\x01\0"] {
            assert_eq!(Fqdn::parse(short), None);
        }
    }

    #[test]
    fn m24_the_answer_says_that_the_server_updates_nothing() {
        // S, E and N as sent, and what becomes of all flags.
        let flags = [
            (0, 8),
            (1, 10),
            (4, 12),
            (5, 14),
            (8, 8),
            (9, 10),
            (0xf2, 8),
            (0xff, 14),
        ];
        for (sent, answered) in flags {
            let fqdn = Fqdn::parse(&[sent, 1, 2, b'x']).expect("it is long enough");
            assert_eq!(fqdn.answer(), [answered, 255, 255, b'x'], "{sent:#x}");
        }
    }
}

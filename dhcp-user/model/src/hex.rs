//! Octets in hexadecimal.

/// Returns the octets of a text, or of the hexadecimal digits after `hex:`; `None` if there are
/// none.
pub fn text_or_hex(text: &str) -> Option<Vec<u8>> {
    match text.strip_prefix("hex:") {
        Some(hex) => parse_hex(hex),
        None => (!text.is_empty()).then(|| text.as_bytes().to_vec()),
    }
}

/// Parses octets with or without `:` or `-` between all of them; `None` if there are none.
pub fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let octet = |digits: &[u8]| {
        let digits = str::from_utf8(digits).ok()?;
        let is_hex = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_hex.then(|| u8::from_str_radix(digits, 16).ok())?
    };
    let separator = [':', '-'].into_iter().find(|&c| text.contains(c));
    let octets: Option<Vec<u8>> = match separator {
        Some(separator) => text
            .split(separator)
            .map(|part| octet(part.as_bytes()))
            .collect(),
        None => text.as_bytes().chunks(2).map(octet).collect(),
    };
    octets.filter(|octets| !octets.is_empty())
}

/// Formats octets for display: two hexadecimal digits each, with colons between them.
pub fn with_colons(octets: &[u8]) -> String {
    let digits: Vec<_> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    digits.join(":")
}

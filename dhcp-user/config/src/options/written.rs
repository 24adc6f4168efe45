//! Option values in the notation of the file, from their octets.

use std::{fmt::Display, net::Ipv4Addr};

use ipnet::Ipv4Net;

use super::{
    elements::MAX_OCTETS,
    kind::Kind,
    names::{NAMED, NamedOption, refusal},
};

/// Returns an option as a line of the file, such as `routers = ["10.0.0.1"]`: by name if its octets
/// have a notation of that type, otherwise by number.
///
/// # Errors
/// The reason why the option cannot be set in the file.
pub fn written(code: u8, data: &[u8]) -> Result<String, String> {
    if let Some(reason) = refusal(code) {
        return Err(reason.to_owned());
    }
    if data.is_empty() || data.len() > MAX_OCTETS {
        return Err(format!(
            "{} octets; an option has 1 to {MAX_OCTETS}",
            data.len()
        ));
    }
    let named = NAMED.iter().find(|named| named.code == code);
    let Some(NamedOption {
        name, kind, rfc, ..
    }) = named
    else {
        return Ok(by_number(code, data));
    };
    if !kind.accepts(data) {
        return Err(format!("the value must be {} ({rfc})", kind.description()));
    }
    Ok(match value(*kind, data) {
        Some(value) => format!("{name} = {value}"),
        None => by_number(code, data),
    })
}

/// Returns the type of a named option.
pub fn kind(code: u8) -> Option<Kind> {
    let named = NAMED.iter().find(|named| named.code == code)?;
    Some(named.kind)
}

/// Returns the code of an option by its name in the file.
pub fn code(name: &str) -> Option<u8> {
    let named = NAMED.iter().find(|named| named.name == name)?;
    Some(named.code)
}

/// Returns an option as an item of `always` and `never`: its name, or else its number.
pub fn label(code: u8) -> String {
    match NAMED.iter().find(|named| named.code == code) {
        Some(named) => string(named.name),
        None => code.to_string(),
    }
}

/// Returns the names of all options that can be set by name.
pub(crate) fn names_of_all() -> impl Iterator<Item = &'static str> {
    NAMED.iter().map(|named| named.name)
}

fn by_number(code: u8, data: &[u8]) -> String {
    let digits: String = data.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("\"{code}\" = \"hex:{digits}\"")
}

fn value(kind: Kind, data: &[u8]) -> Option<String> {
    Some(match kind {
        Kind::Address => string(addresses(data)?.first()?),
        Kind::Addresses => list(addresses(data)?.iter().map(string)),
        Kind::Boolean => (data == [1]).to_string(),
        Kind::U8(_) => data.first()?.to_string(),
        Kind::U16(_) => numbers(data).next()?.to_string(),
        Kind::U16s(_) => list(numbers(data)),
        Kind::U32 => u32::from_be_bytes(data.try_into().ok()?).to_string(),
        Kind::I32 => i32::from_be_bytes(data.try_into().ok()?).to_string(),
        Kind::Text => string(str::from_utf8(data).ok()?),
        Kind::Domain => string(&*names(data)?.into_iter().next()?),
        Kind::Domains | Kind::SearchList => list(names(data)?.iter().map(string)),
        Kind::Sip => match data {
            [0, rest @ ..] => list(names(rest)?.iter().map(string)),
            [_, rest @ ..] => list(addresses(rest)?.iter().map(string)),
            [] => return None,
        },
        Kind::HostRoutes => list(
            pairs(data)?
                .into_iter()
                .map(|(to, via)| string(format_args!("{to} via {via}"))),
        ),
        Kind::Prefixes => {
            let prefixes = pairs(data)?.into_iter().map(|(address, mask)| {
                let prefix = Ipv4Net::with_netmask(address, mask).ok()?;
                (prefix == prefix.trunc()).then(|| string(prefix))
            });
            list(prefixes.collect::<Option<Vec<_>>>()?)
        }
        Kind::Routes => list(routes(data)?),
        Kind::NodeType => string(match data {
            [1] => "b-node",
            [2] => "p-node",
            [4] => "m-node",
            _ => "h-node",
        }),
        Kind::Encapsulated | Kind::EnterpriseData | Kind::EnterpriseOptions => return None,
    })
}

/// Quotes text as a TOML string.
pub fn string(text: impl Display) -> String {
    toml::Value::String(text.to_string()).to_string()
}

fn list(items: impl IntoIterator<Item = impl Display>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(", "))
}

fn addresses(data: &[u8]) -> Option<Vec<Ipv4Addr>> {
    let (addresses, []) = data.as_chunks::<4>() else {
        return None;
    };
    Some(
        addresses
            .iter()
            .map(|octets| Ipv4Addr::from(*octets))
            .collect(),
    )
}

fn numbers(data: &[u8]) -> impl Iterator<Item = u16> {
    let (numbers, _) = data.as_chunks();
    numbers.iter().map(|octets| u16::from_be_bytes(*octets))
}

/// Splits octets into pairs of addresses. Returns `None` if the first address of a pair is 0.0.0.0,
/// which option 33 does not allow (RFC 2132 §5.8).
fn pairs(data: &[u8]) -> Option<Vec<(Ipv4Addr, Ipv4Addr)>> {
    let addresses = addresses(data)?;
    let (pairs, []) = addresses.as_chunks::<2>() else {
        return None;
    };
    let pairs = pairs
        .iter()
        .map(|[first, second]| (!first.is_unspecified()).then_some((*first, *second)));
    pairs.collect()
}

/// Decodes classless routes (RFC 3442 §3).
fn routes(mut data: &[u8]) -> Option<Vec<String>> {
    let mut routes = Vec::new();
    while let [len, rest @ ..] = data {
        let (significant, rest) = rest.split_at_checked(usize::from(len.div_ceil(8)))?;
        let (router, rest) = rest.split_first_chunk::<4>()?;
        let mut octets = [0; 4];
        octets
            .get_mut(..significant.len())?
            .copy_from_slice(significant);
        let prefix = Ipv4Net::new(octets.into(), *len).ok()?;
        if prefix != prefix.trunc() {
            return None;
        }
        routes.push(string(format_args!(
            "{prefix} via {}",
            Ipv4Addr::from(*router)
        )));
        data = rest;
    }
    Some(routes)
}

/// Decodes uncompressed domain names of letters, digits and hyphens.
fn names(mut data: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    while !data.is_empty() {
        let mut labels: Vec<&str> = Vec::new();
        loop {
            let (len, rest) = data.split_first()?;
            let (label, rest) = rest.split_at_checked(usize::from(*len))?;
            data = rest;
            if label.is_empty() {
                break;
            }
            let is_plain = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
            if label.len() > 63 || !label.iter().all(is_plain) {
                return None;
            }
            labels.push(str::from_utf8(label).ok()?);
        }
        let name = labels.join(".");
        if labels.is_empty() || name.len() > 253 {
            return None;
        }
        names.push(name);
    }
    Some(names)
}

//! DHCP options by name: how each is written in the file, and the octets it has on the wire.

use std::{collections::HashMap, net::Ipv4Addr};

use dhcp_common::wire::option;
use dhcproto::{
    Encodable, Encoder, Name,
    v4::{DhcpOption, NodeType},
};
use ipnet::Ipv4Net;

use super::{
    OptionValue,
    check::address,
    raw::{Node, nearest},
};

/// The longest value taken: larger replies than this leave no Ethernet in one frame.
const MAX_OCTETS: usize = 1024;

/// How a value is written, and what it is on the wire.
#[derive(Clone, Copy)]
enum Kind {
    Address,
    Addresses,
    Boolean,
    /// One octet, at least this.
    U8(u8),
    /// Two octets, at least this.
    U16(u16),
    U32,
    I32,
    Text,
    /// RFC 3397.
    Domains,
    /// RFC 3442.
    Routes,
    /// RFC 2132 §8.7.
    NodeType,
}

/// Name, code and kind: those of RFC 2132 that something still asks for, and later ones as noted.
const NAMED: &[(&str, u8, Kind)] = &[
    ("time-offset", 2, Kind::I32),
    ("routers", option::ROUTER, Kind::Addresses),
    ("time-servers", 4, Kind::Addresses),
    ("name-servers", 5, Kind::Addresses),
    ("domain-name-servers", 6, Kind::Addresses),
    ("log-servers", 7, Kind::Addresses),
    ("lpr-servers", 9, Kind::Addresses),
    ("boot-size", 13, Kind::U16(0)),
    ("domain-name", 15, Kind::Text),
    ("swap-server", 16, Kind::Address),
    ("root-path", 17, Kind::Text),
    ("extensions-path", 18, Kind::Text),
    ("ip-forwarding", 19, Kind::Boolean),
    // RFC 2132 §4.7 and §5.1 set the least values of these two.
    ("default-ttl", 23, Kind::U8(1)),
    ("mtu", 26, Kind::U16(68)),
    ("broadcast-address", 28, Kind::Address),
    ("arp-timeout", 35, Kind::U32),
    ("nis-domain", 40, Kind::Text),
    ("nis-servers", 41, Kind::Addresses),
    ("ntp-servers", 42, Kind::Addresses),
    ("netbios-name-servers", 44, Kind::Addresses),
    ("netbios-node-type", 46, Kind::NodeType),
    ("netbios-scope", 47, Kind::Text),
    ("vendor-class", 60, Kind::Text),
    ("tftp-server-name", 66, Kind::Text),
    ("bootfile-name", 67, Kind::Text),
    ("smtp-servers", 69, Kind::Addresses),
    ("pop3-servers", 70, Kind::Addresses),
    // RFC 4833.
    ("posix-timezone", 100, Kind::Text),
    ("tzdb-timezone", 101, Kind::Text),
    // RFC 8910.
    ("captive-portal", 114, Kind::Text),
    ("domain-search", 119, Kind::Domains),
    ("classless-static-routes", 121, Kind::Routes),
    // RFC 5859.
    ("tftp-server-addresses", 150, Kind::Addresses),
    // MS-DHCPE §2.2.8: as 121, for clients that know only this code.
    ("ms-classless-static-routes", 249, Kind::Routes),
];

/// Why an option cannot stand in the file.
fn refusal(code: u8) -> Option<&'static str> {
    Some(match code {
        option::PAD | option::END => "a mark in the message, not an option",
        option::SUBNET_MASK => "the server derives it from the subnet's `prefix`",
        option::HOST_NAME => "the server sends the `host-name` of a reservation",
        option::LEASE_TIME => "set `lease-time`",
        option::RENEWAL_TIME => "set `renewal-time`",
        option::REBINDING_TIME => "set `rebinding-time`",
        option::SERVER_ID => "set `server-id`",
        option::OVERLOAD => "the server decides where options stand in a message",
        option::MESSAGE_TYPE | option::MESSAGE => "the server sets it in every reply that needs it",
        option::REQUESTED_ADDRESS | option::PARAMETER_LIST | option::MAX_MESSAGE_SIZE => {
            "only clients send it (RFC 2131 table 3)"
        }
        option::CLIENT_ID | option::RELAY_INFO | option::CLIENT_MACHINE_ID => {
            "the server returns what the client or relay agent sent"
        }
        77 | 93 | 94 => "only clients send it (RFC 3004, RFC 4578)",
        option::RAPID_COMMIT => "set `rapid-commit`",
        option::FQDN => "the server answers it to what the client sent (RFC 4702)",
        90 => "authentication is not served (RFC 3118)",
        91 | 92 | 151..=157 => "it belongs to LEASEQUERY (RFC 4388, RFC 6926)",
        116 => "address auto-configuration is answered by the server alone (RFC 2563)",
        option::SUBNET_SELECTION => "only relay agents and clients send it (RFC 3011)",
        _ => return None,
    })
}

/// The options of a table, in the order of the file.
pub fn read(node: &Node<'_>) -> Vec<OptionValue> {
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
                "option {} is also {other}; leave one out",
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
            node.refuse("no such option; codes go from 1 to 254");
            return None;
        };
        if let Some(reason) = refusal(code) {
            node.refuse(format_args!("option {code} cannot be set: {reason}"));
            return None;
        }
        return limited(node, code, hex_value(node)?);
    }
    let Some((_, code, kind)) = NAMED.iter().find(|(known, _, _)| *known == name) else {
        let hint = match nearest(name, NAMED.iter().map(|(known, _, _)| *known)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "give it by its number, such as `\"150\" = \"hex:0a000001\"`".to_owned(),
        };
        node.refuse(format_args!("no option of this name; {hint}"));
        return None;
    };
    limited(node, *code, value(*kind, node)?)
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

fn value(kind: Kind, node: &Node<'_>) -> Option<Vec<u8>> {
    match kind {
        Kind::Address => Some(address(node)?.octets().to_vec()),
        Kind::Addresses => {
            let addresses: Vec<Ipv4Addr> = all(node, "addresses", address)?;
            Some(addresses.iter().flat_map(Ipv4Addr::octets).collect())
        }
        Kind::Boolean => Some(vec![u8::from(node.boolean()?)]),
        Kind::U8(least) => Some(vec![node.integer::<u8>(least.into()..=u8::MAX.into())?]),
        Kind::U16(least) => {
            let number: u16 = node.integer(least.into()..=u16::MAX.into())?;
            Some(number.to_be_bytes().to_vec())
        }
        Kind::U32 => {
            let number: u32 = node.integer(0..=u32::MAX.into())?;
            Some(number.to_be_bytes().to_vec())
        }
        Kind::I32 => {
            let number: i32 = node.integer(i32::MIN.into()..=i32::MAX.into())?;
            Some(number.to_be_bytes().to_vec())
        }
        Kind::Text => text(node),
        Kind::Domains => encoded(
            node,
            DhcpOption::DomainSearch(all(node, "domain names", domain)?),
        ),
        Kind::Routes => encoded(
            node,
            DhcpOption::ClasslessStaticRoute(all(node, "routes", route)?),
        ),
        Kind::NodeType => {
            let node_type = match node.string("h-node")? {
                "b-node" => NodeType::B,
                "p-node" => NodeType::P,
                "m-node" => NodeType::M,
                "h-node" => NodeType::H,
                _ => {
                    node.refuse("give \"b-node\", \"p-node\", \"m-node\" or \"h-node\"");
                    return None;
                }
            };
            Some(vec![node_type.into()])
        }
    }
}

/// The items of a list that is not empty, if all are good.
fn all<T>(node: &Node<'_>, of: &str, read: fn(&Node<'_>) -> Option<T>) -> Option<Vec<T>> {
    let items = node.list(of);
    if items.is_empty() {
        node.refuse(format_args!("give a list of {of}, or leave the option out"));
        return None;
    }
    // Each item is looked at, so that each problem is noted, before the first bad one ends it.
    let values: Vec<_> = items.iter().map(read).collect();
    values.into_iter().collect()
}

fn text(node: &Node<'_>) -> Option<Vec<u8>> {
    let text = node.string("example.net")?;
    // RFC 2132 §2: no NUL at the end; an empty one has no meaning in any of these options.
    if text.is_empty() || text.contains('\0') {
        node.refuse("give some text without zero octets, or leave the option out");
        return None;
    }
    Some(text.as_bytes().to_vec())
}

fn domain(node: &Node<'_>) -> Option<Name> {
    let text = node.string("example.net")?;
    let name = Name::from_ascii(text).ok().filter(|name| !name.is_root());
    let Some(mut name) = name else {
        node.refuse("not a domain name; give one such as \"example.net\"");
        return None;
    };
    name.set_fqdn(true);
    Some(name)
}

fn route(node: &Node<'_>) -> Option<(Ipv4Net, Ipv4Addr)> {
    let parsed = node
        .string("10.2.0.0/16 via 10.0.0.254")?
        .split_once(" via ")
        .and_then(|(to, via)| Some((to.trim().parse::<Ipv4Net>().ok()?, via.trim().parse().ok()?)));
    let Some((to, via)) = parsed else {
        node.refuse("not a route; give one such as \"10.2.0.0/16 via 10.0.0.254\"");
        return None;
    };
    if to != to.trunc() {
        node.refuse(format_args!(
            "has bits set behind its prefix; give \"{} via {via}\"",
            to.trunc()
        ));
        return None;
    }
    Some((to, via))
}

/// What dhcproto makes of an option, without code and length octets.
fn encoded(node: &Node<'_>, option: DhcpOption) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    if let Err(error) = option.encode(&mut Encoder::new(&mut octets)) {
        node.refuse(format_args!("cannot be encoded: {error}"));
        return None;
    }
    // Long values come split already (RFC 3396); here they are kept whole.
    let (mut data, mut rest) = (Vec::new(), &*octets);
    while let [_, len, tail @ ..] = rest {
        let (value, tail) = tail.split_at_checked(usize::from(*len))?;
        data.extend_from_slice(value);
        rest = tail;
    }
    Some(data)
}

fn hex_value(node: &Node<'_>) -> Option<Vec<u8>> {
    let data = node
        .string("hex:0a000001")?
        .strip_prefix("hex:")
        .and_then(parse_hex);
    if data.is_none() {
        node.refuse("an option by number is given in octets, such as \"hex:0a000001\"");
    }
    data
}

/// Octets in hexadecimal, with or without `:` or `-` between all of them.
pub(super) fn parse_hex(text: &str) -> Option<Vec<u8>> {
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

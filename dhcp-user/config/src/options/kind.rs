//! The types of options: their notation in the file and their octets on the wire.

use std::net::Ipv4Addr;

use dhcproto::v4::{DhcpOption, NodeType};
use ipnet::Ipv4Net;

use super::{
    elements::{addresses, all, domain, domains, encoded, name_octets, text},
    numbered::{by_enterprise, class_data, encapsulated, value},
    pxe::vendor_options,
};
use crate::{
    raw::Node,
    value::{address, has_no_host_bits},
};

/// The type of an option value.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Address,
    Addresses,
    Boolean,
    /// One octet, with this minimum.
    U8(u8),
    /// Two octets, with this minimum.
    U16(u16),
    /// Numbers of two octets, each with this minimum.
    U16s(u16),
    U32,
    I32,
    Text,
    /// One domain name.
    Domain,
    /// Domain names, one after the other (RFC 1035 §3.1).
    Domains,
    /// Domain names, compressed (RFC 3397).
    SearchList,
    /// An octet that selects the encoding, then domain names or addresses (RFC 3361).
    Sip,
    /// Routes to classful networks and hosts (RFC 2132 §5.8).
    HostRoutes,
    /// Prefixes as addresses and masks (RFC 2132 §4.3).
    Prefixes,
    /// RFC 3442.
    Routes,
    /// RFC 2132 §8.7.
    NodeType,
    /// Sub-options by number (RFC 2132 §8.4), or those of PXE by name.
    Encapsulated,
    /// Octets by enterprise number (RFC 3925 §3).
    EnterpriseData,
    /// Sub-options by enterprise number (RFC 3925 §4).
    EnterpriseOptions,
}

impl Kind {
    /// Reads a value of the file and returns its octets.
    pub fn read(self, node: &Node<'_>) -> Option<Vec<u8>> {
        match self {
            Self::Address => Some(address(node)?.octets().to_vec()),
            Self::Addresses => addresses(node),
            Self::Boolean => Some(vec![u8::from(node.boolean()?)]),
            Self::U8(least) => Some(vec![node.integer::<u8>(least.into()..=u8::MAX.into())?]),
            Self::U16(least) => u16_value(node, least),
            Self::U16s(least) => {
                Some(all(node, "numbers", |node| u16_value(node, least))?.concat())
            }
            Self::U32 => {
                let number: u32 = node.integer(0..=u32::MAX.into())?;
                Some(number.to_be_bytes().to_vec())
            }
            Self::I32 => {
                let number: i32 = node.integer(i32::MIN.into()..=i32::MAX.into())?;
                Some(number.to_be_bytes().to_vec())
            }
            Self::Text => text(node),
            Self::Domain => name_octets(node, &domain(node)?),
            Self::Domains => domains(node),
            Self::SearchList => encoded(
                node,
                DhcpOption::DomainSearch(all(node, "domain names", domain)?),
            ),
            Self::Sip => sip_servers(node),
            Self::HostRoutes => encoded(
                node,
                DhcpOption::StaticRoutingTable(all(node, "routes", host_route)?),
            ),
            Self::Prefixes => encoded(
                node,
                DhcpOption::PolicyFilter(all(node, "prefixes", filter)?),
            ),
            Self::Routes => encoded(
                node,
                DhcpOption::ClasslessStaticRoute(all(node, "routes", route)?),
            ),
            Self::NodeType => node_type(node),
            Self::Encapsulated if node.is_table() => vendor_options(node),
            // Vendors may use another encoding than sub-options (RFC 2132 §8.4).
            Self::Encapsulated => value(node),
            Self::EnterpriseData => by_enterprise(node, class_data, "{ 4491 = { text = \"x\" } }"),
            Self::EnterpriseOptions => {
                by_enterprise(node, encapsulated, "{ 4491 = { 1 = { u32 = 0 } } }")
            }
        }
    }

    /// Returns whether octets are a valid value of this type.
    pub fn accepts(self, data: &[u8]) -> bool {
        let whole = |len: usize| !data.is_empty() && data.len().is_multiple_of(len);
        let least = |data: &[u8], least: u16| {
            <[u8; 2]>::try_from(data).is_ok_and(|octets| u16::from_be_bytes(octets) >= least)
        };
        match self {
            Self::Address | Self::U32 | Self::I32 => data.len() == 4,
            Self::Addresses => whole(4),
            Self::Boolean => matches!(data, [0 | 1]),
            Self::U8(least) => matches!(data, [number] if *number >= least),
            Self::U16(minimum) => least(data, minimum),
            Self::U16s(minimum) => whole(2) && data.chunks(2).all(|data| least(data, minimum)),
            Self::Text => !data.is_empty() && !data.contains(&0),
            Self::HostRoutes | Self::Prefixes => whole(8),
            Self::NodeType => matches!(data, [1 | 2 | 4 | 8]),
            Self::Sip => match data {
                [0, names @ ..] => !names.is_empty(),
                [1, addresses @ ..] => !addresses.is_empty() && addresses.len().is_multiple_of(4),
                _ => false,
            },
            Self::Routes => are_routes(data),
            Self::EnterpriseData | Self::EnterpriseOptions => are_enterprises(data),
            Self::Domain | Self::Domains | Self::SearchList | Self::Encapsulated => {
                !data.is_empty()
            }
        }
    }

    /// Describes the values that [`Kind::accepts`].
    pub fn description(self) -> String {
        match self {
            Self::Address => "one address of four octets".to_owned(),
            Self::Addresses => "addresses of four octets each".to_owned(),
            Self::Boolean => "one octet, 0 or 1".to_owned(),
            Self::U8(least) => format!("one octet, at least {least}"),
            Self::U16(least) => format!("two octets, at least {least}"),
            Self::U16s(least) => format!("numbers of two octets, each at least {least}"),
            Self::U32 | Self::I32 => "four octets".to_owned(),
            Self::Text => "text without zero octets".to_owned(),
            Self::Domain => "a domain name".to_owned(),
            Self::Domains | Self::SearchList => "domain names".to_owned(),
            Self::Sip => "octet 0 and domain names, or octet 1 and addresses".to_owned(),
            Self::HostRoutes | Self::Prefixes => "pairs of addresses".to_owned(),
            Self::Routes => "prefixes, each with the address of a router".to_owned(),
            Self::NodeType => "one octet, 1, 2, 4 or 8".to_owned(),
            Self::Encapsulated => "sub-options".to_owned(),
            Self::EnterpriseData | Self::EnterpriseOptions => {
                "enterprise numbers, each with its data".to_owned()
            }
        }
    }
}

/// Returns whether `data` consists of routes: prefix length, significant octets, router (RFC 3442
/// §3).
fn are_routes(mut data: &[u8]) -> bool {
    let is_empty = data.is_empty();
    while let [len @ 0..=32, rest @ ..] = data {
        let taken = usize::from(len.div_ceil(8)) + 4;
        let Some((_, rest)) = rest.split_at_checked(taken) else {
            return false;
        };
        data = rest;
    }
    !is_empty && data.is_empty()
}

/// Returns whether `data` consists of enterprise number, length and data (RFC 3925 §3).
fn are_enterprises(mut data: &[u8]) -> bool {
    let is_empty = data.is_empty();
    while let [_, _, _, _, len, rest @ ..] = data {
        let Some((_, rest)) = rest.split_at_checked(usize::from(*len)) else {
            return false;
        };
        data = rest;
    }
    !is_empty && data.is_empty()
}

fn u16_value(node: &Node<'_>, least: u16) -> Option<Vec<u8>> {
    let number: u16 = node.integer(least.into()..=u16::MAX.into())?;
    Some(number.to_be_bytes().to_vec())
}

fn sip_servers(node: &Node<'_>) -> Option<Vec<u8>> {
    const NAMES: u8 = 0;
    const ADDRESSES: u8 = 1;
    // A value that is no list is noted below, where it is read as one.
    let items = if node.is_list() {
        node.list("domain names")
    } else {
        Vec::new()
    };
    let is_address = |node: &Node<'_>| {
        node.as_string()
            .is_some_and(|text| text.parse::<Ipv4Addr>().is_ok())
    };
    let count = items.iter().filter(|item| is_address(item)).count();
    if count != 0 && count != items.len() {
        node.refuse("mixes addresses and domain names; give only one kind (RFC 3361 §3)");
        return None;
    }
    let (kind, servers) = if count == 0 {
        (NAMES, domains(node)?)
    } else {
        (ADDRESSES, addresses(node)?)
    };
    Some([vec![kind], servers].concat())
}

/// Splits text at a word.
fn pair<'t>(text: &'t str, word: &str) -> Option<(&'t str, &'t str)> {
    let (left, right) = text.split_once(word)?;
    Some((left.trim(), right.trim()))
}

fn host_route(node: &Node<'_>) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let route = pair(node.string("10.2.0.0 via 10.0.0.254")?, " via ")
        .and_then(|(to, via)| Some((to.parse::<Ipv4Addr>().ok()?, via.parse().ok()?)));
    let Some((to, via)) = route else {
        node.refuse("not a host route; give one such as \"192.0.2.7 via 10.0.0.254\", or set `classless-static-routes`");
        return None;
    };
    if to.is_unspecified() {
        node.refuse("the default route is not allowed here (RFC 2132 §5.8); set `routers`");
        return None;
    }
    Some((to, via))
}

fn filter(node: &Node<'_>) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let Ok(prefix) = node.string("10.2.0.0/16")?.parse::<Ipv4Net>() else {
        node.refuse("not a prefix; give one such as \"10.2.0.0/16\"");
        return None;
    };
    has_no_host_bits(node, prefix, "").then(|| (prefix.addr(), prefix.netmask()))
}

fn route(node: &Node<'_>) -> Option<(Ipv4Net, Ipv4Addr)> {
    let parsed = pair(node.string("10.2.0.0/16 via 10.0.0.254")?, " via ")
        .and_then(|(to, via)| Some((to.parse::<Ipv4Net>().ok()?, via.parse().ok()?)));
    let Some((to, via)) = parsed else {
        node.refuse("not a route; give one such as \"10.2.0.0/16 via 10.0.0.254\"");
        return None;
    };
    has_no_host_bits(node, to, &format!(" via {via}")).then_some((to, via))
}

fn node_type(node: &Node<'_>) -> Option<Vec<u8>> {
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

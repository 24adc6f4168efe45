//! The interfaces of a draft and their addresses.

use std::{
    collections::{BTreeSet, HashSet},
    net::Ipv4Addr,
};

use dhcp_common::abi;
use dhcp_config::Host;

use super::{
    draft::{Draft, Interface},
    notes::Notes,
};

const MAX_INTERFACES: usize = abi::MAX_INTERFACES as usize;
const MAX_LINK_ADDRESSES: usize = abi::MAX_LINK_ADDRESSES;

/// Checks the interfaces that the file names. If there are none, adds those of the host that have
/// addresses on its subnets.
pub fn interfaces(draft: &mut Draft, host: &Host, notes: &mut Notes) {
    let mut seen = HashSet::new();
    draft.interfaces.retain(|interface| {
        let Interface { line, name, .. } = interface;
        let is_name = (1..=15).contains(&name.len())
            && !name
                .contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control())
            && !matches!(&**name, "." | "..");
        let why = if !is_name {
            "not an interface name"
        } else if seen.len() == MAX_INTERFACES {
            "too many interfaces"
        } else {
            return seen.insert(name.clone());
        };
        notes.left(*line, format_args!("interface {name}"), why);
        false
    });
    for Interface {
        line,
        name,
        addresses: own,
    } in &mut draft.interfaces
    {
        let mut seen = HashSet::new();
        own.retain(|address| !is_no_host(address) && seen.insert(*address));
        own.truncate(MAX_LINK_ADDRESSES);
        let what = format_args!("interface {name}").to_string();
        match host.interfaces.get(name) {
            None => notes.changed(
                *line,
                what,
                "this host has no such interface; run `xdhcpd check` on the host that has it",
            ),
            Some(addresses) if addresses.is_empty() && own.is_empty() => {
                notes.changed(
                    *line,
                    what,
                    "it has no IPv4 address on this host; assign one, or set `addresses` in the file",
                );
            }
            Some(_) => {}
        }
    }
    if draft.interfaces.is_empty() {
        let chosen = chosen(draft, host);
        let names = chosen.join(", ");
        notes.changed(1, "interfaces", format_args!("the file names no usable interface; the result serves {names}; list the interfaces of the clients and relay agents in [[interface]]"));
        let chosen = chosen.into_iter().map(|name| Interface {
            line: 1,
            name,
            addresses: Vec::new(),
        });
        draft.interfaces.extend(chosen);
    }
}

/// Returns the interfaces of the host on subnets of the draft, or one as a placeholder.
fn chosen(draft: &Draft, host: &Host) -> Vec<String> {
    let serves = |address: &Ipv4Addr| {
        let mut subnets = draft.subnets.iter();
        subnets.any(|subnet| subnet.prefix.contains(address))
    };
    let of_subnets = host
        .interfaces
        .iter()
        .filter(|(_, addresses)| addresses.iter().any(serves));
    let of_subnets: Vec<_> = of_subnets
        .map(|(name, _)| name.clone())
        .take(MAX_INTERFACES)
        .collect();
    if !of_subnets.is_empty() {
        return of_subnets;
    }
    let mut others = host
        .interfaces
        .iter()
        .filter(|(_, addresses)| addresses.iter().any(|address| !address.is_loopback()));
    let other = others.next().map_or("lo", |(name, _)| name);
    vec![other.to_owned()]
}

/// Returns whether no host can have an address, as `dhcp-config` checks it.
pub const fn is_no_host(address: &Ipv4Addr) -> bool {
    address.is_loopback()
        || address.is_multicast()
        || address.is_broadcast()
        || address.octets()[0] == 0
}

/// Returns the server's own addresses, from the host and the file.
pub fn own_addresses(draft: &Draft, host: &Host) -> BTreeSet<Ipv4Addr> {
    let interfaces = draft.interfaces.iter();
    let addresses = interfaces.flat_map(|interface| {
        let of_host = host.interfaces.get(&interface.name).into_iter().flatten();
        of_host.chain(&interface.addresses)
    });
    let server_ids = draft.subnets.iter().filter_map(|subnet| subnet.server_id);
    addresses.copied().chain(server_ids).collect()
}

//! The tables `[[interface]]` and the VLANs in them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::Ipv4Addr,
};

use dhcp_common::{abi, wire};

use super::{
    host::Host,
    raw::{Node, Section},
    settings::Settings,
    types::{Interface, Link},
    value::{host_address, replace},
};

/// The longest name of an interface in the kernel: IFNAMSIZ less the terminating zero.
const MAX_INTERFACE_NAME: usize = 15;

/// Reads all interfaces, and checks that the host has them if one is given.
pub(super) fn read(
    root: &Section<'_>,
    defaults: &Settings<'_>,
    host: Option<&Host>,
) -> Vec<Interface> {
    let mut lines = HashMap::new();
    let mut interfaces = Vec::new();
    let mut links = 0;
    let nodes = root.tables("interface");
    if nodes.is_empty() {
        root.refuse("no interface configured; add `[[interface]]` with `name = \"eth1\"`");
    }
    for (index, node) in nodes.iter().enumerate() {
        let Some(section) = node.section(&[
            "name",
            "addresses",
            "trust-relay-info",
            "subnet-selection",
            "proxy",
            "vlan",
        ]) else {
            continue;
        };
        let name = section.require("name", "\"eth1\"");
        let Some((node, name)) = name.and_then(|node| Some((node.clone(), interface_name(&node)?)))
        else {
            continue;
        };
        if let Some(line) = lines.insert(name.to_owned(), node.line()) {
            node.refuse(format_args!(
                "already configured in line {line}; configure each interface once"
            ));
        }
        if index == abi::MAX_INTERFACES as usize {
            node.refuse(format_args!(
                "too many interfaces; at most {index} are supported"
            ));
        }
        let interface = Interface {
            name: name.to_owned(),
            links: interface_links(&section, defaults),
        };
        if let Some(host) = host {
            check_on_host(&node, &interface, host);
        }
        links += interface.links.len();
        if links > abi::MAX_LINKS as usize {
            node.refuse(format_args!(
                "{links} interfaces and VLANs; at most {} are supported",
                abi::MAX_LINKS
            ));
        }
        interfaces.push(interface);
    }
    interfaces
}

fn interface_name<'a>(node: &Node<'a>) -> Option<&'a str> {
    let name = node.string("eth1")?;
    let is_good = (1..=MAX_INTERFACE_NAME).contains(&name.len())
        && !name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace())
        && name != "."
        && name != "..";
    if !is_good {
        node.refuse(format_args!(
            "not an interface name; give 1 to {MAX_INTERFACE_NAME} characters without `/`, `:` and spaces"
        ));
        return None;
    }
    Some(name)
}

fn check_on_host(node: &Node<'_>, interface: &Interface, host: &Host) {
    let Some(addresses) = host.interfaces.get(&interface.name) else {
        let names: Vec<_> = host.interfaces.keys().map(String::as_str).collect();
        node.refuse(format_args!(
            "this host has no such interface; it has: {}",
            names.join(", ")
        ));
        return;
    };
    if addresses.is_empty() && interface.links.iter().all(|link| link.addresses.is_empty()) {
        node.refuse(
            "the interface has no IPv4 address to answer from; assign one to it, or set `addresses = [\"…\"]` here",
        );
    }
}

fn interface_links(section: &Section<'_>, defaults: &Settings<'_>) -> Vec<Link> {
    let proxy = |section: &Section<'_>| is_on(section, "proxy").then(|| defaults.of_proxy());
    let mut lines = HashMap::new();
    let mut links = vec![Link {
        vlans: [0, 0],
        addresses: link_addresses(section),
        trust_relay_info: is_on(section, "trust-relay-info"),
        subnet_selection: is_on(section, "subnet-selection"),
        proxy: proxy(section),
    }];
    for node in section.tables("vlan") {
        let Some(vlan) = node.section(&[
            "id",
            "ids",
            "addresses",
            "trust-relay-info",
            "subnet-selection",
            "proxy",
        ]) else {
            continue;
        };
        let vlans = vlan_ids(&vlan);
        // The kernel assigns addresses to the VLAN device `eth1.100`, not to the device that is
        // served.
        if vlan
            .require("addresses", "[\"10.1.0.1\"]")
            .is_some_and(|node| node.list("addresses").is_empty())
        {
            vlan.refuse("the addresses of a VLAN are not read from the host; give at least one in `addresses`");
        }
        let link = Link {
            vlans: vlans.unwrap_or_default(),
            addresses: link_addresses(&vlan),
            trust_relay_info: is_on(&vlan, "trust-relay-info"),
            subnet_selection: is_on(&vlan, "subnet-selection"),
            proxy: proxy(&vlan),
        };
        if let Some(vlans) = vlans
            && let Some(line) = lines.insert(vlans, node.line())
        {
            node.refuse(format_args!(
                "already configured in line {line}; configure each VLAN once"
            ));
        }
        links.push(link);
    }
    links
}

/// Reads a switch that is off by default.
fn is_on(section: &Section<'_>, key: &str) -> bool {
    let mut is_on = false;
    replace(&mut is_on, section.get(key), Node::boolean);
    is_on
}

fn vlan_ids(section: &Section<'_>) -> Option<[u16; 2]> {
    // 0 marks a tag that carries only a priority, 4095 is reserved (IEEE 802.1Q table 9-2).
    let range = 1..=i64::from(wire::VLAN_ID_MASK) - 1;
    match (section.get("id"), section.get("ids")) {
        (Some(id), None) => Some([id.integer(range)?, 0]),
        (None, Some(ids)) => match &*ids.list("two VLAN ids") {
            [outer, inner] => {
                let (outer, inner) = (outer.integer(range.clone()), inner.integer(range));
                Some([outer?, inner?])
            }
            _ => {
                ids.refuse("give two VLAN ids, the outer one first; for a single tag set `id`");
                None
            }
        },
        _ => {
            section.refuse("give either `id = 100` or `ids = [100, 200]`, the outer one first");
            None
        }
    }
}

fn link_addresses(section: &Section<'_>) -> Vec<Ipv4Addr> {
    let Some(node) = section.get("addresses") else {
        return Vec::new();
    };
    let mut seen = BTreeSet::new();
    let mut addresses = Vec::new();
    for node in node.list("addresses") {
        let Some(address) = host_address(&node) else {
            continue;
        };
        if !seen.insert(address) {
            node.refuse("duplicate address; remove one");
        }
        addresses.push(address);
    }
    if addresses.len() > abi::MAX_LINK_ADDRESSES {
        node.refuse(format_args!(
            "{} addresses; a link has at most {}",
            addresses.len(),
            abi::MAX_LINK_ADDRESSES
        ));
    }
    addresses
}

/// Returns the server's own addresses on the links that `is_meant` selects, each with the interface
/// that has it. Without a host, those that the file names.
pub(super) fn own_addresses(
    interfaces: &[Interface],
    host: Option<&Host>,
    is_meant: impl Fn(&Link) -> bool,
) -> BTreeMap<Ipv4Addr, String> {
    let mut ours = BTreeMap::new();
    for interface in interfaces {
        for link in interface.links.iter().filter(|link| is_meant(link)) {
            let of_host = host
                .filter(|_| link.vlans == [0, 0] && link.addresses.is_empty())
                .and_then(|host| host.interfaces.get(&interface.name));
            for address in of_host.unwrap_or(&link.addresses) {
                ours.insert(*address, interface.name.clone());
            }
        }
    }
    ours
}

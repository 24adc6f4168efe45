//! Reservations: which client always gets which address.

use std::{collections::HashMap, net::Ipv4Addr, sync::Arc};

use dhcp_common::{
    abi::{ClientKey, Identity, MAX_CLIENT_ID},
    wire::HTYPE_ETHERNET,
};
use ipnet::Ipv4Net;
use sha2::{Digest, Sha256};

use super::{
    Network, Overrides, Reservation,
    check::{address, replace},
    options,
    pool::{Taken, usable},
    raw::{Node, Section},
    times,
};

/// The longest name that the DNS has (RFC 1035 §2.3.4, less the length octets at both ends).
const MAX_HOST_NAME: usize = 253;

/// The reservations of one subnet. `clients` are those that have one on its network already, with the line.
pub(super) fn read(
    section: &Section<'_>,
    network: &Network,
    prefix: Ipv4Net,
    taken: Taken<'_>,
    clients: &mut HashMap<ClientKey, usize>,
) -> Vec<Arc<Reservation>> {
    let mut addresses = HashMap::new();
    let mut reservations = Vec::new();
    let own = ["hardware-address", "client-id", "address", "host-name"];
    let known: Vec<_> = own.into_iter().chain(times::OVERRIDES).collect();
    for node in section.tables("reservation") {
        let Some(section) = node.section(&known) else {
            continue;
        };
        let client = client(&section, network.id);
        let address = section
            .require("address", "\"10.0.0.5\"")
            .and_then(|node| Some((reserved_address(&node, prefix, taken)?, node)));
        let mut host_name = None;
        replace(&mut host_name, section.get("host-name"), |node| {
            Some(read_host_name(node))
        });
        if let Some((address, node)) = &address
            && let Some(line) = addresses.insert(*address, node.line())
        {
            node.refuse(format_args!(
                "reserved already in line {line}; give each address to one client"
            ));
        }
        if let Some((client, _, node)) = &client
            && client.identity() != Identity::Hardware
            && !network.match_client_id
        {
            node.refuse(
                "nobody is known by it with `match-client-id = false`; give a `hardware-address`",
            );
        }
        if let Some((client, _, node)) = &client
            && let Some(line) = clients.insert(*client, node.line())
        {
            node.refuse(format_args!(
                "this client has a reservation on this network in line {line}; give each client one address"
            ));
        }
        if let (Some((client, client_text, _)), Some((address, _))) = (client, address) {
            reservations.push(Arc::new(Reservation {
                client,
                client_text,
                address,
                host_name,
                overrides: Overrides::read(&section),
            }));
        }
    }
    reservations
}

fn client<'a>(section: &Section<'a>, network: u32) -> Option<(ClientKey, String, Node<'a>)> {
    let (node, key) = match (section.get("hardware-address"), section.get("client-id")) {
        (Some(node), None) => {
            let key = hardware_key(&node, network)?;
            (node, key)
        }
        (None, Some(node)) => {
            let key = client_id_key(&node, network)?;
            (node, key)
        }
        _ => {
            section.refuse(
                "give either `hardware-address = \"02:00:00:00:00:01\"` or `client-id = \"01:02:00:00:00:00:01\"`",
            );
            return None;
        }
    };
    let text = node.string("")?.to_owned();
    Some((key, text, node))
}

fn hardware_key(node: &Node<'_>, network: u32) -> Option<ClientKey> {
    let octets = options::parse_hex(node.string("02:00:00:00:00:01")?);
    let octets = octets.filter(|octets| octets.len() == 6);
    let key = octets.and_then(|octets| ClientKey::hardware(network, HTYPE_ETHERNET, &octets));
    if key.is_none() {
        node.refuse("not an Ethernet address; give six octets such as \"02:00:00:00:00:01\"");
    }
    key
}

fn client_id_key(node: &Node<'_>, network: u32) -> Option<ClientKey> {
    let octets = options::parse_hex(node.string("01:02:00:00:00:00:01")?);
    // RFC 2132 §9.14: a type and at least one octet; the length of an option is one octet.
    let octets = octets.filter(|octets| (2..=255).contains(&octets.len()));
    let Some(octets) = octets else {
        node.refuse(
            "not a client identifier; give 2 to 255 octets such as \"01:02:00:00:00:00:01\"",
        );
        return None;
    };
    if octets.len() > MAX_CLIENT_ID {
        return Some(ClientKey::client_id_digest(
            network,
            Sha256::digest(&octets).into(),
        ));
    }
    ClientKey::client_id(network, &octets)
}

fn reserved_address(node: &Node<'_>, prefix: Ipv4Net, taken: Taken<'_>) -> Option<Ipv4Addr> {
    let address = address(node)?;
    let (first, last) = usable(prefix);
    if !(first..=last).contains(&address) {
        node.refuse(format_args!(
            "no host of the subnet {prefix} can have it; give an address between {first} and {last}"
        ));
        return None;
    }
    if let Some(taken) = taken.find(address, address) {
        node.refuse(format_args!("no client can have {taken}; give another one"));
        return None;
    }
    Some(address)
}

fn read_host_name(node: &Node<'_>) -> Option<String> {
    let name = node.string("printer")?;
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
    };
    if name.len() > MAX_HOST_NAME || !name.split('.').all(is_label) {
        node.refuse("not a host name (RFC 1123 §2.1); give letters, digits and inner hyphens, such as \"printer-2\"");
        return None;
    }
    Some(name.to_owned())
}

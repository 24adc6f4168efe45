//! Reservations: addresses that are always given to the same client.

use std::{collections::HashMap, net::Ipv4Addr, sync::Arc};

use dhcp_common::{
    abi::{ClientKey, Identity, MAX_CLIENT_ID},
    wire::HTYPE_ETHERNET,
};
use dhcp_model::hex;
use ipnet::Ipv4Net;
use sha2::{Digest, Sha256};

use super::{
    pool::{Taken, usable},
    raw::{Node, Section},
    settings,
    types::{Network, Overrides, Owner, RelayPort, Reservation},
    value::{address, replace},
};

/// The longest domain name in text form (RFC 1035 §2.3.4: 255 octets, less the first length octet
/// and the root label).
const MAX_HOST_NAME: usize = 253;

/// Returns the reservations of one subnet. `owners` maps each owner that already has a reservation
/// on the same network to the line of that reservation.
pub(super) fn read(
    section: &Section<'_>,
    network: &Network,
    prefix: Ipv4Net,
    taken: Taken<'_>,
    owners: &mut HashMap<Owner, usize>,
) -> Vec<Arc<Reservation>> {
    let mut addresses = HashMap::new();
    let mut reservations = Vec::new();
    let own = [
        "hardware-address",
        "client-id",
        "circuit-id",
        "remote-id",
        "address",
        "host-name",
    ];
    let known: Vec<_> = own.into_iter().chain(settings::OVERRIDES).collect();
    for node in section.tables("reservation") {
        let Some(section) = node.section(&known) else {
            continue;
        };
        let owner = owner(&section, network.id);
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
                "already reserved in line {line}; reserve each address for one client"
            ));
        }
        if let Some((Owner::Client(client), node)) = &owner
            && client.identity() != Identity::Hardware
            && !network.match_client_id
        {
            node.refuse(
                "client identifiers are ignored with `match-client-id = false`; give a `hardware-address`",
            );
        }
        if let Some((owner, node)) = &owner
            && let Some(line) = owners.insert(owner.clone(), node.line())
        {
            let owner = match owner {
                Owner::Client(_) => "client",
                Owner::RelayPort(_) => "relay agent port",
            };
            node.refuse(format_args!(
                "this {owner} already has a reservation on this network in line {line}; reserve one address for each {owner}"
            ));
        }
        if let (Some((owner, _)), Some((address, _))) = (owner, address) {
            reservations.push(Arc::new(Reservation {
                owner,
                address,
                host_name,
                overrides: Overrides::read(&section),
            }));
        }
    }
    reservations
}

/// Returns the owner of a reservation, and the field that names it.
fn owner<'a>(section: &Section<'a>, network: u32) -> Option<(Owner, Node<'a>)> {
    let [hardware, client_id, circuit_id, remote_id] =
        ["hardware-address", "client-id", "circuit-id", "remote-id"].map(|key| section.get(key));
    match (hardware, client_id, circuit_id, remote_id) {
        (Some(node), None, None, None) => {
            let key = hardware_key(&node, network)?;
            Some((Owner::Client(key), node))
        }
        (None, Some(node), None, None) => {
            let key = client_id_key(&node, network)?;
            Some((Owner::Client(key), node))
        }
        (None, None, Some(circuit), remote) => {
            let (circuit_id, remote_id) = (agent_id(&circuit), remote.as_ref().map(agent_id));
            let port = RelayPort {
                circuit_id: Some(circuit_id?),
                remote_id: remote_id.map_or(Some(None), |id| id.map(Some))?,
            };
            Some((Owner::RelayPort(port), circuit))
        }
        (None, None, None, Some(remote)) => {
            let port = RelayPort {
                circuit_id: None,
                remote_id: Some(agent_id(&remote)?),
            };
            Some((Owner::RelayPort(port), remote))
        }
        _ => {
            section.refuse(
                "identify the client by `hardware-address = \"02:00:00:00:00:01\"`, by `client-id = \"01:02:00:00:00:00:01\"`, or by its relay agent port with one or both of `circuit-id = \"eth 0/1/7\"` and `remote-id = \"hex:0200000000aa\"`",
            );
            None
        }
    }
}

/// Returns the value of a sub-option of option 82, whose length is one octet (RFC 3046 §2).
fn agent_id(node: &Node<'_>) -> Option<Vec<u8>> {
    let octets = hex::text_or_hex(node.string("eth 0/1/7")?);
    let octets = octets.filter(|octets| octets.len() <= 255);
    if octets.is_none() {
        node.refuse(
            "not a sub-option value; give 1 to 255 octets, as text such as \"eth 0/1/7\" or as \"hex:0004002a0107\"",
        );
    }
    octets
}

fn hardware_key(node: &Node<'_>, network: u32) -> Option<ClientKey> {
    let octets = hex::parse_hex(node.string("02:00:00:00:00:01")?);
    let octets = octets.filter(|octets| octets.len() == 6);
    let key = octets.and_then(|octets| ClientKey::hardware(network, HTYPE_ETHERNET, &octets));
    if key.is_none() {
        node.refuse("not an Ethernet address; give six octets such as \"02:00:00:00:00:01\"");
    }
    key
}

fn client_id_key(node: &Node<'_>, network: u32) -> Option<ClientKey> {
    let octets = hex::parse_hex(node.string("01:02:00:00:00:00:01")?);
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
            "not a host address of the subnet {prefix}; give an address between {first} and {last}"
        ));
        return None;
    }
    if let Some(taken) = taken.find(address, address) {
        node.refuse(format_args!("conflicts with {taken}; give another address"));
        return None;
    }
    Some(address)
}

fn read_host_name(node: &Node<'_>) -> Option<String> {
    let name = node.string("printer")?;
    if !is_host_name(name) {
        node.refuse("not a host name (RFC 1123 §2.1); give letters, digits and inner hyphens, such as \"printer-2\"");
        return None;
    }
    Some(name.to_owned())
}

/// Returns whether `name` is a host name as RFC 1123 §2.1 defines it, of at most 253 octets.
pub fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
    };
    name.len() <= MAX_HOST_NAME && name.split('.').all(is_label)
}

//! Reservations: addresses that are always given to the same client, and what else it gets.

use std::{collections::HashMap, net::Ipv4Addr, sync::Arc};

use dhcp_common::{
    abi::{ClientKey, Identity, MAX_CLIENT_ID},
    wire::{GUID_LEN, HTYPE_ETHERNET, HTYPE_INFINIBAND, MAX_HLEN},
};
use dhcp_model::hex;
use ipnet::Ipv4Net;
use sha2::{Digest, Sha256};

use super::{
    class::ClassNames,
    pool::{Ours, Taken, usable},
    raw::{Node, Section, each},
    settings,
    types::{ALL_NETWORKS, Network, Overrides, Owner, RelayPort, Reservation},
    value::{address, replace},
};

/// The longest domain name in text form (RFC 1035 §2.3.4: 255 octets, less the first length octet
/// and the root label).
const MAX_HOST_NAME: usize = 253;
/// The length of an IPoIB hardware address (RFC 4391 §9.1.1).
const IPOIB_LEN: usize = 20;
/// The longest DUID: two octets of type and 128 of value (RFC 8415 §11.1).
const MAX_DUID: usize = 130;

/// The owner and the address of every reservation that has been read, each with its line.
#[derive(Default)]
pub(super) struct Lines {
    owners: HashMap<(u32, Owner), usize>,
    addresses: HashMap<Ipv4Addr, usize>,
}

impl Lines {
    /// Returns whether there is any reservation.
    pub fn are_any(&self) -> bool {
        !self.owners.is_empty()
    }

    fn note_address(&mut self, address: Ipv4Addr, node: &Node<'_>) {
        if let Some(line) = self.addresses.insert(address, node.line()) {
            node.refuse(format_args!(
                "already reserved in line {line}; reserve each address for one client"
            ));
        }
    }

    fn note_owner(&mut self, network: u32, owner: &Owner, node: &Node<'_>) {
        let Some(line) = self.owners.insert((network, owner.clone()), node.line()) else {
            return;
        };
        let place = match network {
            ALL_NETWORKS => "for all networks",
            _ => "on this network",
        };
        let owner = match owner {
            Owner::Client(_) => "client",
            Owner::Duid(_) => "DUID",
            Owner::RelayPort(_) => "relay agent port",
        };
        node.refuse(format_args!(
            "this {owner} already has a reservation {place} in line {line}; reserve one address for each {owner}"
        ));
    }
}

/// Returns the reservations of one subnet.
pub(super) fn of_subnet(
    section: &Section<'_>,
    network: &Network,
    prefix: Ipv4Net,
    taken: Taken<'_>,
    classes: &ClassNames<'_>,
    lines: &mut Lines,
) -> Vec<Arc<Reservation>> {
    let mut reservations = Vec::new();
    for node in section.tables("reservation") {
        let reserved = |node: &Node<'_>| reserved_address(node, prefix, taken);
        let Some(read) = read(&node, network.id, classes, lines, reserved) else {
            continue;
        };
        if !network.match_client_id {
            refuse_client_ids(&read);
        }
        reservations.extend(read.reservation.map(Arc::new));
    }
    reservations
}

/// Returns the reservations of the file that belong to no subnet.
pub(super) fn of_all_networks(
    root: &Section<'_>,
    networks: &[Network],
    ours: &Ours,
    classes: &ClassNames<'_>,
    lines: &mut Lines,
) -> Vec<Arc<Reservation>> {
    let mut reservations = Vec::new();
    for node in root.tables("reservation") {
        let reserved = |node: &Node<'_>| {
            let address = address(node)?;
            let subnets = networks.iter().flat_map(|network| &network.subnets);
            let mut subnets = subnets.filter(|subnet| subnet.prefix.contains(&address));
            let Some(subnet) = subnets.next() else {
                node.refuse("in no subnet; give an address of one, or remove it");
                return None;
            };
            let server_id = subnet.server_id;
            reserved_address(node, subnet.prefix, Taken { ours, server_id })
        };
        let read = read(&node, ALL_NETWORKS, classes, lines, reserved);
        reservations.extend(read.and_then(|read| read.reservation).map(Arc::new));
    }
    reservations
}

/// A table that has been read.
struct Read<'a> {
    owners: Vec<(Owner, Node<'a>)>,
    /// `None` if a problem was noted.
    reservation: Option<Reservation>,
}

fn read<'a>(
    node: &Node<'a>,
    network: u32,
    classes: &ClassNames<'_>,
    lines: &mut Lines,
    read_address: impl FnOnce(&Node<'_>) -> Option<Ipv4Addr>,
) -> Option<Read<'a>> {
    let own = [
        "hardware-address",
        "hardware-type",
        "client-id",
        "duid",
        "circuit-id",
        "remote-id",
        "address",
        "host-name",
        "classes",
    ];
    let known: Vec<_> = own.into_iter().chain(settings::OVERRIDES).collect();
    let section = node.section(&known)?;
    let owners = owners(&section, network);
    for (owner, node) in owners.iter().flatten() {
        lines.note_owner(network, owner, node);
    }
    let mut is_good = true;
    let address = section.get("address").and_then(|node| {
        let address = read_address(&node);
        is_good &= address.is_some();
        lines.note_address(address?, &node);
        address
    });
    let mut host_name = None;
    replace(&mut host_name, section.get("host-name"), |node| {
        Some(read_host_name(node))
    });
    let given = section.get("classes").map(|node| classes.given(&node));
    let overrides = Overrides::read(&section);
    let says_nothing = ["address", "host-name", "classes"]
        .into_iter()
        .chain(settings::OVERRIDES)
        .all(|key| section.get(key).is_none());
    if says_nothing {
        section.refuse(
            "reserves nothing; add `address = \"10.0.0.5\"`, with your own value, or what its client gets: `host-name`, `classes`, `options` or another setting",
        );
    }
    let of_owners = owners.iter().flatten();
    let reservation = Reservation {
        owners: of_owners.map(|(owner, _)| owner.clone()).collect(),
        address,
        host_name,
        classes: given.unwrap_or(Some(0)).unwrap_or_default(),
        overrides,
    };
    Some(Read {
        reservation: Some(reservation).filter(|_| owners.is_some() && is_good),
        owners: owners.unwrap_or_default(),
    })
}

fn refuse_client_ids(read: &Read<'_>) {
    for (owner, node) in &read.owners {
        let is_client_id = match owner {
            Owner::Client(client) => client.identity() != Identity::Hardware,
            Owner::Duid(_) => true,
            Owner::RelayPort(_) => false,
        };
        if is_client_id {
            node.refuse(
                "client identifiers are ignored with `match-client-id = false`; give a `hardware-address`",
            );
        }
    }
}

/// Returns the owners of a reservation, each with the value that names it.
fn owners<'a>(section: &Section<'a>, network: u32) -> Option<Vec<(Owner, Node<'a>)>> {
    let [hardware, client_id, duid, circuit_id, remote_id] = [
        "hardware-address",
        "client-id",
        "duid",
        "circuit-id",
        "remote-id",
    ]
    .map(|key| section.get(key));
    let htype = section.get("hardware-type");
    if let Some(node) = htype.as_ref().filter(|_| hardware.is_none()) {
        node.refuse("only `hardware-address` has a type; remove it");
    }
    match (hardware, client_id, duid, circuit_id, remote_id) {
        (Some(node), None, None, None, None) => {
            let htype = htype.map(|node| node.integer(1..=i64::from(u8::MAX)));
            let htype = htype.unwrap_or(Some(HTYPE_ETHERNET))?;
            let nodes = node.one_or_list("hardware addresses such as \"02:00:00:00:00:01\"");
            if nodes.is_empty() {
                node.refuse("empty list; give at least one hardware address");
                return None;
            }
            each(nodes, |node| {
                let key = hardware_key(&node, network, htype)?;
                Some((Owner::Client(key), node))
            })
        }
        (None, Some(node), None, None, None) => {
            let key = client_id_key(&node, network)?;
            Some(vec![(Owner::Client(key), node)])
        }
        (None, None, Some(node), None, None) => {
            let duid = read_duid(&node)?;
            Some(vec![(Owner::Duid(duid), node)])
        }
        (None, None, None, Some(circuit), remote) => {
            let (circuit_id, remote_id) = (agent_id(&circuit), remote.as_ref().map(agent_id));
            let port = RelayPort {
                circuit_id: Some(circuit_id?),
                remote_id: remote_id.map_or(Some(None), |id| id.map(Some))?,
            };
            Some(vec![(Owner::RelayPort(port), circuit)])
        }
        (None, None, None, None, Some(remote)) => {
            let port = RelayPort {
                circuit_id: None,
                remote_id: Some(agent_id(&remote)?),
            };
            Some(vec![(Owner::RelayPort(port), remote)])
        }
        _ => {
            section.refuse(
                "identify the client by `hardware-address = \"02:00:00:00:00:01\"`, by `client-id = \"01:02:00:00:00:00:01\"`, by `duid = \"00:03:00:01:02:00:00:00:00:01\"`, or by its relay agent port with one or both of `circuit-id = \"eth 0/1/7\"` and `remote-id = \"hex:0200000000aa\"`",
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

fn hardware_key(node: &Node<'_>, network: u32, htype: u8) -> Option<ClientKey> {
    let octets = hex::parse_hex(node.string("02:00:00:00:00:01")?);
    let octets = octets.and_then(|octets| match (htype, octets.len()) {
        (HTYPE_ETHERNET, 6) => Some(octets),
        // An IPoIB address ends with the GUID of the port (RFC 4391 §9.1.1).
        (HTYPE_INFINIBAND, GUID_LEN | IPOIB_LEN) => {
            octets.last_chunk::<GUID_LEN>().map(|guid| guid.to_vec())
        }
        (HTYPE_ETHERNET | HTYPE_INFINIBAND, _) => None,
        (_, len) => (len <= usize::from(MAX_HLEN)).then_some(octets),
    });
    let key = octets.and_then(|octets| ClientKey::hardware(network, htype, &octets));
    if key.is_none() {
        match htype {
            HTYPE_ETHERNET => node.refuse(
                "not an Ethernet address; give six octets such as \"02:00:00:00:00:01\", or another `hardware-type`",
            ),
            HTYPE_INFINIBAND => node.refuse(
                "not an InfiniBand address; give the GUID of the port, such as \"00:02:c9:03:00:00:10:39\", or its IPoIB address of 20 octets",
            ),
            _ => node.refuse(format_args!(
                "not a hardware address; give 1 to {MAX_HLEN} octets such as \"02:00:00:00:00:01\""
            )),
        }
    }
    key
}

/// Returns a DUID, as it stands behind type and IAID in option 61 (RFC 4361 §6.1).
fn read_duid(node: &Node<'_>) -> Option<Vec<u8>> {
    let octets = hex::parse_hex(node.string("00:03:00:01:02:00:00:00:00:01")?);
    // RFC 8415 §11.1: a type, and at most 128 octets.
    let octets = octets.filter(|octets| (3..=MAX_DUID).contains(&octets.len()));
    if octets.is_none() {
        node.refuse(format_args!(
            "not a DUID; give its type and its value without an IAID, 3 to {MAX_DUID} octets such as \"00:03:00:01:02:00:00:00:00:01\""
        ));
    }
    octets
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

//! Networks and their subnets, and the settings that each inherits.

use std::collections::HashMap;

use dhcp_common::abi::MAX_SUBNETS;
use ipnet::Ipv4Net;
use sha2::{Digest, Sha256};

use super::{
    class::ClassNames,
    pool::{self, Ours, Taken, refuse_overlaps},
    raw::{Node, Section, nearest},
    reservation::{self, Lines},
    settings::{self, Settings},
    types::{Network, Subnet},
    value::{has_no_host_bits, host_address, replace},
};

/// The largest block that was ever assigned in IPv4 is a `/8`.
const SHORTEST_PREFIX: u8 = 8;
const MAX_NAME: usize = 64;

/// A network under construction.
struct Draft<'a> {
    network: Network,
    /// Inherited by its subnets.
    settings: Settings<'a>,
    node: Node<'a>,
    /// Whether it is a `[[network]]`, which subnets refer to by name.
    is_shared: bool,
}

/// Returns the networks of the file, each with its subnets.
pub(super) fn networks<'a>(
    root: &Section<'a>,
    defaults: &Settings<'a>,
    ours: &Ours,
    classes: &ClassNames<'_>,
    lines: &mut Lines,
    has_proxies: bool,
) -> Vec<Network> {
    let nodes = root.tables("subnet");
    if nodes.is_empty() && !has_proxies {
        root.refuse("no subnet configured; add `[[subnet]]` with `prefix = \"10.0.0.0/24\"`");
    }
    if nodes.len() > MAX_SUBNETS as usize {
        root.refuse(format_args!(
            "{} subnets; at most {MAX_SUBNETS} are supported",
            nodes.len()
        ));
    }
    let mut drafts = Drafts::default();
    for node in root.tables("network") {
        shared_network(node, defaults, &mut drafts);
    }
    let mut prefixes = Vec::new();
    for node in nodes {
        let read = subnet(node, defaults, ours, classes, &mut drafts, lines);
        prefixes.extend(read);
    }
    refuse_overlaps(prefixes, |prefix| (prefix.network(), prefix.broadcast()));
    drafts.finish()
}

/// Networks in the order of the file, found by name.
#[derive(Default)]
struct Drafts<'a> {
    drafts: Vec<Draft<'a>>,
    by_name: HashMap<String, usize>,
    by_id: HashMap<u32, usize>,
}

impl<'a> Drafts<'a> {
    /// Adds a network and returns its index. Notes a duplicate name, and keeps both networks so
    /// that the check can continue.
    fn add(
        &mut self,
        name: String,
        settings: Settings<'a>,
        node: Node<'a>,
        is_shared: bool,
    ) -> usize {
        let index = self.drafts.len();
        let id = network_id(&name);
        if id == 0 {
            node.refuse(format_args!(
                "the network id derived from the name {name:?} is zero; choose another `name`"
            ));
        }
        if let Some(other) = self.by_id.insert(id, index) {
            let other = &self.drafts[other];
            let what = if other.is_shared { "network" } else { "subnet" };
            let reason = if other.network.name == name {
                "has the same name"
            } else {
                "has a name from which the same network id is derived"
            };
            node.refuse(format_args!(
                "the {what} in line {} {reason}; choose another `name` than {name:?}",
                other.node.line(),
            ));
        }
        self.by_name.insert(name.clone(), index);
        self.drafts.push(Draft {
            network: Network {
                id,
                name,
                match_client_id: true,
                subnets: Vec::new(),
            },
            settings,
            node,
            is_shared,
        });
        index
    }

    fn finish(self) -> Vec<Network> {
        for draft in &self.drafts {
            if draft.network.subnets.is_empty() {
                draft.node.refuse(format_args!(
                    "no subnet belongs to it; set `network = {:?}` in its subnets",
                    draft.network.name
                ));
            }
        }
        self.drafts.into_iter().map(|draft| draft.network).collect()
    }
}

fn shared_network<'a>(node: Node<'a>, defaults: &Settings<'a>, drafts: &mut Drafts<'a>) {
    let known: Vec<_> = ["name"].into_iter().chain(settings::KNOWN).collect();
    let Some(section) = node.section(&known) else {
        return;
    };
    let settings = Settings::read(&section).over(defaults);
    if let Some(name) = section
        .require("name", "\"campus\"")
        .and_then(|node| subnet_name(&node))
    {
        drafts.add(name, settings, node, true);
    }
}

fn subnet<'a>(
    node: Node<'a>,
    defaults: &Settings<'a>,
    ours: &Ours,
    classes: &ClassNames<'_>,
    drafts: &mut Drafts<'a>,
    lines: &mut Lines,
) -> Option<(Ipv4Net, Node<'a>)> {
    let own = [
        "prefix",
        "name",
        "network",
        "pools",
        "server-id",
        "reservation",
    ];
    let known: Vec<_> = own.into_iter().chain(settings::KNOWN).collect();
    let section = node.section(&known)?;
    let settings = Settings::read(&section);
    // Without a valid prefix the rest is still checked, against `0.0.0.0/0`.
    let place = section
        .require("prefix", "\"10.0.0.0/24\"")
        .and_then(|node| Some((read_prefix(&node)?, node)));
    let prefix = place
        .as_ref()
        .map_or_else(Ipv4Net::default, |(prefix, _)| *prefix);
    let Some(index) = network_of(&section, node, prefix, defaults, drafts) else {
        return place;
    };
    let draft = &mut drafts.drafts[index];
    let inherited = &draft.settings;
    let mut server_id = None;
    replace(&mut server_id, section.get("server-id"), |node| {
        Some(host_address(node))
    });
    let taken = Taken { ours, server_id };
    let pools = section
        .get("pools")
        .map(|node| pool::read(&node, prefix, taken, classes));
    if draft.is_shared
        && let Some(node) = section.get(settings::MATCH_CLIENT_ID)
    {
        node.refuse("applies to the whole network; set it in `[[network]]`");
    }
    draft.network.match_client_id = settings.match_client_id(inherited);
    let reservations =
        reservation::of_subnet(&section, &draft.network, prefix, taken, classes, lines);
    draft.network.subnets.push(Subnet {
        prefix,
        pools: pools.unwrap_or_default(),
        lease: settings.lease_times(inherited),
        offer_time: settings.offer_time(inherited),
        probe_time: settings.probe_time(inherited),
        decline_time: settings.decline_time(inherited),
        authoritative: settings.authoritative(inherited),
        rapid_commit: settings.rapid_commit(inherited),
        bootp: settings.bootp(inherited),
        ipv6_mostly: settings.ipv6_mostly(inherited),
        server_id,
        options: settings.options(inherited),
        presence: settings.presence(inherited),
        boot: settings.boot(inherited),
        reservations,
    });
    place
}

/// Returns the network of a subnet: the one that it names, or a network for it alone.
fn network_of<'a>(
    section: &Section<'a>,
    subnet: Node<'a>,
    prefix: Ipv4Net,
    defaults: &Settings<'a>,
    drafts: &mut Drafts<'a>,
) -> Option<usize> {
    if let Some(node) = section.get("network") {
        if let Some(name) = section.get("name") {
            name.refuse(
                "a subnet of a `network` has no name of its own; remove `name` or `network`",
            );
        }
        let name = node.string("campus")?;
        let index = drafts
            .by_name
            .get(name)
            .copied()
            .filter(|index| drafts.drafts[*index].is_shared);
        if index.is_none() {
            let shared = drafts.drafts.iter().filter(|draft| draft.is_shared);
            let hint = match nearest(name, shared.map(|draft| draft.network.name.as_str())) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("add `[[network]]` with `name = {name:?}`"),
            };
            node.refuse(format_args!("unknown network; {hint}"));
        }
        return index;
    }
    let mut name = prefix.to_string();
    replace(&mut name, section.get("name"), subnet_name);
    Some(drafts.add(name, defaults.clone(), subnet, false))
}

/// Derives the id of a network from its name, so that it survives other changes of the file.
fn network_id(name: &str) -> u32 {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(name));
    u32::from_be_bytes([a, b, c, d])
}

fn subnet_name(node: &Node<'_>) -> Option<String> {
    let name = node.string("lan")?;
    if !(1..=MAX_NAME).contains(&name.len()) || name.contains(char::is_control) {
        node.refuse(format_args!(
            "invalid name; give 1 to {MAX_NAME} printable octets"
        ));
        return None;
    }
    Some(name.to_owned())
}

fn read_prefix(node: &Node<'_>) -> Option<Ipv4Net> {
    let Ok(prefix) = node.string("10.0.0.0/24")?.parse::<Ipv4Net>() else {
        node.refuse("not an IPv4 prefix; give one such as \"10.0.0.0/24\"");
        return None;
    };
    if prefix.prefix_len() < SHORTEST_PREFIX {
        node.refuse(format_args!(
            "prefix too short; give a prefix length of at least /{SHORTEST_PREFIX}"
        ));
        return None;
    }
    has_no_host_bits(node, prefix, "").then_some(prefix)
}

//! Final checks of a draft: elements that xdhcpd does not support are removed and noted.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::Ipv4Addr,
};

use dhcp_common::abi;
use dhcp_config::Host;
use ipnet::Ipv4Net;

use super::{
    addresses::{pools, reservations},
    draft::{Class, Draft, Settings, Subnet},
    interfaces::{interfaces, is_no_host, own_addresses},
    notes::Notes,
    times,
};

/// The limits of `dhcp-config`.
const SHORTEST_PREFIX: u8 = 8;
const MAX_SUBNETS: usize = abi::MAX_SUBNETS as usize;
const MAX_CLASSES: usize = 64;
const MAX_OF_ORIGIN: usize = 64;
/// The table that contains a condition counts as one more level.
const MAX_DEPTH: usize = 7;
const MAX_NAME: usize = 64;

/// Makes a draft valid.
pub fn finish(draft: &mut Draft, host: &Host, notes: &mut Notes) {
    subnets(draft, notes);
    interfaces(draft, host, notes);
    classes(draft, notes);
    let ours = own_addresses(draft, host);
    let known: HashSet<_> = draft
        .classes
        .iter()
        .map(|class| class.name.clone())
        .collect();
    let mut owners = HashMap::new();
    let match_client_id: HashMap<_, _> = draft
        .networks
        .iter()
        .map(|network| {
            (
                network.name.clone(),
                network.settings.over(&draft.defaults).match_client_id,
            )
        })
        .collect();
    for subnet in &mut draft.subnets {
        pools(subnet, &ours, &known, notes);
        let network = match &subnet.network {
            Some(name) => match_client_id.get(name).copied().flatten(),
            None => subnet.settings.over(&draft.defaults).match_client_id,
        };
        let matches = network.unwrap_or(true);
        reservations(subnet, &ours, matches, &mut owners, notes);
    }
    times::settle(draft, notes);
    texts(draft, notes);
}

fn subnets(draft: &mut Draft, notes: &mut Notes) {
    let mut reach: BTreeMap<Ipv4Addr, Ipv4Addr> = BTreeMap::new();
    let mut count = 0;
    draft.subnets.retain(|subnet| {
        let Subnet { line, prefix, .. } = subnet;
        let why = if prefix.prefix_len() < SHORTEST_PREFIX {
            Some(format!(
                "prefixes shorter than /{SHORTEST_PREFIX} are not supported"
            ))
        } else if overlaps(&reach, *prefix) {
            Some("it overlaps another subnet".to_owned())
        } else if count == MAX_SUBNETS {
            Some(format!("at most {MAX_SUBNETS} subnets are supported"))
        } else {
            None
        };
        if let Some(why) = &why {
            notes.left(*line, format_args!("subnet {prefix}"), why);
            return false;
        }
        reach.insert(prefix.network(), prefix.broadcast());
        count += 1;
        true
    });
    let names: HashSet<_> = draft
        .subnets
        .iter()
        .filter_map(|subnet| subnet.network.clone())
        .collect();
    draft.networks.retain(|network| {
        let is_used = names.contains(&network.name);
        if !is_used {
            notes.left(
                network.line,
                format_args!("network {}", network.name),
                "no subnet belongs to it",
            );
        }
        is_used
    });
    network_names(draft, notes);
}

fn overlaps(reach: &BTreeMap<Ipv4Addr, Ipv4Addr>, prefix: Ipv4Net) -> bool {
    let before = reach.range(..=prefix.broadcast()).next_back();
    before.is_some_and(|(_, last)| *last >= prefix.network())
}

/// Makes the names of networks valid and unique. The name of a subnet without a network is its
/// prefix.
fn network_names(draft: &mut Draft, notes: &mut Notes) {
    let mut taken: HashSet<String> = draft
        .subnets
        .iter()
        .filter(|subnet| subnet.network.is_none())
        .map(|subnet| subnet.prefix.to_string())
        .collect();
    for network in &mut draft.networks {
        let plain: String = network.name.chars().filter(|c| !c.is_control()).collect();
        let mut name: String = plain.chars().take(MAX_NAME / 4).collect();
        if plain.len() <= MAX_NAME && !plain.is_empty() {
            name = plain;
        }
        let mut number = 2;
        while name.is_empty() || !taken.insert(name.clone()) {
            name = format!("network-{number}");
            number += 1;
        }
        if name == network.name {
            continue;
        }
        let what = format!("name of network {:?}", network.name);
        notes.changed(network.line, what, format_args!("renamed to {name:?}"));
        for subnet in &mut draft.subnets {
            if subnet.network.as_deref() == Some(&network.name) {
                subnet.network = Some(name.clone());
            }
        }
        network.name = name;
    }
}

fn classes(draft: &mut Draft, notes: &mut Notes) {
    let mut names: HashSet<String> = HashSet::new();
    let mut of_origin = 0;
    draft.classes.retain(|class| {
        let Class {
            line, name, when, ..
        } = class;
        let why = if name.is_empty() || names.contains(name) {
            "its name is empty or already used by another class".to_owned()
        } else if names.len() == MAX_CLASSES {
            format!("at most {MAX_CLASSES} classes are supported")
        } else if when.depth() > MAX_DEPTH {
            format!("its tests are nested more than {MAX_DEPTH} deep")
        } else if of_origin + when.of_origin() > MAX_OF_ORIGIN {
            format!(
                "at most {MAX_OF_ORIGIN} tests of hardware addresses and option 82 are supported"
            )
        } else if let Some(other) = when
            .classes()
            .into_iter()
            .find(|other| !names.contains(*other))
        {
            format!("it refers to the class {other:?}, which does not precede it")
        } else {
            of_origin += when.of_origin();
            names.insert(name.clone());
            return true;
        };
        notes.left(*line, format_args!("class {name}"), why);
        false
    });
}

/// Removes boot parameters that cannot be sent.
fn texts(draft: &mut Draft, notes: &mut Notes) {
    let mut check = |line: usize, settings: &mut Settings| {
        for (what, text) in [
            ("boot file", &mut settings.boot_file),
            ("server name", &mut settings.server_name),
        ] {
            let is_bad = |text: &mut String| {
                !(1..=255).contains(&text.len()) || text.contains(char::is_control)
            };
            if let Some(text) = text.take_if(is_bad) {
                notes.left(
                    line,
                    format_args!("{what} {text:?}"),
                    "only 1 to 255 printable octets can be sent",
                );
            }
        }
        if let Some(address) = settings.next_server.take_if(|address| is_no_host(address))
            // `next-server 0.0.0.0` means none.
            && !address.is_unspecified()
        {
            notes.left(
                line,
                format_args!("next server {address}"),
                "not a host address",
            );
        }
    };
    check(1, &mut draft.defaults);
    for network in &mut draft.networks {
        check(network.line, &mut network.settings);
    }
    for class in &mut draft.classes {
        check(class.line, &mut class.settings);
    }
    for subnet in &mut draft.subnets {
        // The server identifier is then the address of the link.
        subnet.server_id.take_if(|address| is_no_host(address));
        check(subnet.line, &mut subnet.settings);
        for pool in &mut subnet.pools {
            check(pool.line, &mut pool.settings);
        }
        for reservation in &mut subnet.reservations {
            check(reservation.line, &mut reservation.settings);
        }
    }
}

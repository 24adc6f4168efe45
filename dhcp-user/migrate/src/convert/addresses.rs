//! The pools and reservations of a draft, restricted to valid addresses.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::Ipv4Addr,
};

use dhcp_config::{is_host_name, usable};

use super::{
    draft::{Owner, Pool, Reservation, Subnet},
    notes::Notes,
};

/// The longest identifier, as `dhcp-config` checks it.
const MAX_ID: usize = 255;

/// Restricts the pools of a subnet to addresses that clients can have, sorted and disjoint.
pub fn pools(
    subnet: &mut Subnet,
    ours: &BTreeSet<Ipv4Addr>,
    known: &HashSet<String>,
    notes: &mut Notes,
) {
    let (lowest, highest) = usable(subnet.prefix);
    let own = ours.range(lowest..=highest);
    // Ranges that are not free, by first address.
    let mut taken: BTreeMap<u32, u32> = own.map(|own| (u32::from(*own), u32::from(*own))).collect();
    let mut kept: Vec<Pool> = Vec::new();
    for pool in std::mem::take(&mut subnet.pools) {
        let what = format!("pool {}-{}", pool.first, pool.last);
        if let Some(class) = pool.classes.iter().find(|class| !known.contains(*class)) {
            notes.left(
                pool.line,
                what,
                format_args!("its class {class:?} was not converted"),
            );
            continue;
        }
        let (first, last) = (u32::from(pool.first), u32::from(pool.last));
        let (low, high) = (first.max(lowest.into()), last.min(highest.into()));
        if low > high || first > last {
            notes.left(
                pool.line,
                what,
                format_args!(
                    "none of its addresses is a host address of {}",
                    subnet.prefix
                ),
            );
            continue;
        }
        let free = free_of(low, high, &taken);
        if free != [(first, last)] {
            let ranges = free
                .iter()
                .map(|(low, high)| format!("{}-{}", Ipv4Addr::from(*low), Ipv4Addr::from(*high)));
            let ranges: Vec<_> = ranges.collect();
            let ranges = if ranges.is_empty() {
                "nothing".to_owned()
            } else {
                ranges.join(", ")
            };
            notes.changed(pool.line, what, format_args!("reduced to {ranges}, without the network and broadcast address, the server's addresses and other pools"));
        }
        taken.extend(free.iter().copied());
        kept.extend(free.into_iter().map(|(low, high)| Pool {
            first: low.into(),
            last: high.into(),
            ..pool.clone()
        }));
    }
    kept.sort_by_key(|pool| pool.first);
    subnet.pools = kept;
}

/// Returns the parts of a range that are not in `taken`, whose ranges are disjoint.
fn free_of(low: u32, high: u32, taken: &BTreeMap<u32, u32>) -> Vec<(u32, u32)> {
    let mut free = Vec::new();
    let mut next = Some(low);
    let before = taken.range(..low).next_back();
    for (from, to) in before.into_iter().chain(taken.range(low..=high)) {
        let Some(start) = next.filter(|start| to >= start) else {
            continue;
        };
        if *from > start {
            free.push((start, from.saturating_sub(1)));
        }
        next = to.checked_add(1);
    }
    free.extend(
        next.filter(|start| *start <= high)
            .map(|start| (start, high)),
    );
    free
}

/// Removes invalid reservations: each address is for one client, and each client has one address on
/// a network.
pub fn reservations(
    subnet: &mut Subnet,
    ours: &BTreeSet<Ipv4Addr>,
    match_client_id: bool,
    owners: &mut HashMap<(String, Owner), usize>,
    notes: &mut Notes,
) {
    let (lowest, highest) = usable(subnet.prefix);
    let network = subnet
        .network
        .clone()
        .unwrap_or_else(|| subnet.prefix.to_string());
    let mut addresses = HashMap::new();
    let prefix = subnet.prefix;
    subnet.reservations.retain_mut(|reservation| {
        let Reservation {
            line,
            owner,
            address,
            host_name,
            ..
        } = reservation;
        let what = format!("reservation of {address}");
        let key = (network.clone(), owner.clone());
        let why = if !(lowest..=highest).contains(address) {
            format!("not a host address of {prefix}")
        } else if ours.contains(address) {
            "it an address of this server".to_owned()
        } else if !is_id(owner) {
            "its client identifier, circuit id or remote id has an invalid length".to_owned()
        } else if matches!(owner, Owner::ClientId(_)) && !match_client_id {
            "client identifiers are ignored on this network".to_owned()
        } else if let Some(other) = addresses.get(address) {
            format!("the address is already reserved in line {other}")
        } else if let Some(other) = owners.get(&key) {
            format!("its client already has a reservation on this network in line {other}")
        } else {
            addresses.insert(*address, *line);
            owners.insert(key, *line);
            if let Some(name) = host_name.take_if(|name| !is_host_name(name)) {
                notes.left(
                    *line,
                    format_args!("host name {name:?}"),
                    "not a host name (RFC 1123 §2.1)",
                );
            }
            return true;
        };
        notes.left(*line, what, why);
        false
    });
}

fn is_id(owner: &Owner) -> bool {
    match owner {
        Owner::Hardware(_) => true,
        Owner::ClientId(id) => (2..=MAX_ID).contains(&id.len()),
        Owner::CircuitId(id) | Owner::RemoteId(id) => (1..=MAX_ID).contains(&id.len()),
    }
}

//! What addresses of a subnet a draft gives to whom.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::Ipv4Addr,
};

use dhcp_config::{is_host_name, usable};

use super::{
    draft::{Owner, Pool, Reservation, Subnet},
    notes::Notes,
};

/// As the configuration's own checks say.
const MAX_ID: usize = 255;

/// Pools inside the subnet, around what no client can have, in the order of addresses and apart.
pub fn pools(
    subnet: &mut Subnet,
    ours: &BTreeSet<Ipv4Addr>,
    known: &HashSet<String>,
    notes: &mut Notes,
) {
    let (lowest, highest) = usable(subnet.prefix);
    let own = ours.range(lowest..=highest);
    // First and last addresses of what is no longer free.
    let mut taken: BTreeMap<u32, u32> = own.map(|own| (u32::from(*own), u32::from(*own))).collect();
    let mut kept: Vec<Pool> = Vec::new();
    for pool in std::mem::take(&mut subnet.pools) {
        let what = format!("pool {}-{}", pool.first, pool.last);
        if let Some(class) = pool.classes.iter().find(|class| !known.contains(*class)) {
            notes.left(
                pool.line,
                what,
                format_args!("the class {class:?} that it is for was not carried over"),
            );
            continue;
        }
        let (first, last) = (u32::from(pool.first), u32::from(pool.last));
        let (low, high) = (first.max(lowest.into()), last.min(highest.into()));
        if low > high || first > last {
            notes.left(
                pool.line,
                what,
                format_args!("no host of {} can have its addresses", subnet.prefix),
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
            notes.changed(pool.line, what, format_args!("{ranges} is left of it without the network's own addresses, the server's, and those of other pools"));
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

/// What is left of a range without those that are taken, which are apart from each other.
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

/// Reservations that our checks take: an address for one client, and a client with one address on its network.
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
        let Reservation { line, owner, address, host_name, .. } = reservation;
        let what = format!("reservation of {address}");
        let key = (network.clone(), owner.clone());
        let why = if !(lowest..=highest).contains(address) {
            format!("no host of {prefix} can have it")
        } else if ours.contains(address) {
            "it is an address of this server".to_owned()
        } else if !is_id(owner) {
            "its client identifier, circuit id or remote id is none that can be sent".to_owned()
        } else if matches!(owner, Owner::ClientId(_)) && !match_client_id {
            "nobody is known by a client identifier on this network".to_owned()
        } else if let Some(other) = addresses.get(address) {
            format!("the address is reserved already in line {other}")
        } else if let Some(other) = owners.get(&key) {
            format!("its client has a reservation on this network in line {other}, and only one is taken")
        } else {
            addresses.insert(*address, *line);
            owners.insert(key, *line);
            if let Some(name) = host_name.take_if(|name| !is_host_name(name)) {
                notes.left(*line, format_args!("host name {name:?}"), "not one that RFC 1123 §2.1 allows");
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

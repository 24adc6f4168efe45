//! Pools: ranges of addresses in a subnet, the classes that may use them, and their settings.

use std::{collections::BTreeMap, net::Ipv4Addr};

use ipnet::Ipv4Net;

use super::{
    class::ClassNames,
    raw::Node,
    settings,
    types::{Overrides, Pool},
};

/// The server's own addresses, each with the interface that has it.
pub(super) type Ours = BTreeMap<Ipv4Addr, String>;

/// Addresses that no client of a subnet may be given.
#[derive(Clone, Copy)]
pub(super) struct Taken<'a> {
    pub ours: &'a Ours,
    pub server_id: Option<Ipv4Addr>,
}

impl Taken<'_> {
    /// Describes the first such address in a range.
    pub fn find(&self, first: Ipv4Addr, last: Ipv4Addr) -> Option<String> {
        if let Some((address, interface)) = self.ours.range(first..=last).next() {
            return Some(format!(
                "{address}, this server's own address on {interface}"
            ));
        }
        let server_id = self.server_id.filter(|id| (first..=last).contains(id))?;
        Some(format!("{server_id}, the server-id of this subnet"))
    }
}

/// Returns the first and the last address that hosts on a subnet can have: all but the network and
/// the broadcast address (RFC 1122 §3.2.1.3), which prefixes of length 31 and 32 do not have (RFC
/// 3021).
pub fn usable(prefix: Ipv4Net) -> (Ipv4Addr, Ipv4Addr) {
    let (first, last) = (prefix.network(), prefix.broadcast());
    if prefix.prefix_len() >= 31 {
        return (first, last);
    }
    (
        u32::from(first).saturating_add(1).into(),
        u32::from(last).saturating_sub(1).into(),
    )
}

/// Reads the pools of a subnet and returns them in ascending order of addresses.
pub(super) fn read(
    node: &Node<'_>,
    prefix: Ipv4Net,
    taken: Taken<'_>,
    classes: &ClassNames<'_>,
) -> Vec<Pool> {
    let mut pools = Vec::new();
    for node in node.list("pools such as \"10.0.0.100-10.0.0.200\"") {
        let Some(pool) = read_pool(&node, classes) else {
            continue;
        };
        if is_good_pool(&node, &pool, prefix, taken) {
            pools.push((pool, node));
        }
    }
    let mut pools = refuse_overlaps(pools, |pool| (pool.first, pool.last));
    pools.sort_by_key(|pool| pool.first);
    pools
}

/// Reads a range, or a table with a range, classes and settings.
fn read_pool(node: &Node<'_>, classes: &ClassNames<'_>) -> Option<Pool> {
    if !node.is_table() {
        return read_range(node);
    }
    let own = ["range", "classes"];
    let known: Vec<_> = own.into_iter().chain(settings::OVERRIDES).collect();
    let section = node.section(&known)?;
    let range = section.require("range", "\"10.0.0.100-10.0.0.200\"");
    let classes = section.get("classes").map(|node| classes.named(&node));
    let overrides = Overrides::read(&section);
    let pool = read_range(&range?)?;
    Some(Pool {
        classes: classes.unwrap_or(Some(0))?,
        overrides,
        ..pool
    })
}

fn read_range(node: &Node<'_>) -> Option<Pool> {
    let text = node.string("10.0.0.100-10.0.0.200")?;
    let pool = match text.split_once('-') {
        Some((first, last)) => first.trim().parse().ok().zip(last.trim().parse().ok()),
        None => {
            let prefix = text.parse::<Ipv4Net>().ok();
            let prefix = prefix.filter(|prefix| *prefix == prefix.trunc());
            prefix.map(|prefix| (prefix.network(), prefix.broadcast()))
        }
    };
    let Some((first, last)) = pool else {
        node.refuse(
            "not an address range; give \"10.0.0.100-10.0.0.200\" or a prefix such as \"10.0.0.128/25\"",
        );
        return None;
    };
    if first > last {
        node.refuse(format_args!(
            "ends before it begins; give \"{last}-{first}\""
        ));
        return None;
    }
    Some(Pool::new(first, last))
}

fn is_good_pool(node: &Node<'_>, pool: &Pool, prefix: Ipv4Net, taken: Taken<'_>) -> bool {
    let (first, last) = usable(prefix);
    let give = format_args!("give addresses between {first} and {last}").to_string();
    if !prefix.contains(&pool.first) || !prefix.contains(&pool.last) {
        node.refuse(format_args!("outside the subnet {prefix}; {give}"));
        return false;
    }
    if pool.first < first || pool.last > last {
        node.refuse(format_args!(
            "contains the network or broadcast address of {prefix}; {give}"
        ));
        return false;
    }
    if let Some(taken) = taken.find(pool.first, pool.last) {
        node.refuse(format_args!("contains {taken}; exclude it"));
        return false;
    }
    true
}

/// Notes each range that overlaps another one, and returns all ranges in their order.
pub(super) fn refuse_overlaps<T>(
    ranges: Vec<(T, Node<'_>)>,
    bounds: impl Fn(&T) -> (Ipv4Addr, Ipv4Addr),
) -> Vec<T> {
    let mut sorted: Vec<_> = ranges
        .iter()
        .map(|(range, node)| (bounds(range), node))
        .collect();
    sorted.sort_by_key(|(bounds, _)| *bounds);
    let mut reach: Option<(Ipv4Addr, &Node<'_>)> = None;
    for ((first, last), node) in sorted {
        if let Some((end, other)) = reach
            && first <= end
        {
            // The problem is noted at the range further down in the file.
            let (earlier, later) = if other.line() <= node.line() {
                (other, node)
            } else {
                (node, other)
            };
            later.refuse(format_args!(
                "overlaps {}; each address may be in only one of them",
                earlier.pointer()
            ));
        }
        if reach.is_none_or(|(end, _)| last > end) {
            reach = Some((last, node));
        }
    }
    ranges.into_iter().map(|(range, _)| range).collect()
}

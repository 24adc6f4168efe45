//! Option 108 in places where it is never sent: only IPv6-mostly networks send it (RFC 8925 §3.3).

use std::collections::HashMap;

use dhcp_common::wire::option;

use super::{
    options,
    raw::{Node, Section},
};

const MOSTLY: &str = "ipv6-mostly";

/// Notes each `v6-only-preferred` that is sent to no client.
pub(super) fn refuse_unsent(root: &Section<'_>) {
    let [classes, networks, subnets] = ["class", "network", "subnet"].map(|key| tables(root, key));
    let is_on = |node: &Node<'_>| says(node) == Some(true);
    // The clients of a class may be on any subnet.
    if classes.iter().any(is_on) {
        return;
    }
    let defaults = root.get("defaults");
    let by_default = defaults.as_ref().and_then(says).unwrap_or(false);
    let by_name: HashMap<_, _> = (0..)
        .zip(&networks)
        .map(|(index, network)| (text(network, "name"), index))
        .collect();
    let mut is_anywhere = false;
    let mut is_in = vec![false; networks.len()];
    for subnet in &subnets {
        let network = text(subnet, "network").and_then(|name| by_name.get(&Some(name)).copied());
        let of_network = network.and_then(|index| says(networks.get::<usize>(index)?));
        let is_mostly = says(subnet).or(of_network).unwrap_or(by_default);
        let inner: Vec<_> = ["pools", "reservation"]
            .into_iter()
            .flat_map(|key| inner(subnet, key))
            .collect();
        if is_mostly || inner.iter().any(is_on) {
            is_anywhere = true;
            if let Some(is_in) = network.and_then(|index| is_in.get_mut(index)) {
                *is_in = true;
            }
        } else {
            std::iter::once(subnet).chain(&inner).for_each(refuse);
        }
    }
    for (network, is_in) in networks.iter().zip(is_in) {
        if !is_in {
            refuse(network);
        }
    }
    if !is_anywhere {
        classes.iter().chain(&defaults).for_each(refuse);
    }
}

fn refuse(table: &Node<'_>) {
    let options = field(table, "options").filter(Node::is_table);
    let Some(options) = options.and_then(|node| node.free_section()) else {
        return;
    };
    for (name, node) in options.fields() {
        if options::code(name).or(name.parse().ok()) == Some(option::V6_ONLY_PREFERRED) {
            node.refuse(
                "never sent, because none of these clients is on an IPv6-mostly network; add `ipv6-mostly = true` beside `options`, or remove it",
            );
        }
    }
}

fn says(table: &Node<'_>) -> Option<bool> {
    field(table, MOSTLY)?.as_boolean()
}

fn text<'a>(table: &Node<'a>, key: &str) -> Option<&'a str> {
    field(table, key)?.as_string()
}

fn field<'a>(table: &Node<'a>, key: &str) -> Option<Node<'a>> {
    // Wrong types are noted elsewhere.
    let section = table.is_table().then(|| table.free_section())??;
    section.get(key)
}

fn inner<'a>(table: &Node<'a>, key: &str) -> Vec<Node<'a>> {
    let list = field(table, key).filter(Node::is_list);
    list.map_or_else(Vec::new, |node| node.list("tables"))
}

fn tables<'a>(root: &Section<'a>, key: &str) -> Vec<Node<'a>> {
    let list = root.get(key).filter(Node::is_list);
    list.map_or_else(Vec::new, |node| node.list("tables"))
}

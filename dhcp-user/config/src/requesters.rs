//! Relay agents that may send LEASEQUERY (RFC 4388).

use std::collections::HashMap;

use ipnet::Ipv4Net;

use super::{
    raw::{Node, each},
    value::{has_no_host_bits, host_address},
};

/// Reads a list of addresses and prefixes without duplicates.
pub fn read(node: &Node<'_>) -> Option<Vec<Ipv4Net>> {
    let mut lines = HashMap::new();
    each(node.list("addresses and prefixes"), |node| {
        let requesters = addresses(&node)?;
        if let Some(line) = lines.insert(requesters, node.line()) {
            node.refuse(format_args!("duplicate of line {line}; remove one"));
            return None;
        }
        Some(requesters)
    })
}

fn addresses(node: &Node<'_>) -> Option<Ipv4Net> {
    let text = node.string("10.9.0.1")?;
    if let Ok(prefix) = text.parse() {
        return has_no_host_bits(node, prefix, "").then_some(prefix);
    }
    if text.contains('/') {
        node.refuse("not a prefix; give one such as \"10.8.0.0/16\"");
        return None;
    }
    host_address(node).map(Ipv4Net::from)
}

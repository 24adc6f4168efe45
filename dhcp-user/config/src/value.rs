//! Readers of values that several tables have in common.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::raw::Node;

/// Replaces `field` by the value of a node, if there is one and it is valid.
pub(super) fn replace<'a, T>(
    field: &mut T,
    node: Option<Node<'a>>,
    read: impl FnOnce(&Node<'a>) -> Option<T>,
) {
    if let Some(value) = node.and_then(|node| read(&node)) {
        *field = value;
    }
}

/// Reads an address that a host can have.
pub(super) fn host_address(node: &Node<'_>) -> Option<Ipv4Addr> {
    let address = address(node)?;
    if address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_broadcast()
        || address.octets()[0] == 0
    {
        node.refuse("not a host address; give a unicast address such as \"10.0.0.1\"");
        return None;
    }
    Some(address)
}

/// Reads any IPv4 address.
pub(super) fn address(node: &Node<'_>) -> Option<Ipv4Addr> {
    let address = node.string("10.0.0.1")?.parse().ok();
    if address.is_none() {
        node.refuse("not an IPv4 address; give one such as \"10.0.0.1\"");
    }
    address
}

/// Notes a prefix with host bits and returns whether there are none. `rest` is the text that
/// follows the prefix in the value.
pub(super) fn has_no_host_bits(node: &Node<'_>, prefix: Ipv4Net, rest: &str) -> bool {
    let right = prefix.trunc();
    if prefix != right {
        node.refuse(format_args!("host bits are set; give \"{right}{rest}\""));
    }
    prefix == right
}

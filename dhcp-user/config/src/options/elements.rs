//! Elements of option values: addresses, text and domain names.

use std::net::Ipv4Addr;

use dhcproto::{Encodable, Encoder, Name, v4::DhcpOption};

use crate::{
    raw::{Node, each},
    value::address,
};

/// The longest value of an option, in octets, so that a reply fits into one Ethernet frame.
pub(super) const MAX_OCTETS: usize = 1024;

/// Reads the items of a non-empty list.
pub(super) fn all<'a, T>(
    node: &Node<'a>,
    of: &str,
    read: impl Fn(&Node<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    if !node.is_list() {
        // This notes the wrong type.
        node.list(of);
        return None;
    }
    let items = node.list(of);
    if items.is_empty() {
        node.refuse(format_args!("empty list; give {of}, or remove the option"));
        return None;
    }
    each(&items, read)
}

pub(super) fn addresses(node: &Node<'_>) -> Option<Vec<u8>> {
    let addresses: Vec<Ipv4Addr> = all(node, "addresses", address)?;
    Some(addresses.iter().flat_map(Ipv4Addr::octets).collect())
}

pub(super) fn text(node: &Node<'_>) -> Option<Vec<u8>> {
    let text = node.string("example.net")?;
    // RFC 2132 §2: no terminating NUL, and a length of at least one octet.
    if text.is_empty() || text.contains('\0') {
        node.refuse("give text without zero octets, or remove the option");
        return None;
    }
    Some(text.as_bytes().to_vec())
}

/// Reads domain names and encodes them without compression.
pub(super) fn domains(node: &Node<'_>) -> Option<Vec<u8>> {
    let names = all(node, "domain names", |node| {
        name_octets(node, &domain(node)?)
    })?;
    Some(names.concat())
}

pub(super) fn domain(node: &Node<'_>) -> Option<Name> {
    let text = node.string("example.net")?;
    let name = Name::from_ascii(text).ok().filter(|name| !name.is_root());
    let Some(mut name) = name else {
        node.refuse("not a domain name; give one such as \"example.net\"");
        return None;
    };
    name.set_fqdn(true);
    Some(name)
}

/// Encodes one name. A single name contains nothing to compress.
pub(super) fn name_octets(node: &Node<'_>, name: &Name) -> Option<Vec<u8>> {
    encoded(node, DhcpOption::DomainSearch(vec![name.clone()]))
}

/// Encodes an option with dhcproto, and strips the code and length octets.
pub(super) fn encoded(node: &Node<'_>, option: DhcpOption) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    if let Err(error) = option.encode(&mut Encoder::new(&mut octets)) {
        node.refuse(format_args!("cannot be encoded: {error}"));
        return None;
    }
    // dhcproto splits long values (RFC 3396); here they are joined again.
    let (mut data, mut rest) = (Vec::new(), &*octets);
    while let [_, len, tail @ ..] = rest {
        let (value, tail) = tail.split_at_checked(usize::from(*len))?;
        data.extend_from_slice(value);
        rest = tail;
    }
    Some(data)
}

//! Whether a frame is DHCP for this server, and from which link. All traffic of the host passes
//! here.

use dhcp_common::{
    abi::{LINK_IS_PROXY, Link, LinkKey},
    outcome::Silence,
    wire::{
        BOOT_SERVER_PORT, Be32, ETHERNET_LEN, ETHERTYPE_IPV4, ETHERTYPE_QINQ, ETHERTYPE_VLAN,
        IPV4_BROADCAST, IPV4_FRAGMENT_MASK, IPV4_PROTOCOL_UDP, IPV4_VERSION_IHL, MAX_VLAN_TAGS,
        SERVER_PORT, VLAN_ID_MASK, VLAN_TAG_LEN,
    },
};

use crate::{frame::Frame, packet::Mac, tables::Tables};

/// Offsets in the IPv4 header.
mod ipv4 {
    pub const FRAGMENT: usize = 6;
    pub const PROTOCOL: usize = 9;
    pub const DESTINATION: usize = 16;
}

/// Bits of an IP header's offset.
pub const NETWORK_OFFSET_MASK: usize = 0x1f;
const _: () = assert!(ETHERNET_LEN + MAX_VLAN_TAGS * VLAN_TAG_LEN <= NETWORK_OFFSET_MASK);

/// Where a DHCP datagram for this server came from.
#[derive(Clone, Copy, Debug)]
pub struct Ingress<'a> {
    /// Octets before the IP header.
    pub network_offset: usize,
    pub link: &'a Link,
    pub source_mac: Mac,
    /// Whether the datagram was sent to all hosts of a subnet.
    pub is_directed_broadcast: bool,
}

/// Tells DHCP for this server from other traffic.
///
/// # Errors
/// The frame is other traffic, which is passed, or a fragment or has IP options, and is dropped.
#[inline(always)]
pub fn ingress<'a, T: Tables>(
    frame: &impl Frame,
    ifindex: u32,
    tables: &'a T,
) -> Result<Ingress<'a>, Silence> {
    let (network_offset, vlans) = network_offset(frame).ok_or(Silence::NotDhcp)?;
    // One after the other, so most traffic costs one or two comparisons.
    let protocol = frame.octet_at(network_offset + ipv4::PROTOCOL);
    if protocol != Some(IPV4_PROTOCOL_UDP) {
        return Err(Silence::NotDhcp);
    }
    let version_ihl = frame.octet_at(network_offset).ok_or(Silence::NotDhcp)?;
    if version_ihl >> 4 != 4 {
        return Err(Silence::NotDhcp);
    }
    let header_len = usize::from(version_ihl & 0x0f) * 4;
    let port = frame.be16_at(network_offset + header_len + 2);
    if port != Some(SERVER_PORT) && port != Some(BOOT_SERVER_PORT) {
        return Err(Silence::NotDhcp);
    }
    // Only the first fragment has ports; the others look like any other traffic.
    let fragment = frame
        .be16_at(network_offset + ipv4::FRAGMENT)
        .filter(|fragment| fragment & 0x1fff == 0)
        .ok_or(Silence::NotDhcp)?;

    let key = LinkKey {
        ifindex,
        outer: vlans[0],
        inner: vlans[1],
    };
    let link = tables.link(&key).ok_or(Silence::NotOurs)?;
    if port == Some(BOOT_SERVER_PORT) && link.flags & LINK_IS_PROXY == 0 {
        return Err(Silence::NotDhcp);
    }
    let destination = frame
        .raw32_at(network_offset + ipv4::DESTINATION)
        .map(Be32::from_raw)
        .ok_or(Silence::NotDhcp)?;
    let mac = mac_at(frame, 0).ok_or(Silence::NotDhcp)?;
    let is_our_mac = mac == Mac::BROADCAST || mac == Mac::new(link.mac);
    let is_to_us = destination == IPV4_BROADCAST || tables.is_ours(link, destination);
    let is_directed_broadcast = !is_to_us && tables.is_directed_broadcast(destination);
    if !is_our_mac || !(is_to_us || is_directed_broadcast) {
        return Err(Silence::NotOurs);
    }

    if version_ihl != IPV4_VERSION_IHL {
        return Err(Silence::IpOptions);
    }
    if fragment & IPV4_FRAGMENT_MASK != 0 {
        return Err(Silence::Fragment);
    }
    Ok(Ingress {
        network_offset,
        link,
        source_mac: mac_at(frame, 6).ok_or(Silence::NotDhcp)?,
        is_directed_broadcast,
    })
}

/// Returns the offset of the IP header and the ids of the VLAN tags before it.
#[inline(always)]
fn network_offset(frame: &impl Frame) -> Option<(usize, [u16; 2])> {
    const OUTER: usize = ETHERNET_LEN;
    const INNER: usize = OUTER + VLAN_TAG_LEN;
    let mut vlans = [0; 2];
    let mut ethertype = frame.be16_at(OUTER - 2)?;
    let mut offset = OUTER;
    if ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ {
        vlans[0] = frame.be16_at(OUTER)? & VLAN_ID_MASK;
        ethertype = frame.be16_at(OUTER + 2)?;
        offset = INNER;
        if ethertype == ETHERTYPE_VLAN {
            vlans[1] = frame.be16_at(INNER)? & VLAN_ID_MASK;
            ethertype = frame.be16_at(INNER + 2)?;
            offset = INNER + VLAN_TAG_LEN;
        }
    }
    (ethertype == ETHERTYPE_IPV4).then_some((offset, vlans))
}

#[inline(always)]
fn mac_at(frame: &impl Frame, offset: usize) -> Option<Mac> {
    let [a, b, c, d] = frame.raw32_at(offset)?.to_ne_bytes();
    let [e, f] = frame.be16_at(offset + 4)?.to_be_bytes();
    Some(Mac::new([a, b, c, d, e, f]))
}

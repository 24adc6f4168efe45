//! Links and routes, over rtnetlink.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use netlink_bindings::{
    rt_link::{self, Ifinfomsg, IterableLinkAttrs},
    rt_route::{self, IterableRouteAttrs, Rtmsg},
};
use netlink_socket2::NetlinkSocket;

use super::ethtool::reason;
use crate::readings::{Link, Peer, Program};

// include/uapi/linux/if_link.h.
const XDP_ATTACHED_NONE: u8 = 0;
const XDP_ATTACHED_SKB: u8 = 2;
const XDP_ATTACHED_HW: u8 = 3;

/// Reads a link.
///
/// # Errors
/// There is no such interface.
pub fn link(ifindex: u32, driver: Option<String>) -> Result<Link> {
    let mut socket = NetlinkSocket::new();
    let request = rt_link::Request::new().op_getlink_do(&header(ifindex)?);
    let mut reply = socket.request(&request)?;
    let (_, link) = reply.recv_one().map_err(|error| reason(&error))?;
    let (mtu, program) = (link.get_mtu().unwrap_or(0), program(&link));
    let kind = kind(&link);
    let is_veth = kind.as_deref() == Some("veth");
    let (peer, namespace) = (link.get_link().ok(), link.get_link_netnsid().ok());
    drop(reply);
    Ok(Link {
        ifindex,
        driver,
        kind,
        mtu,
        program,
        peer: is_veth.then(|| Peer {
            has_program: peer.and_then(|peer| has_program(peer, namespace)),
        }),
        has_default_route: has_default_route(ifindex)?,
    })
}

/// Returns the hardware address in the notation of sysfs.
pub fn address(ifindex: u32) -> Option<String> {
    let mut socket = NetlinkSocket::new();
    let request = rt_link::Request::new().op_getlink_do(&header(ifindex).ok()?);
    let mut reply = socket.request(&request).ok()?;
    let (_, link) = reply.recv_one().ok()?;
    let octets = link.get_address().ok()?.iter();
    let octets: Vec<_> = octets.map(|octet| format!("{octet:02x}")).collect();
    Some(octets.join(":"))
}

fn header(ifindex: u32) -> Result<Ifinfomsg> {
    Ok(Ifinfomsg {
        ifi_index: i32::try_from(ifindex).context("an interface index")?,
        ..Ifinfomsg::default()
    })
}

fn kind(link: &IterableLinkAttrs<'_>) -> Option<String> {
    let kind = link.get_linkinfo().ok()?.get_kind().ok()?;
    Some(kind.to_string_lossy().into_owned())
}

fn program(link: &IterableLinkAttrs<'_>) -> Option<Program> {
    match link.get_xdp().ok()?.get_attached().ok()? {
        XDP_ATTACHED_NONE => None,
        XDP_ATTACHED_SKB => Some(Program::Generic),
        XDP_ATTACHED_HW => Some(Program::Offloaded),
        // In the driver, or in several places including the driver.
        _ => Some(Program::Native),
    }
}

/// Reads whether the other end of a veth pair has a program. It may be in another namespace, if
/// that has an id here.
fn has_program(peer: u32, namespace: Option<i32>) -> Option<bool> {
    let mut socket = NetlinkSocket::new();
    let mut request = rt_link::Request::new().op_getlink_do(&header(peer).ok()?);
    if let Some(namespace) = namespace {
        request.encode().push_target_netnsid(namespace);
    }
    let mut reply = socket.request(&request).ok()?;
    let (_, link) = reply.recv_one().ok()?;
    Some(program(&link).is_some())
}

/// Returns whether a default route leaves through the interface, or through a bridge, bond, VLAN
/// device or other device on top of it.
fn has_default_route(ifindex: u32) -> Result<bool> {
    let mut socket = NetlinkSocket::new();
    let mut above: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    let request = rt_link::Request::new().op_getlink_dump(&Ifinfomsg::default());
    let mut reply = socket.request(&request)?;
    while let Some(link) = reply.recv() {
        let (header, link) = link.map_err(|error| reason(&error))?;
        let index = u32::try_from(header.ifi_index).unwrap_or(0);
        if let Ok(master) = link.get_master() {
            above.entry(index).or_default().insert(master);
        }
        // In a veth pair the number is that of the peer, which is not below the interface.
        let is_elsewhere =
            link.get_link_netnsid().is_ok() || kind(&link).as_deref() == Some("veth");
        if let (Ok(lower), false) = (link.get_link(), is_elsewhere) {
            above.entry(lower).or_default().insert(index);
        }
    }
    drop(reply);
    let mut carrying = BTreeSet::from([ifindex]);
    let mut to_look_at = vec![ifindex];
    while let Some(lower) = to_look_at.pop() {
        for upper in above.get(&lower).into_iter().flatten() {
            if carrying.insert(*upper) {
                to_look_at.push(*upper);
            }
        }
    }
    let request = rt_route::Request::new().op_getroute_dump(&Rtmsg::default());
    let mut reply = socket.request(&request)?;
    while let Some(route) = reply.recv() {
        let (header, route) = route.map_err(|error| reason(&error))?;
        let is_default = header.rtm_dst_len == 0 && header.rtm_type == libc::RTN_UNICAST;
        if is_default && out_of(&route).any(|out| carrying.contains(&out)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the interfaces through which a route leaves.
fn out_of<'a>(route: &IterableRouteAttrs<'a>) -> impl Iterator<Item = u32> + use<'a> {
    let one = route.get_oif().ok();
    let many = next_hops(route.get_multipath().unwrap_or_default());
    one.into_iter().chain(many)
}

/// Returns the index of each `struct rtnexthop` (length, two octets, index, attributes).
fn next_hops(mut octets: &[u8]) -> impl Iterator<Item = u32> + use<'_> {
    std::iter::from_fn(move || {
        let (head, _) = octets.split_first_chunk::<8>()?;
        let [l0, l1, _, _, i0, i1, i2, i3] = *head;
        let length = usize::from(u16::from_ne_bytes([l0, l1])).next_multiple_of(4);
        octets = octets.get(length.max(head.len())..).unwrap_or_default();
        Some(u32::from_ne_bytes([i0, i1, i2, i3]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_next_hop_of_a_route_is_seen() {
        let hop = |index: u32, attributes: &[u8]| {
            let length = u16::try_from(8 + attributes.len()).unwrap();
            let head = [&length.to_ne_bytes()[..], &[0, 0], &index.to_ne_bytes()];
            [head.concat(), attributes.to_vec()].concat()
        };
        let route = [hop(3, &[8, 0, 5, 0, 10, 0, 0, 1]), hop(7, &[])].concat();
        assert_eq!(next_hops(&route).collect::<Vec<_>>(), [3, 7]);
        assert_eq!(
            next_hops(&route[..12]).collect::<Vec<_>>(),
            [3],
            "cut short"
        );
        assert_eq!(next_hops(&[0; 8]).collect::<Vec<_>>(), [0], "no length");
    }
}

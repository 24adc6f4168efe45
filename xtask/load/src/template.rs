//! Clients' frames with gaps for what differs between clients, built once and filled in for each
//! transmission.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result, ensure};
use dhcp_common::{
    checksum,
    wire::{
        BOOTP_FIXED_LEN, BOOTP_MIN_LEN, BOOTREQUEST, CLIENT_PORT, ETHERNET_LEN, ETHERTYPE_IPV4,
        ETHERTYPE_QINQ, ETHERTYPE_VLAN, HTYPE_ETHERNET, IPV4_LEN, IPV4_PROTOCOL_UDP,
        IPV4_VERSION_IHL, MAC_BROADCAST, MAGIC_COOKIE, REPLY_TTL, SERVER_PORT, UDP_LEN,
        message_type, option, relay_suboption,
    },
};
use xtask_load_abi::{ASKS, Ask, FRAME_LEN, Own, Template};

use super::shape::Shape;

/// The path between clients and server, as visible in frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Outermost first; none, one or two.
    pub vlans: Vec<u16>,
    /// `None` if the clients are on the server's link.
    pub relay: Option<Relay>,
    pub server: Server,
}

/// The generator as a relay agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// `giaddr`.
    pub address: Ipv4Addr,
    pub mac: [u8; 6],
    /// Sub-option 2 of option 82; sub-option 1 is the client's number.
    pub remote_id: String,
    /// Whether option 82 is added.
    pub option_82: bool,
}

/// The known properties of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    pub mac: [u8; 6],
    pub address: Ipv4Addr,
    /// Option 54.
    pub identifier: Ipv4Addr,
}

/// Patterns that fill the gaps while a frame is built, by which they are found.
const NUMBER: [u8; 4] = [0xe1, 0xd2, 0xc3, 0xb4];
const XID: [u8; 4] = [0xa7, 0x98, 0x89, 0x7a];
const ADDRESS: [u8; 4] = [0xf6, 0xe5, 0xd4, 0xc3];

/// Returns all messages of clients with this shape and this second octet of their hardware
/// addresses, in the order of [`Ask::ALL`].
///
/// # Errors
/// A frame is too long.
pub fn templates(shape: &Shape, route: &Route, tag: u8) -> Result<[Template; ASKS]> {
    let [a, b, c, d, e] = Ask::ALL.map(|ask| {
        template_of(shape, ask, route, tag)
            .with_context(|| format!("cannot build the frame of a {ask:?}"))
    });
    Ok([a?, b?, c?, d?, e?])
}

fn template_of(shape: &Shape, ask: Ask, route: &Route, tag: u8) -> Result<Template> {
    let message = message(shape, ask, route, tag);
    // A RELEASE and a renewal on the link are sent to the server alone (RFC 2131 §4.4.4, §4.4.5).
    let is_unicast = route.relay.is_some() || matches!(ask, Ask::Renew | Ask::Release);
    let mac = own_mac(tag);
    let (source_mac, source, source_port) = match (&route.relay, ask) {
        (Some(relay), _) => (relay.mac, relay.address.octets(), SERVER_PORT),
        (None, Ask::Renew | Ask::Release) => (mac, ADDRESS, CLIENT_PORT),
        (None, _) => (mac, [0; 4], CLIENT_PORT),
    };
    let (target_mac, target) = if is_unicast {
        (route.server.mac, route.server.address)
    } else {
        (MAC_BROADCAST, Ipv4Addr::BROADCAST)
    };

    let mut frame = link_header(target_mac, source_mac, &route.vlans);
    let network = frame.len();
    let udp_len = UDP_LEN + message.len();
    frame.extend([IPV4_VERSION_IHL, 0]);
    frame.extend(u16::try_from(IPV4_LEN + udp_len)?.to_be_bytes());
    frame.extend([0, 0, 0, 0, REPLY_TTL, IPV4_PROTOCOL_UDP, 0, 0]);
    frame.extend(source);
    frame.extend(target.octets());
    frame.extend(source_port.to_be_bytes());
    frame.extend(SERVER_PORT.to_be_bytes());
    frame.extend(u16::try_from(udp_len)?.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(message);
    with_gaps(frame, network)
}

fn own_mac(tag: u8) -> [u8; 6] {
    let [a, b, c, d] = NUMBER;
    [0x02, tag, a, b, c, d]
}

/// Returns the Ethernet header with its tags, up to and including the ethertype.
pub fn link_header(target: [u8; 6], source: [u8; 6], vlans: &[u16]) -> Vec<u8> {
    let mut header = Vec::with_capacity(FRAME_LEN);
    header.extend(target);
    header.extend(source);
    for (depth, vlan) in vlans.iter().enumerate() {
        let is_outer_of_two = depth + 1 < vlans.len();
        let tag = if is_outer_of_two {
            ETHERTYPE_QINQ
        } else {
            ETHERTYPE_VLAN
        };
        header.extend(tag.to_be_bytes());
        header.extend(vlan.to_be_bytes());
    }
    header.extend(ETHERTYPE_IPV4.to_be_bytes());
    header
}

/// A type, zero, and sixteen octets (RFC 4578 §2.3).
const MACHINE_ID: [u8; 17] = [0; 17];

/// Returns the BOOTP message.
fn message(shape: &Shape, ask: Ask, route: &Route, tag: u8) -> Vec<u8> {
    let mac = own_mac(tag);
    let mut message = vec![BOOTREQUEST, HTYPE_ETHERNET, 6, 0];
    message.extend(XID);
    message.extend([0; 4]);
    let has_address = matches!(ask, Ask::Renew | Ask::Release);
    message.extend(if has_address { ADDRESS } else { [0; 4] });
    message.extend([0; 8]);
    let relay_address = route.relay.as_ref().map(|relay| relay.address.octets());
    message.extend(relay_address.unwrap_or_default());
    message.extend(mac);
    message.resize(BOOTP_FIXED_LEN - 4, 0);
    message.extend(MAGIC_COOKIE.get().to_be_bytes());
    if let (Some(hops), Some(_)) = (message.get_mut(3), &route.relay) {
        *hops = 1;
    }

    let kind = match ask {
        Ask::Discover => message_type::DISCOVER,
        Ask::Select | Ask::Renew => message_type::REQUEST,
        Ask::Release => message_type::RELEASE,
        Ask::Decline => message_type::DECLINE,
    };
    let mut put = |code: u8, value: &[u8]| {
        message.push(code);
        message.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
        message.extend(value.iter().take(usize::from(u8::MAX)));
    };
    put(option::MESSAGE_TYPE, &[kind]);
    if shape.client_id {
        let [a, b, c, d, e, f] = mac;
        put(option::CLIENT_ID, &[HTYPE_ETHERNET, a, b, c, d, e, f]);
    }
    if matches!(ask, Ask::Select | Ask::Decline) {
        put(option::REQUESTED_ADDRESS, &ADDRESS);
    }
    if matches!(ask, Ask::Select | Ask::Decline | Ask::Release) {
        put(option::SERVER_ID, &route.server.identifier.octets());
    }
    // RELEASE and DECLINE contain a message and no parameter list (RFC 2131 table 5).
    if matches!(ask, Ask::Discover | Ask::Select | Ask::Renew) {
        if let Some(size) = shape.max_size {
            put(option::MAX_MESSAGE_SIZE, &size.to_be_bytes());
        }
        if let Some(class) = shape.vendor_class {
            put(option::VENDOR_CLASS, class.as_bytes());
        }
        if shape.machine_id {
            put(option::CLIENT_MACHINE_ID, &MACHINE_ID);
        }
        if let Some(name) = shape.host_name {
            put(option::HOST_NAME, name.as_bytes());
        }
        put(option::PARAMETER_LIST, &shape.parameters);
    }
    if let Some(relay) = route.relay.as_ref().filter(|relay| relay.option_82) {
        let mut information = vec![relay_suboption::CIRCUIT_ID, 4];
        information.extend(NUMBER);
        if !relay.remote_id.is_empty() {
            let len = u8::try_from(relay.remote_id.len()).unwrap_or(u8::MAX);
            information.extend([relay_suboption::REMOTE_ID, len]);
            information.extend(relay.remote_id.bytes());
        }
        put(option::RELAY_INFO, &information);
    }
    message.push(option::END);
    message.resize(message.len().max(BOOTP_MIN_LEN), 0);
    message
}

/// Finds and clears the gaps, and sums the rest.
fn with_gaps(mut frame: Vec<u8>, network: usize) -> Result<Template> {
    let datagram = network + IPV4_LEN;
    ensure!(
        frame.len() <= FRAME_LEN,
        "it has {} octets and the maximum is {FRAME_LEN}: use a shorter --remote-id",
        frame.len()
    );
    let len = u16::try_from(frame.len())?;
    let numbers = empty(&mut frame, NUMBER)?;
    let (link, numbers): (Vec<_>, _) = numbers.into_iter().partition(|at| *at < network);
    let xids = empty(&mut frame, XID)?;
    let (sources, addresses): (Vec<_>, Vec<_>) = empty(&mut frame, ADDRESS)?
        .into_iter()
        .partition(|at| *at < datagram);
    let is_odd = |at: &usize| !(at - datagram).is_multiple_of(2);
    let odd = numbers.iter().filter(|at| is_odd(at)).count();

    let (ip, udp) = frame
        .get(network..)
        .and_then(|packet| packet.split_at_checked(IPV4_LEN))
        .context("the frame has no IP header")?;
    let pseudo = checksum::sum(ip.get(12..).unwrap_or_default())
        + u64::from(u16::from(IPV4_PROTOCOL_UDP).to_be())
        + u64::from(u16::try_from(udp.len())?.to_be());
    let mut template = Template {
        octets: [0; FRAME_LEN],
        ip_sum: checksum::fold(checksum::sum(ip)).into(),
        udp_sum: checksum::fold(checksum::sum(udp) + pseudo).into(),
        len,
        network: u16::try_from(network)?,
        xid: only(&xids)?,
        link_number: only(&link)?,
        numbers: [0; 3],
        numbers_even: u16::try_from(numbers.len() - odd)?,
        numbers_odd: u16::try_from(odd)?,
        source: only(&sources)?,
        address: only(&addresses)?,
        address_odd: addresses.iter().any(is_odd).into(),
    };
    for (octet, from) in template.octets.iter_mut().zip(&frame) {
        *octet = *from;
    }
    ensure!(numbers.len() <= template.numbers.len(), "{numbers:?}");
    for (place, at) in template.numbers.iter_mut().zip(numbers) {
        *place = u16::try_from(at)?;
    }
    Ok(template)
}

/// Returns the positions of a mark, and clears them.
fn empty(frame: &mut [u8], mark: [u8; 4]) -> Result<Vec<usize>> {
    let found: Vec<usize> = frame
        .windows(mark.len())
        .enumerate()
        .filter(|(_, octets)| *octets == mark)
        .map(|(at, _)| at)
        .collect();
    for at in &found {
        put(frame, *at, [0; 4]).context("a gap is outside the frame")?;
    }
    Ok(found)
}

fn only(places: &[usize]) -> Result<u16> {
    ensure!(places.len() <= 1, "a gap occurs at {places:?}");
    Ok(u16::try_from(places.first().copied().unwrap_or(0))?)
}

fn put<const N: usize>(frame: &mut [u8], at: usize, octets: [u8; N]) -> Option<()> {
    frame
        .get_mut(at..)?
        .first_chunk_mut()
        .map(|place: &mut [u8; N]| *place = octets)
}

/// Offsets of the checksums from the beginning of the IP header.
const IP_CHECKSUM: usize = 10;
const UDP_CHECKSUM: usize = IPV4_LEN + 6;
const _: () = assert!(ETHERNET_LEN + IPV4_LEN + UDP_LEN + BOOTP_FIXED_LEN < FRAME_LEN);

/// Writes a client's frame and returns its length, or `None` if there is no room.
pub fn fill(template: &Template, own: Own, frame: &mut [u8]) -> Option<usize> {
    let len = usize::from(template.len);
    frame
        .get_mut(..len)?
        .copy_from_slice(template.octets.get(..len)?);
    let number = own.number.to_ne_bytes();
    let network = usize::from(template.network);
    for at in template.numbers.iter().chain([&template.link_number]) {
        if *at != 0 {
            put(frame, usize::from(*at), number)?;
        }
    }
    put(frame, usize::from(template.xid), own.xid.to_ne_bytes())?;
    for at in [template.source, template.address] {
        if at != 0 {
            put(frame, usize::from(at), own.address.to_ne_bytes())?;
        }
    }
    let ip = template.ip_checksum(own).to_ne_bytes();
    put(frame, network + IP_CHECKSUM, ip)?;
    let udp = template.udp_checksum(own).to_ne_bytes();
    put(frame, network + UDP_CHECKSUM, udp)?;
    Some(len)
}

#[cfg(test)]
mod tests {
    use dhcproto::{
        Decodable as _, Decoder,
        v4::{DhcpOption, Message, MessageType, OptionCode},
    };
    use xtask_lab::wire::Datagram;

    use super::*;
    use crate::{population::Population, shape::shapes, testing};

    /// Checks each kind of frame with a packet parser and a DHCP parser.
    fn each_frame(route: &Route, check: impl Fn(Ask, u32, &[u8], Datagram, Message)) {
        let population = Population::new(100_000, 5);
        for shape in shapes(8, 5) {
            let made = templates(&shape, route, population.tag).unwrap();
            for (ask, template) in Ask::ALL.into_iter().zip(&made) {
                for index in [0, 1, 77_777, 99_999] {
                    let mut frame = [0xaa; FRAME_LEN];
                    let xid = population.xid(index, index);
                    let own = population.own(index, xid, testing::address(index).into());
                    let len = fill(template, own, &mut frame).unwrap();
                    let datagram = Datagram::parse(&frame[..len]).unwrap();
                    datagram.verify().unwrap();
                    let mut decoder = Decoder::new(&datagram.payload);
                    let message = Message::decode(&mut decoder).unwrap();
                    assert_eq!(message.chaddr(), population.mac(index));
                    assert_eq!(message.xid(), xid);
                    check(ask, index, &frame[..len], datagram, message);
                }
            }
        }
    }

    #[test]
    fn clients_on_the_link_send_frames_that_are_right_in_every_octet() {
        let route = testing::route();
        each_frame(&route, |ask, index, _, datagram, message| {
            let address = testing::address(index);
            let requested = message.opts().get(OptionCode::RequestedIpAddress);
            let kind = message.opts().msg_type().unwrap();
            let server = message.opts().get(OptionCode::ServerIdentifier);
            let expected = match ask {
                Ask::Discover => MessageType::Discover,
                Ask::Select | Ask::Renew => MessageType::Request,
                Ask::Release => MessageType::Release,
                Ask::Decline => MessageType::Decline,
            };
            assert_eq!(kind, expected);
            assert_eq!(server.is_some(), !matches!(ask, Ask::Discover | Ask::Renew));
            assert_eq!(datagram.source_mac, message.chaddr());
            if matches!(ask, Ask::Renew | Ask::Release) {
                assert_eq!(datagram.path.source, address);
                assert_eq!(datagram.path.destination, route.server.address);
                assert_eq!(message.ciaddr(), address);
                assert_eq!(requested, None);
            } else {
                assert_eq!(datagram.path, xtask_lab::wire::Path::BROADCAST);
                let wanted = DhcpOption::RequestedIpAddress(address);
                assert_eq!(requested, (ask != Ask::Discover).then_some(&wanted));
            }
        });
    }

    #[test]
    fn a_relay_agent_adds_itself_and_option_82_to_all_that_passes() {
        let route = testing::relayed();
        let relay = route.relay.clone().unwrap();
        each_frame(&route, |_, index, frame, datagram, message| {
            assert_eq!(message.giaddr(), relay.address);
            assert_eq!(message.hops(), 1);
            assert_eq!(datagram.source_mac, relay.mac);
            assert_eq!(datagram.path.source, relay.address);
            assert_eq!(datagram.path.source_port, SERVER_PORT);
            let [.., a, b, c, d] = Population::new(100_000, 5).mac(index);
            let circuit_id = [option::RELAY_INFO, 14, 1, 4, a, b, c, d, 2, 6];
            assert!(frame.windows(10).any(|octets| octets == circuit_id));
        });
    }

    #[test]
    fn tags_stand_before_the_ip_header_the_outer_one_first() {
        let mut route = testing::route();
        for (vlans, types) in [
            (vec![7], vec![0x8100]),
            (vec![7, 300], vec![0x88a8, 0x8100]),
        ] {
            route.vlans.clone_from(&vlans);
            each_frame(&route, |_, _, frame, _, _| {
                for (depth, (vlan, kind)) in vlans.iter().zip(&types).enumerate() {
                    let at = 12 + 4 * depth;
                    let kind: &u16 = kind;
                    assert_eq!(frame[at..at + 2], kind.to_be_bytes());
                    assert_eq!(frame[at + 2..at + 4], vlan.to_be_bytes());
                }
            });
        }
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused() {
        let mut route = testing::relayed();
        route.relay.as_mut().unwrap().remote_id = "x".repeat(240);
        let shape = &shapes(1, 0)[0];
        let error = templates(shape, &route, 0).unwrap_err();
        assert!(format!("{error:#}").contains("remote-id"), "{error:#}");
    }
}

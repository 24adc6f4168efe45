//! Parses an Ethernet frame down to its BOOTP message, and builds the frame of a reply.
//!
//! It refuses the same frames as the program, under the same names; a reply has the same octets as
//! the program's.

use std::{net::Ipv4Addr, ops::Range};

use dhcp_common::{checksum, outcome::Outcome, wire};
use dhcp_engine::effect::{Egress, Ingress};
use etherparse::{
    EtherType, Ethernet2Header, Ethernet2HeaderSlice, IpNumber, Ipv4Header, Ipv4HeaderSlice,
    UdpHeader, UdpHeaderSlice,
};

/// Largest number of octets in front of a reply's BOOTP message.
pub const MAX_HEADERS_LEN: usize =
    wire::ETHERNET_LEN + wire::MAX_VLAN_TAGS * wire::VLAN_TAG_LEN + wire::IPV4_LEN + wire::UDP_LEN;

/// Returns the frame's origin, and the range of its BOOTP message.
///
/// # Errors
/// Names why the frame is not answered.
pub fn parse(frame: &[u8], ifindex: u32) -> Result<(Ingress, Range<usize>), Outcome> {
    let ethernet = Ethernet2HeaderSlice::from_slice(frame).map_err(|_| Outcome::NotDhcp)?;
    let (tags, packet_at) = tags(frame, ethernet.ether_type().0)?;
    let packet = frame.get(packet_at..).ok_or(Outcome::Truncated)?;
    let ip = ipv4(packet)?;
    let datagram = packet
        .get(wire::IPV4_LEN..usize::from(ip.total_len()))
        .filter(|datagram| datagram.len() >= wire::UDP_LEN + wire::BOOTP_FIXED_LEN)
        .ok_or(Outcome::Truncated)?;
    if usize::from(ip.total_len()) > wire::ETHERNET_MTU {
        return Err(Outcome::Oversized);
    }
    let (source_port, destination_port, datagram_len) = udp(&ip, datagram)?;
    let ingress = Ingress {
        ifindex,
        tags,
        source_mac: ethernet.source(),
        source: ip.source_addr(),
        source_port,
        destination: ip.destination_addr(),
        destination_port,
    };
    let message_at = packet_at + wire::IPV4_LEN + wire::UDP_LEN;
    let message_len = datagram_len - wire::UDP_LEN;
    Ok((ingress, message_at..message_at + message_len))
}

pub(super) type Tags = [Option<[u8; wire::VLAN_TAG_LEN]>; wire::MAX_VLAN_TAGS];

/// Returns the VLAN tags, and the offset of the IPv4 header.
fn tags(frame: &[u8], mut ether_type: u16) -> Result<(Tags, usize), Outcome> {
    let mut tags = Tags::default();
    let mut at = wire::ETHERNET_LEN;
    for tag in &mut tags {
        if !is_tag(ether_type) {
            break;
        }
        // A tag is stored with the TPID before it; the type that follows it is the next tag's TPID.
        let (_, rest) = frame.split_at_checked(at).ok_or(Outcome::Truncated)?;
        let [tci @ .., next_high, next_low] = *rest.first_chunk::<4>().ok_or(Outcome::Truncated)?;
        let [tpid_high, tpid_low] = ether_type.to_be_bytes();
        let [tci_high, tci_low] = tci;
        *tag = Some([tpid_high, tpid_low, tci_high, tci_low]);
        ether_type = u16::from_be_bytes([next_high, next_low]);
        at += wire::VLAN_TAG_LEN;
    }
    if ether_type != wire::ETHERTYPE_IPV4 {
        return Err(Outcome::NotDhcp);
    }
    Ok((tags, at))
}

pub(super) const fn is_tag(ether_type: u16) -> bool {
    matches!(ether_type, wire::ETHERTYPE_VLAN | wire::ETHERTYPE_QINQ)
}

/// Parses an IPv4 header without options, of a datagram that is not a fragment (CONFORMANCE c004).
fn ipv4(packet: &[u8]) -> Result<Ipv4HeaderSlice<'_>, Outcome> {
    let header = packet.get(..wire::IPV4_LEN).ok_or(Outcome::Truncated)?;
    match header.first() {
        Some(&wire::IPV4_VERSION_IHL) => {}
        Some(first) if first >> 4 == 4 => return Err(Outcome::IpOptions),
        _ => return Err(Outcome::NotDhcp),
    }
    let ip = Ipv4HeaderSlice::from_slice(header).map_err(|_| Outcome::Truncated)?;
    if ip.protocol() != IpNumber::UDP {
        return Err(Outcome::NotDhcp);
    }
    // Only the first fragment has ports.
    if ip.fragments_offset().value() != 0 {
        return Err(Outcome::NotDhcp);
    }
    if ip.more_fragments() {
        return Err(Outcome::Fragment);
    }
    Ok(ip)
}

/// Returns source and destination port and the length of a complete datagram to a server. Octets
/// behind it, inside the length of IP, are ignored. The program hands over datagrams to the port of
/// boot servers only from links where they are answered.
fn udp(ip: &Ipv4HeaderSlice<'_>, datagram: &[u8]) -> Result<(u16, u16, usize), Outcome> {
    let udp = UdpHeaderSlice::from_slice(datagram).map_err(|_| Outcome::Truncated)?;
    if !matches!(
        udp.destination_port(),
        wire::SERVER_PORT | wire::BOOT_SERVER_PORT
    ) {
        return Err(Outcome::NotDhcp);
    }
    let len = usize::from(udp.length());
    let complete = (udp.source_port(), udp.destination_port(), len);
    let datagram = datagram.get(..len).ok_or(Outcome::LengthMismatch)?;
    if len < wire::UDP_LEN + wire::BOOTP_FIXED_LEN {
        return Err(Outcome::Truncated);
    }
    if checksum::finish(checksum::sum(ip.slice())) != 0 {
        return Err(Outcome::BadIpChecksum);
    }
    // Zero means "not computed" (RFC 768, CONFORMANCE m02).
    if udp.checksum() == 0 {
        return Ok(complete);
    }
    let pseudo_header = pseudo_header(ip.source_addr(), ip.destination_addr(), udp.length());
    // A peer that leaves the checksum to its hardware, which veth, tap and virtio do not have,
    // sends just this sum (CONFORMANCE c013).
    let offloaded = udp.checksum().to_be() == checksum::fold(pseudo_header);
    if offloaded || checksum::finish(pseudo_header + checksum::sum(datagram)) == 0 {
        return Ok(complete);
    }
    Err(Outcome::BadUdpChecksum)
}

/// Returns the sum of the pseudo header (RFC 768).
fn pseudo_header(source: Ipv4Addr, destination: Ipv4Addr, len: u16) -> u64 {
    checksum::sum(&source.octets())
        + checksum::sum(&destination.octets())
        + checksum::sum(&[0, wire::IPV4_PROTOCOL_UDP])
        + checksum::sum(&len.to_be_bytes())
}

/// A reply that does not fit into the frame or into a datagram.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of {0} octets does not fit into a frame")]
pub struct TooLarge(pub usize);

/// Writes the frame of a reply to `frame` and returns its length.
///
/// # Errors
/// The message is too large; the contents of the frame are not defined.
pub fn build(
    egress: &Egress,
    our_mac: [u8; 6],
    message: &[u8],
    frame: &mut [u8],
) -> Result<usize, TooLarge> {
    let too_large = || TooLarge(message.len());
    let ip = ip_header(
        egress.source,
        egress.destination,
        IpNumber::UDP,
        wire::UDP_LEN + message.len(),
    );
    let ip = ip.ok_or_else(too_large)?;
    let udp =
        UdpHeader::with_ipv4_checksum(egress.source_port, egress.destination_port, &ip, message)
            .map_err(|_| too_large())?;

    let mut writer = Writer::new(frame);
    writer
        .put_link(
            our_mac,
            egress.destination_mac,
            &egress.tags,
            wire::ETHERTYPE_IPV4,
        )
        .ok_or_else(too_large)?;
    let mut write = |octets: &[u8]| writer.put(octets).ok_or_else(too_large);
    write(&ip.to_bytes())?;
    write(&udp.to_bytes())?;
    write(message)?;
    Ok(writer.written)
}

/// Returns the IPv4 header; `None` if the datagram is too long for IPv4.
pub(super) fn ip_header(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: IpNumber,
    datagram_len: usize,
) -> Option<Ipv4Header> {
    let mut ip = Ipv4Header::new(
        u16::try_from(datagram_len).ok()?,
        wire::REPLY_TTL,
        protocol,
        source.octets(),
        destination.octets(),
    )
    .ok()?;
    // RFC 6864 §4.1: a datagram that is never fragmented may have any identification.
    ip.dont_fragment = true;
    ip.identification = 0;
    ip.header_checksum = ip.calc_header_checksum();
    Some(ip)
}

/// Writes a frame piece by piece, and keeps track of the free part.
pub(super) struct Writer<'a> {
    free: &'a mut [u8],
    pub written: usize,
}

impl<'a> Writer<'a> {
    pub const fn new(frame: &'a mut [u8]) -> Self {
        Self {
            free: frame,
            written: 0,
        }
    }

    /// Writes the Ethernet header and VLAN tags before a packet of this type; `None` if there is no
    /// room.
    pub fn put_link(
        &mut self,
        source: [u8; 6],
        destination: [u8; 6],
        tags: &Tags,
        packet_type: u16,
    ) -> Option<()> {
        let mut types = tags.iter().flatten().map(|tag| [tag[0], tag[1]]);
        let first_type = types.next().unwrap_or(packet_type.to_be_bytes());
        let ethernet = Ethernet2Header {
            source,
            destination,
            ether_type: EtherType(u16::from_be_bytes(first_type)),
        };
        self.put(&ethernet.to_bytes())?;
        for [_, _, tci_high, tci_low] in tags.iter().flatten() {
            let [next_high, next_low] = types.next().unwrap_or(packet_type.to_be_bytes());
            self.put(&[*tci_high, *tci_low, next_high, next_low])?;
        }
        Some(())
    }

    pub fn put(&mut self, octets: &[u8]) -> Option<()> {
        let (head, rest) = std::mem::take(&mut self.free).split_at_mut_checked(octets.len())?;
        head.copy_from_slice(octets);
        self.free = rest;
        self.written += octets.len();
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OUR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const UNTAGGED: Tags = [None, None];
    const VLAN: Tags = [Some([0x81, 0, 0xa0, 7]), None];
    const QINQ: Tags = [Some([0x88, 0xa8, 0, 100]), Some([0x81, 0, 0x60, 9])];

    fn egress(tags: Tags) -> Egress {
        Egress {
            ifindex: 3,
            tags,
            destination_mac: [2, 0, 0, 0, 0, 9],
            source: Ipv4Addr::new(10, 0, 0, 1),
            source_port: wire::SERVER_PORT,
            destination: Ipv4Addr::new(10, 0, 0, 99),
            destination_port: wire::SERVER_PORT,
        }
    }

    /// Addresses a relay agent, which uses the server's port, so that the built frame can be
    /// parsed.
    fn frame(tags: Tags, message: &[u8]) -> Vec<u8> {
        let mut frame = vec![0xee; 2048];
        let len = build(&egress(tags), OUR_MAC, message, &mut frame).unwrap();
        frame.truncate(len);
        frame
    }

    #[test]
    fn a_reply_is_octet_for_octet_what_is_expected() {
        let mut egress = egress(QINQ);
        egress.destination = Ipv4Addr::BROADCAST;
        egress.destination_mac = wire::MAC_BROADCAST;
        egress.destination_port = wire::CLIENT_PORT;
        let mut frame = [0xee; 64];
        let len = build(&egress, OUR_MAC, &[1, 2, 3], &mut frame).unwrap();
        #[rustfmt::skip]
        let expected = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1,
            0x88, 0xa8, 0, 100, 0x81, 0, 0x60, 9, 8, 0,
            0x45, 0, 0, 31, 0, 0, 0x40, 0, 64, 17, 0x30, 0xce, 10, 0, 0, 1, 255, 255, 255, 255,
            0, 67, 0, 68, 0, 11, 0xf1, 0x4e, 1, 2, 3,
        ];
        assert_eq!(frame[..len], expected);
        assert!(frame[len..].iter().all(|octet| *octet == 0xee));
    }

    #[test]
    fn c037_c090_tags_addresses_and_message_come_through() {
        for tags in [UNTAGGED, VLAN, QINQ] {
            let message = [0x5a; 300];
            let mut frame = frame(tags, &message);
            // Ethernet pads short frames; the IP length does not count the padding.
            frame.extend([0; 9]);
            let (ingress, range) = parse(&frame, 3).unwrap();
            assert_eq!(
                ingress,
                Ingress {
                    ifindex: 3,
                    tags,
                    source_mac: OUR_MAC,
                    source: Ipv4Addr::new(10, 0, 0, 1),
                    source_port: wire::SERVER_PORT,
                    destination: Ipv4Addr::new(10, 0, 0, 99),
                    destination_port: wire::SERVER_PORT,
                }
            );
            assert_eq!(frame[range], message);
        }
    }

    #[test]
    fn m20_the_source_port_is_handed_on() {
        let mut frame = frame(UNTAGGED, &[0; 300]);
        frame[34..36].copy_from_slice(&30_067u16.to_be_bytes());
        for checksum_field in [true, false] {
            if checksum_field {
                let pseudo = pseudo_header([10, 0, 0, 1].into(), [10, 0, 0, 99].into(), 308);
                frame[40..42].fill(0);
                let field = checksum::finish_udp(pseudo + checksum::sum(&frame[34..]));
                frame[40..42].copy_from_slice(&field.to_ne_bytes());
            } else {
                frame[40..42].fill(0);
            }
            let (ingress, _) = parse(&frame, 1).unwrap();
            assert_eq!(ingress.source_port, 30_067);
        }
    }

    #[test]
    fn c101_the_port_of_boot_servers_is_handed_on_and_answered_from() {
        let egress = Egress {
            source_port: wire::BOOT_SERVER_PORT,
            destination_port: wire::BOOT_SERVER_PORT,
            ..egress(UNTAGGED)
        };
        let mut frame = vec![0; 2048];
        let len = build(&egress, OUR_MAC, &[0; 300], &mut frame).unwrap();
        frame.truncate(len);
        let (ingress, _) = parse(&frame, 1).unwrap();
        assert_eq!(
            (ingress.source_port, ingress.destination_port),
            (4011, 4011)
        );
    }

    #[test]
    fn c001_other_traffic_is_not_dhcp() {
        type Change = fn(&mut Vec<u8>);
        let changes: [(&str, Change); 6] = [
            ("ARP", |frame| frame[13] = 6),
            ("IPv6", |frame| frame[12..14].copy_from_slice(&[0x86, 0xdd])),
            ("version 6 in IPv4", |frame| frame[14] = 0x65),
            ("TCP", |frame| frame[23] = 6),
            ("port 68", |frame| frame[37] = 68),
            ("a third tag", |frame| {
                for _ in 0..3 {
                    frame.splice(12..12, [0x81, 0, 0, 1]);
                }
            }),
        ];
        for (name, change) in changes {
            let mut frame = frame(UNTAGGED, &[0; 300]);
            change(&mut frame);
            // The header stays valid otherwise.
            fix_ip_checksum(&mut frame);
            assert_eq!(parse(&frame, 1), Err(Outcome::NotDhcp), "{name}");
        }
    }

    fn fix_ip_checksum(frame: &mut [u8]) {
        frame[24..26].fill(0);
        let field = checksum::finish(checksum::sum(&frame[14..34]));
        frame[24..26].copy_from_slice(&field.to_ne_bytes());
    }

    #[test]
    fn c004_options_fragments_and_lengths_that_disagree_are_named() {
        type Change = fn(&mut Vec<u8>);
        let changes: [(Outcome, Change); 7] = [
            (Outcome::IpOptions, |frame| frame[14] = 0x46),
            (Outcome::IpOptions, |frame| frame[14] = 0x44),
            (Outcome::Fragment, |frame| frame[20] |= 0x20),
            (Outcome::NotDhcp, |frame| frame[21] = 1),
            (Outcome::Truncated, |frame| frame[17] += 1),
            (Outcome::LengthMismatch, |frame| frame[17] -= 1),
            (Outcome::LengthMismatch, |frame| frame[39] += 1),
        ];
        for (index, (outcome, change)) in changes.into_iter().enumerate() {
            let mut frame = frame(UNTAGGED, &[0; 299]);
            change(&mut frame);
            fix_ip_checksum(&mut frame);
            assert_eq!(parse(&frame, 1), Err(outcome), "change {index}");
        }
        let mut short = frame(UNTAGGED, &[0; 300]);
        for len in [19u16, 27, 267] {
            short[16..18].copy_from_slice(&len.to_be_bytes());
            fix_ip_checksum(&mut short);
            assert_eq!(parse(&short, 1), Err(Outcome::Truncated), "{len}");
        }
        let long = frame(UNTAGGED, &[0; 1473]);
        assert_eq!(parse(&long, 1), Err(Outcome::Oversized));
    }

    #[test]
    fn m01_octets_behind_the_datagram_are_ignored() {
        let mut longer = frame(UNTAGGED, &[7; 318]);
        longer[38..40].copy_from_slice(&308u16.to_be_bytes());
        longer[40..42].fill(0);
        let (_, range) = parse(&longer, 1).unwrap();
        assert_eq!(range.len(), 300);
        longer[38..40].copy_from_slice(&247u16.to_be_bytes());
        assert_eq!(parse(&longer, 1), Err(Outcome::Truncated));
        longer[38..40].copy_from_slice(&7u16.to_be_bytes());
        assert_eq!(parse(&longer, 1), Err(Outcome::Truncated));
    }

    #[test]
    fn a_frame_cut_anywhere_is_refused() {
        let frame = frame(QINQ, &[7; 300]);
        for len in 0..frame.len() {
            assert!(parse(&frame[..len], 1).is_err(), "{len} octets");
        }
        assert!(parse(&frame, 1).is_ok());
    }

    #[test]
    fn c013_m02_a_checksum_is_verified_absent_or_left_to_hardware() {
        let mut frame = frame(UNTAGGED, &[0x11; 301]);
        assert!(parse(&frame, 1).is_ok());
        let (source, destination) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 99));
        let partial = checksum::fold(pseudo_header(source, destination, 309)).to_ne_bytes();
        for (field, result) in [
            ([0, 0], Ok(())),
            (partial, Ok(())),
            ([0x12, 0x34], Err(Outcome::BadUdpChecksum)),
        ] {
            frame[40..42].copy_from_slice(&field);
            assert_eq!(parse(&frame, 1).map(|_| ()), result, "{field:?}");
        }
        frame[24] ^= 1;
        assert_eq!(parse(&frame, 1), Err(Outcome::BadIpChecksum));
    }

    #[test]
    fn a_message_that_does_not_fit_is_refused() {
        let mut small = [0; MAX_HEADERS_LEN + 300];
        assert_eq!(
            build(&egress(QINQ), OUR_MAC, &[0; 300], &mut small),
            Ok(small.len())
        );
        assert_eq!(
            build(&egress(QINQ), OUR_MAC, &[0; 301], &mut small),
            Err(TooLarge(301))
        );
        for len in [65_508, 65_528, 70_000] {
            let mut frame = vec![0; 80_000];
            let result = build(&egress(UNTAGGED), OUR_MAC, &vec![0; len], &mut frame);
            assert_eq!(result, Err(TooLarge(len)));
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(
            octets in proptest::collection::vec(any::<u8>(), 0..400),
            at in 0usize..60,
            head in 0usize..60,
        ) {
            let _ = parse(&octets, 1);
            let mut frame = frame(VLAN, &[1; 300]);
            let end = (at + head).min(frame.len()).min(at + octets.len());
            if let (Some(target), Some(source)) = (frame.get_mut(at..end), octets.get(..end.saturating_sub(at))) {
                target.copy_from_slice(source);
            }
            if let Ok((_, range)) = parse(&frame, 1) {
                prop_assert!(frame.get(range).is_some());
            }
        }

        #[test]
        fn every_message_comes_through(message in proptest::collection::vec(any::<u8>(), 240..=1472)) {
            let frame = frame(QINQ, &message);
            let (_, range) = parse(&frame, 1).unwrap();
            prop_assert_eq!(&frame[range], message);
        }
    }
}

//! Builds the frames of a probe, ARP on a client's link or ICMP echo through its relay agent, and
//! recognizes answers.

use dhcp_common::{checksum, wire};
use dhcp_engine::{Probe, ProbeAnswer, ProbeWay};
use etherparse::{
    ArpEthIpv4Packet, ArpOperation, ArpPacketSlice, EtherType, Ethernet2HeaderSlice,
    IcmpEchoHeader, Icmpv4Header, Icmpv4Slice, Icmpv4Type, IpNumber, Ipv4HeaderSlice,
};

use super::frame::{TooLarge, Writer, ip_header, is_tag};

/// The EtherType of ARP (RFC 826).
const ETHERTYPE_ARP: u16 = EtherType::ARP.0;
/// Shortest frame, without the checksum at its end (IEEE 802.3 §3.2.8): an AF_XDP socket does not
/// pad.
const MIN_FRAME_LEN: usize = 60;
/// The data of an echo, which comes back in the answer (RFC 792).
const COOKIE_LEN: usize = 16;
const ICMP_LEN: usize = 8;

/// Builds probes and recognizes their answers.
#[derive(Debug)]
pub struct Prober {
    /// Proves that the sender of an answer has seen a probe. Drawn at the start.
    cookie: [u8; COOKIE_LEN],
}

impl Prober {
    pub const fn new(cookie: [u8; COOKIE_LEN]) -> Self {
        Self { cookie }
    }

    /// Writes the frame of a probe to `frame` and returns its length.
    ///
    /// # Errors
    /// The frame has no room.
    pub fn build(
        &self,
        probe: &Probe,
        our_mac: [u8; 6],
        frame: &mut [u8],
    ) -> Result<usize, TooLarge> {
        let mut writer = Writer::new(frame);
        let written = match probe.way {
            ProbeWay::Link { sender } => {
                let arp = ArpEthIpv4Packet {
                    operation: ArpOperation::REQUEST,
                    sender_mac: our_mac,
                    sender_ipv4: sender.octets(),
                    target_mac: [0; 6],
                    target_ipv4: probe.address.octets(),
                };
                let to = wire::MAC_BROADCAST;
                writer
                    .put_link(our_mac, to, &probe.tags, ETHERTYPE_ARP)
                    .and_then(|()| writer.put(&arp.to_bytes()))
            }
            ProbeWay::Relay { mac, source } => {
                let len = ICMP_LEN + COOKIE_LEN;
                let ip = ip_header(source, probe.address, IpNumber::ICMP, len);
                let [high, low, ..] = self.cookie;
                let echo = Icmpv4Type::EchoRequest(IcmpEchoHeader {
                    id: u16::from_be_bytes([high, low]),
                    seq: 1,
                });
                let icmp = Icmpv4Header::with_checksum(echo, &self.cookie);
                ip.and_then(|ip| {
                    writer.put_link(our_mac, mac, &probe.tags, wire::ETHERTYPE_IPV4)?;
                    writer.put(&ip.to_bytes())?;
                    writer.put(&icmp.to_bytes())?;
                    writer.put(&self.cookie)
                })
            }
        };
        let padding = MIN_FRAME_LEN.saturating_sub(writer.written);
        written
            .and_then(|()| writer.put(&[0; MIN_FRAME_LEN][..padding]))
            .ok_or(TooLarge(MIN_FRAME_LEN))?;
        Ok(writer.written)
    }

    /// Returns the answer to a probe in a received frame. `outer` is the VLAN id that the kernel
    /// removed from it, if there was a tag.
    pub fn parse(&self, frame: &[u8], outer: Option<u16>, ifindex: u32) -> Option<ProbeAnswer> {
        let ethernet = Ethernet2HeaderSlice::from_slice(frame).ok()?;
        let mut packet = frame.get(wire::ETHERNET_LEN..)?;
        let mut packet_type = ethernet.ether_type().0;
        let mut inner = None;
        if is_tag(packet_type) {
            let [tci @ .., type_high, type_low] = *packet.first_chunk::<4>()?;
            inner = Some(u16::from_be_bytes(tci) & wire::VLAN_ID_MASK);
            packet_type = u16::from_be_bytes([type_high, type_low]);
            packet = packet.get(wire::VLAN_TAG_LEN..)?;
        }
        match packet_type {
            ETHERTYPE_ARP => {
                let mut vlans = [outer, inner].into_iter().flatten();
                let vlans = [(); wire::MAX_VLAN_TAGS].map(|()| vlans.next().unwrap_or(0));
                arp_reply(packet, vlans, ifindex)
            }
            wire::ETHERTYPE_IPV4 => self.echo_reply(packet),
            _ => None,
        }
    }

    fn echo_reply(&self, packet: &[u8]) -> Option<ProbeAnswer> {
        let ip = Ipv4HeaderSlice::from_slice(packet).ok()?;
        if ip.protocol() != IpNumber::ICMP || ip.is_fragmenting_payload() {
            return None;
        }
        let icmp = packet.get(ip.slice().len()..usize::from(ip.total_len()))?;
        let is_intact = [ip.slice(), icmp]
            .iter()
            .all(|part| checksum::finish(checksum::sum(part)) == 0);
        let icmp = Icmpv4Slice::from_slice(icmp).ok()?;
        let is_ours = matches!(icmp.icmp_type(), Icmpv4Type::EchoReply(_))
            && icmp.payload() == self.cookie.as_slice();
        (is_intact && is_ours).then(|| ProbeAnswer::Echo {
            address: ip.source_addr(),
        })
    }
}

fn arp_reply(packet: &[u8], vlans: [u16; 2], ifindex: u32) -> Option<ProbeAnswer> {
    let arp = ArpPacketSlice::from_slice(packet).ok()?;
    let arp = arp.to_packet().try_eth_ipv4().ok()?;
    (arp.operation == ArpOperation::REPLY).then(|| ProbeAnswer::Arp {
        address: arp.sender_ipv4_addr(),
        ifindex,
        vlans,
        mac: arp.sender_mac,
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    const OUR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const HOST_MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
    const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const ASKED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 99);
    const PROBER: Prober = Prober::new([7; COOKIE_LEN]);
    const QINQ: [Option<[u8; 4]>; 2] = [Some([0x88, 0xa8, 0, 100]), Some([0x81, 0, 0x60, 9])];
    const LINK: ProbeWay = ProbeWay::Link { sender: OURS };
    const RELAY: ProbeWay = ProbeWay::Relay {
        mac: HOST_MAC,
        source: OURS,
    };

    fn probe(way: ProbeWay, tags: [Option<[u8; 4]>; 2]) -> Probe {
        Probe {
            address: ASKED,
            ifindex: 3,
            tags,
            way,
        }
    }

    fn built(probe: &Probe) -> Vec<u8> {
        let mut frame = vec![0xee; 128];
        let len = PROBER.build(probe, OUR_MAC, &mut frame).unwrap();
        frame.truncate(len);
        frame
    }

    /// Returns a host's answer to a probe, as the kernel passes it to the controller.
    fn answered(probe: &Probe) -> (Vec<u8>, Option<u16>) {
        let mut frame = built(probe);
        let tags_len = wire::VLAN_TAG_LEN * probe.tags.iter().flatten().count();
        let packet = &mut frame[wire::ETHERNET_LEN + tags_len..];
        match probe.way {
            ProbeWay::Link { .. } => {
                packet[7] = 2;
                packet[8..14].copy_from_slice(&HOST_MAC);
                packet[14..18].copy_from_slice(&ASKED.octets());
            }
            ProbeWay::Relay { .. } => {
                for at in 12..16 {
                    packet.swap(at, at + 4);
                }
                packet[20] = 0;
                // One word has decreased by 0x0800, so that the sum increases by it.
                packet[22] += 8;
            }
        }
        let outer = probe.tags[0].map(|[_, _, high, low]| u16::from_be_bytes([high & 0xf, low]));
        if outer.is_some() {
            // The kernel takes out the outer tag.
            frame.drain(12..16);
        }
        (frame, outer)
    }

    fn parse(probe: &Probe) -> Option<ProbeAnswer> {
        let (frame, outer) = answered(probe);
        PROBER.parse(&frame, outer, 3)
    }

    #[test]
    fn c030_an_arp_request_is_octet_for_octet_what_is_expected() {
        #[rustfmt::skip]
        let expected = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1,
            0x88, 0xa8, 0, 100, 0x81, 0, 0x60, 9, 8, 6,
            0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 99,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(built(&probe(LINK, QINQ)), expected);
        assert_eq!(built(&probe(LINK, [None; 2])).len(), MIN_FRAME_LEN);
    }

    #[test]
    fn c030_an_echo_request_is_octet_for_octet_what_is_expected() {
        #[rustfmt::skip]
        let expected = [
            2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0,
            0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 1, 0x26, 0x6e, 10, 0, 0, 1, 10, 0, 0, 99,
            8, 0, 0xb8, 0xbf, 7, 7, 0, 1, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
            0, 0,
        ];
        assert_eq!(built(&probe(RELAY, [None; 2])), expected);
    }

    #[test]
    fn c030_the_answer_of_a_host_answers_its_probe_and_no_other() {
        let vlan = [Some([0x81, 0, 0xa0, 7]), None];
        for tags in [[None; 2], vlan, QINQ] {
            let link = probe(LINK, tags);
            let answer = parse(&link).expect("an answer");
            assert_eq!((answer.address(), answer.mac()), (ASKED, Some(HOST_MAC)));
            assert!(link.is_answered_by(&answer));
            assert!(!probe(RELAY, tags).is_answered_by(&answer));
            assert!(!Probe { ifindex: 4, ..link }.is_answered_by(&answer));
            let address = OURS;
            assert!(!Probe { address, ..link }.is_answered_by(&answer));
            let other = [Some([0x81, 0, 0, 8]), None];
            assert!(!probe(LINK, other).is_answered_by(&answer));

            let relay = probe(RELAY, tags);
            let answer = parse(&relay).expect("an answer");
            assert_eq!(answer, ProbeAnswer::Echo { address: ASKED });
            assert!(relay.is_answered_by(&answer) && !link.is_answered_by(&answer));
        }
    }

    /// A switch may add or remove a tag that has only a priority.
    #[test]
    fn a_tag_without_a_vlan_makes_no_difference() {
        let link = probe(LINK, [Some([0x81, 0, 0xa0, 0]), None]);
        let (untagged, _) = answered(&probe(LINK, [None; 2]));
        for outer in [None, Some(0)] {
            let answer = PROBER.parse(&untagged, outer, 3).expect("an answer");
            assert!(link.is_answered_by(&answer));
        }
    }

    #[test]
    fn what_is_no_answer_to_us_is_none() {
        type Change = fn(&mut Vec<u8>);
        let changes: [(&str, ProbeWay, Change); 9] = [
            ("an ARP request", LINK, |frame| frame[21] = 1),
            ("ARP of another hardware", LINK, |frame| frame[15] = 6),
            ("ARP of another length", LINK, |frame| frame[18] = 5),
            ("IPv6", LINK, |frame| {
                frame[12..14].copy_from_slice(&[0x86, 0xdd])
            }),
            ("an echo request", RELAY, |frame| {
                frame[34] = 8;
                frame[36] -= 8;
            }),
            ("UDP", RELAY, |frame| {
                frame[23] = 17;
                frame[25] -= 16;
            }),
            ("another cookie", RELAY, |frame| {
                frame[43] -= 1;
                frame[45] += 1;
            }),
            ("a wrong checksum", RELAY, |frame| frame[37] ^= 1),
            ("a wrong header checksum", RELAY, |frame| frame[29] ^= 1),
        ];
        for (name, way, change) in changes {
            let (mut frame, _) = answered(&probe(way, [None; 2]));
            assert!(PROBER.parse(&frame, None, 3).is_some(), "{name}, unchanged");
            change(&mut frame);
            assert_eq!(PROBER.parse(&frame, None, 3), None, "{name}");
        }
    }

    #[test]
    fn a_frame_without_room_is_not_written_over_its_end() {
        for way in [LINK, RELAY] {
            let probe = probe(way, QINQ);
            let len = built(&probe).len();
            for room in 0..len {
                let built = PROBER.build(&probe, OUR_MAC, &mut vec![0; room]);
                assert_eq!(built, Err(TooLarge(MIN_FRAME_LEN)), "{room} octets");
            }
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_an_answer_or_none(
            octets in proptest::collection::vec(any::<u8>(), 0..80),
            cut in 0usize..80,
        ) {
            let _ = PROBER.parse(&octets, None, 3);
            for way in [LINK, RELAY] {
                let (mut frame, outer) = answered(&probe(way, QINQ));
                frame.truncate(cut);
                let _ = PROBER.parse(&frame, outer, 3);
                frame.extend(&octets);
                let _ = PROBER.parse(&frame, outer, 3);
            }
        }
    }
}

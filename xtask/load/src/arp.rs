//! ARP for the clients: servers without packet sockets resolve the addresses that they send to.

use std::net::Ipv4Addr;

use etherparse::{ArpEthIpv4Packet, ArpOperation, ArpPacket, NetSlice, SlicedPacket};

use super::template;

const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];

/// An ARP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    pub target: Ipv4Addr,
    sender: Ipv4Addr,
    sender_mac: [u8; 6],
}

/// Parses a request. Returns `None` for other frames.
pub fn read(frame: &[u8]) -> Option<Question> {
    // Most frames are something else, and are rejected early.
    let types = [frame.get(12..14)?, frame.get(16..18)?, frame.get(20..22)?];
    if !types.contains(&ETHERTYPE_ARP.as_slice()) {
        return None;
    }
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(NetSlice::Arp(arp)) = packet.net else {
        return None;
    };
    let arp = arp.to_packet().try_eth_ipv4().ok()?;
    (arp.operation == ArpOperation::REQUEST).then(|| Question {
        target: arp.target_ipv4.into(),
        sender: arp.sender_ipv4.into(),
        sender_mac: arp.sender_mac,
    })
}

/// Writes the reply of the client that has the address, and returns its length.
pub fn write(question: &Question, mac: [u8; 6], vlans: &[u16], frame: &mut [u8]) -> Option<usize> {
    let arp = ArpPacket::from(ArpEthIpv4Packet {
        operation: ArpOperation::REPLY,
        sender_mac: mac,
        sender_ipv4: question.target.octets(),
        target_mac: question.sender_mac,
        target_ipv4: question.sender.octets(),
    });
    let mut octets = template::link_header(question.sender_mac, mac, vlans);
    let ethertype = octets.len().checked_sub(2)?;
    octets.truncate(ethertype);
    octets.extend(ETHERTYPE_ARP);
    octets.extend(arp.to_bytes());
    let len = octets.len();
    frame.get_mut(..len)?.copy_from_slice(&octets);
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_answers_for_its_address_with_the_tags_of_its_link() {
        let (server, client) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 9]);
        let target = Ipv4Addr::new(10, 1, 0, 9);
        for vlans in [vec![], vec![7], vec![7, 300]] {
            let mut frame = template::link_header([0xff; 6], server, &vlans);
            let ethertype = frame.len() - 2;
            frame.truncate(ethertype);
            frame.extend(ETHERTYPE_ARP);
            let arp = ArpPacket::from(ArpEthIpv4Packet {
                operation: ArpOperation::REQUEST,
                sender_mac: server,
                sender_ipv4: [10, 1, 0, 1],
                target_mac: [0; 6],
                target_ipv4: target.octets(),
            });
            frame.extend(arp.to_bytes());
            let question = read(&frame).unwrap();
            assert_eq!(question.target, target);

            let mut answer = [0; 64];
            let len = write(&question, client, &vlans, &mut answer).unwrap();
            let answer = &answer[..len];
            assert_eq!(read(answer), None, "a reply is not a request");
            assert_eq!(answer[..12], [server, client].concat());
            assert_eq!(answer[12..ethertype], frame[12..ethertype]);
            let packet = SlicedPacket::from_ethernet(answer).unwrap();
            let Some(NetSlice::Arp(arp)) = packet.net else {
                panic!("{packet:?}");
            };
            let arp = arp.to_packet().try_eth_ipv4().unwrap();
            assert_eq!(arp.operation, ArpOperation::REPLY);
            assert_eq!((arp.sender_mac, arp.sender_ipv4), (client, target.octets()));
            assert_eq!((arp.target_mac, arp.target_ipv4), (server, [10, 1, 0, 1]));
        }
    }
}

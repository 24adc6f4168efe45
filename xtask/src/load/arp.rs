//! ARP on behalf of the clients: servers without packet sockets ask for whom they send to.

use std::net::Ipv4Addr;

use etherparse::{ArpEthIpv4Packet, ArpOperation, ArpPacket, NetSlice, SlicedPacket};

use super::template;

const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];

/// Who has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    pub target: Ipv4Addr,
    sender: Ipv4Addr,
    sender_mac: [u8; 6],
}

/// Reads a question; `None` where the frame is something else.
pub fn read(frame: &[u8]) -> Option<Question> {
    // Most frames are not, and should be told so at once.
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

/// Writes the answer of the client that has the address; its length.
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

//! Parses and verifies a server's answers: every octet that a client would rely on.

use std::net::Ipv4Addr;

use dhcp_common::{
    checksum,
    wire::{
        BOOTP_FIXED_LEN, BOOTREPLY, CLIENT_PORT, ETHERNET_LEN, ETHERTYPE_IPV4, ETHERTYPE_QINQ,
        ETHERTYPE_VLAN, IPV4_FRAGMENT_MASK, IPV4_LEN, IPV4_PROTOCOL_UDP, IPV4_VERSION_IHL,
        MAGIC_COOKIE, MAX_VLAN_TAGS, SERVER_PORT, UDP_LEN, VLAN_TAG_LEN, option,
    },
};

/// The parts of a reply that clients use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Option 53.
    pub kind: u8,
    pub xid: u32,
    pub chaddr: [u8; 6],
    /// `yiaddr`.
    pub address: Ipv4Addr,
    /// Option 54.
    pub server: Option<Ipv4Addr>,
    /// Option 51.
    pub lease_secs: Option<u32>,
    pub source_mac: [u8; 6],
    /// Source of the IP header.
    pub source: Ipv4Addr,
}

/// Why a frame to a DHCP port is not an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not for clients or relay agents: other traffic.
    NotDhcp,
    IpChecksum,
    UdpChecksum,
    /// Truncated, or in violation of RFC 2131.
    Malformed,
}

/// A received frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub octets: &'a [u8],
    /// Whether the frame has checksums: the kernel leaves those of its own datagrams to the
    /// hardware, and a veth computes none.
    pub has_checksums: bool,
    /// On the clock of its transport.
    pub received_ns: u64,
}

/// Parses a reply.
///
/// # Errors
/// The frame is not a reply, or is incomplete.
pub fn read(frame: Frame<'_>) -> Result<Answer, Fault> {
    let octets = frame.octets;
    let network = network_offset(octets).ok_or(Fault::NotDhcp)?;
    let packet = octets.get(network..).ok_or(Fault::NotDhcp)?;
    let ip: &[u8; IPV4_LEN] = packet.first_chunk().ok_or(Fault::NotDhcp)?;
    let datagram = packet.get(IPV4_LEN..).ok_or(Fault::NotDhcp)?;
    let udp: &[u8; UDP_LEN] = datagram.first_chunk().ok_or(Fault::NotDhcp)?;
    let [_, _, target_port @ .., _, _, _, _] = udp;
    let target_port = u16::from_be_bytes(*target_port);
    let fragment = u16::from_be_bytes([ip[6], ip[7]]) & IPV4_FRAGMENT_MASK;
    if ip[0] != IPV4_VERSION_IHL
        || ip[9] != IPV4_PROTOCOL_UDP
        || fragment != 0
        || !matches!(target_port, CLIENT_PORT | SERVER_PORT)
    {
        return Err(Fault::NotDhcp);
    }
    if checksum::fold(checksum::sum(ip)) != u16::MAX {
        return Err(Fault::IpChecksum);
    }
    let len = usize::from(u16::from_be_bytes([udp[4], udp[5]]));
    let datagram = datagram.get(..len).ok_or(Fault::Malformed)?;
    let has_checksum = [udp[6], udp[7]] != [0, 0];
    if frame.has_checksums && has_checksum && !is_whole(ip, datagram) {
        return Err(Fault::UdpChecksum);
    }
    message(octets, ip, datagram.get(UDP_LEN..).unwrap_or_default())
}

fn network_offset(frame: &[u8]) -> Option<usize> {
    let mut offset = ETHERNET_LEN;
    for _ in 0..=MAX_VLAN_TAGS {
        let ethertype = u16::from_be_bytes(*frame.get(offset - 2..)?.first_chunk()?);
        match ethertype {
            ETHERTYPE_IPV4 => return Some(offset),
            ETHERTYPE_VLAN | ETHERTYPE_QINQ => offset += VLAN_TAG_LEN,
            _ => return None,
        }
    }
    None
}

fn is_whole(ip: &[u8; IPV4_LEN], datagram: &[u8]) -> bool {
    let len = u16::try_from(datagram.len()).unwrap_or_default();
    let pseudo = checksum::sum(&ip[12..])
        + u64::from(u16::from(IPV4_PROTOCOL_UDP).to_be())
        + u64::from(len.to_be());
    checksum::fold(checksum::sum(datagram) + pseudo) == u16::MAX
}

fn message(frame: &[u8], ip: &[u8; IPV4_LEN], message: &[u8]) -> Result<Answer, Fault> {
    let fixed: &[u8; BOOTP_FIXED_LEN] = message.first_chunk().ok_or(Fault::Malformed)?;
    if fixed[0] != BOOTREPLY {
        return Err(Fault::NotDhcp);
    }
    if fixed[BOOTP_FIXED_LEN - 4..] != MAGIC_COOKIE.get().to_be_bytes() {
        return Err(Fault::Malformed);
    }
    let word = |at: usize| fixed.get(at..).and_then(|octets| octets.first_chunk::<4>());
    let address = word(16).copied().ok_or(Fault::Malformed)?;
    let xid = word(4).copied().ok_or(Fault::Malformed)?;
    let mut answer = Answer {
        kind: 0,
        xid: u32::from_be_bytes(xid),
        chaddr: *fixed[28..].first_chunk().ok_or(Fault::Malformed)?,
        address: address.into(),
        server: None,
        lease_secs: None,
        source_mac: *frame
            .get(6..)
            .and_then(|octets| octets.first_chunk())
            .ok_or(Fault::Malformed)?,
        source: [ip[12], ip[13], ip[14], ip[15]].into(),
    };
    let mut options = message.get(BOOTP_FIXED_LEN..).unwrap_or_default();
    loop {
        match options {
            [option::PAD, rest @ ..] => options = rest,
            [option::END, ..] => break,
            [code, len, rest @ ..] => {
                let (value, rest) = rest
                    .split_at_checked(usize::from(*len))
                    .ok_or(Fault::Malformed)?;
                take(&mut answer, *code, value);
                options = rest;
            }
            _ => return Err(Fault::Malformed),
        }
    }
    if answer.kind == 0 {
        return Err(Fault::Malformed);
    }
    Ok(answer)
}

fn take(answer: &mut Answer, code: u8, value: &[u8]) {
    match (code, value) {
        (option::MESSAGE_TYPE, [kind]) => answer.kind = *kind,
        (option::SERVER_ID, [a, b, c, d]) => answer.server = Some([*a, *b, *c, *d].into()),
        (option::LEASE_TIME, [a, b, c, d]) => {
            answer.lease_secs = Some(u32::from_be_bytes([*a, *b, *c, *d]));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use dhcp_common::wire::message_type;

    use super::*;
    use crate::testing::{self, Reply};

    fn heard(octets: &[u8]) -> Result<Answer, Fault> {
        read(Frame {
            octets,
            has_checksums: true,
            received_ns: 0,
        })
    }

    #[test]
    fn an_offer_is_read_with_and_without_tags() {
        for vlans in [vec![], vec![7], vec![7, 300]] {
            let offer = Reply {
                vlans,
                ..Reply::offer([2, 0, 0, 0, 0, 9], 0x1234_5678, testing::address(9))
            };
            let answer = heard(&offer.frame()).unwrap();
            assert_eq!(answer.kind, message_type::OFFER);
            assert_eq!(answer.xid, 0x1234_5678);
            assert_eq!(answer.chaddr, [2, 0, 0, 0, 0, 9]);
            assert_eq!(answer.address, testing::address(9));
            assert_eq!(answer.server, Some(testing::SERVER));
            assert_eq!(answer.lease_secs, Some(3600));
            assert_eq!(answer.source, testing::SERVER);
        }
    }

    #[test]
    fn every_octet_that_is_changed_is_noticed() {
        let frame = Reply::offer([2, 0, 0, 0, 0, 9], 1, testing::address(9)).frame();
        let right = heard(&frame).unwrap();
        for at in ETHERNET_LEN..frame.len() {
            let mut changed = frame.clone();
            changed[at] ^= 0x10;
            let answer = heard(&changed);
            assert!(answer.is_err(), "octet {at}: {answer:?} like {right:?}");
        }
        let mut changed = frame.clone();
        changed[ETHERNET_LEN + 10] ^= 1;
        assert_eq!(heard(&changed), Err(Fault::IpChecksum));
        changed.clone_from(&frame);
        changed[ETHERNET_LEN + 60] ^= 1;
        assert_eq!(heard(&changed), Err(Fault::UdpChecksum));
        // A checksum that is left to the hardware or not computed proves nothing.
        let unfinished = Frame {
            octets: &changed,
            has_checksums: false,
            received_ns: 0,
        };
        assert!(read(unfinished).is_ok());
        let udp = ETHERNET_LEN + IPV4_LEN;
        changed[udp + 6..udp + 8].copy_from_slice(&[0, 0]);
        assert!(heard(&changed).is_ok());
    }

    #[test]
    fn a_frame_that_is_cut_off_is_no_answer() {
        let frame = Reply::offer([2, 0, 0, 0, 0, 9], 1, testing::address(9)).frame();
        for len in 0..frame.len() {
            assert!(heard(&frame[..len]).is_err(), "{len} octets");
        }
    }
}

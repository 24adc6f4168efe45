//! Requests, valid and invalid, built octet by octet.

use std::net::Ipv4Addr;

use anyhow::Result;
use dhcp_common::wire::{
    BOOTP_MIN_LEN, BOOTREQUEST, ETHERNET_LEN, FILE_LEN, HTYPE_ETHERNET, IPV4_LEN, MAGIC_COOKIE,
    SERVER_PORT, SNAME_LEN, UDP_LEN, option,
};
use etherparse::{EtherType, Ethernet2Header, IpFragOffset, IpNumber, Ipv4Header, PacketBuilder};
use xtask_lab::wire::Path;

const CHADDR_LEN: usize = 16;
const MAC_LEN: usize = 6;
const TTL: u8 = 64;

/// What follows the last whole option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Option 255, and padding.
    Option,
    /// Padding.
    Padding,
    /// An option that announces more octets than there are.
    Overrun,
}

#[derive(Clone, Debug)]
pub struct Request {
    pub xid: u32,
    pub secs: u16,
    pub flags: u16,
    pub ciaddr: Ipv4Addr,
    pub giaddr: Ipv4Addr,
    pub mac: [u8; MAC_LEN],
    pub options: Vec<(u8, Vec<u8>)>,
    pub end: End,
    /// The table's name for an address that occurs in an answer.
    pub names: Vec<(Ipv4Addr, &'static str)>,
}

impl Request {
    /// Returns a message with the options of common clients, which requests mask, router and name
    /// servers.
    pub fn new(mac: [u8; 6], kind: u8) -> Self {
        let asked = vec![option::SUBNET_MASK, option::ROUTER, DOMAIN_NAME_SERVER];
        Self {
            xid: rand::random(),
            secs: 0,
            flags: 0,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            mac,
            options: vec![
                (option::MESSAGE_TYPE, vec![kind]),
                (option::PARAMETER_LIST, asked),
            ],
            end: End::Option,
            names: Vec::new(),
        }
    }

    /// Sets an option.
    #[must_use]
    pub fn with(mut self, code: u8, value: &[u8]) -> Self {
        self.options.retain(|(other, _)| *other != code);
        self.options.push((code, value.to_vec()));
        self
    }

    /// Adds an option, even if there is one of this code.
    #[must_use]
    pub fn with_another(mut self, code: u8, value: &[u8]) -> Self {
        self.options.push((code, value.to_vec()));
        self
    }

    /// Sets option 50, and the name of its address in the table.
    #[must_use]
    pub fn asking(mut self, address: Ipv4Addr, name: &'static str) -> Self {
        self.names.push((address, name));
        self.with(option::REQUESTED_ADDRESS, &address.octets())
    }

    /// Sets `ciaddr`, and the name of its address in the table.
    #[must_use]
    pub fn having(mut self, address: Ipv4Addr, name: &'static str) -> Self {
        self.names.push((address, name));
        self.ciaddr = address;
        self
    }

    /// Sets option 54.
    #[must_use]
    pub fn to_server(self, address: Ipv4Addr) -> Self {
        self.with(option::SERVER_ID, &address.octets())
    }

    #[must_use]
    pub const fn through(mut self, giaddr: Ipv4Addr) -> Self {
        self.giaddr = giaddr;
        self
    }

    pub fn option(&self, code: u8) -> Option<&[u8]> {
        let found = self.options.iter().find(|(other, _)| *other == code);
        found.map(|(_, value)| value.as_slice())
    }

    fn payload(&self) -> Result<Vec<u8>> {
        let mut octets = vec![
            BOOTREQUEST,
            HTYPE_ETHERNET,
            u8::try_from(self.mac.len())?,
            0,
        ];
        octets.extend(self.xid.to_be_bytes());
        octets.extend(self.secs.to_be_bytes());
        octets.extend(self.flags.to_be_bytes());
        octets.extend(self.ciaddr.octets());
        octets.extend([0; 8]);
        octets.extend(self.giaddr.octets());
        octets.extend(self.mac);
        octets.extend([0; CHADDR_LEN - MAC_LEN + SNAME_LEN + FILE_LEN]);
        octets.extend(MAGIC_COOKIE.get().to_be_bytes());
        for (code, value) in &self.options {
            octets.push(*code);
            octets.push(u8::try_from(value.len())?);
            octets.extend(value);
        }
        match self.end {
            End::Option => octets.push(option::END),
            End::Padding => {}
            End::Overrun => {
                octets.extend([option::HOST_NAME, 64, b'a', b'b', b'c']);
                return Ok(octets);
            }
        }
        octets.resize(octets.len().max(BOOTP_MIN_LEN), option::PAD);
        Ok(octets)
    }

    /// Encodes the request as a frame from this client or from the relay agent.
    ///
    /// # Errors
    /// A value is too long for an option.
    pub fn frame(&self, source_mac: [u8; 6], path: Path) -> Result<Vec<u8>> {
        let payload = self.payload()?;
        let builder = PacketBuilder::ethernet2(source_mac, path.destination_mac)
            .ipv4(path.source.octets(), path.destination.octets(), TTL)
            .udp(path.source_port, path.destination_port);
        let mut frame = Vec::with_capacity(builder.size(payload.len()));
        builder.write(&mut frame, &payload)?;
        Ok(frame)
    }
}

/// Option 6.
pub const DOMAIN_NAME_SERVER: u8 = 6;
/// Option 15.
pub const DOMAIN_NAME: u8 = 15;

/// Returns a frame whose UDP checksum is off by one.
#[must_use]
pub fn with_wrong_checksum(mut frame: Vec<u8>) -> Vec<u8> {
    if let Some(octet) = frame.get_mut(ETHERNET_LEN + IPV4_LEN + UDP_LEN - 1) {
        *octet ^= 1;
    }
    frame
}

/// Returns a frame whose IP packet has more octets than its UDP datagram.
///
/// # Errors
/// The frame was not built here.
pub fn with_octets_behind(frame: &[u8]) -> Result<Vec<u8>> {
    const BEHIND: [u8; 18] = [0; 18];

    let (link, rest) = Ethernet2Header::from_slice(frame)?;
    let (mut ip, payload) = Ipv4Header::from_slice(rest)?;
    ip.set_payload_len(payload.len() + BEHIND.len())?;
    ip.header_checksum = ip.calc_header_checksum();
    let mut longer = Vec::new();
    link.write(&mut longer)?;
    ip.write(&mut longer)?;
    longer.extend(payload);
    longer.extend(BEHIND);
    Ok(longer)
}

/// Returns the datagram in two fragments.
///
/// # Errors
/// The frame was not built here.
pub fn in_two_fragments(frame: &[u8]) -> Result<[Vec<u8>; 2]> {
    /// In units of eight octets (RFC 791 §3.1).
    const SPLIT: u16 = 20;

    let (link, rest) = Ethernet2Header::from_slice(frame)?;
    let (ip, payload) = Ipv4Header::from_slice(rest)?;
    let (head, tail) = payload.split_at(payload.len().min(usize::from(SPLIT) * 8));
    let fragment = |octets: &[u8], offset: u16, has_more: bool| -> Result<Vec<u8>> {
        let mut header = Ipv4Header::new(
            u16::try_from(octets.len())?,
            ip.time_to_live,
            IpNumber::UDP,
            ip.source,
            ip.destination,
        )?;
        header.identification = 1;
        header.dont_fragment = false;
        header.more_fragments = has_more;
        header.fragment_offset = IpFragOffset::try_new(offset)?;
        header.header_checksum = header.calc_header_checksum();
        let mut frame = Vec::new();
        Ethernet2Header {
            ether_type: EtherType::IPV4,
            ..link.clone()
        }
        .write(&mut frame)?;
        header.write(&mut frame)?;
        frame.extend(octets);
        Ok(frame)
    };
    Ok([fragment(head, 0, true)?, fragment(tail, SPLIT, false)?])
}

/// Returns the path of a relay agent with an address on the server's link.
pub const fn relay_path(agent: Ipv4Addr, server: Ipv4Addr, server_mac: [u8; 6]) -> Path {
    Path {
        destination_mac: server_mac,
        source: agent,
        destination: server,
        source_port: SERVER_PORT,
        destination_port: SERVER_PORT,
    }
}

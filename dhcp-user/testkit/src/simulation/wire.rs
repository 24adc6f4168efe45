//! Reads messages off the wire, with code that shares nothing with either path.

use std::net::Ipv4Addr;

use dhcp_common::{
    abi::ClientKey,
    wire::{BOOTP_FIXED_LEN, BOOTREQUEST, message_type, option},
};

use super::scene::{self, RELAY, SERVER};

/// A BOOTP message in an untagged frame.
#[derive(Clone, Debug)]
pub struct Message {
    pub is_request: bool,
    pub kind: u8,
    pub xid: u32,
    pub ciaddr: Ipv4Addr,
    pub yiaddr: Ipv4Addr,
    pub giaddr: Ipv4Addr,
    pub chaddr: [u8; 6],
    pub destination: Ipv4Addr,
    options: Vec<(u8, Vec<u8>)>,
}

impl Message {
    /// Parses a frame; `None` if it is damaged.
    pub fn read(frame: &[u8]) -> Option<Self> {
        const IP: usize = 14;
        const BOOTP: usize = IP + 20 + 8;
        let address = |at: usize| -> Option<Ipv4Addr> {
            let octets: [u8; 4] = frame.get(at..at + 4)?.try_into().ok()?;
            Some(octets.into())
        };
        let mut options = Vec::new();
        let mut rest = frame.get(BOOTP + BOOTP_FIXED_LEN..)?;
        loop {
            match *rest {
                [option::PAD, ref more @ ..] => rest = more,
                [option::END, ..] => break,
                [code, len, ref more @ ..] => {
                    let (value, more) = more.split_at_checked(usize::from(len))?;
                    options.push((code, value.to_vec()));
                    rest = more;
                }
                _ => return None,
            }
        }
        let mut message = Self {
            is_request: *frame.get(BOOTP)? == BOOTREQUEST,
            kind: 0,
            xid: u32::from_be_bytes(frame.get(BOOTP + 4..BOOTP + 8)?.try_into().ok()?),
            ciaddr: address(BOOTP + 12)?,
            yiaddr: address(BOOTP + 16)?,
            giaddr: address(BOOTP + 24)?,
            chaddr: frame.get(BOOTP + 28..BOOTP + 34)?.try_into().ok()?,
            destination: address(IP + 16)?,
            options,
        };
        message.kind = *message.option(option::MESSAGE_TYPE)?.first()?;
        Some(message)
    }

    pub fn option(&self, code: u8) -> Option<&[u8]> {
        let option = self.options.iter().find(|(other, _)| *other == code);
        option.map(|(_, value)| value.as_slice())
    }

    fn address(&self, code: u8) -> Option<Ipv4Addr> {
        let octets: [u8; 4] = self.option(code)?.try_into().ok()?;
        Some(octets.into())
    }

    pub fn server_id(&self) -> Option<Ipv4Addr> {
        self.address(option::SERVER_ID)
    }

    pub fn requested(&self) -> Option<Ipv4Addr> {
        self.address(option::REQUESTED_ADDRESS)
    }

    /// Returns the address that a client's message is about.
    pub fn about(&self) -> Option<Ipv4Addr> {
        let ciaddr = Some(self.ciaddr).filter(|ciaddr| !ciaddr.is_unspecified());
        match self.kind {
            message_type::RELEASE => ciaddr,
            message_type::DECLINE => self.requested(),
            _ => self.requested().or(ciaddr),
        }
    }

    pub fn lease_secs(&self) -> Option<u32> {
        let octets: [u8; 4] = self.option(option::LEASE_TIME)?.try_into().ok()?;
        Some(u32::from_be_bytes(octets))
    }

    /// Formats the message for display.
    pub fn summary(&self) -> String {
        format!(
            "{} {:#x} of {:?}: about {:?}, to server {:?}, ciaddr {}, yiaddr {}, lease {:?}",
            kind_of(self.kind),
            self.xid,
            self.client(),
            self.requested(),
            self.server_id(),
            self.ciaddr,
            self.yiaddr,
            self.lease_secs(),
        )
    }

    /// Returns whether it accepts the offer of another server.
    pub fn selects_other(&self) -> bool {
        self.kind == message_type::REQUEST && self.server_id().is_some_and(|id| id != SERVER)
    }

    /// Returns the client: by its client identifier on its network, or else by its hardware
    /// address.
    pub fn client(&self) -> Option<ClientKey> {
        let network = if !self.is_request && !self.yiaddr.is_unspecified() {
            scene::network_of(self.yiaddr)
        } else if self.giaddr == RELAY {
            Some(scene::RELAYED)
        } else if !self.giaddr.is_unspecified() {
            scene::network_of(self.giaddr)
        } else if self.destination == SERVER && !self.ciaddr.is_unspecified() {
            Some(scene::network_of(self.ciaddr).unwrap_or(scene::DIRECT))
        } else {
            Some(scene::DIRECT)
        };
        match self.option(option::CLIENT_ID) {
            Some(id) => ClientKey::client_id(network?, id),
            None => ClientKey::hardware(network?, 1, &self.chaddr),
        }
    }
}

fn kind_of(kind: u8) -> &'static str {
    match kind {
        message_type::DISCOVER => "DISCOVER",
        message_type::OFFER => "OFFER",
        message_type::REQUEST => "REQUEST",
        message_type::DECLINE => "DECLINE",
        message_type::ACK => "ACK",
        message_type::NAK => "NAK",
        message_type::RELEASE => "RELEASE",
        message_type::INFORM => "INFORM",
        _ => "message",
    }
}

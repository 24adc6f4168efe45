//! Messages that clients send and receive.

use std::net::Ipv4Addr;

use dhcp_common::{
    abi::ClientKey,
    wire::{self, message_type, option},
};
use dhcp_engine::{Egress, Ingress};

use super::*;

/// A reply as the client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub egress: Egress,
    pub payload: Vec<u8>,
}

impl Received {
    pub fn message_type(&self) -> u8 {
        self.option(option::MESSAGE_TYPE)
            .expect("every reply has a type")[0]
    }

    pub fn yiaddr(&self) -> Ipv4Addr {
        self.address_at(16)
    }

    pub fn ciaddr(&self) -> Ipv4Addr {
        self.address_at(12)
    }

    fn address_at(&self, offset: usize) -> Ipv4Addr {
        let octets: [u8; 4] = self.payload[offset..offset + 4]
            .try_into()
            .expect("four octets");
        octets.into()
    }

    /// Returns codes and values in the order sent.
    pub fn options(&self) -> Vec<(u8, Vec<u8>)> {
        let mut options = Vec::new();
        let mut rest = &self.payload[wire::BOOTP_FIXED_LEN..];
        while rest[0] != option::END {
            let len = usize::from(rest[1]);
            options.push((rest[0], rest[2..2 + len].to_vec()));
            rest = &rest[2 + len..];
        }
        assert!(
            rest[1..].iter().all(|octet| *octet == 0),
            "padding after END"
        );
        options
    }

    pub fn codes(&self) -> Vec<u8> {
        self.options().into_iter().map(|(code, _)| code).collect()
    }

    pub fn option(&self, code: u8) -> Option<Vec<u8>> {
        self.options()
            .into_iter()
            .find(|(other, _)| *other == code)
            .map(|(_, value)| value)
    }
}

/// A BOOTP request under construction.
#[derive(Clone, Debug)]
pub struct Message {
    pub payload: Vec<u8>,
    pub ingress: Ingress,
}

impl Message {
    pub fn new(client: u8, message_type: u8) -> Self {
        let mut payload = vec![0; wire::BOOTP_FIXED_LEN];
        payload[0] = wire::BOOTREQUEST;
        payload[1] = wire::HTYPE_ETHERNET;
        payload[2] = 6;
        payload[4..8].copy_from_slice(&[1, 2, 3, client]);
        payload[28..34].copy_from_slice(&mac(client));
        payload[236..240].copy_from_slice(&wire::MAGIC_COOKIE.get().to_be_bytes());
        payload.extend([option::MESSAGE_TYPE, 1, message_type]);
        Self {
            payload,
            ingress: Ingress {
                ifindex: IFINDEX,
                tags: [None; 2],
                source_mac: mac(client),
                source: Ipv4Addr::UNSPECIFIED,
                source_port: wire::CLIENT_PORT,
                destination: Ipv4Addr::BROADCAST,
                destination_port: wire::SERVER_PORT,
            },
        }
    }

    pub fn option(mut self, code: u8, value: &[u8]) -> Self {
        self.payload.extend([code, value.len() as u8]);
        self.payload.extend(value);
        self
    }

    pub fn requested(self, address: Ipv4Addr) -> Self {
        self.option(option::REQUESTED_ADDRESS, &address.octets())
    }

    pub fn server_id(self, address: Ipv4Addr) -> Self {
        self.option(option::SERVER_ID, &address.octets())
    }

    pub fn ciaddr(mut self, address: Ipv4Addr) -> Self {
        self.payload[12..16].copy_from_slice(&address.octets());
        self.ingress.source = address;
        self
    }

    pub fn relayed(mut self, giaddr: Ipv4Addr) -> Self {
        self.payload[24..28].copy_from_slice(&giaddr.octets());
        self.ingress.source_mac = RELAY_MAC;
        self.ingress.source = giaddr;
        self.ingress.source_port = wire::SERVER_PORT;
        self.ingress.destination = SERVER;
        self
    }

    pub fn tagged(mut self, vlan: u16) -> Self {
        let [high, low] = vlan.to_be_bytes();
        self.ingress.tags[0] = Some([0x81, 0, high, low]);
        self
    }

    pub fn flags(mut self, flags: u16) -> Self {
        self.payload[10..12].copy_from_slice(&flags.to_be_bytes());
        self
    }

    pub fn unicast(mut self) -> Self {
        self.ingress.destination = SERVER;
        self
    }

    /// Ends the options.
    pub fn end(mut self) -> Self {
        self.payload.push(option::END);
        self
    }
}

pub fn mac(client: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, client]
}

/// Returns the key of a client without client identifier.
pub fn key(client: u8) -> ClientKey {
    ClientKey::hardware(NETWORK, wire::HTYPE_ETHERNET, &mac(client)).expect("six octets are a key")
}

pub fn discover(client: u8) -> Message {
    Message::new(client, message_type::DISCOVER)
}

pub fn selecting(client: u8, address: Ipv4Addr) -> Message {
    Message::new(client, message_type::REQUEST)
        .requested(address)
        .server_id(SERVER)
}

pub fn selecting_other(client: u8) -> Message {
    Message::new(client, message_type::REQUEST)
        .requested(ip(99))
        .server_id(OTHER_SERVER)
}

pub fn init_reboot(client: u8, address: Ipv4Addr) -> Message {
    Message::new(client, message_type::REQUEST).requested(address)
}

pub fn renewing(client: u8, address: Ipv4Addr) -> Message {
    rebinding(client, address).unicast()
}

pub fn rebinding(client: u8, address: Ipv4Addr) -> Message {
    Message::new(client, message_type::REQUEST).ciaddr(address)
}

pub fn release(client: u8, address: Ipv4Addr) -> Message {
    Message::new(client, message_type::RELEASE)
        .ciaddr(address)
        .server_id(SERVER)
        .unicast()
}

pub fn decline(client: u8, address: Ipv4Addr) -> Message {
    Message::new(client, message_type::DECLINE)
        .requested(address)
        .server_id(SERVER)
}

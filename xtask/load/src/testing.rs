//! Fixtures for tests: a route, and frames of a server.

use std::net::Ipv4Addr;

use dhcp_common::wire::{
    BOOTP_FIXED_LEN, BOOTREPLY, CLIENT_PORT, HTYPE_ETHERNET, MAGIC_COOKIE, SERVER_PORT,
    message_type, option,
};
use etherparse::PacketBuilder;

use super::template::{Relay, Route, Server};

pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
pub const SERVER_MAC: [u8; 6] = [2, 0xff, 0, 0, 0, 1];

/// Returns the address of the n-th client.
pub fn address(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a01_0100 + n)
}

pub fn route() -> Route {
    Route {
        vlans: Vec::new(),
        relay: None,
        server: Server {
            mac: SERVER_MAC,
            address: SERVER,
            identifier: SERVER,
        },
    }
}

pub fn relayed() -> Route {
    Route {
        relay: Some(Relay {
            address: Ipv4Addr::new(10, 1, 0, 2),
            mac: [2, 0xff, 0, 0, 0, 2],
            remote_id: "switch".to_owned(),
            option_82: true,
        }),
        ..route()
    }
}

/// A server's reply.
#[derive(Clone, Debug)]
pub struct Reply {
    pub kind: u8,
    pub chaddr: [u8; 6],
    pub xid: u32,
    pub address: Ipv4Addr,
    pub server: Ipv4Addr,
    pub vlans: Vec<u16>,
}

impl Reply {
    pub fn offer(chaddr: [u8; 6], xid: u32, address: Ipv4Addr) -> Self {
        Self {
            kind: message_type::OFFER,
            chaddr,
            xid,
            address,
            server: SERVER,
            vlans: Vec::new(),
        }
    }

    pub fn frame(&self) -> Vec<u8> {
        let mut message = vec![BOOTREPLY, HTYPE_ETHERNET, 6, 0];
        message.extend(self.xid.to_be_bytes());
        message.resize(16, 0);
        message.extend(self.address.octets());
        message.resize(28, 0);
        message.extend(self.chaddr);
        message.resize(BOOTP_FIXED_LEN - 4, 0);
        message.extend(MAGIC_COOKIE.get().to_be_bytes());
        // Options in the order of their codes, as Kea sends them.
        message.extend([option::SUBNET_MASK, 4, 255, 255, 0, 0]);
        message.extend([option::LEASE_TIME, 4, 0, 0, 0x0e, 0x10]);
        message.extend([option::MESSAGE_TYPE, 1, self.kind, option::SERVER_ID, 4]);
        message.extend(self.server.octets());
        message.push(option::END);

        let link = PacketBuilder::ethernet2(SERVER_MAC, self.chaddr);
        let (server, client) = (self.server.octets(), self.address.octets());
        let vlan = |id: &u16| etherparse::VlanId::try_new(*id).unwrap();
        let ip = match self.vlans.as_slice() {
            [] => link.ipv4(server, client, 64),
            [only] => link.single_vlan(vlan(only)).ipv4(server, client, 64),
            [outer, inner, ..] => link
                .double_vlan(vlan(outer), vlan(inner))
                .ipv4(server, client, 64),
        };
        let datagram = ip.udp(SERVER_PORT, CLIENT_PORT);
        let mut frame = Vec::new();
        datagram.write(&mut frame, &message).unwrap();
        frame
    }
}

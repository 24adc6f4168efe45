//! The messages of a client: its identity, and the path of its frames to the server.

use std::net::Ipv4Addr;

use anyhow::Result;
use dhcp_client::Message;
use dhcp_common::wire::SERVER_PORT;
use dhcproto::v4::{
    self, DhcpOption, Flags, MessageType, OptionCode,
    relay::{RelayAgentInformation, RelayInfo},
};
use rand::{Rng as _, rngs::StdRng};
use xtask_lab::{raw, wire::Path};

use super::scene::{AGENT, GATEWAY, SERVER};

/// The link of all clients.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub server_mac: [u8; 6],
    /// Hardware address of the relay agent, through which its clients renew too.
    pub agent_mac: [u8; 6],
}

#[derive(Debug)]
pub struct Machine {
    pub mac: [u8; 6],
    /// Option 61.
    id: Option<Vec<u8>>,
    /// Option 82 of a client behind the relay agent.
    port: Option<Vec<u8>>,
    /// Option 55.
    list: Vec<OptionCode>,
    broadcasts: bool,
    link: Link,
}

/// A frame, or the reason why it could not be encoded.
type Frame = Result<Vec<u8>>;

impl Machine {
    pub fn new(mac: [u8; 6], is_relayed: bool, link: Link, dice: &mut StdRng) -> Self {
        use OptionCode as O;
        let usual = [O::SubnetMask, O::Router, O::DomainNameServer];
        let list = match dice.random_range(0..3) {
            0 => usual.to_vec(),
            1 => [&usual[..], &[O::Hostname, O::DomainName]].concat(),
            _ => [&[O::NtpServers], &usual[..]].concat(),
        };
        let has_id = dice.random_bool(0.3);
        Self {
            mac,
            id: has_id.then(|| [&[255], &mac[..]].concat()),
            port: is_relayed.then(|| [b"port ", &mac[3..]].concat()),
            list,
            broadcasts: dice.random_bool(0.3),
            link,
        }
    }

    /// Encodes a message of the client.
    pub fn frame(&self, message: Message, xid: u32) -> Frame {
        let build = |kind, options: &[DhcpOption]| self.message(kind, xid, options);
        let request = |options: &[DhcpOption]| build(MessageType::Request, options);
        match message {
            Message::Discover { hint } => {
                let hint = hint.map(requested);
                let discover = build(MessageType::Discover, hint.as_slice());
                self.broadcast(discover, Ipv4Addr::UNSPECIFIED)
            }
            Message::Select { address, server } => {
                let select = request(&[requested(address), named(server)]);
                self.broadcast(select, Ipv4Addr::UNSPECIFIED)
            }
            Message::Reboot { address } => {
                self.broadcast(request(&[requested(address)]), Ipv4Addr::UNSPECIFIED)
            }
            Message::Renew { address, server } => self.unicast(request(&[]), address, server),
            Message::Rebind { address } => {
                let mut rebind = request(&[]);
                rebind.set_ciaddr(address);
                self.broadcast(rebind, address)
            }
            Message::Release { address, server } => {
                let release = build(MessageType::Release, &[named(server)]);
                self.unicast(release, address, server)
            }
            Message::Decline { address, server } => {
                let options = [requested(address), named(server)];
                let decline = build(MessageType::Decline, &options);
                self.broadcast(decline, Ipv4Addr::UNSPECIFIED)
            }
        }
    }

    fn message(&self, kind: MessageType, xid: u32, own: &[DhcpOption]) -> v4::Message {
        let mut message = raw::message(self.mac, kind);
        message.set_xid(xid);
        if self.broadcasts {
            message.set_flags(Flags::default().set_broadcast());
        }
        let options = message.opts_mut();
        options.insert(DhcpOption::ParameterRequestList(self.list.clone()));
        if let Some(id) = &self.id {
            options.insert(DhcpOption::ClientIdentifier(id.clone()));
        }
        for option in own {
            options.insert(option.clone());
        }
        message
    }

    /// Encodes a message to all servers, through the relay agent where there is one.
    fn broadcast(&self, mut message: v4::Message, source: Ipv4Addr) -> Frame {
        let Some(port) = &self.port else {
            return raw::frame(self.mac, None, &message, Path::broadcast_from(source));
        };
        message.set_giaddr(GATEWAY);
        message.set_hops(1);
        let mut information = RelayAgentInformation::default();
        information.insert(RelayInfo::AgentCircuitId(port.clone()));
        let options = message.opts_mut();
        options.insert(DhcpOption::RelayAgentInformation(information));
        let path = Path {
            source_port: SERVER_PORT,
            ..Path::unicast(AGENT, SERVER, self.link.server_mac)
        };
        raw::frame(self.link.agent_mac, None, &message, path)
    }

    /// Encodes a message from the client's address to the server of its lease.
    fn unicast(&self, mut message: v4::Message, address: Ipv4Addr, server: Ipv4Addr) -> Frame {
        message.set_ciaddr(address);
        let source_mac = if self.port.is_some() {
            self.link.agent_mac
        } else {
            self.mac
        };
        let path = Path::unicast(address, server, self.link.server_mac);
        raw::frame(source_mac, None, &message, path)
    }
}

const fn requested(address: Ipv4Addr) -> DhcpOption {
    DhcpOption::RequestedIpAddress(address)
}

const fn named(server: Ipv4Addr) -> DhcpOption {
    DhcpOption::ServerIdentifier(server)
}

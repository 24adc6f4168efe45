//! A client that sends any given message, for messages that real clients rarely send.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use dhcp_common::wire::{BOOT_SERVER_PORT, BOOTP_MIN_LEN, MAC_BROADCAST, SERVER_PORT};
use dhcproto::{
    Decodable as _, Decoder, Encodable as _, Encoder,
    v4::{DhcpOption, Message, MessageType, Opcode, OptionCode},
};
use etherparse::{ArpEthIpv4Packet, ArpOperation, ArpPacket, PacketBuilder, VlanId};

use super::{
    Namespace,
    topology::CLIENT_INTERFACE,
    wait,
    wire::{Datagram, Path, Wire},
};

/// The time after which a request is sent again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long to wait for an answer that must not come: many times longer than any answer takes.
const SILENCE: Duration = Duration::from_millis(400);

/// A client with a packet socket in a namespace, independent of the namespace's IP stack.
#[derive(Debug)]
pub struct RawClient {
    wire: Wire,
    mac: [u8; 6],
    vlan: Option<VlanId>,
}

/// An answer whose checksums are correct.
#[derive(Clone, Debug)]
pub struct Reply {
    pub source_mac: [u8; 6],
    pub path: Path,
    pub message: Message,
}

impl Reply {
    pub fn kind(&self) -> Option<MessageType> {
        self.message.opts().msg_type()
    }

    /// Returns the address that is offered or assigned.
    pub fn address(&self) -> Ipv4Addr {
        self.message.yiaddr()
    }

    /// Returns option 54.
    pub fn server(&self) -> Option<Ipv4Addr> {
        match self.message.opts().get(OptionCode::ServerIdentifier) {
            Some(DhcpOption::ServerIdentifier(address)) => Some(*address),
            _ => None,
        }
    }
}

impl RawClient {
    /// Opens the client's interface in a namespace.
    ///
    /// # Errors
    /// The namespace has no client interface.
    pub fn open(namespace: &Namespace) -> Result<Self> {
        let mac = namespace.mac(CLIENT_INTERFACE)?;
        Ok(Self {
            wire: Wire::open(namespace, CLIENT_INTERFACE)?,
            mac,
            vlan: None,
        })
    }

    /// Makes this another client on the same link, with a different `chaddr` and source address.
    #[must_use]
    pub fn with_mac(mut self, mac: [u8; 6]) -> Self {
        self.mac = mac;
        self
    }

    /// Puts the client into a VLAN. It receives from any VLAN, because the kernel removes tags from
    /// received frames.
    ///
    /// # Errors
    /// The VLAN id is invalid.
    pub fn in_vlan(mut self, id: u16) -> Result<Self> {
        self.vlan = Some(VlanId::try_new(id)?);
        Ok(self)
    }

    /// Returns a request with a new transaction id and only the options that every request of this
    /// client has.
    pub fn message(&self, kind: MessageType) -> Message {
        message(self.mac, kind)
    }

    pub fn discover(&self) -> Message {
        self.message(MessageType::Discover)
    }

    /// Returns a DISCOVER with a requested address.
    pub fn discover_address(&self, address: Ipv4Addr) -> Message {
        let mut message = self.discover();
        let options = message.opts_mut();
        options.insert(DhcpOption::RequestedIpAddress(address));
        message
    }

    /// Returns a REQUEST in SELECTING.
    pub fn select(&self, server: Ipv4Addr, address: Ipv4Addr) -> Message {
        let mut message = self.reboot(address);
        let options = message.opts_mut();
        options.insert(DhcpOption::ServerIdentifier(server));
        message
    }

    /// Returns a REQUEST in INIT-REBOOT.
    pub fn reboot(&self, address: Ipv4Addr) -> Message {
        let mut message = self.message(MessageType::Request);
        let options = message.opts_mut();
        options.insert(DhcpOption::RequestedIpAddress(address));
        message
    }

    /// Returns a REQUEST in RENEWING or REBINDING; its [`Path`] decides which.
    pub fn extend(&self, address: Ipv4Addr) -> Message {
        let mut message = self.message(MessageType::Request);
        message.set_ciaddr(address);
        message
    }

    pub fn decline(&self, server: Ipv4Addr, address: Ipv4Addr) -> Message {
        let mut message = self.select(server, address);
        let options = message.opts_mut();
        options.insert(DhcpOption::MessageType(MessageType::Decline));
        message
    }

    pub fn release(&self, server: Ipv4Addr, address: Ipv4Addr) -> Message {
        let mut message = self.message(MessageType::Release);
        message.set_ciaddr(address);
        let options = message.opts_mut();
        options.insert(DhcpOption::ServerIdentifier(server));
        message
    }

    /// Sends a message.
    ///
    /// # Errors
    /// It cannot be encoded or sent.
    pub fn send(&self, message: &Message, path: Path) -> Result<()> {
        self.wire.send(&frame(self.mac, self.vlan, message, path)?)
    }

    /// Answers ARP for an address, as the host that has it.
    ///
    /// # Errors
    /// The reply cannot be sent.
    pub fn claim(&self, address: Ipv4Addr) -> Result<()> {
        let arp = ArpPacket::from(ArpEthIpv4Packet {
            operation: ArpOperation::REPLY,
            sender_mac: self.mac,
            sender_ipv4: address.octets(),
            target_mac: MAC_BROADCAST,
            target_ipv4: address.octets(),
        });
        let link = PacketBuilder::ethernet2(self.mac, MAC_BROADCAST);
        let packet = match self.vlan {
            Some(vlan) => link.single_vlan(vlan).arp(arp),
            None => link.arp(arp),
        };
        let mut frame = Vec::with_capacity(packet.size());
        packet.write(&mut frame)?;
        self.wire.send(&frame)
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// There was no answer.
    pub fn ask(&self, message: &Message, path: Path) -> Result<Reply> {
        self.send(message, path)?;
        self.wait_answer(message, wait::PATIENCE)
    }

    /// Sends a request every second until it is answered: a relay agent may not listen yet.
    ///
    /// # Errors
    /// No answer came.
    pub fn ask_repeatedly(&self, message: &Message, path: Path) -> Result<Reply> {
        wait::until("an answer to a repeated request", wait::PATIENCE, || {
            self.send(message, path)?;
            Ok(self.wait_answer(message, AGAIN).ok())
        })
    }

    fn wait_answer(&self, message: &Message, longest: Duration) -> Result<Reply> {
        let kind = message.opts().msg_type();
        wait::until(&format!("an answer to {kind:?}"), longest, || {
            self.receive(message.xid())
        })
    }

    /// Sends a request that must not be answered.
    ///
    /// # Errors
    /// There was an answer.
    pub fn ask_in_vain(&self, message: &Message, path: Path) -> Result<()> {
        self.send(message, path)?;
        let answered = wait::until("", SILENCE, || self.receive(message.xid()));
        if let Ok(reply) = answered {
            bail!("unexpected answer: {reply:?}");
        }
        Ok(())
    }

    /// Sends a DISCOVER and returns the OFFER.
    ///
    /// # Errors
    /// There was no OFFER.
    pub fn offer(&self) -> Result<Reply> {
        let reply = self.ask(&self.discover(), Path::BROADCAST)?;
        expect(&reply, MessageType::Offer)?;
        Ok(reply)
    }

    /// Obtains a lease, from INIT to BOUND, and returns the ACK.
    ///
    /// # Errors
    /// There was no OFFER or no ACK.
    pub fn lease(&self) -> Result<Reply> {
        let offer = self.offer()?;
        let server = offer.server().context("the OFFER has no option 54")?;
        let reply = self.ask(&self.select(server, offer.address()), Path::BROADCAST)?;
        expect(&reply, MessageType::Ack)?;
        Ok(reply)
    }

    /// Returns the next answer to a transaction, if one has arrived.
    fn receive(&self, xid: u32) -> Result<Option<Reply>> {
        while let Some(frame) = self.wire.receive()? {
            if let Some(reply) = parse(&frame)?
                && reply.message.xid() == xid
            {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }
}

/// Returns a request with a new transaction id and the options that every request has.
pub fn message(mac: [u8; 6], kind: MessageType) -> Message {
    let none = Ipv4Addr::UNSPECIFIED;
    let mut message = Message::new(none, none, none, none, &mac);
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(kind));
    options.insert(DhcpOption::ParameterRequestList(vec![
        OptionCode::SubnetMask,
        OptionCode::Router,
        OptionCode::DomainNameServer,
    ]));
    message
}

/// Encodes a message as a frame from a hardware address.
///
/// # Errors
/// The message cannot be encoded.
pub fn frame(
    source_mac: [u8; 6],
    vlan: Option<VlanId>,
    message: &Message,
    path: Path,
) -> Result<Vec<u8>> {
    let mut payload = Vec::new();
    message.encode(&mut Encoder::new(&mut payload))?;
    payload.resize(payload.len().max(BOOTP_MIN_LEN), 0);
    let (source, destination) = (path.source.octets(), path.destination.octets());
    let link = PacketBuilder::ethernet2(source_mac, path.destination_mac);
    let ip = match vlan {
        Some(vlan) => link.single_vlan(vlan).ipv4(source, destination, 64),
        None => link.ipv4(source, destination, 64),
    };
    let datagram = ip.udp(path.source_port, path.destination_port);
    let mut frame = Vec::with_capacity(datagram.size(payload.len()));
    datagram.write(&mut frame, &payload)?;
    Ok(frame)
}

/// Checks the type of an answer.
///
/// # Errors
/// It has another type.
pub fn expect(reply: &Reply, kind: MessageType) -> Result<()> {
    ensure!(
        reply.kind() == Some(kind),
        "expected {kind:?}, received {:?}: {:?}",
        reply.kind(),
        reply.message
    );
    Ok(())
}

/// Parses a server's DHCP message. Returns `None` for other frames.
///
/// # Errors
/// The message of a server is malformed.
pub fn parse(frame: &[u8]) -> Result<Option<Reply>> {
    let Some(datagram) = Datagram::parse(frame) else {
        return Ok(None);
    };
    if !matches!(datagram.path.source_port, SERVER_PORT | BOOT_SERVER_PORT) {
        return Ok(None);
    }
    let message = Message::decode(&mut Decoder::new(&datagram.payload))
        .context("the payload from a server's port is not a DHCP message")?;
    if message.opcode() != Opcode::BootReply {
        return Ok(None);
    }
    datagram.verify()?;
    Ok(Some(Reply {
        source_mac: datagram.source_mac,
        path: datagram.path,
        message,
    }))
}

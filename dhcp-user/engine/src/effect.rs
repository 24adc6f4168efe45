//! Inputs and effects of the engine, which has no I/O and no clock.

use std::net::Ipv4Addr;

use dhcp_common::abi::{Binding, ClientKey, Grant, Template, TemplateKey};
use dhcp_model::{Applied, Change, StoreError, Ticket};

/// Where a request came from, with all that a reply needs to get back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ingress {
    pub ifindex: u32,
    /// TPID and TCI of each VLAN tag as received, outer first; `None` where there is no tag.
    pub tags: [Option<[u8; 4]>; 2],
    pub source_mac: [u8; 6],
    pub source: Ipv4Addr,
    /// The port that some relay agents listen on (RFC 8357).
    pub source_port: u16,
    /// Tells RENEWING from REBINDING (RFC 2131 §4.3.2).
    pub destination: Ipv4Addr,
    /// Tells a question to a boot server from one to a DHCP server (PXE 2.1 §2.2.1).
    pub destination_port: u16,
}

impl Ingress {
    /// Returns the VLAN ids, outer first, zero where there is no tag.
    pub fn vlans(&self) -> [u16; 2] {
        vlan_ids(&self.tags)
    }
}

fn vlan_ids(tags: &[Option<[u8; 4]>; 2]) -> [u16; 2] {
    tags.map(|tag| {
        tag.map_or(0, |[_, _, high, low]| {
            u16::from_be_bytes([high, low]) & dhcp_common::wire::VLAN_ID_MASK
        })
    })
}

/// Where a reply goes. The source MAC address is the interface's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Egress {
    pub ifindex: u32,
    /// The tags of the request, unchanged.
    pub tags: [Option<[u8; 4]>; 2],
    pub destination_mac: [u8; 6],
    pub source: Ipv4Addr,
    /// The port that was asked: firmware discards other answers of boot servers.
    pub source_port: u16,
    pub destination: Ipv4Addr,
    pub destination_port: u16,
}

/// A packet that asks whether a host has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    pub address: Ipv4Addr,
    pub ifindex: u32,
    /// The tags of the request that the address is probed for.
    pub tags: [Option<[u8; 4]>; 2],
    pub way: ProbeWay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeWay {
    /// ARP from one of the server's addresses; unspecified if none is in the subnet (RFC 5227
    /// §1.1).
    Link { sender: Ipv4Addr },
    /// ICMP echo, to the MAC address that the relay agent's request came from.
    Relay { mac: [u8; 6], source: Ipv4Addr },
}

/// An answer to a [`Probe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeAnswer {
    Arp {
        address: Ipv4Addr,
        ifindex: u32,
        /// The VLAN ids, as [`Ingress::vlans`] returns them.
        vlans: [u16; 2],
        mac: [u8; 6],
    },
    /// An ICMP echo reply to the probe, on any link.
    Echo { address: Ipv4Addr },
}

impl ProbeAnswer {
    pub const fn address(&self) -> Ipv4Addr {
        match self {
            Self::Arp { address, .. } | Self::Echo { address } => *address,
        }
    }

    /// Returns the MAC address of the host, if it is known.
    pub const fn mac(&self) -> Option<[u8; 6]> {
        match self {
            Self::Arp { mac, .. } => Some(*mac),
            Self::Echo { .. } => None,
        }
    }
}

impl Probe {
    /// Returns whether an answer belongs to this probe: for ARP, it must come from the same link.
    pub fn is_answered_by(&self, answer: &ProbeAnswer) -> bool {
        self.address == answer.address()
            && match (self.way, answer) {
                (ProbeWay::Link { .. }, ProbeAnswer::Arp { ifindex, vlans, .. }) => {
                    self.ifindex == *ifindex && vlan_ids(&self.tags) == *vlans
                }
                (ProbeWay::Relay { .. }, ProbeAnswer::Echo { .. }) => true,
                _ => false,
            }
    }
}

/// Identifies one withdrawn entry on its way through the fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FenceId(pub u64);

/// Identifies one command of an operator, so that its answer gets back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub u64);

/// A command of an operator. Queries go to the lease table instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Deletes the lease of an address: its client gets it again when it asks.
    Delete(Ipv4Addr),
    /// Revokes the lease of an address: its client gets a NAK at its next request.
    Revoke(Ipv4Addr),
}

impl Command {
    pub const fn address(self) -> Ipv4Addr {
        match self {
            Self::Delete(address) | Self::Revoke(address) => address,
        }
    }
}

/// How a [`Command`] ended. It is answered when the kernel can no longer act against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandOutcome {
    Done,
    /// There is no lease of this address.
    NoLease,
    /// The store did not commit it; nothing has changed.
    StoreFailed,
}

/// An input of the engine.
#[derive(Debug)]
pub enum Input<'a> {
    /// A BOOTP message.
    Message {
        ingress: &'a Ingress,
        payload: &'a [u8],
    },
    /// The result of [`Effect::Commit`], one for each change.
    Committed {
        ticket: Ticket,
        result: Result<Vec<Applied>, StoreError>,
    },
    /// The entry of [`Effect::Withdraw`] is gone from the map, and no run of the program uses it
    /// any more.
    Fenced(FenceId),
    /// The program has granted time near the horizon of this slot.
    HorizonLow {
        slot: u32,
        epoch: u16,
    },
    /// A host has answered [`Effect::Probe`].
    ProbeAnswered(ProbeAnswer),
    Command {
        id: CommandId,
        command: Command,
    },
}

/// An effect that the engine requests; effects are carried out in order.
#[derive(Debug)]
pub enum Effect {
    /// Commit these changes; [`Input::Committed`] follows.
    Commit {
        ticket: Ticket,
        changes: Vec<Change>,
    },
    /// Write a binding to `LEASES`. A failure is harmless if the client's former entry is removed
    /// then: the client is served by the slow path.
    Publish { key: ClientKey, binding: Binding },
    /// Remove an entry from `LEASES`, with retries until it is gone, then pass a fence;
    /// [`Input::Fenced`] follows.
    Withdraw { fence: FenceId, key: ClientKey },
    /// Write an answer to `TEMPLATES`. A failure is harmless.
    PublishTemplate {
        key: TemplateKey,
        template: Box<Template>,
    },
    /// Remove all but the NAKs from `TEMPLATES`, to make room. A failure is harmless.
    ForgetTemplates,
    /// Frame and send a BOOTP message.
    Send { egress: Egress, payload: Vec<u8> },
    /// Frame and send a probe; [`Input::ProbeAnswered`] follows if a host has the address.
    Probe(Probe),
    /// Answer an operator.
    Answer {
        id: CommandId,
        outcome: CommandOutcome,
    },
}

/// The part of the kernel's state that the engine may read.
pub trait Grants {
    /// Returns an entry of `GRANTS`; zeros for a slot beyond the map.
    fn grant(&self, slot: u32) -> Grant;
}

//! Where a client is, as far as its answers depend on it: what a binding is published for.
//!
//! Classes and reservations may look at hardware addresses and at what relay agents say, and who asks about leases is
//! told the last of both (RFC 4388 §6.7). The fingerprint covers
//! neither, so that a binding says for which of them its answers are (`dhcp-ebpf/src/origin.rs` looks), and the
//! number of the answers is one for each set of conditions that hold.

use std::net::Ipv4Addr;

use dhcp_common::{
    abi::{BINDING_CHECKS_HARDWARE, BINDING_CHECKS_RELAY_INFO, Binding, ClientKey, Identity},
    fingerprint,
    wire::option,
};
use dhcp_model::AgentIds;
use dhcp_model::Hardware;

use super::{Engine, classes::Whence, request::Request};

/// The part of a [`Binding`] that follows from where its client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub profile: u64,
    pub flags: u8,
    pub hardware: u32,
    pub relay_info: u64,
}

impl Place {
    pub const fn is_of(&self, binding: &Binding) -> bool {
        self.profile == binding.profile
            && self.flags == binding.flags
            && self.hardware == binding.hardware
            && self.relay_info == binding.relay_info
    }
}

impl Engine {
    /// The address that is reserved for the client that has one.
    pub(super) fn reserved_for(&self, address: Ipv4Addr) -> Option<Ipv4Addr> {
        let lease = self.live.get(&address)?;
        let holder = &lease.holder;
        let client = holder.client();
        let network = self.networks.get(client.network())?;
        network.reservation(&client, &holder.hardware(), holder.relay_info())
    }

    /// Of the client that has an address, where its lease was given to it.
    pub(super) fn place(&self, address: Ipv4Addr) -> Option<Place> {
        self.place_of(address, self.reserved_for(address))
    }

    /// As [`Engine::place`], where what is reserved for the client is known.
    pub(super) fn place_of(&self, address: Ipv4Addr, reserved: Option<Ipv4Addr>) -> Option<Place> {
        let profile = self.profile(address, reserved)?;
        let lease = self.live.get(&address)?;
        let client = lease.holder.client();
        let hardware = lease.holder.hardware();
        let relay_info = lease.holder.relay_info();
        let agent = relay_info.map(AgentIds::parse);
        let marks = self.networks.classes().marks(Whence {
            hardware: hardware.octets(),
            agent: agent.unwrap_or_default(),
        });
        let mut place = Place {
            profile: profile.id_for(marks),
            flags: 0,
            hardware: 0,
            relay_info: 0,
        };
        let key = &self.fingerprint_key;
        if self.checks_hardware(&client) {
            place.flags |= BINDING_CHECKS_HARDWARE;
            place.hardware = digest_of(&hardware, key);
        }
        if self.checks_relay_info(&client) {
            place.flags |= BINDING_CHECKS_RELAY_INFO;
            place.relay_info = relay_info.map_or(0, |value| {
                fingerprint::of_option(option::RELAY_INFO, value, key)
            });
        }
        Some(place)
    }

    /// Whether a request comes from elsewhere than where its client's lease was given, and that matters.
    pub(super) fn has_moved(&self, address: Ipv4Addr, request: &Request) -> bool {
        self.live.get(&address).is_some_and(|lease| {
            let holder = &lease.holder;
            let client = holder.client();
            let is_other_hardware = holder.hardware() != request.hardware;
            let is_other_port = holder.relay_info() != request.port();
            (is_other_hardware && self.checks_hardware(&client))
                || (is_other_port && self.checks_relay_info(&client))
        })
    }

    /// A client that is known by its hardware address has no other.
    fn checks_hardware(&self, client: &ClientKey) -> bool {
        let network = self.networks.get(client.network());
        let matters = self.networks.classes().look_at_hardware()
            || self.requesters.are_any()
            || network.is_some_and(super::network::Network::reserves_hardware);
        client.identity() != Identity::Hardware && matters
    }

    fn checks_relay_info(&self, client: &ClientKey) -> bool {
        let network = self.networks.get(client.network());
        self.networks.classes().look_at_relay_info()
            || self.requesters.are_any()
            || network.is_some_and(super::network::Network::reserves_ports)
    }
}

fn digest_of(hardware: &Hardware, key: &[u64; fingerprint::KEY_WORDS]) -> u32 {
    let (words, _) = hardware.chaddr.as_chunks();
    let word = |index: usize| words.get(index).map_or(0, |word| u64::from_le_bytes(*word));
    fingerprint::of_hardware(hardware.htype, hardware.len, [word(0), word(1)], key)
}

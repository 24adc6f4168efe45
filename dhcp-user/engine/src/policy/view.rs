//! The view of the engine's state that policy reads.

use std::{net::Ipv4Addr, sync::Arc};

use dhcp_common::{
    abi::{ClientDigest, ClientKey, Identity},
    fingerprint,
};
use dhcp_config::Classes;
use dhcp_model::{ClientOriginRef, LeaseTimes, Nanos};

use crate::{
    effect::Grants,
    lease_table::{Held, LeaseTable},
    networks::{self, Network, Networks, OriginFacts, Profile, Reserved},
    queriers::Queriers,
};

/// The state that a decision can depend on.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub networks: &'a Networks,
    pub table: &'a LeaseTable,
    pub queriers: &'a Queriers,
    pub fingerprint_key: &'a [u64; fingerprint::KEY_WORDS],
    pub kernel: &'a dyn Grants,
    pub now: Nanos,
}

impl View<'_> {
    /// Returns until when the kernel has granted a lease, zero if it has not.
    pub fn granted(&self, held: &Held) -> Nanos {
        if !held.is_published() {
            return Nanos::default();
        }
        let granted = self.kernel.grant(held.slot).granted_for(held.epoch);
        granted.map_or(Nanos::default(), Nanos)
    }

    /// Returns until when the client may use the address: the kernel may have granted more than was
    /// published.
    pub fn effective_expiry(&self, held: &Held) -> Nanos {
        held.expires.max(self.granted(held))
    }

    /// Returns whether the kernel has seen a RELEASE or DECLINE, and answers nothing more from the
    /// entry.
    pub fn is_closed(&self, held: &Held) -> bool {
        held.is_published() && self.kernel.grant(held.slot).is_closed(held.epoch)
    }

    pub fn digest(&self, client: &ClientKey) -> ClientDigest {
        ClientDigest::new(client, self.fingerprint_key)
    }

    /// Returns the profile of answers about an address to a client, for which something may be
    /// reserved.
    pub fn profile(&self, address: Ipv4Addr, reserved: &Reserved) -> Option<Arc<Profile>> {
        let (network, index) = self.networks.containing(address)?;
        network.profile(reserved, index, address)
    }

    /// Returns what is reserved for a client on its network.
    pub fn reserved(&self, client: &ClientKey, origin: &ClientOriginRef<'_>) -> Reserved {
        let network = self.networks.get(client.network());
        network.map_or_else(Reserved::default, |network| {
            network.reservation(client, origin)
        })
    }

    /// Returns what is reserved for the client which has this address.
    pub fn reserved_for(&self, address: Ipv4Addr) -> Reserved {
        let Some(lease) = self.table.leases().get(&address) else {
            return Reserved::default();
        };
        self.reserved(&lease.holder.client(), &lease.holder.origin_ref())
    }

    /// Returns the properties of a client that its published lease is bound to.
    pub fn facts<'a>(
        &self,
        client: &ClientKey,
        origin: &ClientOriginRef<'a>,
        reserved: &Reserved,
    ) -> OriginFacts<'a> {
        let network = self.networks.get(client.network());
        OriginFacts {
            origin: *origin,
            identifier: networks::identifier(client, origin.client_id),
            counts_client_id: network.is_some_and(|network| network.match_client_id),
            is_known: reserved.is_known(),
            given: reserved.classes(),
        }
    }

    /// Returns whether an address may be that of the client which has it, and for which one may be
    /// reserved.
    pub fn is_still_its(&self, address: Ipv4Addr, held: &Held, reserved: Option<Ipv4Addr>) -> bool {
        self.networks
            .get(held.client.network())
            .is_some_and(|network| network.may_have(reserved, Classes::MAX, address))
            && reserved.is_none_or(|reserved| reserved == address)
    }

    /// Returns the times that a lease was last given for, or those of its subnet if that was before
    /// this engine started.
    pub fn times(&self, address: Ipv4Addr) -> Option<LeaseTimes> {
        let times = self.table.leases().get(&address)?.times;
        times
            .map(Into::into)
            .or_else(|| self.networks.subnet_of(address).map(|subnet| subnet.lease))
    }

    /// Returns whether the answers to a client depend on its hardware address. They do not if that
    /// address identifies the client, because it cannot change.
    pub fn checks_hardware(&self, client: &ClientKey) -> bool {
        let network = self.networks.get(client.network());
        let matters = self.networks.classes().look_at_hardware()
            || self.queriers.are_any()
            || network.is_some_and(Network::reserves_hardware);
        client.identity() != Identity::Hardware && matters
    }

    /// Returns whether the answers to a client depend on option 82 of its relay agent.
    pub fn checks_relay_info(&self, client: &ClientKey) -> bool {
        let network = self.networks.get(client.network());
        self.networks.classes().look_at_relay_info()
            || self.queriers.are_any()
            || network.is_some_and(Network::reserves_ports)
    }
}

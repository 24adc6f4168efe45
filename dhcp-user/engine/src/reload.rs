//! Another configuration, while leases are out: what is still right stays as it is, what is not is withdrawn.
//!
//! A lease whose address is no longer its client's to have is kept until its time, for the client may use it
//! until then; it is told NAK when it asks. If the address comes back meanwhile the lease goes on.

use std::{
    collections::{BTreeSet, HashSet},
    net::Ipv4Addr,
};

use dhcp_common::abi::{ClientKey, Identity};
use dhcp_config::{Classes, Config};
use dhcp_model::Nanos;

use super::{
    Context, Engine, Grants,
    effect::Effect,
    network::{Changes, Network},
    networks::Networks,
};
use crate::live::{self, Holder, Lease, LeaseState};

/// Addresses of each kind that a preview names.
const MAX_NAMED: usize = 100;

/// What a configuration means for the leases that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Leases and offers that nothing of the change concerns.
    pub untouched: u64,
    /// Leases that go on, perhaps with other options.
    pub kept: u64,
    /// Leases whose clients get another address when they ask.
    pub moved: Fates,
    /// Leases that end when their clients ask or their time has come.
    pub ended: Fates,
}

/// How many, and which of them as far as they are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fates {
    pub count: u64,
    /// The first ones.
    pub addresses: Vec<Ipv4Addr>,
}

impl Fates {
    fn add(&mut self, address: Ipv4Addr) {
        self.count += 1;
        if self.addresses.len() < MAX_NAMED {
            self.addresses.push(address);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Kept,
    Moved,
    Ended,
}

/// What becomes of a lease in a configuration.
fn fate(networks: &Networks, holder: &Holder, address: Ipv4Addr) -> Fate {
    let client = holder.client();
    let network = networks.get(client.network());
    let Some(network) = network.filter(|network| network.index_of(address).is_some()) else {
        return Fate::Ended;
    };
    match network.reservation(&client, &holder.hardware(), holder.relay_info()) {
        Some(reserved) if reserved != address => Fate::Moved,
        reserved if network.may_have(reserved, Classes::MAX, address) => Fate::Kept,
        _ => Fate::Ended,
    }
}

const fn is_lease(lease: &Lease) -> bool {
    matches!(
        lease.state,
        LeaseState::Bound | LeaseState::Committing | LeaseState::Forgotten
    )
}

impl Engine {
    /// What [`Engine::reload`] would do.
    pub fn preview(&self, config: &Config, networks: &Networks) -> Preview {
        let mut preview = Preview::default();
        let affected = self.affected(&self.changes(config, networks));
        preview.untouched = self.live.len() as u64;
        for address in affected {
            let Some(lease) = self.live.get(&address) else {
                continue;
            };
            preview.untouched -= 1;
            if !is_lease(&lease) {
                continue;
            }
            match fate(networks, &lease.holder, address) {
                Fate::Kept => preview.kept += 1,
                Fate::Moved => preview.moved.add(address),
                Fate::Ended => preview.ended.add(address),
            }
        }
        preview
    }

    /// Goes on with another configuration. What it makes wrong in the kernel's map is withdrawn, what it
    /// changes is published anew, and nothing else is touched.
    pub fn reload(
        &mut self,
        config: &Config,
        networks: Networks,
        now: Nanos,
        kernel: &impl Grants,
        out: &mut Vec<Effect>,
    ) {
        let cx = &mut Context { now, kernel, out };
        let changes = self.changes(config, &networks);
        let former = std::mem::replace(&mut self.networks, networks);
        self.probes.set_on(config.has_probes());
        if self.requesters.permit(config.server.leasequery.clone()) {
            for lease in self.live.iter() {
                self.requesters.note(*lease.key(), &lease.holder.origin());
            }
        }
        self.recall();
        self.networks.take_over(former, &self.live);
        for address in self.affected(&changes) {
            self.reconsider(address, cx);
        }
    }

    /// What is different from the configuration so far.
    fn changes(&self, config: &Config, networks: &Networks) -> Changes {
        let mut changes = networks.changes_from(&self.networks);
        // Where somebody may ask about leases, each is published for its origin.
        if self.requesters.are_any() == config.server.leasequery.is_empty() {
            changes
                .addresses
                .extend(self.live.iter().map(|lease| *lease.key()));
        }
        changes
    }

    /// The addresses that a change may concern, in order, so that effects are in order too.
    fn affected(&self, changes: &Changes) -> BTreeSet<Ipv4Addr> {
        let in_prefixes = changes.prefixes.iter();
        let in_prefixes = in_prefixes.flat_map(|prefix| live::addresses_in(&self.live, *prefix));
        let of_clients = changes.clients.iter();
        let of_clients = of_clients.filter_map(|client| self.clients.get(client));
        // Option 61 says nothing of the hardware that a reservation is for.
        let is_hardware = |client: &&ClientKey| client.identity() == Identity::Hardware;
        let hardware: HashSet<_> = changes.clients.iter().filter(is_hardware).collect();
        let is_of_it = |lease: &Lease| {
            let its = lease.holder.hardware();
            ClientKey::hardware(lease.holder.client().network(), its.htype, its.octets())
                .is_some_and(|key| hardware.contains(&key))
        };
        let networks: BTreeSet<_> = hardware.iter().map(|client| client.network()).collect();
        let networks = networks.into_iter().filter_map(|id| self.networks.get(id));
        let of_hardware = networks
            .flat_map(Network::prefixes)
            .flat_map(|prefix| live::addresses_in(&self.live, prefix))
            .filter(|address| self.live.get(address).is_some_and(|lease| is_of_it(&lease)));
        in_prefixes
            .chain(of_hardware)
            .chain(of_clients)
            .chain(changes.addresses.iter().copied())
            .collect()
    }

    fn reconsider(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let Some(held) = self.held(address) else {
            return;
        };
        let is_right = self.is_publishable(address, &held);
        match held.state {
            LeaseState::Probing | LeaseState::Offered if !is_right => self.lapse(address, cx),
            LeaseState::Offered | LeaseState::Bound | LeaseState::Revoked if is_right => {
                self.publish(address, cx);
            }
            // While a lease is being committed its offer may still be repeated; what follows the commit looks
            // at the configuration.
            LeaseState::Committing | LeaseState::Bound | LeaseState::Revoked if !is_right => {
                self.withdraw(address, cx);
            }
            _ => {}
        }
    }
}

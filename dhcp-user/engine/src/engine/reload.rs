//! A reload: entries that are still right stay as they are, others are withdrawn or published
//! again.
//!
//! A lease whose address is no longer for its client is kept until its end, because the client may
//! use it until then; the client gets a NAK at its next request. If another reload assigns the
//! address to it again meanwhile, the lease continues.

use std::{
    collections::{BTreeSet, HashSet},
    net::Ipv4Addr,
};

use dhcp_common::abi::{ClientKey, Identity};

use dhcp_config::{Classes, Config};
use dhcp_model::Nanos;
use ipnet::Ipv4Net;

use super::{Context, Engine};
use crate::{
    effect::{Effect, Grants},
    lease_table::{Event, Holder, Lease, LeaseState},
    networks::{Changes, Network, Networks, hardware_keys, identifier},
    policy::publication,
};

/// The most addresses of each kind that a preview names.
const MAX_NAMED: usize = 100;

/// The consequences of a configuration for the leases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Leases and offers that the change does not concern.
    pub untouched: u64,
    /// Leases that continue, perhaps with other options.
    pub kept: u64,
    /// Leases whose clients get another address at their next request.
    pub moved: Fates,
    /// Leases that end at their clients' next request or when they expire.
    pub ended: Fates,
}

/// A number of leases, and the first of them by name.
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

/// Returns what becomes of a lease in a configuration.
fn fate(networks: &Networks, holder: &Holder, address: Ipv4Addr) -> Fate {
    let client = holder.client();
    let network = networks.get(client.network());
    let Some(network) = network.filter(|network| network.index_of(address).is_some()) else {
        return Fate::Ended;
    };
    match network.reservation(&client, &holder.origin_ref()).address {
        Some(reserved) if reserved != address => Fate::Moved,
        reserved if network.may_have(reserved, Classes::MAX, address) => Fate::Kept,
        _ => Fate::Ended,
    }
}

const fn is_lease(lease: &Lease) -> bool {
    matches!(
        lease.state,
        LeaseState::Bound | LeaseState::Committing | LeaseState::Deleted
    )
}

impl Engine {
    /// Returns what [`Engine::reload`] would do.
    pub fn preview(&self, config: &Config, networks: &Networks) -> Preview {
        let mut preview = Preview::default();
        let affected = self.affected(&self.changes(config, networks));
        preview.untouched = self.table.leases().len() as u64;
        for address in affected {
            let Some(lease) = self.table.leases().get(&address) else {
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

    /// Changes the configuration. Entries of the kernel's map that it makes wrong are withdrawn,
    /// entries that it changes are published again, and nothing else is touched.
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
        if self.queriers.permit(config.server.leasequery.clone()) {
            for lease in self.table.leases().iter() {
                self.queriers.note(*lease.key(), &lease.holder.origin());
            }
        }
        self.recall();
        self.networks.take_over(former, self.table.leases());
        for address in self.affected(&changes) {
            self.reconsider(address, cx);
        }
    }

    /// Returns the differences from the configuration so far.
    fn changes(&self, config: &Config, networks: &Networks) -> Changes {
        let mut changes = networks.changes_from(&self.networks);
        // If any relay agent may ask about leases, each lease is published for its origin.
        if self.queriers.are_any() == config.server.leasequery.is_empty() {
            changes
                .addresses
                .extend(self.table.leases().iter().map(|lease| *lease.key()));
        }
        changes
    }

    /// Returns the addresses that a change may concern, in order, so that effects are in order too.
    fn affected(&self, changes: &Changes) -> BTreeSet<Ipv4Addr> {
        let in_prefixes = changes.prefixes.iter();
        let in_prefixes = in_prefixes.flat_map(|prefix| self.addresses_in(*prefix));
        let of_clients = changes.clients.iter();
        let of_clients = of_clients.filter_map(|client| self.table.address_of(client));
        // Option 61 does not identify the hardware that a reservation is for.
        let is_hardware = |client: &&ClientKey| client.identity() == Identity::Hardware;
        let hardware: HashSet<_> = changes.clients.iter().filter(is_hardware).collect();
        let is_of_it = |lease: &Lease| {
            let client = lease.holder.client();
            let identifier = identifier(&client, lease.holder.client_id());
            let its = lease.holder.hardware();
            let keys = hardware_keys(client.network(), identifier.as_deref(), &its);
            keys.iter().flatten().any(|key| hardware.contains(key))
        };
        let networks: BTreeSet<_> = hardware.iter().map(|client| client.network()).collect();
        let networks = networks.into_iter().filter_map(|id| self.networks.get(id));
        let of_hardware = networks
            .flat_map(Network::prefixes)
            .flat_map(|prefix| self.addresses_in(prefix))
            .filter(|address| {
                let lease = self.table.leases().get(address);
                lease.is_some_and(|lease| is_of_it(&lease))
            });
        in_prefixes
            .chain(of_hardware)
            .chain(of_clients)
            .chain(changes.addresses.iter().copied())
            .collect()
    }

    fn addresses_in(&self, prefix: Ipv4Net) -> Vec<Ipv4Addr> {
        let leases = self.table.leases();
        leases.addresses_between(prefix.network(), prefix.broadcast())
    }

    fn reconsider(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let Some(held) = self.table.held(address) else {
            return;
        };
        let is_right = publication::is_publishable(self.view(cx), address, &held);
        match held.state {
            LeaseState::Probing | LeaseState::Offered if !is_right => {
                self.step(address, Event::Lapse, cx);
            }
            LeaseState::Offered | LeaseState::Bound | LeaseState::Revoked if is_right => {
                self.publish(address, cx);
            }
            // While a lease is being committed its offer may still be repeated; what follows the
            // commit looks at the configuration.
            LeaseState::Committing | LeaseState::Bound | LeaseState::Revoked if !is_right => {
                self.withdraw(address, &held, cx);
            }
            _ => {}
        }
    }
}

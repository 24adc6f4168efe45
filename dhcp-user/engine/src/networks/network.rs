//! One network: its subnets, pools and reservations, and which client may have which address.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    sync::Arc,
};

use dhcp_common::abi::ClientKey;
use dhcp_config::{Classes, Overrides, Owner, Reservation};
use dhcp_model::ClientOriginRef;
use ipnet::Ipv4Net;

use super::{
    changes::Changes,
    profile::Profile,
    reservations::{ReservationTable, Reserved, reserved},
    subnet::{KindOfPool, Subnet, kinds_of_pools},
};
use crate::{lease_table::Leases, pool::Pool};

/// The subnets that share a link.
#[derive(Debug)]
pub struct Network {
    pub id: u32,
    /// Whether option 61 identifies clients.
    pub match_client_id: bool,
    /// At least one, each identified by its index.
    subnets: Vec<Subnet>,
    /// Subnets by their first address; they are disjoint.
    by_first: BTreeMap<Ipv4Addr, usize>,
    reservations: ReservationTable,
    /// The reservations for clients of all networks.
    general: Arc<ReservationTable>,
    /// Profiles of reserved addresses.
    reserved: HashMap<Ipv4Addr, Arc<Profile>>,
}

impl Network {
    pub fn new(network: &dhcp_config::Network, general: Arc<ReservationTable>) -> Self {
        Self {
            id: network.id,
            match_client_id: network.match_client_id,
            subnets: Vec::new(),
            by_first: BTreeMap::new(),
            reservations: ReservationTable::new(network.id),
            general,
            reserved: HashMap::new(),
        }
    }

    /// Adds a subnet, and returns its index. `general` are the reservations for clients of all
    /// networks whose address is in it, and `digest` is that of all classes.
    pub fn add<'r>(
        &mut self,
        subnet: &'r dhcp_config::Subnet,
        general: impl Iterator<Item = &'r Arc<Reservation>> + Clone,
        server_id: Ipv4Addr,
        digest: [u8; 32],
    ) -> usize {
        let of_pool = |classes, overrides: &Overrides| {
            Arc::new(Profile::of_pool(
                subnet, server_id, classes, overrides, digest,
            ))
        };
        let profile = of_pool(0, &Overrides::default());
        let kinds = kinds_of_pools(&subnet.pools);
        let reserving = || subnet.reservations.iter().chain(general.clone());
        let reserved = || reserving().filter_map(|reserved| reserved.address);
        let pools = kinds
            .into_iter()
            .map(|(classes, overrides, ranges)| KindOfPool {
                classes,
                pool: Pool::new(
                    ranges.iter().map(|pool| (pool.first, pool.last)),
                    reserved(),
                ),
                profile: of_pool(classes, overrides),
            });
        let index = self.subnets.len();
        let pools = pools.collect();
        self.by_first.insert(subnet.prefix.network(), index);
        self.subnets.push(Subnet {
            prefix: subnet.prefix,
            lease: subnet.lease,
            offer_time: subnet.offer_time,
            probe_time: subnet.probe_time,
            decline_time: subnet.decline_time,
            authoritative: subnet.authoritative,
            bootp: subnet.bootp,
            profile: Arc::clone(&profile),
            pools,
        });
        for reservation in reserving() {
            if let Some(address) = reservation.address {
                let own = profile.of_reservation(reservation).map(Arc::new);
                let profile = own.unwrap_or_else(|| Arc::clone(&profile));
                self.reserved.insert(address, profile);
            }
        }
        for reservation in &subnet.reservations {
            self.reservations.add(reservation, Some(index));
        }
        index
    }

    /// Returns the index of the subnet that contains an address.
    pub fn index_of(&self, address: Ipv4Addr) -> Option<usize> {
        let (_, index) = self.by_first.range(..=address).next_back()?;
        let subnet = self.subnets.get(*index)?;
        subnet.prefix.contains(&address).then_some(*index)
    }

    /// Returns all profiles.
    pub fn profiles(&self) -> impl Iterator<Item = &Arc<Profile>> {
        let of_subnets = self.subnets.iter().flat_map(|subnet| {
            let of_pools = subnet.pools.iter().map(|pool| &pool.profile);
            of_pools.chain([&subnet.profile])
        });
        of_subnets.chain(self.reserved.values())
    }

    pub fn prefixes(&self) -> impl Iterator<Item = Ipv4Net> {
        self.subnets.iter().map(|subnet| subnet.prefix)
    }

    pub fn subnet(&self, index: usize) -> Option<&Subnet> {
        self.subnets.get(index)
    }

    /// Returns the subnet that contains an address.
    pub fn subnet_of(&self, address: Ipv4Addr) -> Option<&Subnet> {
        self.subnet(self.index_of(address)?)
    }

    fn subnet_of_mut(&mut self, address: Ipv4Addr) -> Option<&mut Subnet> {
        let index = self.index_of(address)?;
        self.subnets.get_mut(index)
    }

    /// Returns whether any reservation is for a hardware address.
    pub fn reserves_hardware(&self) -> bool {
        self.reservations.reserves_hardware || self.general.reserves_hardware
    }

    /// Returns whether any reservation is for a port of a relay agent.
    pub fn reserves_ports(&self) -> bool {
        self.reservations.reserves_ports || self.general.reserves_ports
    }

    /// Returns what is reserved for a client. Reservations of the network take precedence over
    /// those for clients of all networks.
    pub fn reservation(&self, client: &ClientKey, origin: &ClientOriginRef<'_>) -> Reserved {
        reserved(
            [&self.reservations, &*self.general],
            client,
            origin,
            |address| self.index_of(address).is_some(),
        )
    }

    /// Returns the profile of answers about an address, on a subnet, to a client for which
    /// something may be reserved.
    pub fn profile(
        &self,
        reserved: &Reserved,
        index: usize,
        address: Ipv4Addr,
    ) -> Option<Arc<Profile>> {
        let subnet = self.subnets.get(index)?;
        let its = reserved.address;
        let its = its.filter(|address| subnet.prefix.contains(address));
        if let Some(profile) = its.and_then(|address| self.reserved.get(&address)) {
            return Some(Arc::clone(profile));
        }
        Some(with_reservation(
            reserved,
            index,
            subnet.profile_of(address),
        ))
    }

    /// Returns whether the configuration permits an address to a client of these classes, for which
    /// an address may be reserved.
    pub fn may_have(
        &self,
        reserved: Option<Ipv4Addr>,
        classes: Classes,
        address: Ipv4Addr,
    ) -> bool {
        if self.reserved.contains_key(&address) {
            return reserved == Some(address);
        }
        let pool = self.pool_of(address);
        pool.is_some_and(|pool| pool.is_for(classes))
    }

    /// Returns whether the address may be given to some client.
    pub fn is_leased_out(&self, address: Ipv4Addr) -> bool {
        self.is_in_pool(address) || self.reserved.contains_key(&address)
    }

    /// Returns whether the address is in a pool.
    pub fn is_in_pool(&self, address: Ipv4Addr) -> bool {
        self.pool_of(address).is_some()
    }

    fn pool_of(&self, address: Ipv4Addr) -> Option<&KindOfPool> {
        self.subnet_of(address)?.pool_of(address)
    }

    /// Takes a certain address out of its pool. Returns `false` if it is not free.
    pub fn take(&mut self, address: Ipv4Addr) -> bool {
        self.pool_of_mut(address)
            .is_some_and(|pool| pool.pool.take(address))
    }

    /// Takes an address for a client of these classes from the subnet with the index `first` or, if
    /// that has none, from another subnet.
    pub fn take_any(&mut self, first: usize, classes: Classes) -> Option<Ipv4Addr> {
        let address = self.subnets.get_mut(first)?.take_any(classes);
        address.or_else(|| {
            let mut subnets = self.subnets.iter_mut();
            subnets.find_map(|subnet| subnet.take_any(classes))
        })
    }

    /// Returns the profile that a client without an address would be answered from: that of the
    /// first of its `wishes` that is free for it, or of the pool from which [`Network::take_any`]
    /// would take an address. If nothing is free, one that `suits`.
    pub fn prospect(
        &self,
        reserved: &Reserved,
        classes: Classes,
        first: usize,
        wishes: impl IntoIterator<Item = Ipv4Addr>,
        suits: impl Fn(&Profile) -> bool,
    ) -> Option<Arc<Profile>> {
        let is_free = |address| {
            self.may_have(reserved.address, classes, address)
                && self
                    .pool_of(address)
                    .is_none_or(|pool| pool.pool.is_free(address))
        };
        if let Some(wish) = wishes.into_iter().find(|wish| is_free(*wish)) {
            return self.profile(reserved, self.index_of(wish)?, wish);
        }
        let kinds = || {
            let subnets = self.subnets.iter().enumerate();
            let subnets = subnets.clone().skip(first).take(1).chain(subnets);
            let kinds = subnets
                .flat_map(|(index, subnet)| subnet.pools.iter().map(move |kind| (index, kind)));
            kinds.filter(|(_, kind)| kind.is_for(classes))
        };
        let profile =
            |(index, kind): (usize, &KindOfPool)| with_reservation(reserved, index, &kind.profile);
        if let Some(kind) = kinds().find(|(_, kind)| kind.pool.free() > 0) {
            return Some(profile(kind));
        }
        kinds().map(profile).find(|profile| suits(profile))
    }

    /// Returns the differences from another configuration of the same network.
    pub fn changes_from(&self, former: &Self) -> Changes {
        let mut changes = Changes::default();
        let tables = [
            (&self.reservations, &former.reservations),
            (&former.reservations, &self.reservations),
        ];
        let of_network = tables.map(|(ours, theirs)| ours.differing(theirs));
        let mut is_everywhere = self.match_client_id != former.match_client_id
            || self.reserves_hardware() != former.reserves_hardware()
            || self.general.differing(&former.general).next().is_some()
            || former.general.differing(&self.general).next().is_some();
        for (owner, reservation) in of_network.into_iter().flatten() {
            changes.addresses.extend(reservation.address);
            match owner {
                Owner::Client(client) => changes.clients.push(*client),
                // No key of a client says who they are for.
                Owner::Duid(_) | Owner::RelayPort(_) => is_everywhere = true,
            }
        }
        for subnet in &self.subnets {
            let is_same = former
                .index_of(subnet.prefix.network())
                .and_then(|index| former.subnet(index))
                .is_some_and(|former| subnet.says_the_same(former));
            if !is_same || is_everywhere {
                changes.prefixes.push(subnet.prefix);
            }
        }
        let former = former.subnets.iter().map(|subnet| subnet.prefix);
        let gone = former.filter(|prefix| {
            let own = self.subnet_of(prefix.network());
            own.is_none_or(|own| own.prefix != *prefix)
        });
        changes.prefixes.extend(gone);
        changes
    }

    /// Copies from another configuration which addresses are free.
    pub fn take_over(&mut self, mut former: Option<&mut Self>, leases: &Leases) {
        for subnet in &mut self.subnets {
            let counterpart = former.as_deref_mut().and_then(|former| {
                let index = former.index_of(subnet.prefix.network())?;
                former.subnets.get_mut(index)
            });
            subnet.take_over(counterpart, leases);
        }
    }

    pub fn give_back(&mut self, address: Ipv4Addr) {
        if let Some(pool) = self.pool_of_mut(address) {
            pool.pool.give_back(address);
        }
    }

    fn pool_of_mut(&mut self, address: Ipv4Addr) -> Option<&mut KindOfPool> {
        let pools = &mut self.subnet_of_mut(address)?.pools;
        pools.iter_mut().find(|pool| pool.pool.contains(address))
    }
}

/// Returns a profile with what is reserved for a client with any address of a subnet.
fn with_reservation(reserved: &Reserved, subnet: usize, profile: &Arc<Profile>) -> Arc<Profile> {
    let own = reserved
        .with_any_address(subnet)
        .and_then(|reservation| profile.of_reservation(reservation));
    own.map_or_else(|| Arc::clone(profile), Arc::new)
}

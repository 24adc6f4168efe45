//! One network: its subnets, pools and reservations, and which client may have which address.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    sync::Arc,
};

use dhcp_common::abi::{ClientKey, Identity};
use dhcp_config::{Classes, Overrides, Owner, RelayPort, Reservation};
use dhcp_model::{AgentIds, Hardware};
use ipnet::Ipv4Net;

use super::{
    changes::Changes,
    profile::Profile,
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
    reservations: HashMap<Owner, Ipv4Addr>,
    /// Whether any reservation is for a hardware address.
    reserves_hardware: bool,
    /// Whether any reservation is for a port of a relay agent.
    reserves_ports: bool,
    /// Profiles of reserved addresses.
    reserved: HashMap<Ipv4Addr, Arc<Profile>>,
}

impl Network {
    pub fn new(network: &dhcp_config::Network) -> Self {
        Self {
            id: network.id,
            match_client_id: network.match_client_id,
            subnets: Vec::new(),
            by_first: BTreeMap::new(),
            reservations: HashMap::new(),
            reserves_hardware: false,
            reserves_ports: false,
            reserved: HashMap::new(),
        }
    }

    /// Adds a subnet, and returns its index. `digest` is that of all classes.
    pub fn add(
        &mut self,
        subnet: &dhcp_config::Subnet,
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
        let reserved = || subnet.reservations.iter().map(|reserved| reserved.address);
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
        for reservation in &subnet.reservations {
            let own = profile.of_reservation(reservation).map(Arc::new);
            let profile = own.unwrap_or_else(|| Arc::clone(&profile));
            let Reservation { owner, address, .. } = &**reservation;
            self.reserved.insert(*address, profile);
            self.reservations.insert(owner.clone(), *address);
            match owner {
                Owner::Client(key) => {
                    self.reserves_hardware |= key.identity() == Identity::Hardware;
                }
                Owner::RelayPort(_) => self.reserves_ports = true,
            }
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
    pub const fn reserves_hardware(&self) -> bool {
        self.reserves_hardware
    }

    /// Returns whether any reservation is for a port of a relay agent.
    pub const fn reserves_ports(&self) -> bool {
        self.reserves_ports
    }

    /// Returns the address reserved for a client: by its key, otherwise by its hardware address,
    /// otherwise by the port that it is attached to. Option 61 alone identifies the holder of a
    /// lease (RFC 2131 §4.2), but a reservation by hardware address is for the machine, with any
    /// client identifier. A reservation that names both ids of a port takes precedence over one
    /// that names one of them.
    pub fn reservation(
        &self,
        client: &ClientKey,
        hardware: &Hardware,
        relay_info: Option<&[u8]>,
    ) -> Option<Ipv4Addr> {
        let of = |client: &ClientKey| self.reservations.get(&Owner::Client(*client)).copied();
        let own = of(client).or_else(|| {
            let key = ClientKey::hardware(self.id, hardware.htype, hardware.octets());
            of(&key.filter(|_| self.reserves_hardware)?)
        });
        if own.is_some() || !self.reserves_ports {
            return own;
        }
        let AgentIds {
            circuit, remote, ..
        } = AgentIds::parse(relay_info?);
        let named = [(circuit, remote), (circuit, None), (None, remote)];
        named.into_iter().find_map(|(circuit, remote)| {
            let port = RelayPort {
                circuit_id: circuit.map(<[u8]>::to_vec),
                remote_id: remote.map(<[u8]>::to_vec),
            };
            self.reservations.get(&Owner::RelayPort(port)).copied()
        })
    }

    /// Returns the profile of answers about an address, on a subnet, to a client for which this or
    /// another address may be reserved.
    pub fn profile(
        &self,
        reserved: Option<Ipv4Addr>,
        index: usize,
        address: Ipv4Addr,
    ) -> Option<&Arc<Profile>> {
        let subnet = self.subnets.get(index)?;
        let reserved = reserved.filter(|reserved| subnet.prefix.contains(reserved));
        let reserved = reserved.and_then(|reserved| self.reserved.get(&reserved));
        Some(reserved.unwrap_or_else(|| subnet.profile_of(address)))
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
        reserved: Option<Ipv4Addr>,
        classes: Classes,
        first: usize,
        wishes: impl IntoIterator<Item = Ipv4Addr>,
        suits: impl Fn(&Profile) -> bool,
    ) -> Option<&Arc<Profile>> {
        let is_free = |address| {
            self.may_have(reserved, classes, address)
                && self
                    .pool_of(address)
                    .is_none_or(|pool| pool.pool.is_free(address))
        };
        if let Some(wish) = wishes.into_iter().find(|wish| is_free(*wish)) {
            return self.profile(reserved, self.index_of(wish)?, wish);
        }
        let kinds = || {
            let subnets = self.subnets.get(first).into_iter().chain(&self.subnets);
            let kinds = subnets.flat_map(|subnet| &subnet.pools);
            kinds.filter(|kind| kind.is_for(classes))
        };
        let kind = kinds().find(|kind| kind.pool.free() > 0);
        let kind = kind.or_else(|| kinds().find(|kind| suits(&kind.profile)));
        Some(&kind?.profile)
    }

    /// Returns the differences from another configuration of the same network.
    pub fn changes_from(&self, former: &Self) -> Changes {
        let mut changes = Changes::default();
        let differing = |ours: &Self, theirs: &Self| -> Vec<(Owner, Ipv4Addr)> {
            let told = |network: &Self, address| network.reserved.get(address).map(|told| told.id);
            let owners = ours.reservations.iter().filter(|(owner, address)| {
                theirs.reservations.get(owner) != Some(address)
                    || told(ours, address) != told(theirs, address)
            });
            owners
                .map(|(owner, address)| (owner.clone(), *address))
                .collect()
        };
        let owners = [differing(self, former), differing(former, self)].concat();
        let is_everywhere = self.match_client_id != former.match_client_id
            || self.reserves_hardware != former.reserves_hardware
            || owners
                .iter()
                .any(|(owner, _)| matches!(owner, Owner::RelayPort(_)));
        for (owner, address) in owners {
            changes.addresses.push(address);
            if let Owner::Client(client) = owner {
                changes.clients.push(client);
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

//! The subnets that are served, and whose an address in them may be.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use dhcp_common::abi::ClientKey;
use ipnet::Ipv4Net;

use sha2::{Digest, Sha256};

use super::{
    classes,
    counters::Counter,
    links::LinkTable,
    profile::{Ids, Profile},
    request::{Request, Shape},
};
use crate::{
    config::{self, Class, Classes, Config, LeaseTimes},
    pool::Pool,
};

/// A subnet with its pool.
#[derive(Debug)]
pub struct Subnet {
    pub prefix: Ipv4Net,
    pub lease: LeaseTimes,
    pub offer_time: Duration,
    pub decline_time: Duration,
    pub authoritative: bool,
    /// The pool for everybody, and then one for each set of classes.
    pools: Vec<ClassPool>,
}

#[derive(Debug)]
struct ClassPool {
    /// None: for everybody.
    classes: Classes,
    pool: Pool,
    profile: Arc<Profile>,
}

impl ClassPool {
    const fn is_for(&self, classes: Classes) -> bool {
        self.classes == 0 || self.classes & classes != 0
    }
}

impl Subnet {
    /// The pool that an address is in, or else the one for everybody.
    fn pool_of(&self, address: Ipv4Addr) -> &ClassPool {
        let mut pools = self.pools.iter();
        pools
            .find(|pool| pool.pool.contains(address))
            .unwrap_or(&self.pools[0])
    }

    /// Free addresses and all, of the pool that an address is in.
    pub fn fill(&self, address: Ipv4Addr) -> &Pool {
        &self.pool_of(address).pool
    }

    fn take_any(&mut self, classes: Classes) -> Option<Ipv4Addr> {
        // One's own before everybody's.
        let pools = self.pools.iter_mut().rev();
        pools
            .filter(|pool| pool.is_for(classes))
            .find_map(|pool| pool.pool.take_any())
    }
}

/// The subnets that share a link.
#[derive(Debug)]
pub struct Network {
    pub id: u32,
    /// Whether option 61 is looked at.
    pub match_client_id: bool,
    /// At least one, each named by its index.
    subnets: Vec<Subnet>,
    reservations: HashMap<ClientKey, Reserved>,
    reserved_for: HashMap<Ipv4Addr, ClientKey>,
}

#[derive(Debug)]
struct Reserved {
    address: Ipv4Addr,
    profile: Arc<Profile>,
}

impl Network {
    fn new(network: &config::Network) -> Self {
        Self {
            id: network.id,
            match_client_id: network.match_client_id,
            subnets: Vec::new(),
            reservations: HashMap::new(),
            reserved_for: HashMap::new(),
        }
    }

    fn add(
        &mut self,
        subnet: &config::Subnet,
        server_id: Ipv4Addr,
        classes: [u8; 32],
        ids: &mut Ids,
    ) {
        let of_pool =
            |pools, ids: &mut Ids| Arc::new(Profile::new(subnet, server_id, pools, classes, ids));
        let profile = of_pool(0, ids);
        for reservation in &subnet.reservations {
            let own = profile.for_reservation(reservation, ids).map(Arc::new);
            let profile = own.unwrap_or_else(|| Arc::clone(&profile));
            let address = reservation.address;
            self.reserved_for.insert(address, reservation.client);
            self.reservations
                .insert(reservation.client, Reserved { address, profile });
        }
        // Everybody's pool is always there, and first.
        let mut ranges = BTreeMap::from([(0, Vec::new())]);
        for pool in &subnet.pools {
            ranges
                .entry(pool.classes)
                .or_insert_with(Vec::new)
                .push(*pool);
        }
        let pools = ranges.into_iter().map(|(classes, ranges)| ClassPool {
            classes,
            pool: Pool::new(
                &ranges,
                subnet.reservations.iter().map(|reserved| reserved.address),
            ),
            profile: match classes {
                0 => Arc::clone(&profile),
                classes => of_pool(classes, ids),
            },
        });
        self.subnets.push(Subnet {
            prefix: subnet.prefix,
            lease: subnet.lease,
            offer_time: subnet.offer_time,
            decline_time: subnet.decline_time,
            authoritative: subnet.authoritative,
            pools: pools.collect(),
        });
    }

    /// Index of the subnet that an address lies in.
    pub fn index_of(&self, address: Ipv4Addr) -> Option<usize> {
        self.subnets
            .iter()
            .position(|subnet| subnet.prefix.contains(&address))
    }

    pub fn subnet(&self, index: usize) -> Option<&Subnet> {
        self.subnets.get(index)
    }

    /// The subnet that an address lies in.
    pub fn subnet_of(&self, address: Ipv4Addr) -> Option<&Subnet> {
        self.subnet(self.index_of(address)?)
    }

    fn subnet_of_mut(&mut self, address: Ipv4Addr) -> Option<&mut Subnet> {
        let index = self.index_of(address)?;
        self.subnets.get_mut(index)
    }

    /// The address reserved for a client.
    pub fn reservation(&self, client: &ClientKey) -> Option<Ipv4Addr> {
        self.reservations
            .get(client)
            .map(|reserved| reserved.address)
    }

    /// What a client's answers are made from, on a subnet and about an address.
    pub fn profile(
        &self,
        client: &ClientKey,
        index: usize,
        address: Ipv4Addr,
    ) -> Option<&Arc<Profile>> {
        let subnet = self.subnets.get(index)?;
        let reserved = self.reservations.get(client);
        let reserved = reserved.filter(|reserved| subnet.prefix.contains(&reserved.address));
        Some(reserved.map_or_else(
            || &subnet.pool_of(address).profile,
            |reserved| &reserved.profile,
        ))
    }

    /// Whether the configuration lets this client have this address, whatever its classes.
    pub fn may_have(&self, client: &ClientKey, address: Ipv4Addr) -> bool {
        self.may_have_in(client, Classes::MAX, address)
    }

    /// Whether the configuration lets this client have this address.
    pub fn may_have_in(&self, client: &ClientKey, classes: Classes, address: Ipv4Addr) -> bool {
        match self.reserved_for.get(&address) {
            Some(owner) => owner == client,
            None => self.subnet_of(address).is_some_and(|subnet| {
                let pool = subnet.pool_of(address);
                pool.is_for(classes) && pool.pool.contains(address)
            }),
        }
    }

    /// Whether the address may be given to any client.
    pub fn is_in_pool(&self, address: Ipv4Addr) -> bool {
        self.subnet_of(address)
            .is_some_and(|subnet| subnet.pool_of(address).pool.contains(address))
    }

    /// Takes a certain address out of its pool; `false` if it is not free.
    pub fn take(&mut self, address: Ipv4Addr) -> bool {
        self.pools_of_mut(address)
            .any(|pool| pool.pool.take(address))
    }

    /// Takes an address for a client of these classes from the subnet at `first` or, if that has none,
    /// from another one.
    pub fn take_any(&mut self, first: usize, classes: Classes) -> Option<Ipv4Addr> {
        let address = self.subnets.get_mut(first)?.take_any(classes);
        address.or_else(|| {
            let mut subnets = self.subnets.iter_mut();
            subnets.find_map(|subnet| subnet.take_any(classes))
        })
    }

    pub fn give_back(&mut self, address: Ipv4Addr) {
        for pool in self.pools_of_mut(address) {
            pool.pool.give_back(address);
        }
    }

    /// The pools in whose ranges an address may lie.
    fn pools_of_mut(&mut self, address: Ipv4Addr) -> impl Iterator<Item = &mut ClassPool> {
        self.subnet_of_mut(address)
            .into_iter()
            .flat_map(|subnet| &mut subnet.pools)
            .filter(move |pool| pool.pool.contains(address))
    }
}

/// All subnets, found by id and by the addresses in them.
#[derive(Debug)]
pub struct Networks {
    by_id: HashMap<u32, Network>,
    classes: Vec<Class>,
    /// Network, and index in it.
    by_prefix: HashMap<Ipv4Net, (u32, usize)>,
    prefix_lens: BTreeSet<u8>,
    links: LinkTable,
    ours: HashSet<Ipv4Addr>,
    profile_ids: Ids,
}

impl Networks {
    pub fn new(config: &Config, links: LinkTable) -> Self {
        let mut networks = Self {
            by_id: HashMap::new(),
            classes: config.classes.clone(),
            by_prefix: HashMap::new(),
            prefix_lens: BTreeSet::new(),
            ours: links.addresses().collect(),
            links,
            profile_ids: Ids::default(),
        };
        // Debug names all parts of a value, and two that print alike are alike.
        let digest = Sha256::digest(format!("{:?}", config.classes)).into();
        for (network, subnet) in config.subnets() {
            networks.add(network, subnet, digest);
        }
        networks
    }

    /// The classes that a request is of, and whether they get no answer.
    pub fn classes_of(&self, shape: &Shape) -> (Classes, bool) {
        let set = classes::of(&self.classes, shape);
        (
            set,
            classes::members(&self.classes, set).any(|class| class.refuse),
        )
    }

    /// What a client of these classes is answered from who asks so.
    pub fn for_shape<'a>(
        &self,
        profile: &'a Profile,
        set: Classes,
        shape: &Shape,
    ) -> Cow<'a, Profile> {
        let mut profile = Cow::Borrowed(profile);
        if set != 0 {
            profile = Cow::Owned(profile.with_classes(classes::members(&self.classes, set)));
        }
        if let Some(secs) = shape.lease_secs {
            let lease = profile.lease.requested(secs);
            if lease != profile.lease {
                profile.to_mut().lease = lease;
            }
        }
        profile
    }

    pub fn has_profile(&self, id: u32) -> bool {
        self.profile_ids.contains(id)
    }

    fn add(&mut self, network: &config::Network, subnet: &config::Subnet, classes: [u8; 32]) {
        let covered = || {
            self.links
                .addresses()
                .find(|address| subnet.prefix.contains(address))
        };
        let first = || self.links.addresses().next();
        let Some(server_id) = subnet.server_id.or_else(covered).or_else(first) else {
            tracing::error!(
                subnet = %subnet.prefix,
                "no interface has an address to serve this subnet from; its clients get no answer"
            );
            return;
        };
        self.ours.insert(server_id);
        self.prefix_lens.insert(subnet.prefix.prefix_len());
        let network = self
            .by_id
            .entry(network.id)
            .or_insert_with(|| Network::new(network));
        self.by_prefix
            .insert(subnet.prefix.trunc(), (network.id, network.subnets.len()));
        network.add(subnet, server_id, classes, &mut self.profile_ids);
    }

    pub fn get(&self, id: u32) -> Option<&Network> {
        self.by_id.get(&id)
    }

    pub fn get_mut(&mut self, id: u32) -> Option<&mut Network> {
        self.by_id.get_mut(&id)
    }

    /// The network and the subnet that an address lies in, and the subnet's index.
    pub fn containing(&self, address: Ipv4Addr) -> Option<(&Network, usize)> {
        let (id, index) = self.prefix_lens.iter().rev().find_map(|len| {
            let prefix = Ipv4Net::new(address, *len).ok()?.trunc();
            self.by_prefix.get(&prefix).copied()
        })?;
        Some((self.get(id)?, index))
    }

    pub fn containing_mut(&mut self, address: Ipv4Addr) -> Option<&mut Network> {
        let id = self.containing(address)?.0.id;
        self.get_mut(id)
    }

    /// The subnet that an address lies in.
    pub fn subnet_of(&self, address: Ipv4Addr) -> Option<&Subnet> {
        let (network, index) = self.containing(address)?;
        network.subnet(index)
    }

    /// Whether an address names this server: any of ours, on whichever link (RFC 2131 §4.1).
    pub fn is_ours(&self, address: Ipv4Addr) -> bool {
        self.ours.contains(&address)
    }

    /// Whether option 118 of a request counts: where it is allowed to, and where no relay agent has
    /// selected the link (RFC 3527 §3).
    pub fn honours_subnet_selection(&self, request: &Request) -> bool {
        let link = self.links.get(&request.ingress);
        link.is_some_and(|link| link.honours_subnet_selection)
            && request.relay.link_selection.is_none()
    }

    /// The network that a client is on, and the index of the subnet by which it is known (RFC 2131
    /// §4.3.1, §4.3.2).
    ///
    /// # Errors
    /// Why there is none.
    pub fn of(&self, request: &Request) -> Result<(&Network, usize), Counter> {
        let is_relayed = !request.giaddr.is_unspecified();
        let link = self.links.get(&request.ingress);
        let is_trusted = is_relayed || link.is_some_and(|link| link.trusts_relay_info);
        if request.relay_info.is_some() && link.is_some() && !is_trusted {
            return Err(Counter::UntrustedRelayInfo);
        }
        // It overrides `giaddr`, which then is only where the answer goes (RFC 3527 §3).
        if let Some(selected) = request.relay.link_selection.filter(|_| is_trusted) {
            return self.containing(selected).ok_or(Counter::UnknownLink);
        }
        if let Some(selected) = &request.subnet_selection {
            let selected: [u8; 4] = (**selected)
                .try_into()
                .map_err(|_| Counter::BadOptionLength)?;
            return self.containing(selected.into()).ok_or(Counter::UnknownLink);
        }
        if is_relayed {
            return self.containing(request.giaddr).ok_or(Counter::UnknownRelay);
        }
        let link = link.ok_or(Counter::UnknownNetwork)?;
        // A unicast request may have come through routers, so that its link says nothing.
        if request.is_unicast()
            && !request.ciaddr.is_unspecified()
            && let Some(found) = self.containing(request.ciaddr)
        {
            return Ok(found);
        }
        let network = link.network.and_then(|id| self.get(id));
        let network = network.ok_or(Counter::UnknownNetwork)?;
        let mut addresses = link.addresses.iter();
        let index = addresses.find_map(|address| network.index_of(*address));
        Ok((network, index.unwrap_or(0)))
    }
}

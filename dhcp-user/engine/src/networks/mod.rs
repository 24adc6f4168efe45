//! All networks that are served, and the choice of the one that a request belongs to.

mod boot_terms;
mod changes;
mod classes;
mod encoding;
mod links;
mod network;
mod profile;
mod reservations;
mod subnet;
mod terms;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    net::Ipv4Addr,
    sync::Arc,
};

use dhcp_config::{ALL_NETWORKS, Classes, Config, OptionValue, Overrides, Reservation};
use dhcp_model::LeaseTimes;
use hashbrown::HashMap;
use ipnet::Ipv4Net;

pub use self::{
    boot_terms::BootTerms,
    changes::Changes,
    classes::{ClassTable, OriginFacts, OriginMatches},
    links::{Link, LinkTable},
    network::Network,
    profile::Profile,
    reservations::{Reserved, hardware_keys, identifier},
    subnet::Subnet,
    terms::Terms,
};
use self::{encoding::Encoder, reservations::ReservationTable};
use crate::{
    counters::Silence,
    effect::Ingress,
    lease_table::Leases,
    request::{Request, Shape},
};

/// All subnets, found by id and by the addresses in them.
#[derive(Debug)]
pub struct Networks {
    by_id: HashMap<u32, Network>,
    classes: ClassTable,
    /// Network id, and index of the subnet in it.
    by_prefix: HashMap<Ipv4Net, (u32, usize)>,
    prefix_lens: BTreeSet<u8>,
    links: LinkTable,
    ours: HashSet<Ipv4Addr>,
    directed_broadcasts: HashSet<Ipv4Addr>,
    /// Reservations for clients of all networks.
    general: Arc<ReservationTable>,
    /// Ids of all profiles that templates may belong to.
    profiles: HashSet<u64>,
}

impl Networks {
    pub fn new(config: &Config, links: LinkTable) -> Self {
        let mut general = ReservationTable::new(ALL_NETWORKS);
        let mut by_address = BTreeMap::new();
        for reservation in &config.reservations {
            general.add(reservation, None);
            if let Some(address) = reservation.address {
                by_address.insert(address, reservation);
            }
        }
        let mut networks = Self {
            general: Arc::new(general),
            by_id: HashMap::new(),
            classes: ClassTable::new(&config.classes),
            by_prefix: HashMap::new(),
            prefix_lens: BTreeSet::new(),
            ours: links.addresses().collect(),
            directed_broadcasts: links
                .directed_broadcasts(config)
                .map(|(address, _)| address)
                .collect(),
            links,
            profiles: HashSet::new(),
        };
        let digest = Encoder::digest(&config.classes);
        for (network, subnet) in config.subnets() {
            let (first, last) = (subnet.prefix.network(), subnet.prefix.broadcast());
            let general = by_address.range(first..=last).map(|(_, of)| *of);
            networks.add(network, subnet, general, digest);
        }
        let all = networks.by_id.values().flat_map(Network::profiles);
        networks.profiles = all.map(|profile| profile.id).collect();
        networks
    }

    pub const fn classes(&self) -> &ClassTable {
        &self.classes
    }

    /// Returns whether a member of one of these classes gets no answer.
    pub fn is_refused(&self, set: Classes) -> bool {
        self.classes.members(set).any(|class| class.refuse)
    }

    /// Returns the terms for a client of these classes whose request has this shape.
    pub fn terms(&self, profile: &Profile, set: Classes, shape: &Shape) -> Arc<Terms> {
        let mut terms = profile.terms(self.classes.members(set));
        if let Some(secs) = shape.lease_secs {
            let lease = terms.lease.requested(secs);
            if lease != terms.lease {
                Arc::make_mut(&mut terms).lease = lease;
            }
        }
        terms
    }

    /// Notes a profile id found in the kernel's map that depends on the origin of a client.
    pub fn note_profile(&mut self, id: u64) {
        self.profiles.insert(id);
    }

    pub fn has_profile(&self, id: u64) -> bool {
        self.profiles.contains(&id)
    }

    fn add<'r>(
        &mut self,
        network: &dhcp_config::Network,
        subnet: &'r dhcp_config::Subnet,
        general: impl Iterator<Item = &'r Arc<Reservation>> + Clone,
        classes: [u8; 32],
    ) {
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
            .or_insert_with(|| Network::new(network, Arc::clone(&self.general)));
        let index = network.add(subnet, general, server_id, classes);
        self.by_prefix
            .insert(subnet.prefix.trunc(), (network.id, index));
    }

    /// Returns the differences from another configuration.
    pub fn changes_from(&self, former: &Self) -> Changes {
        let nothing = dhcp_config::Network {
            id: 0,
            name: String::new(),
            match_client_id: true,
            subnets: Vec::new(),
        };
        let no_reservations = || Arc::new(ReservationTable::new(ALL_NETWORKS));
        let nothing = Network::new(&nothing, no_reservations());
        let mut changes = Changes::default();
        for (id, network) in &self.by_id {
            let former = former.get(*id).unwrap_or(&nothing);
            changes.extend(network.changes_from(former));
        }
        for (id, former) in &former.by_id {
            if !self.by_id.contains_key(id) {
                changes.extend(nothing.changes_from(former));
            }
        }
        changes
    }

    /// Copies from another configuration which addresses are free.
    pub fn take_over(&mut self, mut former: Self, leases: &Leases) {
        for (id, network) in &mut self.by_id {
            network.take_over(former.by_id.get_mut(id), leases);
        }
    }

    pub fn get(&self, id: u32) -> Option<&Network> {
        self.by_id.get(&id)
    }

    pub fn get_mut(&mut self, id: u32) -> Option<&mut Network> {
        self.by_id.get_mut(&id)
    }

    /// Returns the network that contains an address, and the index of the subnet.
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

    /// Returns the subnet that contains an address.
    pub fn subnet_of(&self, address: Ipv4Addr) -> Option<&Subnet> {
        let (network, index) = self.containing(address)?;
        network.subnet(index)
    }

    /// Returns whether an address names this server: any of its addresses, on any link (RFC 2131
    /// §4.1).
    pub fn is_ours(&self, address: Ipv4Addr) -> bool {
        self.ours.contains(&address)
    }

    /// Returns whether an address stands for all hosts of a subnet, this server among them.
    pub fn is_directed_broadcast(&self, address: Ipv4Addr) -> bool {
        !self.is_ours(address) && self.directed_broadcasts.contains(&address)
    }

    /// Returns the server's address that an answer to a relay agent's own query comes from: the one
    /// that was asked, or the first of the link.
    pub fn answering(&self, ingress: &Ingress) -> Option<Ipv4Addr> {
        if self.is_ours(ingress.destination) {
            return Some(ingress.destination);
        }
        self.links.get(ingress)?.addresses.first().copied()
    }

    /// Returns the terms of a client that do not depend on its classes: options that a class may
    /// change are left out.
    pub fn certain_terms(&self, profile: &Profile) -> Arc<Terms> {
        let mut terms = profile.terms(std::iter::empty());
        for class in self.classes.members(Classes::MAX) {
            let Overrides {
                options,
                presence,
                boot,
                ..
            } = &class.overrides;
            let is_certain = |option: &&OptionValue| {
                options.iter().all(|other| other.code != option.code)
                    && !presence.never.contains(&option.code)
            };
            let terms = Arc::make_mut(&mut terms);
            terms.options = terms.options.iter().filter(is_certain).cloned().collect();
            let certain = Arc::make_mut(&mut terms.boot);
            certain.file = certain.file.take().filter(|_| boot.file.is_none());
            let name = certain.server_name.take();
            certain.server_name = name.filter(|_| boot.server_name.is_none());
        }
        terms
    }

    /// Returns the lease times that a client gets, if they depend neither on its classes nor on its
    /// request.
    pub fn certain_times(&self, profile: &Profile) -> Option<LeaseTimes> {
        let mut classes = self.classes.members(Classes::MAX);
        let times = profile.terms(std::iter::empty()).lease;
        let is_certain =
            times.range.is_none() && classes.all(|class| class.overrides.lease.is_none());
        is_certain.then_some(times)
    }

    /// Returns the server's address in the same subnet as another address, on the link that a
    /// request came from.
    pub fn our_address_beside(&self, request: &Request, other: Ipv4Addr) -> Ipv4Addr {
        let ours = self.links.get(&request.ingress).into_iter();
        let mut ours = ours.flat_map(|link| &link.addresses);
        let subnet = self.subnet_of(other).map(|subnet| subnet.prefix);
        ours.find(|address| subnet.is_some_and(|subnet| subnet.contains(*address)))
            .copied()
            .unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    /// Returns whether option 82 of a request counts: a relay agent has added it, or a device on a
    /// link that is trusted to (RFC 3046 §2.1.1).
    pub fn trusts_relay_info(&self, request: &Request) -> bool {
        let link = self.links.get(&request.ingress);
        !request.giaddr.is_unspecified() || link.is_some_and(|link| link.trusts_relay_info)
    }

    /// Returns the boot settings of the link of a request, if this server gives it no address: the
    /// link is a proxy, and the request comes from no subnet that is served.
    ///
    /// # Errors
    /// The request is for a boot server, which the link does not have.
    pub fn proxy(&self, request: &Request) -> Result<Option<&Arc<Overrides>>, Silence> {
        let link = self.links.get(&request.ingress);
        match link.and_then(|link| link.proxy.as_ref()) {
            None if request.is_for_boot_server() => Err(Silence::UnknownNetwork),
            Some(settings) if request.is_for_boot_server() || self.of(request).is_err() => {
                Ok(Some(settings))
            }
            _ => Ok(None),
        }
    }

    /// Returns whether option 118 of a request counts: its link has to permit it, and no relay
    /// agent may have selected a link (RFC 3527 §3).
    pub fn honours_subnet_selection(&self, request: &Request) -> bool {
        let link = self.links.get(&request.ingress);
        link.is_some_and(|link| link.honours_subnet_selection)
            && request.relay.link_selection.is_none()
    }

    /// Returns the network of a client, and the index of the subnet by which the network is known
    /// (RFC 2131 §4.3.1, §4.3.2).
    ///
    /// # Errors
    /// Why there is none.
    pub fn of(&self, request: &Request) -> Result<(&Network, usize), Silence> {
        let is_relayed = !request.giaddr.is_unspecified();
        let link = self.links.get(&request.ingress);
        // It overrides `giaddr`, which is then only the destination of the answer (RFC 3527 §3).
        if let Some(selected) = request.relay.link_selection {
            return self.containing(selected).ok_or(Silence::UnknownLink);
        }
        if let Some(selected) = &request.subnet_selection {
            let selected: [u8; 4] = (**selected)
                .try_into()
                .map_err(|_| Silence::BadOptionLength)?;
            return self.containing(selected.into()).ok_or(Silence::UnknownLink);
        }
        if is_relayed {
            return self.containing(request.giaddr).ok_or(Silence::UnknownRelay);
        }
        let link = link.ok_or(Silence::UnknownNetwork)?;
        // A unicast request may have come through routers, so its link does not identify the
        // network.
        if request.is_unicast()
            && !request.ciaddr.is_unspecified()
            && let Some(found) = self.containing(request.ciaddr)
        {
            return Ok(found);
        }
        let network = link.network.and_then(|id| self.get(id));
        let network = network.ok_or(Silence::UnknownNetwork)?;
        let mut addresses = link.addresses.iter();
        let index = addresses.find_map(|address| network.index_of(*address));
        Ok((network, index.unwrap_or(0)))
    }
}

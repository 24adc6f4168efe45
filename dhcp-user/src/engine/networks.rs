//! The subnets that are served, and whose an address in them may be.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use dhcp_common::abi::ClientKey;
use ipnet::Ipv4Net;

use super::{
    counters::Counter,
    links::LinkTable,
    profile::{Ids, Profile},
    request::Request,
};
use crate::{
    config::{self, Config, LeaseTimes},
    pool::Pool,
};

/// A subnet with its pool.
#[derive(Debug)]
pub struct Network {
    pub id: u32,
    pub prefix: Ipv4Net,
    pub lease: LeaseTimes,
    pub offer_time: Duration,
    pub decline_time: Duration,
    pub authoritative: bool,
    pub pool: Pool,
    profile: Arc<Profile>,
    reservations: HashMap<ClientKey, Reserved>,
    reserved_for: HashMap<Ipv4Addr, ClientKey>,
}

#[derive(Debug)]
struct Reserved {
    address: Ipv4Addr,
    profile: Arc<Profile>,
}

impl Network {
    fn new(network: &config::Network, server_id: Ipv4Addr, ids: &mut Ids) -> Self {
        let subnet = &network.subnet;
        let profile = Arc::new(Profile::new(subnet, server_id, ids));
        let reservations = subnet.reservations.iter().map(|reservation| {
            let profile = match &reservation.host_name {
                Some(name) => Arc::new(profile.with_host_name(name, ids)),
                None => Arc::clone(&profile),
            };
            (
                reservation.client,
                Reserved {
                    address: reservation.address,
                    profile,
                },
            )
        });
        let reservations: HashMap<_, _> = reservations.collect();
        let reserved_for: HashMap<_, _> = subnet
            .reservations
            .iter()
            .map(|reservation| (reservation.address, reservation.client))
            .collect();
        Self {
            id: network.id,
            prefix: subnet.prefix,
            lease: subnet.lease,
            offer_time: subnet.offer_time,
            decline_time: subnet.decline_time,
            authoritative: subnet.authoritative,
            pool: Pool::new(&subnet.pools, reserved_for.keys().copied()),
            profile,
            reservations,
            reserved_for,
        }
    }

    /// The address reserved for a client.
    pub fn reservation(&self, client: &ClientKey) -> Option<Ipv4Addr> {
        self.reservations
            .get(client)
            .map(|reserved| reserved.address)
    }

    pub fn profile(&self, client: &ClientKey) -> &Arc<Profile> {
        self.reservations
            .get(client)
            .map_or(&self.profile, |reserved| &reserved.profile)
    }

    /// Whether the configuration lets this client have this address.
    pub fn may_have(&self, client: &ClientKey, address: Ipv4Addr) -> bool {
        match self.reserved_for.get(&address) {
            Some(owner) => owner == client,
            None => self.pool.contains(address),
        }
    }
}

/// All subnets, found by id and by the addresses in them.
#[derive(Debug)]
pub struct Networks {
    by_id: HashMap<u32, Network>,
    by_prefix: HashMap<Ipv4Net, u32>,
    prefix_lens: BTreeSet<u8>,
    links: LinkTable,
    ours: HashSet<Ipv4Addr>,
    profile_ids: Ids,
}

impl Networks {
    pub fn new(config: &Config, links: LinkTable) -> Self {
        let mut networks = Self {
            by_id: HashMap::new(),
            by_prefix: HashMap::new(),
            prefix_lens: BTreeSet::new(),
            ours: links.addresses().collect(),
            links,
            profile_ids: Ids::default(),
        };
        let mut ids = Ids::default();
        for network in &config.networks {
            networks.add(network, &mut ids);
        }
        networks.profile_ids = ids;
        networks
    }

    pub fn has_profile(&self, id: u32) -> bool {
        self.profile_ids.contains(id)
    }

    fn add(&mut self, network: &config::Network, ids: &mut Ids) {
        let subnet = &network.subnet;
        let covered = || {
            self.links
                .addresses()
                .find(|address| subnet.prefix.contains(address))
        };
        let first = || self.links.addresses().next();
        let Some(server_id) = subnet.server_id.or_else(covered).or_else(first) else {
            tracing::error!(
                network = network.name,
                "no interface has an address to serve this network from; its clients get no answer"
            );
            return;
        };
        self.ours.insert(server_id);
        self.prefix_lens.insert(subnet.prefix.prefix_len());
        self.by_prefix.insert(subnet.prefix.trunc(), network.id);
        self.by_id
            .insert(network.id, Network::new(network, server_id, ids));
    }

    pub fn get(&self, id: u32) -> Option<&Network> {
        self.by_id.get(&id)
    }

    pub fn get_mut(&mut self, id: u32) -> Option<&mut Network> {
        self.by_id.get_mut(&id)
    }

    /// The subnet that an address lies in, the smallest if there are several.
    pub fn containing(&self, address: Ipv4Addr) -> Option<&Network> {
        let id = self.prefix_lens.iter().rev().find_map(|len| {
            let prefix = Ipv4Net::new(address, *len).ok()?.trunc();
            self.by_prefix.get(&prefix)
        })?;
        self.get(*id)
    }

    /// Whether an address names this server: any of ours, on whichever link (RFC 2131 §4.1).
    pub fn is_ours(&self, address: Ipv4Addr) -> bool {
        self.ours.contains(&address)
    }

    /// The network that a client is on (RFC 2131 §4.3.1, §4.3.2).
    ///
    /// # Errors
    /// Why there is none.
    pub fn of(&self, request: &Request) -> Result<&Network, Counter> {
        if !request.giaddr.is_unspecified() {
            return self.containing(request.giaddr).ok_or(Counter::UnknownRelay);
        }
        let link = self
            .links
            .get(&request.ingress)
            .ok_or(Counter::UnknownNetwork)?;
        if request.relay_info.is_some() && !link.trusts_relay_info {
            return Err(Counter::UntrustedRelayInfo);
        }
        // A unicast request may have come through routers, so that its link says nothing.
        if request.is_unicast()
            && !request.ciaddr.is_unspecified()
            && let Some(network) = self.containing(request.ciaddr)
        {
            return Ok(network);
        }
        link.network
            .and_then(|id| self.get(id))
            .ok_or(Counter::UnknownNetwork)
    }
}

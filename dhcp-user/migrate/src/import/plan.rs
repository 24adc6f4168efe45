//! The decision about each lease: whether it is imported, as which record, or why not.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    net::Ipv4Addr,
};

use dhcp_common::{abi::ClientKey, wire::INFINITE_SECS};
use dhcp_config::{ALL_NETWORKS, Config, Host, Network, Owner, Reservation, Subnet};
use dhcp_model::{ClientOrigin, LeaseTimes, Nanos, Record, RecordState, client_key, horizon};
use dhcp_store::{
    WallRecord,
    wall_clock::{Sample, Utc, WallClock},
};

use super::{
    journal::Journal,
    report::{Reason, Remark, Report},
};
use crate::leases::{ForeignLease, ForeignState, Position};

const NS_PER_SEC: i64 = 1_000_000_000;
/// The shortest client identifier (RFC 2132 §9.14).
const MIN_CLIENT_ID: usize = 2;

/// A record to write, and the position of its entry.
pub(super) type Positioned = (Position, Box<WallRecord>);

/// The records to write, and the report of all others.
#[derive(Debug)]
pub struct Plan {
    pub(super) records: Vec<Positioned>,
    pub report: Report,
}

/// The configuration and the store that leases are imported into.
#[derive(Debug)]
pub struct Destination<'a> {
    /// Subnets by their first address; they are disjoint.
    subnets: BTreeMap<Ipv4Addr, (&'a Network, &'a Subnet)>,
    ours: HashSet<Ipv4Addr>,
    reserved: HashMap<Ipv4Addr, &'a Owner>,
    owners: HashMap<(u32, &'a Owner), Ipv4Addr>,
    held: HashMap<Ipv4Addr, Held>,
    /// The address of each client that has a lease.
    by_client: HashMap<ClientKey, Ipv4Addr>,
    wall: &'a WallClock,
    now: Sample,
}

/// The record of an address in the store.
#[derive(Debug)]
struct Held {
    client: ClientKey,
    state: RecordState,
    since: Utc,
    expires: Utc,
    horizon: Utc,
}

/// The reason why a lease is not imported; `None` if it has no lasting effect.
type NotImported = Option<(Reason, String)>;

impl<'a> Destination<'a> {
    /// Takes the configuration, the interfaces of the host, whose addresses no client can have, and
    /// the records of the store.
    pub fn new(
        config: &'a Config,
        host: &Host,
        stored: impl IntoIterator<Item = WallRecord>,
        wall: &'a WallClock,
        now: Sample,
    ) -> Self {
        let mut destination = Self {
            subnets: BTreeMap::new(),
            ours: own_addresses(config, host),
            reserved: HashMap::new(),
            owners: HashMap::new(),
            held: HashMap::new(),
            by_client: HashMap::new(),
            wall,
            now,
        };
        for (network, subnet) in config.subnets() {
            let first = subnet.prefix.network();
            destination.subnets.insert(first, (network, subnet));
            for reservation in &subnet.reservations {
                destination.reserve(network.id, reservation);
            }
        }
        for reservation in &config.reservations {
            destination.reserve(ALL_NETWORKS, reservation);
        }
        for record in stored {
            destination.hold(record);
        }
        destination
    }

    fn reserve(&mut self, network: u32, reservation: &'a Reservation) {
        let Some(address) = reservation.address else {
            return;
        };
        for owner in &reservation.owners {
            self.reserved.insert(address, owner);
            self.owners.insert((network, owner), address);
        }
    }

    fn hold(&mut self, stored: WallRecord) {
        let Record {
            address,
            client,
            state,
            ..
        } = stored.record;
        if !matches!(state, RecordState::Former | RecordState::Quarantined) {
            self.by_client.insert(client, address);
        }
        let held = Held {
            client,
            state,
            since: stored.since,
            expires: stored.expires,
            horizon: stored.horizon,
        };
        self.held.insert(address, held);
    }

    /// Decides which leases of a file are imported.
    pub fn plan(mut self, journal: Journal) -> Plan {
        let Journal { last, mut report } = journal;
        let mut leases: Vec<_> = last.into_values().collect();
        // If a client has several leases, it uses the newest.
        leases.sort_unstable_by_key(|(_, lease)| {
            let newest = Reverse(lease.since.or(lease.expires));
            (self.state(lease) as u8, newest, lease.address)
        });
        let mut records = Vec::new();
        for (position, lease) in leases {
            let address = lease.address;
            let moves = match self.decide(lease) {
                Ok(Some(record)) => {
                    *report.count(record.record.state) += 1;
                    let moves = self.why_it_moves(&record.record);
                    if record.record.state == RecordState::Bound {
                        self.by_client.insert(record.record.client, address);
                    }
                    records.push((position.clone(), Box::new(record)));
                    moves
                }
                Ok(None) => {
                    report.unchanged += 1;
                    None
                }
                Err(None) => {
                    report.nothing += 1;
                    None
                }
                Err(Some((reason, why))) => {
                    report.skip(Remark {
                        position: position.clone(),
                        address: Some(address),
                        reason,
                        why,
                    });
                    None
                }
            };
            if let Some(why) = moves {
                report.moves(position, address, why);
            }
        }
        let key = |position: &Position| (position.file.clone(), position.line);
        report
            .named
            .sort_by_cached_key(|remark| key(&remark.position));
        report
            .moving
            .sort_by_cached_key(|(position, ..)| key(position));
        Plan { records, report }
    }

    /// Returns the present state of a lease.
    fn state(&self, lease: &ForeignLease) -> ForeignState {
        let is_over = lease
            .expires
            .is_some_and(|at| self.utc(at) <= self.store_now());
        match lease.state {
            ForeignState::Leased if is_over => ForeignState::Ended,
            state => state,
        }
    }

    /// Returns the record of a lease, or `None` if it is already in the store.
    fn decide(&self, lease: ForeignLease) -> Result<Option<WallRecord>, NotImported> {
        let address = lease.address;
        let Some((network, subnet)) = self.subnet_of(address) else {
            let why = "in no subnet of the configuration";
            return Err(Some((Reason::OutsideSubnets, why.to_owned())));
        };
        if self.ours.contains(&address) {
            let why = "an address of this server";
            return Err(Some((Reason::ServersOwn, why.to_owned())));
        }
        let state = self.state(&lease);
        let client = key(network, &lease).map_err(|why| match state {
            ForeignState::Leased => Some((Reason::NoIdentity, why.to_owned())),
            // Without a client there is nothing to remember.
            ForeignState::Declined | ForeignState::Ended => None,
        });
        let client = match state {
            // The client of a declined address does not matter.
            ForeignState::Declined => {
                client.unwrap_or(client_key(network.id, None, &lease.hardware))
            }
            ForeignState::Leased | ForeignState::Ended => client?,
        };
        let (state, times) = match state {
            ForeignState::Leased => (RecordState::Bound, self.bound_times(&lease, subnet)),
            ForeignState::Declined => {
                let times = self.quarantine_times(&lease, subnet).ok_or(None)?;
                (RecordState::Quarantined, times)
            }
            ForeignState::Ended => (RecordState::Former, self.former_times(&lease)),
        };
        let record = Record {
            address,
            client,
            state,
            origin: ClientOrigin {
                hardware: lease.hardware,
                client_id: lease.client_id,
                host_name: lease.host_name,
                relay_info: lease.relay_info,
            },
            since: Nanos::default(),
            expires: Nanos::default(),
            horizon: Nanos::default(),
        };
        let record = self.beside_the_held(record, times)?;
        if let Some(record) = &record
            && state == RecordState::Bound
            && let Some(other) = self.by_client.get(&record.record.client)
            && *other != address
        {
            let why = format!("its client has {other} on the same network");
            return Err(Some((Reason::OtherAddress, why)));
        }
        Ok(record)
    }

    /// Returns the record if it does not conflict with the store: records of other clients, and
    /// states that an operator has set, are not overwritten.
    fn beside_the_held(
        &self,
        record: Record,
        Times {
            since,
            expires,
            horizon,
        }: Times,
    ) -> Result<Option<WallRecord>, NotImported> {
        let mut new = WallRecord {
            record,
            since,
            expires,
            horizon,
        };
        let Some(held) = self.held.get(&new.record.address) else {
            return Ok(Some(new));
        };
        let is_same = held.client == new.record.client;
        match (held.state, new.record.state) {
            (RecordState::Former, RecordState::Former) if is_same => Ok(None),
            (RecordState::Former, RecordState::Former) => Err(Some((
                Reason::HeldInStore,
                "the store has a past lease of another client".to_owned(),
            ))),
            (RecordState::Former, _) => Ok(Some(new)),
            (RecordState::Quarantined, RecordState::Quarantined) => Ok(None),
            (RecordState::Bound, RecordState::Bound) if is_same => {
                if new.expires <= held.expires {
                    return Ok(None);
                }
                new.since = held.since;
                new.horizon = new.horizon.max(held.horizon);
                Ok(Some(new))
            }
            // The record in the store is newer.
            (RecordState::Bound, RecordState::Former) if is_same => Ok(None),
            (state, _) => {
                let whose = if is_same {
                    "its client"
                } else {
                    "another client"
                };
                let why = format!("the store has it as {} for {whose}", label(state));
                Err(Some((Reason::HeldInStore, why)))
            }
        }
    }

    fn subnet_of(&self, address: Ipv4Addr) -> Option<(&'a Network, &'a Subnet)> {
        let (_, (network, subnet)) = self.subnets.range(..=address).next_back()?;
        subnet
            .prefix
            .contains(&address)
            .then_some((network, subnet))
    }

    /// Returns why a client will get another address when it renews, although its lease is
    /// imported.
    fn why_it_moves(&self, record: &Record) -> Option<String> {
        let (network, subnet) = self.subnet_of(record.address)?;
        if record.state != RecordState::Bound {
            return None;
        }
        let of_hardware = client_key(network.id, None, &record.origin.hardware);
        let keys = [record.client, of_hardware];
        let mut owners = [network.id, ALL_NETWORKS]
            .into_iter()
            .flat_map(|network| keys.map(|key| (network, Owner::Client(key.on(network)))));
        let own = owners.find_map(|(of, owner)| {
            let own = *self.owners.get(&(of, &owner))?;
            let is_here = self
                .subnet_of(own)
                .is_some_and(|(its, _)| its.id == network.id);
            is_here.then_some(own)
        });
        match (own, self.reserved.get(&record.address)) {
            (Some(own), _) if own == record.address => None,
            (Some(own), _) => Some(format!("{own} is reserved for its client")),
            (None, Some(Owner::Client(_))) => Some("it is reserved for another client".to_owned()),
            // The port of the client is only known from its next request, and its DUID may be.
            (None, Some(Owner::RelayPort(_) | Owner::Duid(_))) => None,
            (None, None) => {
                let mut pools = subnet.pools.iter();
                let is_in_pool =
                    pools.any(|pool| (pool.first..=pool.last).contains(&record.address));
                (!is_in_pool).then(|| "it is in no pool and not reserved".to_owned())
            }
        }
    }
}

/// Conversions to the UTC of the store.
impl Destination<'_> {
    fn store_now(&self) -> Utc {
        self.wall.utc(self.now.boottime)
    }

    /// Converts a time of the wall clock to the UTC of the store, by its distance from now.
    fn utc(&self, secs: u64) -> Utc {
        let time = i64::try_from(secs).unwrap_or(i64::MAX);
        let from_now = time
            .saturating_mul(NS_PER_SEC)
            .saturating_sub(self.now.utc.0);
        self.store_now().shifted(from_now)
    }

    fn since(&self, lease: &ForeignLease) -> Utc {
        lease
            .since
            .map_or(self.store_now(), |since| self.utc(since))
    }

    fn bound_times(&self, lease: &ForeignLease, subnet: &Subnet) -> Times {
        let since = self.since(lease);
        let Some(expires) = lease.expires.map(|at| self.utc(at)) else {
            return Times {
                since,
                expires: Utc::FOREVER,
                horizon: Utc::FOREVER,
            };
        };
        let lease_secs = lease.lease_secs.unwrap_or(subnet.lease.lease_secs);
        let horizon = match lease_secs {
            // The subnet has infinite leases, but this one is finite.
            INFINITE_SECS => expires,
            lease_secs => {
                let times = LeaseTimes {
                    lease_secs,
                    ..subnet.lease
                };
                self.wall.utc(horizon(self.wall.nanos(expires), &times))
            }
        };
        Times {
            since,
            expires,
            horizon,
        }
    }

    /// Returns the times of a quarantine, or `None` if it is over.
    fn quarantine_times(&self, lease: &ForeignLease, subnet: &Subnet) -> Option<Times> {
        let now = self.store_now();
        let until = match lease.expires {
            Some(at) => self.utc(at),
            // A quarantine always ends.
            None => self.wall.utc(self.now.boottime.plus(subnet.decline_time)),
        };
        (until > now).then(|| Times {
            since: self.since(lease),
            expires: until,
            horizon: until,
        })
    }

    fn former_times(&self, lease: &ForeignLease) -> Times {
        let now = self.store_now();
        let ended = lease.expires.map_or(now, |at| self.utc(at).min(now));
        Times {
            since: self.since(lease).min(ended),
            expires: ended,
            horizon: ended,
        }
    }
}

struct Times {
    since: Utc,
    expires: Utc,
    horizon: Utc,
}

/// Returns the key that the engine derives from the client's next request, or why there is none.
fn key(network: &Network, lease: &ForeignLease) -> Result<ClientKey, &'static str> {
    let id = lease
        .client_id
        .as_deref()
        .filter(|_| network.match_client_id);
    if id.is_some_and(|id| id.len() < MIN_CLIENT_ID) {
        return Err("the client identifier is shorter than two octets (RFC 2132 §9.14)");
    }
    if id.is_none() && lease.hardware.len == 0 {
        return Err("neither a usable client identifier nor a hardware address");
    }
    Ok(client_key(network.id, id, &lease.hardware))
}

fn own_addresses(config: &Config, host: &Host) -> HashSet<Ipv4Addr> {
    let mut ours: HashSet<_> = config
        .subnets()
        .filter_map(|(_, subnet)| subnet.server_id)
        .collect();
    for interface in &config.interfaces {
        ours.extend(host.interfaces.get(&interface.name).into_iter().flatten());
        for link in &interface.links {
            ours.extend(&link.addresses);
        }
    }
    ours
}

const fn label(state: RecordState) -> &'static str {
    match state {
        RecordState::Bound => "leased",
        other => other.label(),
    }
}

//! What becomes of each lease.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    net::Ipv4Addr,
};

use dhcp_common::{abi::ClientKey, wire::INFINITE_SECS};
use dhcp_config::{Config, Host, Network, Owner, Subnet};
use dhcp_model::{ClientOrigin, LeaseTimes, Nanos, Record, RecordState, client_key, horizon};
use dhcp_store::{
    WallRecord,
    wall_clock::{Sample, Utc, Wall},
};

use super::{Journal, Placed, Reason, Remark, Report};
use crate::leases::{ForeignLease, ForeignState, Place};

const NS_PER_SEC: i64 = 1_000_000_000;
/// RFC 2132 §9.14.
const MIN_CLIENT_ID: usize = 2;

/// What is to be written, and what is not.
#[derive(Debug)]
pub struct Plan {
    pub(super) records: Vec<Placed>,
    pub report: Report,
}

/// What leases are fitted into: the configuration and the store as they are.
#[derive(Debug)]
pub struct Terrain<'a> {
    /// By their first addresses; they are disjoint.
    subnets: BTreeMap<Ipv4Addr, (&'a Network, &'a Subnet)>,
    ours: HashSet<Ipv4Addr>,
    reserved: HashMap<Ipv4Addr, &'a Owner>,
    owners: HashMap<(u32, &'a Owner), Ipv4Addr>,
    held: HashMap<Ipv4Addr, Held>,
    /// Who has which address, and has not given it back.
    by_client: HashMap<ClientKey, Ipv4Addr>,
    wall: &'a Wall,
    now: Sample,
}

/// What the store says of an address.
#[derive(Debug)]
struct Held {
    client: ClientKey,
    state: RecordState,
    since: Utc,
    expires: Utc,
    horizon: Utc,
}

/// Why a lease is left out; `None` where there is nothing to say.
type Left = Option<(Reason, String)>;

impl<'a> Terrain<'a> {
    /// `host` is this host's interfaces, whose addresses no client can have.
    pub fn new(
        config: &'a Config,
        host: &Host,
        stored: impl IntoIterator<Item = WallRecord>,
        wall: &'a Wall,
        now: Sample,
    ) -> Self {
        let mut terrain = Self {
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
            terrain.subnets.insert(first, (network, subnet));
            for reservation in &subnet.reservations {
                let owner = &reservation.owner;
                terrain.reserved.insert(reservation.address, owner);
                let address = reservation.address;
                terrain.owners.insert((network.id, owner), address);
            }
        }
        for record in stored {
            terrain.hold(record);
        }
        terrain
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

    /// Decides about all leases of a file.
    pub fn plan(mut self, journal: Journal) -> Plan {
        let Journal { last, mut report } = journal;
        let mut leases: Vec<_> = last.into_values().collect();
        // Of several leases of one client the newest is the one that it uses.
        leases.sort_unstable_by_key(|(_, lease)| {
            let newest = Reverse(lease.since.or(lease.expires));
            (self.state(lease) as u8, newest, lease.address)
        });
        let mut records = Vec::new();
        for (place, lease) in leases {
            let address = lease.address;
            let moves = match self.decide(lease) {
                Ok(Some(record)) => {
                    *report.count(record.record.state) += 1;
                    let moves = self.why_it_moves(&record.record);
                    if record.record.state == RecordState::Bound {
                        self.by_client.insert(record.record.client, address);
                    }
                    records.push((place.clone(), Box::new(record)));
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
                        place: place.clone(),
                        address: Some(address),
                        reason,
                        why,
                    });
                    None
                }
            };
            if let Some(why) = moves {
                report.moves(place, address, why);
            }
        }
        let key = |place: &Place| (place.file.clone(), place.line);
        report.named.sort_by_cached_key(|remark| key(&remark.place));
        report.moving.sort_by_cached_key(|(place, ..)| key(place));
        Plan { records, report }
    }

    /// What the lease is by now.
    fn state(&self, lease: &ForeignLease) -> ForeignState {
        let is_over = lease
            .expires
            .is_some_and(|at| self.utc(at) <= self.store_now());
        match lease.state {
            ForeignState::Leased if is_over => ForeignState::Ended,
            state => state,
        }
    }

    /// The record of a lease; `None` where the store has it already.
    fn decide(&self, lease: ForeignLease) -> Result<Option<WallRecord>, Left> {
        let address = lease.address;
        let Some((network, subnet)) = self.subnet_of(address) else {
            let why = "lies in no subnet of the configuration";
            return Err(Some((Reason::OutsideSubnets, why.to_owned())));
        };
        if self.ours.contains(&address) {
            let why = "is an address of this server";
            return Err(Some((Reason::ServersOwn, why.to_owned())));
        }
        let state = self.state(&lease);
        let client = key(network, &lease).map_err(|why| match state {
            ForeignState::Leased => Some((Reason::NoIdentity, why.to_owned())),
            // Nobody has had it, or nobody knows who.
            ForeignState::Declined | ForeignState::Ended => None,
        });
        let client = match state {
            // Whoever declined it is not looked for again.
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

    /// The record if the store lets it in: nothing of another client's, or of an operator's, is overwritten.
    fn beside_the_held(
        &self,
        record: Record,
        Times {
            since,
            expires,
            horizon,
        }: Times,
    ) -> Result<Option<WallRecord>, Left> {
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
                "the store remembers another client that had it".to_owned(),
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
            // The store's own is the newer.
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

    /// Why a client will be told to take another address when it renews, although its lease is imported.
    fn why_it_moves(&self, record: &Record) -> Option<String> {
        let (network, subnet) = self.subnet_of(record.address)?;
        if record.state != RecordState::Bound {
            return None;
        }
        let of_client = Owner::Client(record.client);
        let of_hardware = Owner::Client(client_key(network.id, None, &record.origin.hardware));
        let owners = [&of_client, &of_hardware];
        let own = owners
            .iter()
            .find_map(|owner| self.owners.get(&(network.id, *owner)));
        match (own, self.reserved.get(&record.address)) {
            (Some(own), _) if *own == record.address => None,
            (Some(own), _) => Some(format!("{own} is reserved for its client")),
            (None, Some(Owner::Client(_))) => Some("it is reserved for another client".to_owned()),
            // Where the client is comes with its next request.
            (None, Some(Owner::RelayPort(_))) => None,
            (None, None) => {
                let mut pools = subnet.pools.iter();
                let is_in_pool =
                    pools.any(|pool| (pool.first..=pool.last).contains(&record.address));
                (!is_in_pool).then(|| "it is in no pool and not reserved".to_owned())
            }
        }
    }
}

/// Times in the store's UTC.
impl Terrain<'_> {
    fn store_now(&self) -> Utc {
        self.wall.utc(self.now.boottime)
    }

    /// A time of the wall clock as the store has it: by how far it is from now.
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
            // That leases have no end here says nothing of one that has.
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

    /// `None` if it is over.
    fn quarantine_times(&self, lease: &ForeignLease, subnet: &Subnet) -> Option<Times> {
        let now = self.store_now();
        let until = match lease.expires {
            Some(at) => self.utc(at),
            // Not even a declined address is lost for ever.
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

/// The key of the client's next request; or why it has none.
fn key(network: &Network, lease: &ForeignLease) -> Result<ClientKey, &'static str> {
    let id = lease
        .client_id
        .as_deref()
        .filter(|_| network.match_client_id);
    if id.is_some_and(|id| id.len() < MIN_CLIENT_ID) {
        return Err(
            "a client identifier of less than two octets, which is not served (RFC 2132 §9.14)",
        );
    }
    if id.is_none() && lease.hardware.len == 0 {
        return Err("neither a client identifier that counts nor a hardware address");
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

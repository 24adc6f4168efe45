//! The check of a store: `xdhcpd check --store`.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    path::Path,
};

use dhcp_common::abi::{ClientKey, NS_PER_SEC};
use dhcp_config::{ALL_NETWORKS, Config, Network, Owner, Subnet};
use dhcp_model::RecordState;
use dhcp_store::{
    SCHEMA_VERSION, WallRecord,
    intervals::{Interval, Wanted},
    reader::Reader,
    sqlite::OpenError,
    wall_clock::Utc,
};
use serde::Serialize;

/// The most findings that are listed; all are counted.
const MAX_SHOWN: usize = 100;
/// The tolerance for clocks that were set after a time was written.
const TOLERANCE_NS: i64 = 24 * 3600 * NS_PER_SEC as i64;
/// Longer than every horizon of a configuration.
const CENTURY_NS: i64 = 100 * 365 * TOLERANCE_NS;

/// The result of a check.
#[derive(Debug, Default, Serialize)]
pub struct Audit {
    /// Whether there are no problems.
    pub ok: bool,
    /// The version of the schema.
    pub schema: i32,
    /// Records by the label of their state.
    pub records: BTreeMap<&'static str, u64>,
    /// The number of past leases.
    pub past: u64,
    /// Damage and inconsistent records.
    pub problems: Findings,
    /// Records that are not in the configuration, which the server ignores.
    pub foreign: Findings,
}

/// The first findings, and the number of all.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    pub count: u64,
    pub shown: Vec<Finding>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `None` if it concerns the file as a whole.
    pub address: Option<Ipv4Addr>,
    pub message: String,
}

impl Findings {
    fn add(&mut self, address: Option<Ipv4Addr>, message: impl Into<String>) {
        self.count += 1;
        if self.shown.len() < MAX_SHOWN {
            self.shown.push(Finding {
                address,
                message: message.into(),
            });
        }
    }
}

/// Checks a store against a configuration; `now` is the time of the wall clock.
///
/// # Errors
/// The file is not a store, or has another version.
pub fn audit(path: &Path, config: &Config, now: Utc) -> Result<Audit, OpenError> {
    let reader = Reader::open(path)?;
    let mut audit = Audit {
        schema: SCHEMA_VERSION,
        ..Audit::default()
    };
    if let Err(error) = audit.look(&reader, config, now) {
        audit
            .problems
            .add(None, format!("cannot be read completely: {error}"));
    }
    audit.ok = audit.problems.count == 0;
    Ok(audit)
}

impl Audit {
    fn look(
        &mut self,
        reader: &Reader,
        config: &Config,
        now: Utc,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        for damage in reader.damage(MAX_SHOWN as u32)? {
            self.problems.add(None, damage);
        }
        let networks = NetworkIndex::of(config);
        let mut active: HashMap<ClientKey, Ipv4Addr> = HashMap::new();
        reader.records(|address, record| match record {
            Ok(record) => {
                self.record(&record, &networks, reader, now);
                let is_active =
                    record.record.state == RecordState::Bound && reader.wall(record.horizon) > now;
                if is_active
                    && let Some(other) = active.insert(record.record.client, address)
                    && !is_moving(&record.record.client, [other, address], config)
                {
                    self.problems.add(
                        Some(address),
                        format!("leased to a client that also has {other} on the same network"),
                    );
                }
            }
            Err(error) => self.problems.add(Some(address), error),
        })?;
        self.past = reader.past_len()?;
        reader.past(
            &Wanted::default(),
            &mut |address, interval| match interval {
                Err(error) => self
                    .problems
                    .add(Some(address), format!("history: {error}")),
                Ok(Interval { since, until, .. }) => {
                    if let Some(until) = until.filter(|until| *until < since) {
                        let message = format!(
                            "history: a lease ends before it begins, from {since} to {until}"
                        );
                        self.problems.add(Some(address), message);
                    }
                }
            },
        )?;
        Ok(())
    }

    fn record(
        &mut self,
        stored: &WallRecord,
        networks: &NetworkIndex<'_>,
        reader: &Reader,
        now: Utc,
    ) {
        let WallRecord {
            record,
            since,
            expires,
            horizon,
        } = stored;
        let address = Some(record.address);
        *self.records.entry(record.state.label()).or_default() += 1;

        let network = networks.config.network(record.client.network());
        match (network, networks.network_of(record.address)) {
            (Some(network), Some(of)) if of.id == network.id => {}
            (_, None) => self
                .foreign
                .add(address, "in no subnet of the configuration"),
            (None, Some(of)) => self.foreign.add(
                address,
                format!(
                    "its network is not in the configuration; its subnet now belongs to {:?}",
                    of.name
                ),
            ),
            (Some(network), Some(of)) => self.foreign.add(
                address,
                format!(
                    "its network is {:?}, but its subnet now belongs to {:?}",
                    network.name, of.name
                ),
            ),
        }

        if horizon < expires {
            let message = format!("ends at {expires}, but its horizon is {horizon}");
            self.problems.add(address, message);
        }
        if since > expires && record.state == RecordState::Bound {
            let message = format!("ends at {expires}, before it begins at {since}");
            self.problems.add(address, message);
        }
        let ahead = |time: &Utc| reader.wall(*time).0.saturating_sub(now.0);
        if ahead(since) > TOLERANCE_NS {
            self.problems
                .add(address, format!("begins in the future, at {since}"));
        }
        if !horizon.is_forever() && ahead(horizon) > CENTURY_NS {
            self.problems
                .add(address, format!("has an implausible horizon, {horizon}"));
        }
        if since.0 < 0 || horizon.0 < 0 {
            self.problems.add(address, "has times before 1970");
        }
    }
}

/// An index of networks by address, for a million lookups.
struct NetworkIndex<'a> {
    config: &'a Config,
    /// Subnets by their first address; they are disjoint.
    subnets: BTreeMap<Ipv4Addr, (&'a Network, &'a Subnet)>,
}

impl<'a> NetworkIndex<'a> {
    fn of(config: &'a Config) -> Self {
        let subnets = config.subnets();
        let subnets = subnets.map(|(network, subnet)| (subnet.prefix.network(), (network, subnet)));
        Self {
            config,
            subnets: subnets.collect(),
        }
    }

    fn network_of(&self, address: Ipv4Addr) -> Option<&'a Network> {
        let (_, (network, subnet)) = self.subnets.range(..=address).next_back()?;
        subnet.prefix.contains(&address).then_some(*network)
    }
}

/// Returns whether a client with two leases is moving to a newer reservation, whose address is one
/// of them.
fn is_moving(client: &ClientKey, addresses: [Ipv4Addr; 2], config: &Config) -> bool {
    let network = config.network(client.network());
    let subnets = network.into_iter().flat_map(|network| &network.subnets);
    let mut reserved = subnets
        .flat_map(|subnet| &subnet.reservations)
        .map(|reservation| (reservation, *client))
        .chain(
            config
                .reservations
                .iter()
                .map(|reservation| (reservation, client.on(ALL_NETWORKS))),
        )
        .filter(|(reservation, client)| reservation.owners.contains(&Owner::Client(*client)))
        .filter_map(|(reservation, _)| reservation.address);
    reserved.any(|reserved| addresses.contains(&reserved))
}

#[cfg(test)]
mod tests;

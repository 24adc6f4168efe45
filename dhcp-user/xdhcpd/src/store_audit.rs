//! What is wrong with a store, as far as that can be told from the outside: `xdhcpd check --store`.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    path::Path,
};

use dhcp_common::abi::{ClientKey, NS_PER_SEC};
use dhcp_config::{Config, Network, Owner, Subnet};
use dhcp_model::RecordState;
use dhcp_store::{
    SCHEMA_VERSION, WallRecord,
    intervals::{Interval, Wanted},
    reader::Reader,
    sqlite::OpenError,
    wall_clock::Utc,
};
use serde::Serialize;

/// Findings that are shown; the rest is counted.
const MAX_SHOWN: usize = 100;
/// Clocks may have been set by so much since a time was written.
const TOLERANCE_NS: i64 = 24 * 3600 * NS_PER_SEC as i64;
/// No horizon of the configuration is as far away as this.
const CENTURY_NS: i64 = 100 * 365 * TOLERANCE_NS;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Audit {
    pub ok: bool,
    pub schema: i32,
    /// Records by the word for their state.
    pub records: BTreeMap<&'static str, u64>,
    /// Rows of who had which address.
    pub past: u64,
    pub problems: Findings,
    /// Records that the configuration has no use for; the server leaves them alone.
    pub foreign: Findings,
}

/// The first of what was found, and how much it is in all.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    pub count: u64,
    pub shown: Vec<Finding>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `None` for what is wrong with the file as a whole.
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

/// Looks at all of a store; `now` is the wall clock's.
///
/// # Errors
/// It is no store, or of another version: there is nothing to look at.
pub fn audit(path: &Path, config: &Config, now: Utc) -> Result<Audit, OpenError> {
    let reader = Reader::open(path)?;
    let mut audit = Audit {
        schema: SCHEMA_VERSION,
        ..Audit::default()
    };
    if let Err(error) = audit.look(&reader, config, now) {
        audit
            .problems
            .add(None, format!("cannot be read on: {error}"));
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
        let places = Places::of(config);
        let mut active: HashMap<ClientKey, Ipv4Addr> = HashMap::new();
        reader.records(|address, record| match record {
            Ok(record) => {
                self.record(&record, &places, reader, now);
                let is_active =
                    record.record.state == RecordState::Bound && reader.wall(record.horizon) > now;
                if is_active
                    && let Some(other) = active.insert(record.record.client, address)
                    && !is_moving(&record.record.client, [other, address], config)
                {
                    self.problems.add(
                        Some(address),
                        format!("leased to the client that has {other} on the same network"),
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
                    .add(Some(address), format!("its history: {error}")),
                Ok(Interval { since, until, .. }) => {
                    if let Some(until) = until.filter(|until| *until < since) {
                        let message = format!("its history: a lease from {since} to {until}");
                        self.problems.add(Some(address), message);
                    }
                }
            },
        )?;
        Ok(())
    }

    fn record(&mut self, stored: &WallRecord, places: &Places<'_>, reader: &Reader, now: Utc) {
        let WallRecord {
            record,
            since,
            expires,
            horizon,
        } = stored;
        let address = Some(record.address);
        *self.records.entry(record.state.label()).or_default() += 1;

        let network = places.config.network(record.client.network());
        match (network, places.network_of(record.address)) {
            (Some(network), Some(of)) if of.id == network.id => {}
            (_, None) => self
                .foreign
                .add(address, "in no subnet of the configuration"),
            (None, Some(of)) => self.foreign.add(
                address,
                format!(
                    "of a network that is not configured; its subnet belongs to {:?} now",
                    of.name
                ),
            ),
            (Some(network), Some(of)) => self.foreign.add(
                address,
                format!(
                    "of the network {:?}; its subnet belongs to {:?} now",
                    network.name, of.name
                ),
            ),
        }

        if horizon < expires {
            let message = format!("ends at {expires}, but is on disk only up to {horizon}");
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
                .add(address, format!("kept for its client until {horizon}"));
        }
        if since.0 < 0 || horizon.0 < 0 {
            self.problems.add(address, "has times before 1970");
        }
    }
}

/// Which network an address belongs to, for a million of them.
struct Places<'a> {
    config: &'a Config,
    /// By the first address; no two subnets overlap.
    subnets: BTreeMap<Ipv4Addr, (&'a Network, &'a Subnet)>,
}

impl<'a> Places<'a> {
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

/// A client for which an address is reserved has another until that ends, if the reservation is newer.
fn is_moving(client: &ClientKey, addresses: [Ipv4Addr; 2], config: &Config) -> bool {
    let network = config.network(client.network());
    let subnets = network.into_iter().flat_map(|network| &network.subnets);
    let reserved = subnets
        .flat_map(|subnet| &subnet.reservations)
        .find(|reservation| reservation.owner == Owner::Client(*client));
    reserved.is_some_and(|reserved| addresses.contains(&reserved.address))
}

#[cfg(test)]
mod tests;

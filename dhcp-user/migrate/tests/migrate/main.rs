//! Migration from other servers.

#![allow(clippy::unwrap_used)]

mod broken;
mod conversions;
mod imports;

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use dhcp_common::abi::NS_PER_SEC;
use dhcp_config::{Config, Host, Pool, Subnet};
use dhcp_migrate::{
    Source,
    import::{self, Destination, Journal, Report},
    leases,
};
use dhcp_model::{Nanos, Record};
use dhcp_store::{
    Store as _,
    sqlite::SqliteStore,
    wall_clock::{Sample, Utc, Wall},
};
use dhcp_testkit::world::{NETWORK, config, subnet};
use proptest::prelude::*;

/// The time of all tests, on the clock of the engine.
const NOW: Nanos = Nanos(1_000_000 * NS_PER_SEC);

/// Generates text that resembles valid input: `known` times as many of these words as random ones.
fn text_of(
    words: impl Into<Vec<&'static str>>,
    known: u32,
    most: usize,
) -> impl Strategy<Value = String> {
    let word = prop_oneof![
        known => proptest::sample::select(words.into()).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
    ];
    proptest::collection::vec(word, 0..most).prop_map(|words| words.join(" "))
}

fn fixture(name: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/migrate/fixtures");
    fixtures.join(name)
}

/// Returns the address with this last octet.
fn at(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, last)
}

/// Returns the subnet of the fixtures.
fn lab_subnet() -> Subnet {
    Subnet {
        prefix: "10.77.0.0/24".parse().unwrap(),
        pools: vec![Pool::new(at(100), at(199))],
        ..subnet()
    }
}

fn lab() -> Config {
    config(vec![(NETWORK, lab_subnet())])
}

/// A store in a temporary directory.
struct TestStore {
    _directory: tempfile::TempDir,
    store: SqliteStore,
    /// The wall clock, in seconds since 1970.
    now: i64,
}

impl TestStore {
    fn new(now: i64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("leases.db")).unwrap();
        Self {
            _directory: directory,
            store,
            now,
        }
    }

    fn sample(&self) -> Sample {
        Sample {
            boottime: NOW,
            utc: Utc(self.now * 1_000_000_000),
        }
    }

    fn import(&mut self, config: &Config, journal: Journal) -> Report {
        let wall = Wall::for_display(self.sample());
        let mut stored = Vec::new();
        self.store.load(&mut |record| stored.push(record)).unwrap();
        let destination = Destination::new(config, &Host::default(), stored, &wall, self.sample());
        import::commit(&mut self.store, destination.plan(journal)).unwrap()
    }

    /// Returns all records, with times on the clock of the engine.
    fn records(&mut self) -> Vec<Record> {
        let wall = Wall::for_display(self.sample());
        let mut records = Vec::new();
        self.store
            .load(&mut |stored| records.push(wall.record(stored)))
            .unwrap();
        records
    }

    fn record(&mut self, address: Ipv4Addr) -> Option<Record> {
        let mut records = self.records().into_iter();
        records.find(|record| record.address == address)
    }
}

/// Reads a file.
fn file(source: Source, path: &Path) -> Journal {
    let mut journal = Journal::default();
    leases::read(source, path, &mut |entry| journal.take(entry)).unwrap();
    journal
}

/// Reads a text.
fn text(source: Source, text: &str) -> Journal {
    let mut journal = Journal::default();
    let path = Path::new("leases");
    leases::read_one(source, path, text.as_bytes(), &mut |entry| {
        journal.take(entry);
    })
    .unwrap();
    journal
}

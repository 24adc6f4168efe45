//! Moving in from another server, and out again.

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
    import::{self, Journal, Report, Terrain},
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

/// The engine's time at which everything here happens.
const NOW: Nanos = Nanos(1_000_000 * NS_PER_SEC);

/// Text that is near enough to what a parser reads to get far: for one word of any characters so many `known` ones.
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

/// The clients' address of a number.
fn at(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, last)
}

/// The network on which the fixtures were written.
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

/// A store in a folder of its own.
struct TestStore {
    _directory: tempfile::TempDir,
    store: SqliteStore,
    /// Of the wall clock, in seconds since 1970.
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
        let terrain = Terrain::new(config, &Host::default(), stored, &wall, self.sample());
        import::commit(&mut self.store, terrain.plan(journal)).unwrap()
    }

    /// In the engine's time.
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

/// What a file says.
fn file(source: Source, path: &Path) -> Journal {
    let mut journal = Journal::default();
    leases::read(source, path, &mut |entry| journal.take(entry)).unwrap();
    journal
}

/// What a text says.
fn text(source: Source, text: &str) -> Journal {
    let mut journal = Journal::default();
    let path = Path::new("leases");
    leases::read_one(source, path, text.as_bytes(), &mut |entry| {
        journal.take(entry);
    })
    .unwrap();
    journal
}

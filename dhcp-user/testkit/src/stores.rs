//! Stores on real files with a few records in them, and clocks that are told the time.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use dhcp_common::abi::ClientKey;
use dhcp_model::{Applied, ClientOrigin, Hardware, Nanos, Record, RecordState};
use dhcp_store::{Store, WallChange, WallRecord, sqlite::SqliteStore, wall_clock::Utc};

pub fn client(number: u8) -> ClientKey {
    ClientKey::hardware(7, 1, &[2, 0, 0, 0, 0, number]).unwrap()
}

pub fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, number)
}

pub fn record(address: Ipv4Addr, client: ClientKey, state: RecordState) -> WallRecord {
    let mut chaddr = [0; 16];
    chaddr[..6].copy_from_slice(&client.id().0[..6]);
    WallRecord {
        record: Record {
            address,
            client,
            state,
            origin: ClientOrigin {
                hardware: Hardware {
                    htype: 1,
                    len: 6,
                    chaddr,
                },
                ..ClientOrigin::default()
            },
            since: Nanos(0),
            expires: Nanos(0),
            horizon: Nanos(0),
        },
        since: Utc(1_700_000_000_000_000_001),
        expires: Utc(1_700_003_600_000_000_002),
        horizon: Utc::FOREVER,
    }
}

pub fn put(number: u8, client: ClientKey, state: RecordState) -> WallChange {
    WallChange::Put(Box::new(record(address(number), client, state)))
}

pub fn all(store: &mut dyn Store) -> Vec<WallRecord> {
    let mut records = Vec::new();
    store.load(&mut |record| records.push(record)).unwrap();
    records.sort_by_key(|record| record.record.address);
    records
}

/// A new store in a directory that is removed with it.
pub fn store() -> (tempfile::TempDir, SqliteStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("leases.db")).unwrap();
    (directory, store)
}

pub const SEC: i64 = 1_000_000_000;
/// When the tests' clock stands; their leases begin [`BEGUN`].
pub const NOW: i64 = 1_800_000_000;
pub const BEGUN: i64 = NOW - 7200;
const DAY: u64 = 86_400;

pub fn at_now() -> Utc {
    Utc(NOW * SEC)
}

pub fn history_store(keep_days: u64) -> (tempfile::TempDir, SqliteStore) {
    let (directory, store) = store();
    let store = store.keeping_history(Duration::from_secs(keep_days * DAY));
    (directory, store.with_clock(at_now))
}

/// A record of 10.0.0.5.
pub fn lease(who: ClientKey, state: RecordState, expires: i64) -> WallRecord {
    WallRecord {
        since: Utc(BEGUN * SEC),
        expires: Utc(expires * SEC),
        horizon: Utc((expires + 3600) * SEC),
        ..record(address(5), who, state)
    }
}

pub fn commit(store: &mut SqliteStore, record: WallRecord) {
    let applied = store.commit(&[WallChange::Put(Box::new(record))]).unwrap();
    assert_eq!(applied, [Applied::Done]);
}

pub fn end(store: &mut SqliteStore, who: ClientKey, until: i64) {
    let mut former = lease(who, RecordState::Former, until);
    former.horizon = former.expires;
    commit(store, former);
}

/// The name and octets of everything in a directory.
pub fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap_or_default()))
        .collect();
    files.sort();
    files
}

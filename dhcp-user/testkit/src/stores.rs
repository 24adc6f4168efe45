//! Stores in real files with a few records, and clocks that tests set.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use dhcp_common::abi::ClientKey;
use dhcp_model::{Address, Applied, ClientOrigin, Hardware, Nanos, Record, RecordState};
use dhcp_store::{Store, WallChange, WallRecord, sqlite::SqliteStore, wall_clock::Utc};

/// Returns the key of a client by its hardware address.
pub fn client(number: u8) -> ClientKey {
    ClientKey::hardware(7, 1, &[2, 0, 0, 0, 0, number]).unwrap()
}

/// Returns an IPv4 address of the test network.
pub fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, number)
}

/// Returns a record of any kind of address that is held for ever.
pub fn record<A>(address: A, client: ClientKey, state: RecordState) -> WallRecord<A> {
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

/// Returns the change that writes a [`record`].
pub fn put(number: u8, client: ClientKey, state: RecordState) -> WallChange {
    WallChange::Put(Box::new(record(address(number), client, state)))
}

/// Returns all records of a store, by address.
pub fn all<A: Address>(store: &mut (impl Store<A> + ?Sized)) -> Vec<WallRecord<A>> {
    let mut records = Vec::new();
    store.load(&mut |record| records.push(record)).unwrap();
    records.sort_by_key(|record| record.record.address);
    records
}

/// Makes a store in a directory that is removed when it is dropped.
pub fn store() -> (tempfile::TempDir, SqliteStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("leases.db")).unwrap();
    (directory, store)
}

pub const SEC: i64 = 1_000_000_000;
/// The time of the tests' clock, in seconds; their leases begin at [`BEGUN`].
pub const NOW: i64 = 1_800_000_000;
pub const BEGUN: i64 = NOW - 7200;
const DAY: u64 = 86_400;

/// Returns the time of the tests' clock.
pub fn at_now() -> Utc {
    Utc(NOW * SEC)
}

/// Makes a store whose history is kept for `keep_days` days of the tests' clock.
pub fn history_store(keep_days: u64) -> (tempfile::TempDir, SqliteStore) {
    let (directory, store) = store();
    let store = store.keeping_history(Duration::from_secs(keep_days * DAY));
    (directory, store.with_clock(at_now))
}

/// Returns a record of 10.0.0.5.
pub fn lease(who: ClientKey, state: RecordState, expires: i64) -> WallRecord {
    WallRecord {
        since: Utc(BEGUN * SEC),
        expires: Utc(expires * SEC),
        horizon: Utc((expires + 3600) * SEC),
        ..record(address(5), who, state)
    }
}

/// Commits a record that must be applied.
pub fn commit(store: &mut SqliteStore, record: WallRecord) {
    let applied = store.commit(&[WallChange::Put(Box::new(record))]).unwrap();
    assert_eq!(applied, [Applied::Done]);
}

/// Ends the lease of 10.0.0.5.
pub fn end(store: &mut SqliteStore, who: ClientKey, until: i64) {
    let mut former = lease(who, RecordState::Former, until);
    former.horizon = former.expires;
    commit(store, former);
}

/// Returns the name and octets of every file in a directory.
pub fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap_or_default()))
        .collect();
    files.sort();
    files
}

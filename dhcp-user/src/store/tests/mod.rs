//! The store and what stands around it, on real files and with clocks that are told the time.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;

use super::{
    Applied, Hardware, Origin, Record, RecordState, Store, WallChange, WallRecord,
    sqlite::SqliteStore, wall::Utc,
};
use crate::clock::Nanos;

mod audit;
mod backup;
mod committer;
mod files;
mod history;
mod reader;
mod sqlite;
mod wall;

pub(crate) fn client(number: u8) -> ClientKey {
    ClientKey::hardware(7, 1, &[2, 0, 0, 0, 0, number]).unwrap()
}

pub(crate) fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, number)
}

pub(crate) fn record(address: Ipv4Addr, client: ClientKey, state: RecordState) -> WallRecord {
    let mut chaddr = [0; 16];
    chaddr[..6].copy_from_slice(&client.id().0[..6]);
    WallRecord {
        record: Record {
            address,
            client,
            state,
            origin: Origin {
                hardware: Hardware {
                    htype: 1,
                    len: 6,
                    chaddr,
                },
                ..Origin::default()
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

fn put(number: u8, client: ClientKey, state: RecordState) -> WallChange {
    WallChange::Put(Box::new(record(address(number), client, state)))
}

fn all(store: &mut dyn Store) -> Vec<WallRecord> {
    let mut records = Vec::new();
    store.load(&mut |record| records.push(record)).unwrap();
    records.sort_by_key(|record| record.record.address);
    records
}

/// A new store in a directory that is removed with it.
fn store() -> (tempfile::TempDir, SqliteStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("leases.db")).unwrap();
    (directory, store)
}

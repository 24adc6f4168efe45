//! Use of a store that the previous version has written: opened, served from and extended.

use dhcp_model::{Applied, RecordState};
use dhcp_store::{
    SCHEMA_VERSION, Store, WallChange, WallRecord,
    intervals::Wanted,
    reader::Reader,
    sqlite::SqliteStore,
    wall_clock::{Sample, Utc, WallClock},
};
use dhcp_testkit::{
    stores::{SEC, all},
    version_before::{RECORDS, STOPPED, write_store},
};
use rusqlite::Connection;

fn stopped() -> Utc {
    STOPPED
}

/// Address, last octet of the hardware address, and seconds for which each interval that is over
/// lasted.
const PAST: [(&str, u8, i64); 3] = [
    ("10.0.0.102", 4, 1),
    ("10.0.0.103", 5, 1),
    ("10.0.0.106", 9, 2),
];

fn found(records: &[WallRecord]) -> Vec<(std::net::Ipv4Addr, u8, RecordState)> {
    let row = |stored: &WallRecord| {
        let record = &stored.record;
        let who = record.origin.hardware.chaddr[5];
        (record.address, who, record.state)
    };
    records.iter().map(row).collect()
}

#[test]
fn the_store_of_the_version_before_is_served_from_and_extended() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("leases.db");
    write_store(&path);
    let schema: i32 = Connection::open(&path)
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(schema, 3);
    if schema == SCHEMA_VERSION {
        assert_eq!(read(&path), found_and_past());
    }

    let mut store = SqliteStore::open(&path).unwrap().with_clock(stopped);
    let records = all(&mut store);
    assert_eq!(found(&records), RECORDS);
    let of = |last: [u8; 2]| {
        let mut records = records.iter();
        let has = |stored: &&WallRecord| stored.record.address.octets()[2..] == last;
        records.find(has).unwrap()
    };
    assert!(of([0, 5]).expires.is_forever() && of([0, 5]).horizon.is_forever());
    let named = &of([0, 101]).record.origin;
    assert_eq!(named.host_name.as_deref(), Some("host-3"));
    assert_eq!(named.client_id.as_deref(), Some(&b"\0client-3"[..]));
    let relayed = &of([0, 100]).record.origin;
    assert_eq!(relayed.relay_info, None);
    let relayed = records.last().unwrap();
    let expected: &[u8] = b"\x01\x06port-8\x02\x06switch";
    assert_eq!(relayed.record.origin.relay_info.as_deref(), Some(expected));
    assert_eq!(relayed.horizon.0 - relayed.expires.0, 2 * 3600 * SEC);

    // Within the same boot times come back as they went in; at the next one nothing has drifted.
    let anchor = store.anchor().unwrap().unwrap();
    assert_eq!(anchor.drift_ns, 0);
    let now = Sample {
        boottime: dhcp_model::Nanos((STOPPED.0 - anchor.offset_ns) as u64),
        utc: STOPPED,
    };
    let wall_clock = WallClock::resume(&mut store, &anchor.boot_id, now).unwrap();
    for stored in &records {
        let again = wall_clock.wall_record(wall_clock.record(stored.clone()));
        assert_eq!(again.expires, stored.expires);
    }
    WallClock::resume(&mut store, "the next boot", now).unwrap();
    assert_eq!(all(&mut store), records);

    // A client renews, another one takes the address that was released, and one comes back.
    let mut renewed = of([0, 100]).clone();
    renewed.expires = renewed.expires.shifted(SEC);
    let mut taken = of([0, 100]).clone();
    taken.record.address = [10, 0, 0, 102].into();
    let mut conflict = taken.clone();
    conflict.record.address = [10, 0, 0, 103].into();
    let mut ended = of([0, 101]).clone();
    ended.record.state = RecordState::Former;
    ended.expires = STOPPED;
    let changes = [renewed, taken, conflict, ended].map(|record| WallChange::Put(Box::new(record)));
    let applied = store.commit(&changes).unwrap();
    let (done, conflict) = (Applied::Done, Applied::Conflict);
    assert_eq!(applied, [done, done, conflict, done]);
    drop(store);
    let (records, past) = read(&path);
    assert_eq!(records.len(), RECORDS.len());
    assert_eq!(records[3], ([10, 0, 0, 102].into(), 2, RecordState::Bound));
    assert_eq!(past.len(), PAST.len() + 1);
    assert_eq!((past[0].0.as_str(), past[0].1), ("10.0.0.101", 3));
}

type Read = (
    Vec<(std::net::Ipv4Addr, u8, RecordState)>,
    Vec<(String, u8, i64)>,
);

fn found_and_past() -> Read {
    let past = PAST.map(|(address, who, secs)| (address.to_owned(), who, secs));
    (RECORDS.to_vec(), past.to_vec())
}

/// Reads a store: the records, and the intervals that are over.
fn read(path: &std::path::Path) -> Read {
    let reader = Reader::open(path).unwrap();
    let mut records = Vec::new();
    reader
        .records(|_, record| records.push(record.unwrap()))
        .unwrap();
    records.sort_by_key(|stored| stored.record.address);
    let intervals = reader.intervals(&Wanted::default(), STOPPED).unwrap();
    let past = intervals.into_iter().filter_map(|interval| {
        let until = interval.until?;
        let secs = (until.0 - interval.since.0) / SEC;
        let who = interval.origin.hardware.chaddr[5];
        Some((interval.address.to_string(), who, secs))
    });
    (found(&records), past.collect())
}

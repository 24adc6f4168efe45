//! Changes, and their visibility for another connection.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;
use dhcp_model::{Applied, ClientOrigin, Hardware, Nanos, Record, RecordState};
use dhcp_store::{Store, WallChange, WallRecord, sqlite::SqliteStore, wall_clock::Utc};
use dhcp_testkit::{counts::allocations, stores::*};
use proptest::prelude::*;
use rusqlite::{Connection, OpenFlags};

const STATES: [RecordState; 5] = [
    RecordState::Bound,
    RecordState::Deleted,
    RecordState::Revoked,
    RecordState::Quarantined,
    RecordState::Former,
];

#[test]
fn c046_a_commit_that_has_returned_is_there_for_another_connection() {
    let (directory, mut store) = store();
    let mut change = record(address(5), client(1), RecordState::Bound);
    change.record.origin.client_id = Some([1, 0xab].into());
    change.record.origin.host_name = Some("printer".into());
    change.record.origin.relay_info = Some([1, 1, 7].into());
    store.commit(&[WallChange::Put(Box::new(change))]).unwrap();

    let path = directory.path().join("leases.db");
    let other = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let row: [String; 9] = other
        .query_row("SELECT * FROM leases", [], |row| {
            let columns: Result<Vec<_>, _> = (0..9).map(|i| row.get(i)).collect();
            Ok(columns?.try_into().unwrap())
        })
        .unwrap();
    assert_eq!(
        row,
        [
            "10.0.0.5",
            "bound",
            "020000000001",
            "01ab",
            "printer",
            "010107",
            "2023-11-14 22:13:20",
            "2023-11-14 23:13:20",
            "infinite"
        ]
    );
}

#[test]
fn an_operator_who_reads_does_not_stop_a_commit() {
    let (directory, mut store) = store();
    let path = directory.path().join("leases.db");
    let other = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    other.execute_batch("BEGIN; SELECT * FROM leases").unwrap();
    let applied = store.commit(&[put(5, client(1), RecordState::Bound)]);
    assert_eq!(applied.unwrap(), [Applied::Done]);
}

#[test]
fn an_address_is_written_only_if_it_is_free_or_the_same_clients() {
    for before in STATES {
        for (who, expected) in [
            (client(1), Applied::Done),
            (
                client(2),
                if before.is_free() {
                    Applied::Done
                } else {
                    Applied::Conflict
                },
            ),
        ] {
            let (_directory, mut store) = store();
            let first = record(address(5), client(1), before);
            store
                .commit(&[WallChange::Put(Box::new(first.clone()))])
                .unwrap();
            let second = record(address(5), who, RecordState::Bound);
            let applied = store
                .commit(&[WallChange::Put(Box::new(second.clone()))])
                .unwrap();
            assert_eq!(applied, [expected], "{before:?} {who:?}");
            let left = if expected == Applied::Done {
                second
            } else {
                first
            };
            assert_eq!(all(&mut store), [left]);
        }
    }
}

#[test]
fn only_its_client_removes_a_record() {
    let (_directory, mut store) = store();
    store
        .commit(&[put(5, client(1), RecordState::Bound)])
        .unwrap();
    let remove = |number, client| WallChange::Remove {
        address: address(number),
        client,
    };
    let applied = store
        .commit(&[remove(5, client(2)), remove(6, client(2))])
        .unwrap();
    assert_eq!(applied, [Applied::Conflict, Applied::Done]);
    assert_eq!(all(&mut store).len(), 1);
    let applied = store
        .commit(&[remove(5, client(1)), remove(5, client(1))])
        .unwrap();
    assert_eq!(applied, [Applied::Done, Applied::Done]);
    assert_eq!(all(&mut store), []);
}

#[test]
fn a_conflict_leaves_the_other_changes_of_its_commit() {
    let (_directory, mut store) = store();
    let applied = store
        .commit(&[
            put(5, client(1), RecordState::Bound),
            put(5, client(2), RecordState::Bound),
            put(6, client(2), RecordState::Bound),
        ])
        .unwrap();
    assert_eq!(applied, [Applied::Done, Applied::Conflict, Applied::Done]);
    let owners: Vec<_> = all(&mut store).iter().map(|r| r.record.client).collect();
    assert_eq!(owners, [client(1), client(2)]);
}

#[test]
fn c120_a_commit_that_fails_leaves_nothing_and_may_be_tried_again() {
    let (directory, mut store) = store();
    let other = Connection::open(directory.path().join("leases.db")).unwrap();
    other
        .execute_batch("CREATE TRIGGER full BEFORE INSERT ON lease WHEN new.address & 255 = 6 BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        .unwrap();
    let changes = [
        put(5, client(1), RecordState::Bound),
        put(6, client(2), RecordState::Bound),
    ];
    let error = store.commit(&changes).unwrap_err();
    assert_eq!(error.to_string(), "the store did not commit: disk full");
    assert_eq!(all(&mut store), []);
    other.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!(
        store.commit(&changes).unwrap(),
        [Applied::Done, Applied::Done]
    );
}

#[test]
fn a_record_that_cannot_be_read_is_named() {
    let (directory, mut store) = store();
    store
        .commit(&[put(5, client(1), RecordState::Bound)])
        .unwrap();
    let other = Connection::open(directory.path().join("leases.db")).unwrap();
    for (damage, expected) in [
        (
            "state = 9",
            "the record of 10.0.0.5 in the store: a state 9 that is not known",
        ),
        (
            "state = 1, client = zeroblob(40)",
            "the record of 10.0.0.5 in the store: a client key of no known kind",
        ),
        (
            "chaddr = zeroblob(17)",
            "the record of 10.0.0.5 in the store: a hardware address longer than 16 octets",
        ),
    ] {
        other
            .execute_batch(&format!("UPDATE lease SET {damage}"))
            .unwrap();
        let error = store.load(&mut |_| {}).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

/// `cargo xtask bench` measures how long this takes.
#[test]
fn each_of_a_hundred_thousand_records_is_loaded_at_the_cost_of_one_of_a_thousand() {
    let [few, many] = [1_000, 100_000].map(|records: u32| {
        let (_directory, mut store) = store();
        let changes: Vec<_> = (0..records)
            .map(|i| {
                let key = ClientKey::client_id(1, &i.to_be_bytes()).unwrap();
                put_record((0x0a00_0000 + i).into(), key)
            })
            .collect();
        store.commit(&changes).unwrap();
        let mut count = 0;
        let (allocations, loaded) = allocations(|| store.load(&mut |_| count += 1));
        loaded.unwrap();
        assert_eq!(count, records);
        allocations as f64 / f64::from(records)
    });
    println!("{few} allocations for each of a thousand, {many} of a hundred thousand");
    assert!(many <= few, "{many} {few}");
}

fn put_record(address: Ipv4Addr, key: ClientKey) -> WallChange {
    WallChange::Put(Box::new(record(address, key, RecordState::Bound)))
}

fn any_record() -> impl Strategy<Value = WallRecord> {
    let key = prop_oneof![
        (
            any::<u32>(),
            any::<u8>(),
            prop::collection::vec(any::<u8>(), 0..=16)
        )
            .prop_map(|(network, htype, id)| ClientKey::hardware(network, htype, &id).unwrap()),
        (any::<u32>(), prop::collection::vec(any::<u8>(), 2..=32))
            .prop_map(|(network, id)| ClientKey::client_id(network, &id).unwrap()),
        (any::<u32>(), any::<[u8; 32]>())
            .prop_map(|(network, digest)| ClientKey::client_id_digest(network, digest)),
    ];
    let hardware =
        (any::<u8>(), prop::collection::vec(any::<u8>(), 0..=16)).prop_map(|(htype, octets)| {
            let mut chaddr = [0; 16];
            chaddr[..octets.len()].copy_from_slice(&octets);
            let len = octets.len() as u8;
            Hardware { htype, len, chaddr }
        });
    let people = (
        prop::option::of(prop::collection::vec(any::<u8>(), 0..=255)),
        prop::option::of(any::<String>()),
        prop::option::of(prop::collection::vec(any::<u8>(), 0..=255)),
    );
    let times = [any::<i64>(), any::<i64>(), any::<i64>()];
    (
        any::<u32>(),
        key,
        prop::sample::select(&STATES),
        hardware,
        people,
        times,
    )
        .prop_map(
            |(
                address,
                client,
                state,
                hardware,
                (client_id, host_name, relay_info),
                [since, expires, horizon],
            )| WallRecord {
                record: Record {
                    address: address.into(),
                    client,
                    state,
                    origin: ClientOrigin {
                        hardware,
                        client_id: client_id.map(Vec::into_boxed_slice),
                        host_name: host_name.map(String::into_boxed_str),
                        relay_info: relay_info.map(Vec::into_boxed_slice),
                    },
                    since: Nanos(0),
                    expires: Nanos(0),
                    horizon: Nanos(0),
                },
                since: Utc(since),
                expires: Utc(expires),
                horizon: Utc(horizon),
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_record_comes_back_as_it_went_in(record in any_record()) {
        let (directory, mut store) = store();
        store.commit(&[WallChange::Put(Box::new(record.clone()))]).unwrap();
        drop(store);
        let mut store = SqliteStore::open(&directory.path().join("leases.db")).unwrap();
        prop_assert_eq!(all(&mut store), [record]);
    }
}

//! The life of a lease of every kind of address, through committer, store, history, reader and
//! backup.

use std::net::Ipv6Addr;

use dhcp_model::{Applied, Change, Nanos, Record, RecordState, Ticket};
use dhcp_store::{
    Store, StoredAddress, WallChange,
    backup::backup_for_addresses,
    committer::Committer,
    intervals::Wanted,
    reader::Reader,
    sqlite::SqliteStore,
    wall_clock::{Sample, Utc, WallClock},
};
use dhcp_testkit::stores::*;
use ipnet::Ipv6Net;
use rusqlite::Connection;
use tokio::sync::mpsc::unbounded_channel;

const BOOT: Sample = Sample {
    boottime: Nanos(0),
    utc: Utc(BEGUN * SEC),
};

fn secs(secs: i64) -> Nanos {
    Nanos((secs * SEC) as u64)
}

/// A lease since the boot; times in seconds after it.
fn lease_of<A>(address: A, who: u8, state: RecordState, expires: i64) -> Record<A> {
    Record {
        since: secs(0),
        expires: secs(expires),
        horizon: secs(expires + 3600),
        ..record(address, client(who), state).record
    }
}

fn put<A>(record: Record<A>) -> Change<A> {
    Change::Put(Box::new(record))
}

fn lives<A: StoredAddress>(addresses: [A; 3], sql_type: &str) {
    let [first, second, third] = addresses;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("leases.db");
    let open = || {
        let store = SqliteStore::<A>::open_for_addresses(&path).unwrap();
        store.with_clock(at_now)
    };

    let mut store = open();
    let wall_clock = WallClock::resume(&mut store, "a", BOOT).unwrap();
    let now = || Sample {
        boottime: secs(NOW - BEGUN),
        utc: at_now(),
    };
    let (results, mut receiver) = unbounded_channel();
    let committer = Committer::spawn(Box::new(store), wall_clock.clone(), now, results).unwrap();
    let steps = [
        // Out of order, so that a reader has to sort them.
        (
            put(lease_of(third, 3, RecordState::Bound, 9000)),
            Applied::Done,
        ),
        (
            put(lease_of(first, 1, RecordState::Bound, 3600)),
            Applied::Done,
        ),
        (
            put(lease_of(first, 2, RecordState::Bound, 3600)),
            Applied::Conflict,
        ),
        (
            put(lease_of(first, 1, RecordState::Bound, 9000)),
            Applied::Done,
        ),
        (
            put(lease_of(second, 2, RecordState::Quarantined, 9000)),
            Applied::Done,
        ),
        (
            put(lease_of(first, 1, RecordState::Former, 7000)),
            Applied::Done,
        ),
        (
            put(lease_of(first, 2, RecordState::Bound, 9000)),
            Applied::Done,
        ),
        (
            Change::Remove {
                address: third,
                client: client(1),
            },
            Applied::Conflict,
        ),
        (
            Change::Remove {
                address: third,
                client: client(3),
            },
            Applied::Done,
        ),
        (
            Change::Remove {
                address: third,
                client: client(3),
            },
            Applied::Done,
        ),
    ];
    for (ticket, (change, expected)) in (0..).zip(steps) {
        let what = format!("{change:?}");
        committer.submit(vec![(Ticket(ticket), vec![change])]);
        let mut group = receiver.blocking_recv().unwrap();
        let (of, result) = group.pop().unwrap();
        assert_eq!(of, Ticket(ticket));
        assert_eq!(result.unwrap(), [expected], "{what}");
    }
    drop(committer);

    let expected = [
        wall_clock.wall_record(lease_of(first, 2, RecordState::Bound, 9000)),
        wall_clock.wall_record(lease_of(second, 2, RecordState::Quarantined, 9000)),
    ];
    let without_engine_times = |mut stored: dhcp_store::WallRecord<A>| {
        let record = &mut stored.record;
        (record.since, record.expires, record.horizon) = Default::default();
        stored
    };
    let expected = expected.map(without_engine_times);
    assert_eq!(all(&mut open()), expected);

    let reader = Reader::<A>::open_for_addresses(&path).unwrap();
    let mut read = Vec::new();
    reader
        .records(|address, record| read.push((address, record.unwrap())))
        .unwrap();
    assert_eq!(read.len(), 2);
    let intervals = |wanted: &Wanted<A>| {
        let intervals = reader.intervals(wanted, at_now()).unwrap();
        let row = |interval: dhcp_store::intervals::Interval<A>| {
            let until = interval.until.map(|until| until.0 / SEC - BEGUN);
            (interval.address, interval.origin.hardware.chaddr[5], until)
        };
        intervals.into_iter().map(row).collect::<Vec<_>>()
    };
    let of_first = [(first, 2, None), (first, 1, Some(7000))];
    let of_third = (third, 3, Some(NOW - BEGUN));
    assert_eq!(
        intervals(&Wanted::default()),
        [of_first[0], of_first[1], of_third]
    );
    let wanted = Wanted {
        address: Some(first),
        ..Wanted::default()
    };
    assert_eq!(intervals(&wanted), of_first);

    let copy = directory.path().join("copy.db");
    let copied = backup_for_addresses::<A>(&path, &copy, false).unwrap();
    assert_eq!((copied.records, copied.past), (2, 2));
    assert_eq!(
        all(&mut SqliteStore::<A>::open_for_addresses(&copy).unwrap()),
        expected
    );

    // All times move by the drift at the next boot.
    let mut store = open();
    let anchor = wall_clock.anchor(Sample {
        boottime: secs(60),
        utc: Utc((BEGUN + 90) * SEC),
    });
    store.set_anchor(&anchor, 0).unwrap();
    WallClock::resume(&mut store, "b", now()).unwrap();
    let moved = all(&mut store).remove(0);
    assert_eq!(moved.expires.0, expected[0].expires.0 + 30 * SEC);
    drop(store);

    let connection = Connection::open(&path).unwrap();
    for table in [A::TABLES.lease(), A::TABLES.past()] {
        let sql = format!("SELECT DISTINCT typeof(address) FROM {table}");
        let found: String = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(found, sql_type, "{table}");
    }
}

#[test]
fn a_lease_of_an_ipv4_address() {
    lives([5, 6, 7].map(address), "integer");
}

#[test]
fn a_lease_of_an_ipv6_address() {
    let addresses: [Ipv6Addr; 3] =
        ["2001:db8::5", "2001:db8::1:0", "2001:db9::"].map(|text| text.parse().unwrap());
    lives(addresses, "blob");
}

#[test]
fn a_lease_of_a_delegated_prefix() {
    let prefixes: [Ipv6Net; 3] = [
        "2001:db8:0:100::/56",
        "2001:db8:0:200::/56",
        "2001:db8:1::/48",
    ]
    .map(|text| text.parse().unwrap());
    lives(prefixes, "blob");
}

#[test]
fn a_file_holds_every_kind_of_address_and_each_sees_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("leases.db");
    let bound = |who| (client(who), RecordState::Bound);
    let mut ipv4 = SqliteStore::open(&path).unwrap();
    let (who, state) = bound(1);
    let of_ipv4 = record(address(5), who, state);
    commit(&mut ipv4, of_ipv4.clone());
    drop(ipv4);
    let mut ipv6 = SqliteStore::<Ipv6Addr>::open_for_addresses(&path).unwrap();
    assert_eq!(all(&mut ipv6), []);
    let (who, state) = bound(2);
    let of_ipv6 = record("2001:db8::5".parse().unwrap(), who, state);
    let put = WallChange::Put(Box::new(of_ipv6.clone()));
    assert_eq!(ipv6.commit(&[put]).unwrap(), [Applied::Done]);
    assert_eq!(all(&mut ipv6), [of_ipv6]);
    drop(ipv6);
    assert_eq!(all(&mut SqliteStore::open(&path).unwrap()), [of_ipv4]);
}

//! Readers of a store: they find past and present intervals, and change nothing.

use std::fs;

use dhcp_model::RecordState;
use dhcp_store::{Store, sqlite::SqliteStore, wall_clock::Utc};
use dhcp_store::{
    intervals::{Interval, Wanted},
    reader::Reader,
    sqlite::OpenError,
    wall_clock::Anchor,
};
use dhcp_testkit::stores::*;
use rusqlite::Connection;

fn of(number: u8) -> Wanted {
    Wanted {
        address: Some(address(number)),
        ..Wanted::default()
    }
}

fn secs(time: Utc) -> i64 {
    (time.0 - NOW * SEC).div_euclid(SEC)
}

/// Last octet of the hardware address, since and until in seconds from now.
fn told(directory: &tempfile::TempDir, wanted: &Wanted) -> Vec<(u8, i64, Option<i64>)> {
    let reader = Reader::open(&directory.path().join("leases.db")).unwrap();
    let found = reader.intervals(wanted, at_now()).unwrap();
    let row = |interval: Interval| {
        let hardware = interval.origin.hardware.octets()[5];
        (hardware, secs(interval.since), interval.until.map(secs))
    };
    found.into_iter().map(row).collect()
}

/// Returns a store in which 10.0.0.5 was leased to two clients before the present one.
fn three_clients() -> (tempfile::TempDir, SqliteStore) {
    let (directory, mut store) = history_store(30);
    for (who, since, until) in [(1, -7200, -5000), (2, -4000, -3000)] {
        let mut bound = lease(client(who), RecordState::Bound, NOW + until);
        bound.since = Utc((NOW + since) * SEC);
        commit(&mut store, bound);
        end(&mut store, client(who), NOW + until);
    }
    let mut bound = lease(client(3), RecordState::Bound, NOW - 10);
    bound.since = Utc((NOW - 2000) * SEC);
    commit(&mut store, bound);
    (directory, store)
}

#[test]
fn an_address_has_a_history_with_its_present_and_so_has_a_client() {
    let (directory, mut store) = three_clients();
    let mut other = record(address(6), client(1), RecordState::Bound);
    other.since = Utc((NOW - 100) * SEC);
    commit(&mut store, other);
    let all = [
        (3, -2000, None),
        (2, -4000, Some(-3000)),
        (1, -7200, Some(-5000)),
    ];
    assert_eq!(told(&directory, &of(5)), all);
    assert_eq!(told(&directory, &of(7)), []);
    let wanted = Wanted {
        client: Some([2, 0, 0, 0, 0, 1].into()),
        ..Wanted::default()
    };
    assert_eq!(
        told(&directory, &wanted),
        [(1, -7200, Some(-5000)), (1, -100, None)]
    );
    assert_eq!(
        told(
            &directory,
            &Wanted {
                address: Some(address(6)),
                ..wanted
            }
        ),
        [(1, -100, None)]
    );
}

#[test]
fn who_had_an_address_at_a_time_is_one_client_or_none() {
    let (directory, _store) = three_clients();
    for (at, expected) in [
        (-7201, None),
        (-7200, Some(1)),
        (-5001, Some(1)),
        (-5000, None),
        (-4000, Some(2)),
        (-2000, Some(3)),
        // The lease is over as far as the controller knew; the kernel may have granted more, up to
        // the horizon.
        (0, Some(3)),
        (3589, Some(3)),
        (3590, None),
    ] {
        let at = Some(Utc((NOW + at) * SEC));
        let found = told(&directory, &Wanted { at, ..of(5) });
        let hardware: Vec<_> = found.iter().map(|(hardware, ..)| *hardware).collect();
        assert_eq!(hardware, Vec::from_iter(expected), "{at:?}");
    }
}

#[test]
fn a_lease_that_no_server_has_ended_is_over_at_its_horizon() {
    let (directory, mut store) = history_store(30);
    commit(&mut store, lease(client(1), RecordState::Bound, NOW - 3700));
    assert_eq!(told(&directory, &of(5)), [(1, -7200, Some(-100))]);
}

#[test]
fn a_client_is_found_by_its_identifier_too() {
    let (directory, mut store) = history_store(30);
    let mut bound = lease(client(1), RecordState::Bound, NOW);
    bound.record.origin.client_id = Some([0xff, 1, 2].into());
    commit(&mut store, bound);
    let client = |octets: &[u8]| Wanted {
        client: Some(octets.into()),
        ..Wanted::default()
    };
    assert_eq!(told(&directory, &client(&[0xff, 1, 2])).len(), 1);
    assert_eq!(told(&directory, &client(&[0xff, 1])).len(), 0);
    end(&mut store, dhcp_testkit::stores::client(1), NOW - 1);
    assert_eq!(
        told(&directory, &client(&[0xff, 1, 2])),
        [(1, -7200, Some(-1))]
    );
}

#[test]
fn c109_the_present_is_told_by_the_wall_clock_too() {
    let (directory, mut store) = history_store(30);
    commit(&mut store, lease(client(1), RecordState::Bound, NOW));
    let anchor = Anchor {
        boot_id: "a".to_owned(),
        offset_ns: 0,
        drift_ns: 60 * SEC,
        seen: at_now(),
    };
    store.set_anchor(&anchor, 0).unwrap();
    assert_eq!(told(&directory, &of(5)), [(1, -7140, None)]);
}

#[test]
fn looking_leaves_nothing_behind() {
    let (directory, store) = three_clients();
    drop(store);
    // A name with characters that have a meaning in a URI.
    let path = directory.path().join("leases?100%.db");
    fs::rename(directory.path().join("leases.db"), &path).unwrap();
    let before = contents(directory.path());
    assert_eq!(before.len(), 1);
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.intervals(&of(5), at_now()).unwrap().len(), 3);
    drop(reader);
    assert_eq!(contents(directory.path()), before);
}

#[test]
fn what_a_crash_left_in_the_wal_is_seen_and_stays_there() {
    let (directory, mut store) = three_clients();
    end(&mut store, client(3), NOW - 1);
    let copy = tempfile::tempdir().unwrap();
    for name in ["leases.db", "leases.db-wal"] {
        fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    let before = contents(copy.path());
    assert_eq!(told(&copy, &of(5))[0], (3, -2000, Some(-1)));
    let after = contents(copy.path());
    assert!(before.iter().all(|file| after.contains(file)));
}

#[test]
fn what_is_no_store_of_this_version_is_refused_and_left_alone() {
    let refusal = |make: &dyn Fn(&std::path::Path)| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("leases.db");
        make(&path);
        let before = contents(directory.path());
        let error = Reader::open(&path).expect_err("refused");
        assert_eq!(contents(directory.path()), before, "{error}");
        error
            .to_string()
            .replace(directory.path().to_str().unwrap(), "DIR")
    };
    let version = |version: i32| {
        move |path: &std::path::Path| {
            drop(SqliteStore::open(path).unwrap());
            let connection = Connection::open(path).unwrap();
            connection
                .pragma_update(None, "user_version", version)
                .unwrap();
        }
    };
    assert_eq!(
        refusal(&|_| {}),
        "DIR/leases.db: no such store; the server makes one when it starts; `--store` names another file"
    );
    assert!(
        refusal(&|path| fs::write(path, "lease 10.0.0.1 {}").unwrap())
            .starts_with("DIR/leases.db: not an SQLite file")
    );
    assert!(
        refusal(&version(9))
            .starts_with("DIR/leases.db: written by a newer xdhcpd (schema 9, this one knows 3)")
    );
    assert!(
        refusal(&version(2)).starts_with(
            "DIR/leases.db: written by an earlier xdhcpd (schema 2, this one knows 3)"
        )
    );
    let missing = Reader::open(std::path::Path::new("/nowhere/leases.db"));
    assert!(matches!(missing, Err(OpenError::Missing(_))));
}

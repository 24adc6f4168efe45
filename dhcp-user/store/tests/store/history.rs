//! The history that the store derives from changes of leases.

use std::time::Duration;

use dhcp_model::{Applied, RecordState};
use dhcp_store::wall_clock::Anchor;
use dhcp_store::{Store, WallChange, WallRecord, sqlite::SqliteStore, wall_clock::Utc};
use dhcp_testkit::stores::*;
use rusqlite::Connection;

const DAY: u64 = 86_400;

/// Returns hardware, option 82, since and until of each row of 10.0.0.5, in seconds from [`NOW`].
fn past(directory: &tempfile::TempDir) -> Vec<(String, String, i64, i64)> {
    let other = Connection::open(directory.path().join("leases.db")).unwrap();
    let sql = "SELECT lower(hex(chaddr)), lower(hex(relay_info)), since, until FROM past WHERE address = 0x0a000005 ORDER BY id";
    let mut statement = other.prepare(sql).unwrap();
    let secs = |time: i64| (time - NOW * SEC).div_euclid(SEC);
    let rows = statement.query_map([], |row| {
        let (since, until) = (row.get(2)?, row.get(3)?);
        Ok((row.get(0)?, row.get(1)?, secs(since), secs(until)))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Records how far the wall clock is ahead of the store's time.
fn set_drift(store: &mut SqliteStore, drift_ns: i64) {
    let anchor = Anchor {
        boot_id: "a".to_owned(),
        offset_ns: 0,
        drift_ns,
        seen: at_now(),
    };
    store.set_anchor(&anchor, 0).unwrap();
}

fn first(since: i64, until: i64) -> (String, String, i64, i64) {
    ("020000000001".to_owned(), String::new(), since, until)
}

#[test]
fn renewals_write_no_row_and_the_end_writes_one() {
    let (directory, mut store) = history_store(30);
    for renewal in 0..100 {
        commit(
            &mut store,
            lease(client(1), RecordState::Bound, NOW - 200 + renewal),
        );
    }
    assert_eq!(past(&directory), []);
    end(&mut store, client(1), NOW - 60);
    assert_eq!(past(&directory), [first(-7200, -60)]);
    // The next client's interval begins with its lease.
    commit(
        &mut store,
        WallRecord {
            since: Utc((NOW - 30) * SEC),
            ..lease(client(2), RecordState::Bound, NOW + 60)
        },
    );
    end(&mut store, client(2), NOW - 10);
    let second = ("020000000002".to_owned(), String::new(), -30, -10);
    assert_eq!(past(&directory), [first(-7200, -60), second]);
}

#[test]
fn what_the_kernel_granted_alone_counts_when_the_lease_ends() {
    let (directory, mut store) = history_store(30);
    // The controller knew of an end that is long past; the kernel has renewed until just now.
    commit(&mut store, lease(client(1), RecordState::Bound, NOW - 3000));
    end(&mut store, client(1), NOW - 1);
    assert_eq!(past(&directory), [first(-7200, -1)]);
}

#[test]
fn a_lease_ends_for_its_client_when_it_is_declined_or_removed_but_not_when_it_is_deleted_or_revoked()
 {
    for state in [RecordState::Deleted, RecordState::Revoked] {
        let (directory, mut store) = history_store(30);
        commit(&mut store, lease(client(1), RecordState::Bound, NOW + 60));
        commit(&mut store, lease(client(1), state, NOW + 60));
        assert_eq!(
            past(&directory),
            [],
            "{state:?}: it may still use the address"
        );
        let remove = WallChange::Remove {
            address: address(5),
            client: client(1),
        };
        assert_eq!(store.commit(&[remove]).unwrap(), [Applied::Done]);
        assert_eq!(past(&directory), [first(-7200, 0)]);
    }
    let (directory, mut store) = history_store(30);
    commit(&mut store, lease(client(1), RecordState::Bound, NOW + 60));
    commit(
        &mut store,
        lease(client(1), RecordState::Quarantined, NOW + 86_400),
    );
    assert_eq!(past(&directory), [first(-7200, 0)]);
    end(&mut store, client(1), NOW);
    assert_eq!(past(&directory).len(), 1, "a quarantine is nobody's lease");
}

#[test]
fn m27_a_client_that_moves_to_another_port_begins_anew_there() {
    let at_port = |port: u8, expires| {
        let mut lease = lease(client(1), RecordState::Bound, expires);
        lease.record.origin.relay_info = Some([1, 1, port].into());
        lease
    };
    let (directory, mut store) = history_store(30);
    commit(&mut store, at_port(7, NOW));
    commit(&mut store, at_port(7, NOW + 10));
    commit(&mut store, at_port(8, NOW + 20));
    let mut named = at_port(8, NOW + 30);
    named.record.origin.host_name = Some("another name, the same port".into());
    commit(&mut store, named);
    let mut store = store.with_clock(|| Utc((NOW + 100) * SEC));
    end(&mut store, client(1), NOW + 90);
    let row = |port: &str, since, until| ("020000000001".to_owned(), port.to_owned(), since, until);
    assert_eq!(
        past(&directory),
        [row("010107", -7200, 0), row("010108", 0, 90)]
    );
}

#[test]
fn c120_a_lease_that_outlives_a_reboot_is_one_that_goes_on() {
    let (directory, mut store) = history_store(30);
    commit(&mut store, lease(client(1), RecordState::Bound, NOW));
    // The engine returns times before the boot as the beginning of the boot.
    let mut renewed = lease(client(1), RecordState::Bound, NOW + 60);
    renewed.since = Utc((NOW - 5) * SEC);
    commit(&mut store, renewed);
    end(&mut store, client(1), NOW - 1);
    assert_eq!(past(&directory), [first(-7200, -1)]);
}

#[test]
fn what_is_refused_or_not_committed_has_not_been() {
    let (directory, mut store) = history_store(30);
    commit(&mut store, lease(client(1), RecordState::Bound, NOW));
    let conflict = WallChange::Put(Box::new(lease(client(2), RecordState::Former, NOW)));
    let remove = WallChange::Remove {
        address: address(5),
        client: client(2),
    };
    let applied = store.commit(&[conflict, remove]).unwrap();
    assert_eq!(applied, [Applied::Conflict; 2]);
    let other = Connection::open(directory.path().join("leases.db")).unwrap();
    other
        .execute_batch("CREATE TRIGGER full BEFORE UPDATE ON lease BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        .unwrap();
    let former = WallChange::Put(Box::new(lease(client(1), RecordState::Former, NOW)));
    store.commit(&[former]).unwrap_err();
    assert_eq!(past(&directory), []);
}

#[test]
fn c109_the_past_is_told_by_the_wall_clock_and_leases_are_not() {
    let (directory, mut store) = history_store(30);
    commit(&mut store, lease(client(1), RecordState::Bound, NOW));
    // The wall clock has been set an hour forward since the boot's offset was sampled.
    set_drift(&mut store, 3600 * SEC);
    end(&mut store, client(1), NOW - 3700);
    assert_eq!(past(&directory), [first(-3600, -100)]);
    drop(store);
    let store = SqliteStore::open(&directory.path().join("leases.db")).unwrap();
    let mut store = store.with_clock(at_now);
    commit(&mut store, lease(client(1), RecordState::Bound, NOW));
    end(&mut store, client(1), NOW - 3640);
    let both = [first(-3600, -100), first(-100, -40)];
    assert_eq!(past(&directory), both, "also after a restart");
}

#[test]
fn times_that_make_no_sense_fail_no_commit() {
    for (since, horizon) in [
        (i64::MIN, i64::MAX),
        (i64::MAX, i64::MIN),
        (i64::MAX - 1, i64::MAX - 1),
    ] {
        let (directory, mut store) = history_store(30);
        set_drift(&mut store, -SEC);
        let mut odd = lease(client(1), RecordState::Bound, NOW);
        (odd.since, odd.horizon) = (Utc(since), Utc(horizon));
        commit(&mut store, odd);
        commit(&mut store, lease(client(1), RecordState::Former, NOW));
        // Intervals that ended before 1970 are not kept.
        assert_eq!(past(&directory).len(), usize::from(horizon > 0));
    }
}

#[test]
fn the_past_is_forgotten_in_time_a_bounded_part_with_each_commit() {
    let (directory, mut store) = history_store(2);
    let ends = |days: i64, count: i64| (0..count).map(move |i| (NOW - days * DAY as i64) * SEC + i);
    let other = Connection::open(directory.path().join("leases.db")).unwrap();
    let insert = "INSERT INTO past (address, client, htype, chaddr, since, until) VALUES (?1, x'00', 1, x'00', 0, ?2)";
    for (number, until) in ends(3, 6000).chain(ends(1, 10)).enumerate() {
        other.execute(insert, (number as i64, until)).unwrap();
    }
    let rows = || -> usize {
        let count = other.query_row("SELECT count(*) FROM past", [], |row| row.get::<_, i64>(0));
        count.unwrap() as usize
    };
    commit(&mut store, lease(client(1), RecordState::Bound, NOW));
    assert_eq!(rows(), 6010 - 66);
    let anchor = Anchor {
        boot_id: "a".to_owned(),
        offset_ns: 0,
        drift_ns: 0,
        seen: at_now(),
    };
    store.set_anchor(&anchor, 0).unwrap();
    assert_eq!(rows(), 6010 - 66 - 4096);
    for _ in 0..2 {
        store.set_anchor(&anchor, 0).unwrap();
        assert_eq!(rows(), 10, "no more than what is too old");
    }
    let mut store = store.keeping_history(Duration::ZERO);
    end(&mut store, client(1), NOW);
    assert_eq!(rows(), 0, "none is kept, and none written");
}

//! Stores that were damaged on purpose.

use std::{fs, path::Path};

use dhcp_common::abi::ClientKey;
use dhcp_config::file;
use dhcp_model::Record;
use dhcp_testkit::stores::{
    NOW, SEC, address, at_now, client, commit, contents, end, history_store, lease,
};
use rusqlite::Connection;

use super::*;

const CONFIG: &str = "\
[[interface]]
name = 'eth1'
[[subnet]]
prefix = '10.0.0.0/24'
name = 'lan'
pools = ['10.0.0.1-10.0.0.99']
[[subnet.reservation]]
hardware-address = '02:00:00:00:00:09'
address = '10.0.0.200'
[[subnet]]
prefix = '10.1.0.0/24'
name = 'guests'
pools = ['10.1.0.1-10.1.0.99']
";

fn config() -> Config {
    file::parse(Path::new("x.toml"), CONFIG, None).unwrap()
}

/// Returns a client on the network `lan`.
fn local(number: u8) -> ClientKey {
    ClientKey::hardware(config().networks[0].id, 1, &[2, 0, 0, 0, 0, number]).unwrap()
}

fn bound(number: u8, who: ClientKey) -> WallRecord {
    let lease = lease(who, RecordState::Bound, NOW + 60);
    let address = address(number);
    WallRecord {
        record: Record {
            address,
            ..lease.record
        },
        ..lease
    }
}

fn look(directory: &tempfile::TempDir) -> Audit {
    audit(&directory.path().join("leases.db"), &config(), at_now()).unwrap()
}

fn problems(directory: &tempfile::TempDir) -> Vec<(Option<Ipv4Addr>, String)> {
    let audit = look(directory);
    assert_eq!(audit.ok, audit.problems.count == 0);
    let finding = |finding: Finding| (finding.address, finding.message);
    audit.problems.shown.into_iter().map(finding).collect()
}

/// Changes rows without the store.
fn spoil(directory: &tempfile::TempDir, sql: &str) {
    let other = Connection::open(directory.path().join("leases.db")).unwrap();
    other.execute_batch(sql).unwrap();
}

#[test]
fn a_store_as_the_server_leaves_it_is_good_while_it_runs_and_afterwards() {
    let (directory, mut store) = history_store(30);
    for number in 1..=3 {
        commit(&mut store, bound(number, local(number)));
    }
    commit(&mut store, bound(5, local(4)));
    end(&mut store, local(4), NOW - 1);
    let running = look(&directory);
    drop(store);
    let before = contents(directory.path());
    for audit in [running, look(&directory)] {
        assert!(audit.ok, "{audit:?}");
        assert_eq!((audit.schema, audit.past, audit.foreign.count), (3, 1, 0));
        let records: Vec<_> = audit.records.into_iter().collect();
        assert_eq!(records, [("bound", 3), ("former", 1)]);
    }
    assert_eq!(contents(directory.path()), before);
}

#[test]
fn addresses_that_the_configuration_does_not_know_are_named_and_no_problem() {
    let (directory, mut store) = history_store(30);
    commit(&mut store, bound(1, client(1)));
    let mut other = bound(2, local(2));
    other.record.address = Ipv4Addr::new(10, 1, 0, 2);
    commit(&mut store, other.clone());
    other.record.address = Ipv4Addr::new(192, 0, 2, 1);
    other.record.client = local(3);
    commit(&mut store, other);
    let audit = look(&directory);
    assert!(audit.ok, "{:?}", audit.problems);
    let messages: Vec<_> = audit
        .foreign
        .shown
        .iter()
        .map(|finding| &*finding.message)
        .collect();
    assert_eq!(
        messages,
        [
            "its network is not in the configuration; its subnet now belongs to \"lan\"",
            "its network is \"lan\", but its subnet now belongs to \"guests\"",
            "in no subnet of the configuration",
        ]
    );
}

#[test]
fn c118_a_client_with_two_leases_on_one_network_is_a_problem_unless_it_is_moving() {
    let (directory, mut store) = history_store(30);
    for number in [1, 2] {
        commit(&mut store, bound(number, local(1)));
    }
    assert_eq!(
        problems(&directory),
        [(
            Some(address(2)),
            "leased to a client that also has 10.0.0.1 on the same network".to_owned()
        )]
    );
    // One of the two leases has ended.
    end(&mut store, local(1), NOW);
    spoil(
        &directory,
        &format!(
            "UPDATE lease SET horizon = {0}, expires = {0} WHERE address & 255 = 1",
            (NOW - 1) * SEC
        ),
    );
    assert_eq!(problems(&directory), []);
    // 10.0.0.200 is reserved for the client.
    for number in [9, 200] {
        commit(&mut store, bound(number, local(9)));
    }
    assert_eq!(problems(&directory), []);
}

#[test]
fn records_and_times_that_make_no_sense_are_named_all_of_them() {
    let (directory, mut store) = history_store(30);
    for number in 1..=7 {
        commit(&mut store, bound(number, local(number)));
    }
    commit(&mut store, bound(8, local(8)));
    let day = 86_400 * SEC;
    spoil(
        &directory,
        &format!(
            "UPDATE lease SET state = 9 WHERE address & 255 = 1;
             UPDATE lease SET client = zeroblob(40) WHERE address & 255 = 2;
             UPDATE lease SET horizon = expires - 1 WHERE address & 255 = 3;
             UPDATE lease SET since = {}, expires = {}, horizon = {} WHERE address & 255 = 4;
             UPDATE lease SET horizon = {} WHERE address & 255 = 6;
             UPDATE lease SET since = -1 WHERE address & 255 = 7;
             INSERT INTO past (address, client, htype, chaddr, since, until) SELECT address, client, htype, zeroblob(17), 1, 2 FROM lease WHERE address & 255 = 8;
             INSERT INTO past (address, client, htype, chaddr, since, until) SELECT address, client, htype, chaddr, {SEC}, 0 FROM lease WHERE address & 255 = 8",
            NOW * SEC + 2 * day,
            NOW * SEC + 3 * day,
            NOW * SEC + 3 * day,
            NOW * SEC + 40_000 * day,
        ),
    );
    let found: Vec<_> = problems(&directory)
        .into_iter()
        .map(|(address, message)| (address.unwrap().octets()[3], message))
        .collect();
    let expected = [
        (1, "a state 9 that is not known"),
        (2, "a client key of no known kind"),
        (
            3,
            "ends at 2027-01-15T08:01:00Z, but its horizon is 2027-01-15T08:00:59Z",
        ),
        (4, "begins in the future, at 2027-01-17T08:00:00Z"),
        (6, "has an implausible horizon, 2136-07-22T08:00:00Z"),
        (7, "has times before 1970"),
        (8, "history: a hardware address longer than 16 octets"),
        (
            8,
            "history: a lease ends before it begins, from 1970-01-01T00:00:01Z to 1970-01-01T00:00:00Z",
        ),
    ];
    assert_eq!(
        found,
        expected.map(|(number, message)| (number, message.to_owned()))
    );
}

#[test]
fn more_than_can_be_shown_is_counted() {
    let (directory, mut store) = history_store(30);
    for number in 1..=150 {
        commit(&mut store, bound(number, local(number)));
    }
    spoil(&directory, "UPDATE lease SET state = 9");
    let audit = look(&directory);
    assert_eq!(
        (audit.problems.count, audit.problems.shown.len()),
        (150, 100)
    );
}

#[test]
fn a_damaged_file_is_a_problem_and_stays_as_it_is() {
    let (directory, mut store) = history_store(30);
    for number in 0..=250 {
        commit(&mut store, bound(number, local(number)));
    }
    drop(store);
    let path = directory.path().join("leases.db");
    let whole = fs::read(&path).unwrap();
    let pages = whole.len() / 4096;
    let is_found = |octets: &[u8]| {
        fs::write(&path, octets).unwrap();
        let found = audit(&path, &config(), at_now());
        assert!(fs::read(&path).unwrap() == octets, "left as it is");
        match found {
            Ok(audit) => audit.problems.count > 0,
            // The first pages cannot be read.
            Err(error) => matches!(error, OpenError::Damaged { .. }),
        }
    };
    assert!(!is_found(&whole));
    assert!(
        is_found(&whole[..whole.len() - 4096]),
        "the last page is missing"
    );
    for page in 1..pages {
        let mut octets = whole.clone();
        octets[page * 4096..(page + 1) * 4096].fill(0x5a);
        assert!(is_found(&octets), "page {page} of {pages}");
    }
}

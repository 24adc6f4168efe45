//! Imports of leases of other servers.

use std::net::Ipv4Addr;

use dhcp_common::{
    abi::ClientKey,
    wire::{message_type, option},
};
use dhcp_config::Subnet;
use dhcp_engine::lease_table::LeaseState;
use dhcp_migrate::{
    Source,
    import::{Journal, Reason, Report},
};
use dhcp_model::{Record, RecordState};
use dhcp_store::{Store as _, WallChange, wall_clock::Wall};
use dhcp_testkit::world::*;

use super::{NOW, TestStore, at, file, fixture, lab, lab_subnet, text};

const HEADER: &str = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n";
const TIME: i64 = 1_795_551_190;

/// Returns a file of each server, and the time at which it is imported.
fn files() -> [(Source, &'static str, i64); 4] {
    [
        (Source::Kea, "kea-journal.csv", 1_795_551_103),
        (Source::Kea, "kea-cleaned.csv", 1_795_551_190),
        (Source::Dnsmasq, "dnsmasq.leases", 1_795_551_119),
        (Source::Isc, "dhcpd.leases", 1_795_551_150),
    ]
}

/// Reads lines of Kea without the header.
fn kea(lines: &str) -> Journal {
    text(Source::Kea, &format!("{HEADER}{lines}"))
}

/// Returns a line of Kea with a lease of an hour from [`TIME`].
fn line(last: u8, mac: u8, client_id: &str) -> String {
    let expire = TIME + 3600;
    format!("10.77.0.{last},02:00:00:00:00:{mac:02x},{client_id},3600,{expire},7,0,0,host,0,\n")
}

/// Adds the client identifier that a client of the fixtures sends.
fn identified(message: Message, client: u8) -> Message {
    let long = [&[0][..], &[b'x'; 60]].concat();
    match client {
        2 => message.option(option::CLIENT_ID, &[1, 2, 0, 0, 0, 0, 2]),
        3 => message.option(
            option::CLIENT_ID,
            &[255, 0, 0, 0, 1, 0, 3, 0, 1, 2, 0, 0, 0, 0, 0xab],
        ),
        4 => message.option(option::CLIENT_ID, b"\0a \"quoted\\id;}"),
        11 => message.option(option::CLIENT_ID, &long),
        _ => message,
    }
}

/// Returns the address that is bound to a hardware address.
fn address_of(store: &mut TestStore, client: u8) -> Ipv4Addr {
    let records = store.records().into_iter();
    let mut of_client = records.filter(|record| {
        record.origin.hardware.octets() == mac(client) && record.state == RecordState::Bound
    });
    let address = of_client.next().unwrap().address;
    assert_eq!(of_client.next(), None);
    address
}

/// Returns an engine that was started with the imported records.
fn started(store: &mut TestStore) -> World {
    let mut world = World::with_config(lab(), 100);
    world.now = NOW;
    for record in store.records() {
        world.store.insert(record.address, record);
    }
    world.restart();
    world.settle();
    world
}

#[test]
fn clients_of_each_server_renew_as_if_nothing_had_happened() {
    for (source, name, now) in files() {
        let mut store = TestStore::new(now);
        let report = store.import(&lab(), file(source, &fixture(name)));
        assert_eq!(report.moving_count, 0, "{name}");
        let mut world = started(&mut store);
        for client in [1, 2, 3, 4, 5, 6, 7, 10, 11] {
            let address = address_of(&mut store, client);
            let renewal = identified(renewing(client, address), client);
            world.expect_ack(&renewal, address);
        }
        // A client that sends a DISCOVER is offered its lease.
        let address = address_of(&mut store, 3);
        world.expect_offer(&identified(discover(3), 3), address);
    }
}

#[test]
fn c028_c053_nobody_else_is_given_what_was_imported() {
    for (source, name, now) in files() {
        let mut store = TestStore::new(now);
        store.import(&lab(), file(source, &fixture(name)));
        let mut world = started(&mut store);
        let kept: Vec<_> = store
            .records()
            .into_iter()
            .filter(|record| !record.state.is_free())
            .map(|record| record.address)
            .collect();
        for (client, address) in (100..).zip(&kept) {
            let offer = world.ask(&discover(client).requested(*address));
            assert!(!kept.contains(&offer.yiaddr()), "{name}: {address}");
        }
    }
}

fn counts(report: &Report) -> [u64; 5] {
    [
        report.imported,
        report.former,
        report.quarantined,
        report.nothing,
        report.skipped_count(),
    ]
}

#[test]
fn every_entry_of_each_file_is_accounted_for() {
    // The file of Kea has a hardware address whose type Kea does not store.
    let expected = [
        [9, 2, 1, 0, 1],
        [9, 1, 1, 0, 1],
        [11, 0, 0, 0, 0],
        [10, 2, 1, 0, 0],
    ];
    for ((source, name, now), expected) in files().into_iter().zip(expected) {
        let mut store = TestStore::new(now);
        let report = store.import(&lab(), file(source, &fixture(name)));
        assert_eq!(counts(&report), expected, "{name}: {report:?}");
        if let [remark] = &*report.named {
            assert_eq!(remark.reason, Reason::Unreadable);
            let said = remark.to_string();
            assert!(
                said.contains(name) && said.contains(": hardware address 0a:0b"),
                "{said}"
            );
        }
    }
}

#[test]
fn times_names_and_option_82_come_along() {
    for (source, name, now) in files() {
        let mut store = TestStore::new(now);
        store.import(&lab(), file(source, &fixture(name)));
        let secs_left = |record: &Record| record.expires.since(NOW).as_secs();
        let first = address_of(&mut store, 1);
        let first = store.record(first).unwrap();
        assert!((3_400..=3_600).contains(&secs_left(&first)), "{name}");
        // Two further lease times: the hour of Kea and dhcpd, and that of the subnet for dnsmasq,
        // which does not store it.
        let lease = if source == Source::Dnsmasq {
            u64::from(LEASE_SECS)
        } else {
            3600
        };
        let ahead = first.horizon.since(first.expires).as_secs();
        assert!(
            ahead.abs_diff(lease * u64::from(HORIZON_LEASES)) <= 2,
            "{name}: {ahead}"
        );
        assert_eq!(first.origin.host_name.as_deref(), Some("plain"));

        let infinite = address_of(&mut store, 10);
        let infinite = store.record(infinite).unwrap();
        assert!(
            infinite.expires.is_forever() && infinite.horizon.is_forever(),
            "c108: {name}"
        );

        let relayed = address_of(&mut store, 7);
        let relayed = store.record(relayed).unwrap().origin.relay_info;
        let expected = b"\x01\x09eth 0/1/7\x02\x06\x02\0\0\0\0\xaa";
        let kept = (source != Source::Dnsmasq).then_some(&expected[..]);
        assert_eq!(relayed.as_deref(), kept, "{name}");
    }
}

#[test]
fn host_names_are_what_the_client_has_sent() {
    let mut store = TestStore::new(1_795_551_103);
    store.import(&lab(), file(Source::Kea, &fixture("kea-journal.csv")));
    let name = |store: &mut TestStore, client| {
        let address = address_of(store, client);
        store.record(address).unwrap().origin.host_name
    };
    assert_eq!(name(&mut store, 5).as_deref(), Some("a,b&#x2c c"));
    assert_eq!(name(&mut store, 7).as_deref(), Some("grün"));
    assert_eq!(name(&mut store, 4), None);
}

#[test]
fn a_released_address_is_free_and_its_clients_again_when_it_comes_back() {
    let mut store = TestStore::new(1_795_551_103);
    store.import(&lab(), file(Source::Kea, &fixture("kea-journal.csv")));
    assert_eq!(store.record(at(107)).unwrap().state, RecordState::Former);
    let mut world = started(&mut store);
    assert_eq!(world.state(at(107)), None);
    world.expect_offer(&discover(8), at(107));
}

#[test]
fn c073_a_declined_address_stays_out_of_service_for_as_long_as_the_other_server_said() {
    for (source, name, now) in [files()[0], files()[3]] {
        let mut store = TestStore::new(now);
        store.import(&lab(), file(source, &fixture(name)));
        let record = store.record(at(108)).unwrap();
        assert_eq!(record.state, RecordState::Quarantined);
        let left = record.horizon.since(NOW).as_secs();
        assert!((86_300..=86_400).contains(&left), "{name}: {left}");
        let world = started(&mut store);
        assert_eq!(world.state(at(108)), Some(LeaseState::Quarantined));
    }
}

#[test]
fn the_last_entry_for_an_address_counts() {
    let mut store = TestStore::new(TIME);
    let report = store.import(&lab(), kea(&[line(100, 1, ""), line(100, 2, "")].concat()));
    assert_eq!(counts(&report), [1, 0, 0, 0, 0]);
    assert_eq!(store.record(at(100)).unwrap().client, key(2));
}

#[test]
fn keys_are_those_of_the_clients_next_requests() {
    let mut store = TestStore::new(TIME);
    let lines = kea(&[line(100, 1, "01:02:00:00:00:00:01"), line(101, 2, "")].concat());
    store.import(&lab(), lines);
    let id = ClientKey::client_id(NETWORK, &[1, 2, 0, 0, 0, 0, 1]).unwrap();
    assert_eq!(store.record(at(100)).unwrap().client, id);
    assert_eq!(store.record(at(101)).unwrap().client, key(2));
}

#[test]
fn c017_where_identifiers_are_not_looked_at_keys_are_hardware_addresses() {
    let mut config = lab();
    config.networks[0].match_client_id = false;
    let mut store = TestStore::new(TIME);
    let without = format!("10.77.0.101,,01:02,3600,{},7,0,0,,0,\n", TIME + 60);
    let report = store.import(&config, kea(&[line(100, 1, "01:02"), without].concat()));
    let record = store.record(at(100)).unwrap();
    assert_eq!(record.client, key(1));
    assert_eq!(record.origin.client_id.as_deref(), Some(&[1, 2][..]));
    assert_eq!(report.skipped[&Reason::NoIdentity], 1);
}

#[test]
fn what_does_not_fit_is_skipped_and_named() {
    let mut config = lab();
    config.networks[0].subnets[0].server_id = Some(at(1));
    let outside = line(100, 3, "").replace("10.77.0", "10.78.0");
    let lines = [
        line(100, 1, ""),
        outside,
        line(1, 4, ""),
        line(102, 5, "01"),
        // The newer of the two leases of this client is imported.
        line(103, 6, "").replace("3600", "7200"),
        line(104, 6, ""),
        "10.77.0.105,zz\n".to_owned(),
    ];
    let mut store = TestStore::new(TIME);
    let report = store.import(&config, kea(&lines.concat()));
    assert_eq!(counts(&report), [2, 0, 0, 0, 5]);
    let named: Vec<_> = report.named.iter().map(ToString::to_string).collect();
    assert_eq!(
        named,
        [
            "leases:3: 10.78.0.100: in no subnet of the configuration",
            "leases:4: 10.77.0.1: an address of this server",
            "leases:5: 10.77.0.102: the client identifier is shorter than two octets (RFC 2132 §9.14)",
            "leases:6: 10.77.0.103: its client has 10.77.0.104 on the same network",
            "leases:8: 2 fields, but the header has 11",
        ]
    );
    assert_eq!(store.records().len(), 2);
}

#[test]
fn nothing_in_the_store_that_is_anothers_is_overwritten() {
    let mut store = TestStore::new(TIME);
    store.import(&lab(), kea(&[line(100, 1, ""), line(101, 2, "")].concat()));
    let mut revoked = store.record(at(101)).unwrap();
    revoked.state = RecordState::Revoked;
    let wall = Wall::for_display(store.sample());
    let put = WallChange::Put(Box::new(wall.wall_record(revoked)));
    store.store.commit(&[put]).unwrap();
    let before = store.records();

    let others = [line(100, 3, ""), line(101, 2, ""), line(102, 1, "")].concat();
    let report = store.import(&lab(), kea(&others));
    assert_eq!(counts(&report), [0, 0, 0, 0, 3]);
    let said: Vec<_> = report.named.iter().map(|remark| &*remark.why).collect();
    assert_eq!(
        said,
        [
            "the store has it as leased for another client",
            "the store has it as revoked for its client",
            "its client has 10.77.0.100 on the same network",
        ]
    );
    assert_eq!(store.records(), before);
}

#[test]
fn a_second_run_changes_nothing() {
    for (source, name, now) in files() {
        let mut store = TestStore::new(now);
        let first = store.import(&lab(), file(source, &fixture(name)));
        let before = store.records();
        let second = store.import(&lab(), file(source, &fixture(name)));
        assert_eq!(
            [second.imported, second.former, second.quarantined],
            [0; 3],
            "{name}"
        );
        assert_eq!(
            second.unchanged,
            first.imported + first.former + first.quarantined
        );
        assert_eq!(store.records(), before);
    }
}

#[test]
fn a_lease_that_has_ended_meanwhile_is_free() {
    let mut store = TestStore::new(TIME + 3600);
    let report = store.import(&lab(), kea(&line(100, 1, "")));
    assert_eq!(counts(&report), [0, 1, 0, 0, 0]);
    assert_eq!(store.record(at(100)).unwrap().state, RecordState::Former);
}

#[test]
fn clients_that_will_have_to_move_are_named() {
    let reserve = |client, address| reservation(key(client), address, None);
    let subnet = Subnet {
        reservations: vec![
            reserve(1, at(101)),
            reserve(4, at(100)),
            reserve(3, at(103)),
        ],
        ..lab_subnet()
    };
    let config = config(vec![(NETWORK, subnet)]);
    let mut store = TestStore::new(TIME);
    let lines = [
        line(100, 1, ""),
        line(20, 2, ""),
        // Reserved for its hardware address, regardless of its identifier.
        line(103, 3, "01:02:03"),
    ];
    let report = store.import(&config, kea(&lines.concat()));
    assert_eq!(report.imported, 3);
    let said: Vec<_> = report
        .moving
        .iter()
        .map(|(_, address, why)| (*address, &**why))
        .collect();
    assert_eq!(
        said,
        [
            (at(100), "10.77.0.101 is reserved for its client"),
            (at(20), "it is in no pool and not reserved"),
        ]
    );
    let mut world = World::with_config(config, 100);
    world.now = NOW;
    for record in store.records() {
        world.store.insert(record.address, record);
    }
    world.restart();
    world.settle();
    world.expect_nak(&renewing(1, at(100)));
    world.expect_nak(&renewing(2, at(20)));
    let own = renewing(3, at(103)).option(option::CLIENT_ID, &[1, 2, 3]);
    world.expect(&own, message_type::ACK, at(103));
}

//! Conditions on any part of a request, and reservations of each kind.

use std::{net::Ipv4Addr, sync::Arc};

use dhcp_common::{
    abi::ClientKey,
    wire::{HTYPE_INFINIBAND, option},
};
use dhcp_config::{
    ALL_NETWORKS, Class, Condition, Config, OptionTest, OptionValue, Overrides, Owner, Pattern,
    Pool, Reservation,
};
use dhcp_engine::Counter;
use dhcp_testkit::world::*;

use crate::classes;

const DOMAIN_NAME: u8 = 15;

fn starts(octets: &[u8]) -> Vec<Pattern> {
    vec![Pattern {
        octets: octets.to_vec(),
        is_prefix: true,
    }]
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

/// Returns a class whose members get its name as domain name.
fn class(name: &str, when: Condition) -> Class {
    Class {
        name: name.into(),
        when,
        refuse: false,
        overrides: domain(name),
    }
}

fn domain(name: &str) -> Overrides {
    Overrides {
        options: vec![OptionValue {
            code: DOMAIN_NAME,
            data: name.into(),
        }],
        ..Overrides::default()
    }
}

fn with_class(when: Condition) -> World {
    World::with_config(
        Config {
            classes: vec![class("yes", when)],
            ..config(vec![(NETWORK, subnet())])
        },
        100,
    )
}

fn is_member(world: &mut World, message: &Message) -> bool {
    world.ask(message).option(DOMAIN_NAME) == Some(b"yes".to_vec())
}

fn secs(mut message: Message, secs: u16) -> Message {
    message.payload[8..10].copy_from_slice(&secs.to_be_bytes());
    message
}

#[test]
fn an_option_that_the_fingerprint_covers_is_tested_at_no_cost() {
    let test = |test| Condition::Option(224, test);
    let exactly = |octets: &[u8]| {
        vec![Pattern {
            octets: octets.to_vec(),
            is_prefix: false,
        }]
    };
    for (when, hit, miss) in [
        (test(OptionTest::Present), &b"a"[..], None),
        (
            test(OptionTest::Matches(0, exactly(b"ab"))),
            b"ab",
            Some(&b"abc"[..]),
        ),
        (
            test(OptionTest::Matches(0, starts(b"ab"))),
            b"abc",
            Some(b"a"),
        ),
        (
            test(OptionTest::Matches(2, starts(b"c"))),
            b"abcd",
            Some(b"abd"),
        ),
        (
            test(OptionTest::Contains(1, vec![b"bc".to_vec()])),
            b"abcd",
            Some(b"ac"),
        ),
        (
            not(test(OptionTest::Contains(0, vec![b"b".to_vec()]))),
            b"a",
            Some(b"abc"),
        ),
    ] {
        let mut world = with_class(when.clone());
        let sent = |client, value: Option<&[u8]>| match value {
            Some(value) => discover(client).option(224, value),
            None => discover(client),
        };
        assert!(is_member(&mut world, &sent(1, Some(hit))), "{when:?}");
        assert!(!is_member(&mut world, &sent(2, miss)), "{when:?}");
        // An OFFER and an ACK for each shape.
        assert_eq!(world.kernel.templates.len(), 4, "{when:?}");
    }
}

#[test]
fn what_nothing_covers_is_tested_by_the_controller_each_time() {
    let option = |code, test| Condition::Option(code, test);
    for (when, hit, miss) in [
        (
            Condition::HostName(starts(b"cam-")),
            discover(1).option(option::HOST_NAME, b"CAM-1"),
            discover(2).option(option::HOST_NAME, b"pc"),
        ),
        (
            Condition::HostName(starts(b"cam-")),
            discover(1).option(option::FQDN, b"\0\0\0cam-1.example"),
            discover(2),
        ),
        (
            option(
                option::HOST_NAME,
                OptionTest::Contains(0, vec![b"x".to_vec()]),
            ),
            discover(1).option(option::HOST_NAME, b"axa"),
            discover(2).option(option::HOST_NAME, b"aXa"),
        ),
        (
            option(option::REQUESTED_ADDRESS, OptionTest::Present),
            discover(1).requested(ip(12)),
            discover(2),
        ),
        (
            not(Condition::Giaddr(vec!["0.0.0.0/32".parse().unwrap()])),
            discover(1).relayed(ip(9)),
            discover(2),
        ),
        (
            Condition::Giaddr(vec!["10.0.0.8/31".parse().unwrap()]),
            discover(1).relayed(ip(9)),
            discover(2).relayed(ip(7)),
        ),
    ] {
        let mut world = with_class(when.clone());
        assert!(is_member(&mut world, &hit), "{when:?}");
        assert!(!is_member(&mut world, &miss), "{when:?}");
        assert!(world.kernel.templates.is_empty(), "{when:?}");
    }
}

#[test]
fn only_requests_whose_class_is_in_doubt_lose_the_fast_path() {
    let mut world = with_class(Condition::All(vec![
        Condition::Is(dhcp_config::Field::VendorClass, starts(b"AXIS")),
        Condition::HostName(starts(b"cam-")),
    ]));
    world.lease(1);
    assert_eq!(world.kernel.templates.len(), 2, "no camera");
    let camera = discover(2)
        .option(option::VENDOR_CLASS, b"AXIS")
        .option(option::HOST_NAME, b"cam-1");
    assert!(is_member(&mut world, &camera));
    assert_eq!(world.kernel.templates.len(), 2, "a camera");
}

#[test]
fn a_client_that_has_waited_is_answered_and_its_lease_is_renewed_in_the_kernel() {
    let mut backup = class("backup", not(Condition::Secs(4)));
    backup.refuse = true;
    let mut world = World::with_config(
        Config {
            classes: vec![backup],
            ..config(vec![(NETWORK, subnet())])
        },
        100,
    );
    world.expect_silence(&secs(discover(1), 3), Counter::ClassRefused);
    world.expect_offer(&secs(discover(1), 4), ip(10));
    world.expect_ack(&selecting(1, ip(10)), ip(10));
    world.expect_ack(&renewing(1, ip(10)), ip(10));
    let kinds: Vec<_> = world.kernel.templates.keys().collect();
    assert_eq!(kinds.len(), 1, "the ACK, whose class is certain");
}

#[test]
fn m23_an_address_of_a_class_stays_when_a_renewal_lacks_what_the_discover_had() {
    let relayed = Condition::Giaddr(vec!["10.0.0.9/32".parse().unwrap()]);
    let mut world = classes::world(vec![class("relayed", relayed)]);
    world.expect_offer(&discover(1).relayed(ip(9)), ip(10));
    world.expect_ack(&selecting(1, ip(10)).relayed(ip(9)), ip(10));
    world.expect_ack(&renewing(1, ip(10)), ip(10));
    // Moved behind another relay agent, it gets another address.
    world.expect_offer(&discover(1).relayed(ip(7)), ip(11));
}

fn reserve(owners: Vec<Owner>, address: Option<Ipv4Addr>) -> Arc<Reservation> {
    Arc::new(Reservation {
        owners,
        address,
        host_name: None,
        classes: 0,
        overrides: Overrides::default(),
    })
}

fn with(reservations: Vec<Arc<Reservation>>, general: Vec<Arc<Reservation>>) -> World {
    let mut subnet = subnet();
    subnet.reservations = reservations;
    World::with_config(
        Config {
            classes: vec![
                class("known", Condition::Known),
                class("given", Condition::Any(Vec::new())),
            ],
            reservations: general,
            ..config(vec![(NETWORK, subnet)])
        },
        100,
    )
}

fn hardware(network: u32, htype: u8, octets: &[u8]) -> Owner {
    Owner::Client(ClientKey::hardware(network, htype, octets).expect("it fits"))
}

#[test]
fn m09_a_duid_is_the_same_client_with_any_iaid() {
    let duid = [0, 3, 0, 1, 2, 0, 0, 0, 0, 7];
    let id = |iaid: u8| [&[255, 0, 0, 0, iaid][..], &duid].concat();
    let mut world = with(
        vec![reserve(vec![Owner::Duid(duid.to_vec())], Some(ip(50)))],
        vec![],
    );
    let other = [&[255, 0, 0, 0, 1][..], &duid[..9]].concat();
    world.expect_offer(&discover(1).option(option::CLIENT_ID, &other), ip(10));
    world.expect_offer(&discover(2).option(option::CLIENT_ID, &id(1)), ip(50));
    let binding = world.kernel.leases.len();
    assert_eq!(binding, 2);
    world.restart();
    world.expect_offer(&discover(2).option(option::CLIENT_ID, &id(9)), ip(50));
}

#[test]
fn m09_an_infiniband_port_is_known_by_the_guid_in_its_identifier() {
    let guid = [0, 2, 0xc9, 3, 0, 0, 0x10, 0x39];
    let mut world = with(
        vec![reserve(
            vec![hardware(NETWORK, HTYPE_INFINIBAND, &guid)],
            Some(ip(50)),
        )],
        vec![],
    );
    let infiniband = |mut message: Message, guid: &[u8]| {
        message.payload[1] = HTYPE_INFINIBAND;
        message.payload[2] = 0;
        message.payload[28..44].fill(0);
        let id = [&[255, 0, 0, 0, 0, 0, 2, 0, 0, 2, 0xc9, 0][..], guid].concat();
        message.option(option::CLIENT_ID, &id)
    };
    world.expect_offer(&infiniband(discover(1), &[0; 8]), ip(10));
    world.expect_offer(&infiniband(discover(2), &guid), ip(50));
    // The same identifier from Ethernet is another machine.
    let mut ethernet = infiniband(discover(3), &guid);
    ethernet.payload[1] = 1;
    ethernet.payload[2] = 6;
    assert_ne!(world.ask(&ethernet).yiaddr(), ip(50));
}

#[test]
fn m09_a_machine_is_the_same_on_ethernet_and_ieee_802_unless_its_type_is_given() {
    let mut world = with(
        vec![
            reserve(vec![hardware(NETWORK, 1, &mac(1))], Some(ip(50))),
            reserve(vec![hardware(NETWORK, 6, &mac(2))], Some(ip(51))),
        ],
        vec![],
    );
    let ieee802 = |mut message: Message| {
        message.payload[1] = 6;
        message
    };
    world.expect_offer(&ieee802(discover(1)), ip(50));
    world.expect_offer(&discover(2), ip(10));
    world.expect_offer(&ieee802(discover(2)), ip(51));
}

#[test]
fn m09_one_of_several_machines_has_the_reserved_address() {
    let owners = [1, 2].map(|client| hardware(NETWORK, 1, &mac(client)));
    let mut world = with(vec![reserve(owners.into(), Some(ip(50)))], vec![]);
    assert_eq!(world.lease(1), ip(50));
    assert_eq!(world.lease(2), ip(10), "while the first one has it");
    world.ask_all(&release(1, ip(50)));
    world.expect_offer(&discover(2), ip(50));
}

#[test]
fn a_reservation_without_an_address_gives_options_and_classes_with_any_address() {
    let mut staff = Reservation::clone(&reserve(vec![hardware(NETWORK, 1, &mac(1))], None));
    staff.classes = 0b10;
    let mut named = Reservation::clone(&reserve(vec![hardware(NETWORK, 1, &mac(2))], None));
    named.overrides = domain("own");
    let mut world = with(vec![staff.into(), named.into()], vec![]);
    for (client, expected) in [(1, Some("given")), (2, Some("own")), (3, None)] {
        let address = world.lease(client);
        assert_eq!(address, ip(9 + client), "from the pool");
        let ack = world.ask(&renewing(client, address));
        let expected = expected.map(|name| name.as_bytes().to_vec());
        assert_eq!(ack.option(DOMAIN_NAME), expected, "{client}");
    }
    let profiles = [1, 2, 3].map(|client| world.published(client).unwrap().profile);
    assert!(profiles[0] != profiles[1] && profiles[1] != profiles[2] && profiles[0] != profiles[2]);
    assert_eq!(world.kernel.templates.len(), 6, "each on the fast path");
    let before = world.kernel.leases.clone();
    world.restart();
    world.settle();
    assert_eq!(world.kernel.leases, before);
}

#[test]
fn a_reservation_for_all_networks_yields_to_one_of_the_network() {
    let of = |client, address| reserve(vec![hardware(ALL_NETWORKS, 1, &mac(client))], address);
    let mut general = Reservation::clone(&of(2, None));
    general.overrides = domain("everywhere");
    let mut world = with(
        vec![reserve(vec![hardware(NETWORK, 1, &mac(3))], Some(ip(52)))],
        vec![of(1, Some(ip(50))), general.into(), of(3, Some(ip(51)))],
    );
    assert_eq!(world.lease(1), ip(50));
    assert_eq!(world.lease(3), ip(52));
    let offer = world.ask(&discover(2));
    assert_eq!(offer.option(DOMAIN_NAME), Some(b"everywhere".to_vec()));
    // Nobody else gets the reserved addresses.
    world.expect_nak(&selecting(4, ip(51)));
}

#[test]
fn a_reload_that_makes_a_client_known_publishes_its_lease_again() {
    let mut world = with(vec![], vec![]);
    let address = world.lease(1);
    let before = world.published(1).unwrap();
    let mut config = Config {
        classes: vec![
            class("known", Condition::Known),
            class("given", Condition::Any(Vec::new())),
        ],
        ..config(vec![(NETWORK, subnet())])
    };
    let mut general = Reservation::clone(&reserve(vec![hardware(ALL_NETWORKS, 1, &mac(1))], None));
    general.host_name = Some("known".to_owned());
    config.reservations = vec![general.into()];
    world.reload(config);
    assert_ne!(world.published(1).unwrap().profile, before.profile);
    let ack = world.ask(&renewing(1, address));
    assert_eq!(ack.option(DOMAIN_NAME), Some(b"known".to_vec()));
}

#[test]
fn an_unknown_client_has_a_pool_of_its_own() {
    let mut subnet = subnet();
    subnet.pools = vec![
        Pool {
            classes: 1,
            ..Pool::new(ip(20), ip(20))
        },
        Pool::new(ip(10), ip(12)),
    ];
    subnet.reservations = vec![{
        let mut known = Reservation::clone(&reserve(vec![hardware(NETWORK, 1, &mac(1))], None));
        known.host_name = Some("known".to_owned());
        known.into()
    }];
    let mut world = World::with_config(
        Config {
            classes: vec![class("guests", not(Condition::Known))],
            ..config(vec![(NETWORK, subnet)])
        },
        100,
    );
    world.expect_offer(&discover(1), ip(10));
    world.expect_offer(&discover(2), ip(20));
}

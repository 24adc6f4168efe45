//! Effects of a client's origin: reservations and classes by the port that a relay agent reports,
//! and classes by hardware address.

use std::{net::Ipv4Addr, sync::Arc};

use dhcp_common::{
    abi::{BINDING_CHECKS_HARDWARE, BINDING_CHECKS_RELAY_INFO, Binding, ClientKey},
    fingerprint,
    wire::option,
};
use dhcp_config::{
    Class, Condition, Config, Field, OptionValue, Overrides, Owner, Pattern, RelayPort, Reservation,
};
use dhcp_engine::Counter;
use dhcp_model::LeaseTimes;
use dhcp_testkit::world::*;

use crate::classes;

const DOMAIN_NAME: u8 = 15;
const CIRCUIT_ID: u8 = 1;
const REMOTE_ID: u8 = 2;

fn suboption(code: u8, value: &[u8]) -> Vec<u8> {
    [&[code, value.len() as u8], value].concat()
}

fn circuit(id: &[u8]) -> Vec<u8> {
    suboption(CIRCUIT_ID, id)
}

fn at(message: Message, port: &[u8]) -> Message {
    message
        .tagged(TRUSTED_VLAN)
        .option(option::RELAY_INFO, port)
}

fn reserve(owner: Owner, address: Ipv4Addr) -> Arc<Reservation> {
    Arc::new(Reservation {
        owners: vec![owner],
        address: Some(address),
        host_name: None,
        classes: 0,
        overrides: Overrides::default(),
    })
}

fn port(circuit_id: Option<&[u8]>, remote_id: Option<&[u8]>) -> Owner {
    Owner::RelayPort(RelayPort {
        circuit_id: circuit_id.map(<[u8]>::to_vec),
        remote_id: remote_id.map(<[u8]>::to_vec),
    })
}

fn with_reservations(reservations: Vec<Arc<Reservation>>) -> World {
    let mut subnet = subnet();
    subnet.reservations = reservations;
    World::with(subnet)
}

fn when(field: Field, octets: &[u8], is_prefix: bool) -> Condition {
    let octets = octets.to_vec();
    Condition::Is(field, vec![Pattern { octets, is_prefix }])
}

/// Returns a class whose name is sent to its clients as domain name.
fn class(name: &str, when: Condition) -> Class {
    Class {
        name: name.into(),
        when,
        refuse: false,
        overrides: Overrides {
            options: vec![OptionValue {
                code: DOMAIN_NAME,
                data: name.into(),
            }],
            ..Overrides::default()
        },
    }
}

fn with_classes(classes: Vec<Class>) -> World {
    World::with_config(
        Config {
            classes,
            ..config(vec![(NETWORK, subnet())])
        },
        100,
    )
}

/// Leases an address to a client at a port: DISCOVER, OFFER, REQUEST, ACK.
fn lease_at(world: &mut World, client: u8, port: &[u8]) -> Ipv4Addr {
    let address = world.ask(&at(discover(client), port)).yiaddr();
    world.expect_ack(&at(selecting(client, address), port), address);
    address
}

fn digest(relay_info: &[u8]) -> u64 {
    fingerprint::of_option(option::RELAY_INFO, relay_info, &fingerprint_key())
}

fn checks_port(binding: &Binding, relay_info: &[u8]) -> bool {
    binding.flags & BINDING_CHECKS_RELAY_INFO != 0 && binding.relay_info == digest(relay_info)
}

#[test]
fn m27_whoever_is_at_a_port_gets_its_address_and_nobody_else_does() {
    let seventh = circuit(b"eth 0/1/7");
    let mut world = with_reservations(vec![reserve(port(Some(b"eth 0/1/7"), None), ip(11))]);
    world.expect_offer(
        &at(discover(1), &circuit(b"eth 0/1/8")).requested(ip(11)),
        ip(10),
    );
    assert_eq!(lease_at(&mut world, 2, &seventh), ip(11));
    assert!(checks_port(
        &world.published(2).expect("it is leased"),
        &seventh
    ));
    // The next client at the port gets another address until the reserved one is free.
    world.expect_offer(&at(discover(3), &seventh), ip(12));
    world.ask_all(&release(2, ip(11)).tagged(TRUSTED_VLAN));
    world.expect_offer(&at(discover(3), &seventh), ip(11));
    world.expect_ack(&at(selecting(3, ip(11)), &seventh), ip(11));
    // The former client is no longer at that port.
    world.expect_nak(&at(init_reboot(2, ip(11)), &circuit(b"eth 0/1/8")));
}

#[test]
fn m27_a_renewal_past_the_relay_agent_is_from_where_its_lease_was_given() {
    let seventh = circuit(b"7");
    let mut world = with_reservations(vec![reserve(port(Some(b"7"), None), ip(11))]);
    lease_at(&mut world, 1, &seventh);
    world.expect_ack(&renewing(1, ip(11)).tagged(TRUSTED_VLAN), ip(11));
    assert!(checks_port(
        &world.published(1).expect("it is leased"),
        &seventh
    ));
    world.restart();
    world.settle();
    world.expect_ack(&renewing(1, ip(11)).tagged(TRUSTED_VLAN), ip(11));
    world.expect_nak(&rebinding(1, ip(11)).tagged(TRUSTED_VLAN));
    world.expect_ack(&at(rebinding(1, ip(11)), &seventh), ip(11));
}

#[test]
fn m27_ids_are_compared_octet_for_octet() {
    let id = b"eth\0 1";
    let mut world = with_reservations(vec![reserve(port(Some(id), None), ip(11))]);
    for other in [&b"eth"[..], b"eth\0 1\0", b"ETH\0 1", b""] {
        let offer = world.ask(&at(discover(1), &circuit(other)));
        assert_eq!(offer.yiaddr(), ip(10), "{other:?}");
    }
    world.expect_offer(&at(discover(2), &circuit(id)), ip(11));
}

#[test]
fn m09_m27_what_names_a_client_more_closely_counts() {
    let both = [circuit(b"7"), suboption(REMOTE_ID, b"switch")].concat();
    let mut world = with_reservations(vec![
        reserve(port(Some(b"7"), None), ip(20)),
        reserve(port(None, Some(b"switch")), ip(21)),
        reserve(port(Some(b"7"), Some(b"switch")), ip(22)),
        reserve(Owner::Client(key(9)), ip(23)),
    ]);
    world.expect_offer(&at(discover(1), &circuit(b"7")), ip(20));
    let elsewhere = [circuit(b"8"), suboption(REMOTE_ID, b"switch")].concat();
    world.expect_offer(&at(discover(2), &elsewhere), ip(21));
    world.expect_offer(&at(discover(3), &both), ip(22));
    world.expect_offer(&at(discover(9), &both), ip(23));
    world.expect_offer(&discover(4), ip(10));
}

#[test]
fn m27_a_client_that_has_moved_to_another_port_is_known_there_on_disk_too() {
    let (seventh, eighth) = (circuit(b"7"), circuit(b"8"));
    let mut world = with_reservations(vec![reserve(port(Some(b"9"), None), ip(20))]);
    assert_eq!(lease_at(&mut world, 1, &seventh), ip(10));
    let commits = world.take_effects();
    assert!(commits.contains(&"commit"));
    world.expect_ack(&at(rebinding(1, ip(10)), &seventh), ip(10));
    assert!(!world.take_effects().contains(&"commit"), "nothing is new");
    world.expect_ack(&at(rebinding(1, ip(10)), &eighth), ip(10));
    assert!(world.take_effects().contains(&"commit"));
    assert_eq!(
        world.store[&ip(10)].origin.relay_info,
        Some(eighth.clone().into())
    );
    assert!(checks_port(
        &world.published(1).expect("it is leased"),
        &eighth
    ));
}

/// Returns a world with a lease of client 1, and a message from a port whose lease time is a tenth
/// of the usual one.
fn leased_beside_a_port_of_short_leases() -> (World, Message) {
    let mut short = class("short", when(Field::CircuitId, b"short", false));
    short.overrides.lease = Some(LeaseTimes {
        lease_secs: LEASE_SECS / 10,
        renewal_secs: LEASE_SECS / 20,
        rebinding_secs: LEASE_SECS / 15,
        ..subnet().lease
    });
    let mut world = with_classes(vec![short]);
    lease_at(&mut world, 1, &circuit(b"long"));
    let moved = at(init_reboot(1, ip(10)), &circuit(b"short"));
    (world, moved)
}

#[test]
fn a_lease_that_becomes_shorter_stays_durable_for_as_long_as_the_kernel_was_told() {
    let (mut world, moved) = leased_beside_a_port_of_short_leases();
    let told = world.published(1).unwrap();
    world.message(&moved);
    world.commit();
    assert!(world.store[&ip(10)].horizon.0 >= told.durable_until_ns);
    assert_eq!(
        world
            .sent
            .last()
            .unwrap()
            .option(option::LEASE_TIME)
            .unwrap(),
        60u32.to_be_bytes()
    );
}

#[test]
fn c120_m27_a_client_that_moves_while_commits_fail_is_renewed_and_its_port_is_on_disk_when_it_asks_again()
 {
    let (here, there) = (circuit(b"here"), circuit(b"there"));
    let mut world = with_reservations(vec![reserve(port(Some(b"other"), None), ip(12))]);
    let address = lease_at(&mut world, 1, &here);
    world.store_fails = true;
    world.sleep(secs(1));
    world.expect_ack(&at(rebinding(1, address), &there), address);
    assert_eq!(world.count(Counter::StoreFailed), 1);
    let on_disk = |world: &World| world.store[&address].origin.relay_info.clone();
    assert_eq!(on_disk(&world).as_deref(), Some(&*here));
    world.store_fails = false;
    world.pass(secs(1));
    world.expect_ack(&at(rebinding(1, address), &there), address);
    assert_eq!(on_disk(&world).as_deref(), Some(&*there));
}

#[test]
fn a_move_to_another_port_that_was_not_committed_is_committed_when_the_client_asks_again() {
    let (mut world, moved) = leased_beside_a_port_of_short_leases();
    world.store_fails = true;
    world.message(&moved);
    world.commit();
    world.store_fails = false;
    world.expect_ack(&moved, ip(10));
    let port = world.store[&ip(10)].origin.relay_info.clone();
    assert_eq!(port.as_deref(), Some(&*circuit(b"short")));
}

#[test]
fn a_client_is_where_its_lease_was_committed_until_its_move_is() {
    let (mut world, moved) = leased_beside_a_port_of_short_leases();
    let lease_secs = |world: &World| world.sent.last().unwrap().option(option::LEASE_TIME);
    world.message(&moved);
    world.message(&renewing(1, ip(10)));
    assert_eq!(lease_secs(&world), Some(LEASE_SECS.to_be_bytes().to_vec()));
    world.commit();
    world.message(&renewing(1, ip(10)));
    assert_eq!(lease_secs(&world), Some(60u32.to_be_bytes().to_vec()));
}

#[test]
fn m27_a_class_by_port_has_its_own_pool_and_options() {
    let mut world = classes::world(vec![class(
        "business",
        when(Field::CircuitId, b"biz", true),
    )]);
    let offer = world.ask(&at(discover(1), &circuit(b"biz 1")));
    assert_eq!(offer.yiaddr(), ip(10));
    assert_eq!(offer.option(DOMAIN_NAME), Some(b"business".to_vec()));
    let offer = world.ask(&at(discover(2), &circuit(b"home 1")));
    assert_eq!((offer.yiaddr(), offer.option(DOMAIN_NAME)), (ip(11), None));
    // Another client of the class gets an address of the pool for all clients.
    world.expect_offer(&at(discover(3), &circuit(b"biz 2")), ip(12));
}

#[test]
fn m27_the_kernel_gets_an_answer_for_each_set_of_conditions_that_hold() {
    let mut world = with_classes(vec![
        class("business", when(Field::CircuitId, b"biz", true)),
        class("switch", when(Field::RemoteId, b"s", false)),
        class("subscriber", when(Field::SubscriberId, b"me", false)),
    ]);
    let ports = [
        circuit(b"home"),
        circuit(b"biz"),
        [circuit(b"biz"), suboption(REMOTE_ID, b"s")].concat(),
    ];
    let mut profiles = Vec::new();
    for (client, port) in (1..).zip(&ports) {
        let address = lease_at(&mut world, client, port);
        let binding = world.published(client).expect("it is leased");
        assert!(checks_port(&binding, port));
        assert!(!profiles.contains(&binding.profile));
        profiles.push(binding.profile);
        let ack = world.ask(&at(rebinding(client, address), port));
        let expected = [None, Some("business"), Some("switch")][usize::from(client) - 1];
        assert_eq!(ack.option(DOMAIN_NAME), expected.map(|name| name.into()));
    }
    assert_eq!(
        world.kernel.templates.len(),
        2 * ports.len(),
        "OFFER and ACK"
    );
    // The same holds after a restart.
    let before = world.kernel.leases.clone();
    world.restart();
    world.settle();
    assert_eq!(world.kernel.leases, before);
    assert!(!world.take_effects().contains(&"withdraw"));
}

#[test]
fn a_class_by_hardware_address_is_bound_to_it_where_the_client_has_an_identifier() {
    let mut world = with_classes(vec![class(
        "phones",
        when(Field::HardwareAddress, &mac(1), false),
    )]);
    let id = &[0, 1, 2, 3];
    let of = |message: Message| message.option(option::CLIENT_ID, id);
    let offer = world.ask(&of(discover(1)));
    assert_eq!(offer.option(DOMAIN_NAME), Some(b"phones".to_vec()));
    world.expect_ack(&of(selecting(1, ip(10))), ip(10));
    let key = ClientKey::client_id(NETWORK, id).expect("a short one");
    let phone = world.kernel.leases[&key];
    assert_eq!(phone.flags, BINDING_CHECKS_HARDWARE);

    // The same client with another network card.
    let ack = world.ask(&of(renewing(2, ip(10))));
    assert_eq!(ack.option(DOMAIN_NAME), None);
    let moved = world.kernel.leases[&key];
    assert_ne!(
        (moved.hardware, moved.profile),
        (phone.hardware, phone.profile)
    );
    assert_eq!(world.store[&ip(10)].origin.hardware.octets(), mac(2));

    // A client identified by its hardware address needs no check.
    world.lease(3);
    assert_eq!(world.published(3).expect("it is leased").flags, 0);
}

#[test]
fn a_class_of_origin_can_be_refused() {
    let mut world = with_classes(vec![Class {
        refuse: true,
        ..class(
            "bogus",
            when(Field::HardwareAddress, &[2, 0, 0, 0, 0], true),
        )
    }]);
    world.expect_silence(&discover(1), Counter::ClassRefused);
}

#[test]
fn without_such_conditions_a_binding_is_for_every_origin() {
    let mut world = World::new();
    lease_at(&mut world, 1, &circuit(b"7"));
    let binding = world.published(1).expect("it is leased");
    assert_eq!(
        (binding.flags, binding.hardware, binding.relay_info),
        (0, 0, 0)
    );
    world.take_effects();
    world.expect_ack(&at(rebinding(1, ip(10)), &circuit(b"8")), ip(10));
    assert!(!world.take_effects().contains(&"commit"));
}

#[test]
fn m09_c014_a_hardware_reservation_is_for_the_machine_whatever_identifier_it_sends() {
    let mut world = with_reservations(vec![reservation(key(1), ip(11), None)]);
    let id = &[0, 1, 2, 3];
    let of = |message: Message| message.option(option::CLIENT_ID, id);
    world.expect_offer(&of(discover(1)), ip(11));
    world.expect_ack(&of(selecting(1, ip(11))), ip(11));
    let client = ClientKey::client_id(NETWORK, id).expect("a short one");
    assert_eq!(world.kernel.leases[&client].flags, BINDING_CHECKS_HARDWARE);
    let before = world.kernel.leases.clone();
    world.restart();
    world.settle();
    assert_eq!(world.kernel.leases, before, "still its own after a restart");
    world.expect_ack(&of(renewing(1, ip(11))), ip(11));

    // The same identifier on another machine: the reservation does not cover it.
    world.expect_nak(&of(renewing(2, ip(11))));
    world.expect_offer(&of(discover(2)), ip(10));
}

#[test]
fn m09_a_reservation_by_identifier_precedes_the_one_of_the_hardware() {
    let id = &[0, 1, 2, 3];
    let client = ClientKey::client_id(NETWORK, id).expect("a short one");
    let mut world = with_reservations(vec![
        reservation(key(1), ip(11), None),
        reservation(client, ip(12), None),
    ]);
    world.expect_offer(&discover(1).option(option::CLIENT_ID, id), ip(12));
    world.expect_offer(&discover(1), ip(11));
}

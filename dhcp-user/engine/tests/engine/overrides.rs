//! Precedence of settings: reservation, then classes, pool and subnet.

use dhcp_common::wire::option;
use dhcp_config::{Class, Condition, OptionValue, Overrides, Pool, Reservation};
use dhcp_model::LeaseTimes;
use dhcp_testkit::world::*;

const DOMAIN_NAME: u8 = 15;
const PHONES: u16 = 7;

fn lease(lease_secs: u32) -> LeaseTimes {
    LeaseTimes {
        lease_secs,
        renewal_secs: lease_secs / 2,
        rebinding_secs: lease_secs / 8 * 7,
        horizon_leases: HORIZON_LEASES,
        range: None,
    }
}

fn named(name: &str, lease_secs: u32) -> Overrides {
    Overrides {
        lease: Some(lease(lease_secs)),
        options: vec![OptionValue {
            code: DOMAIN_NAME,
            data: name.into(),
        }],
        ..Overrides::default()
    }
}

/// Returns a world in which the first two addresses are in a pool with overrides and the third is
/// not. Client 3 has a reservation with overrides, client 4 one without. Phones are a class.
fn world() -> World {
    let mut subnet = subnet();
    subnet.pools = vec![
        Pool {
            overrides: named("pool", 100),
            ..Pool::new(ip(10), ip(11))
        },
        Pool::new(ip(12), ip(12)),
    ];
    let reserved = reservation(key(3), ip(50), None);
    let own = Reservation {
        overrides: named("reservation", 300),
        ..Reservation::clone(&reserved)
    };
    subnet.reservations = vec![own.into(), reservation(key(4), ip(51), None)];
    let mut config = config(vec![(NETWORK, subnet)]);
    config.classes = vec![Class {
        name: "phones".into(),
        when: Condition::Architecture(vec![PHONES]),
        refuse: false,
        overrides: named("class", 200),
    }];
    World::with_config(config, 100)
}

fn phone(message: Message) -> Message {
    message.option(option::ARCHITECTURE, &PHONES.to_be_bytes())
}

fn told(reply: &Received) -> (Option<String>, u32) {
    let secs = reply.option(option::LEASE_TIME).expect("a lease time");
    let secs = u32::from_be_bytes(secs.try_into().expect("four octets"));
    let name = reply.option(DOMAIN_NAME);
    (
        name.map(|name| String::from_utf8(name).expect("text")),
        secs,
    )
}

#[test]
fn the_nearest_says_what_a_client_gets() {
    let mut world = world();
    let mut ask = |message: &Message| told(&world.ask(message));
    let of = |name: &str, secs| (Some(name.to_owned()), secs);
    assert_eq!(ask(&discover(1)), of("pool", 100));
    assert_eq!(ask(&phone(discover(1))), of("class", 200));
    assert_eq!(ask(&discover(3)), of("reservation", 300));
    assert_eq!(ask(&phone(discover(3))), of("reservation", 300));
    assert_eq!(ask(&discover(4)), (None, LEASE_SECS));
    assert_eq!(ask(&phone(discover(4))), of("class", 200));
    assert_eq!(ask(&discover(2)), of("pool", 100));
    assert_eq!(ask(&discover(5)), (None, LEASE_SECS));
}

#[test]
fn pools_that_give_the_same_are_one_and_others_have_answers_of_their_own() {
    let mut world = world();
    for client in [1, 2, 5] {
        world.ask(&discover(client));
    }
    let profile = |client| world.published(client).expect("an offer").profile;
    assert_eq!(profile(1), profile(2));
    assert_ne!(profile(1), profile(5));
}

#[test]
fn a_lease_is_as_long_as_its_pool_says_and_committed_ahead_by_as_many() {
    let mut world = world();
    world.lease(1);
    let durable = world.published(1).expect("a lease").durable_until_ns;
    let horizon = world.now.plus_lease(100 * (1 + HORIZON_LEASES));
    assert_eq!(durable, horizon.0);
}

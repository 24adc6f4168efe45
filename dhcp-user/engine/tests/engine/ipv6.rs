//! IPv6-mostly networks (RFC 8925): clients that can do without IPv4 get option 108 and no address.

use dhcp_common::wire::{self, message_type, option};
use dhcp_config::{Class, Condition, Config, OptionValue, Overrides, Pool, Subnet};
use dhcp_engine::{Counter, lease_table::LeaseState};
use dhcp_model::RecordState;
use dhcp_testkit::world::*;

const CODE: u8 = option::V6_ONLY_PREFERRED;
const ZERO: std::net::Ipv4Addr = std::net::Ipv4Addr::UNSPECIFIED;

fn mostly() -> Subnet {
    Subnet {
        ipv6_mostly: true,
        ..subnet()
    }
}

fn pool(first: u8, last: u8, ipv6_mostly: Option<bool>) -> Pool {
    Pool {
        overrides: Overrides {
            ipv6_mostly,
            ..Overrides::default()
        },
        ..Pool::new(ip(first), ip(last))
    }
}

/// Adds a parameter list with option 108, as sent by a client that can do without IPv4.
fn capable(message: Message) -> Message {
    message.option(option::PARAMETER_LIST, &[1, 3, CODE, 6])
}

fn expect_no_address(world: &mut World, message: &Message) -> Received {
    let before = (world.leases.len(), world.store.len());
    let told = world.count(Counter::Ipv6Only);
    let offer = world.ask(message);
    assert_eq!(
        (offer.message_type(), offer.yiaddr()),
        (message_type::OFFER, ZERO)
    );
    assert!(offer.option(CODE).is_some());
    assert_eq!(
        (world.leases.len(), world.store.len()),
        before,
        "nothing is held"
    );
    assert_eq!(world.count(Counter::Ipv6Only), told + 1);
    offer
}

#[test]
fn c111_c112_who_can_do_without_an_address_is_offered_none() {
    let mut world = World::with(mostly());
    let offer = expect_no_address(&mut world, &capable(discover(1)));
    assert_eq!(offer.option(CODE), Some(vec![0; 4]));
    assert_eq!(offer.egress.destination, std::net::Ipv4Addr::BROADCAST);
    assert_eq!(offer.egress.destination_mac, wire::MAC_BROADCAST);
    assert_eq!(
        world.take_effects(),
        ["send"],
        "nothing for the kernel to replay"
    );
    assert_eq!(world.count(Counter::Offered), 0);

    // All addresses are still free: the capable client has taken none.
    for client in 2..=4 {
        world.lease(client);
    }
    expect_no_address(&mut world, &capable(discover(1)));
    world.expect_silence(&discover(1), Counter::PoolEmpty);

    let relayed = capable(discover(1)).relayed(SERVER);
    let offer = expect_no_address(&mut world, &relayed);
    assert_eq!(offer.egress.destination, SERVER);
}

#[test]
fn c111_the_option_is_for_those_who_list_it_where_the_network_is_ipv6_mostly() {
    let wait = OptionValue {
        code: CODE,
        data: vec![0, 0, 7, 8],
    };
    let with = |ipv6_mostly| {
        let mut subnet = subnet();
        subnet.ipv6_mostly = ipv6_mostly;
        subnet.options.push(wait.clone());
        World::with(subnet)
    };
    let mut world = with(true);
    let offer = expect_no_address(&mut world, &capable(discover(1)));
    assert_eq!(offer.option(CODE), Some(vec![0, 0, 7, 8]));
    for message in [
        discover(1),
        discover(1).option(option::PARAMETER_LIST, &[1]),
    ] {
        let offer = world.ask(&message);
        assert_eq!((offer.yiaddr(), offer.option(CODE)), (ip(10), None));
    }
    let offer = with(false).ask(&capable(discover(1)));
    assert_eq!((offer.yiaddr(), offer.option(CODE)), (ip(10), None));
}

#[test]
fn c112_a_request_is_served_as_ever_and_so_is_a_client_with_a_lease() {
    let mut world = World::with(mostly());
    expect_no_address(&mut world, &capable(discover(1)).requested(ip(11)));
    let ack = world.ask(&capable(selecting(1, ip(11))));
    assert_eq!(
        (ack.message_type(), ack.yiaddr()),
        (message_type::ACK, ip(11))
    );
    assert_eq!(ack.option(CODE), Some(vec![0; 4]));
    assert_eq!(world.recorded(ip(11)), Some(RecordState::Bound));
    let offer = world.ask(&capable(discover(1)));
    assert_eq!(
        (offer.yiaddr(), offer.option(CODE)),
        (ip(11), Some(vec![0; 4]))
    );
    world.expect_ack(&capable(renewing(1, ip(11))), ip(11));

    // Once its lease is released, the client is offered no address.
    world.ask_all(&release(1, ip(11)));
    expect_no_address(&mut world, &capable(discover(1)));
    world.expect_offer(&discover(1), ip(11));
}

#[test]
fn c112_c117_the_kernel_has_no_offer_for_such_requests_and_a_pending_one_ends() {
    let mut world = World::with(mostly());
    world.expect_offer(&discover(1), ip(10));
    assert!(world.published(1).is_some());
    world.lease(2);
    world.take_effects();
    world.ask(&capable(renewing(2, ip(11))));
    world.ask(&capable(discover(2)));
    let kinds: Vec<_> = world
        .kernel
        .templates
        .keys()
        .map(|(_, fingerprint, kind)| (*fingerprint, *kind))
        .collect();
    let offers = kinds
        .iter()
        .filter(|(_, kind)| *kind == message_type::OFFER);
    assert_eq!(offers.count(), 1, "for those who do not list it");
    assert_eq!(kinds.len(), 3);

    let offer = world.ask(&capable(discover(1)));
    assert_eq!(offer.yiaddr(), ZERO);
    assert_eq!((world.state(ip(10)), world.published(1)), (None, None));
    world.expect_offer(&discover(3), ip(12));
    world.expect_offer(&discover(4), ip(10));
}

#[test]
fn c112_a_lease_on_its_way_to_the_pool_is_not_kept_for_it() {
    let mut world = World::with(mostly());
    world.lease(1);
    world.sleep(secs(u64::from(LEASE_SECS)));
    world.timeout();
    assert_eq!(world.state(ip(10)), Some(LeaseState::Withdrawn));
    let offer = world.ask(&capable(discover(1)));
    assert_eq!(offer.yiaddr(), ZERO);
    assert_eq!(world.state(ip(10)), None);
}

#[test]
fn c110_c112_there_is_no_rapid_commit_with_the_option() {
    let rapid = |message: Message| message.option(option::RAPID_COMMIT, &[]);
    let mut world = World::with(Subnet {
        rapid_commit: true,
        ..mostly()
    });
    expect_no_address(&mut world, &rapid(capable(discover(1))));
    world.expect_ack(&rapid(discover(1)), ip(10));
    world.expect_offer(&rapid(capable(discover(1))), ip(10));
}

#[test]
fn c112_a_reserved_address_is_not_held_either_and_a_reservation_may_insist_on_it() {
    let mut subnet = mostly();
    let insists = dhcp_config::Reservation {
        overrides: Overrides {
            ipv6_mostly: Some(false),
            ..Overrides::default()
        },
        ..(*reservation(key(2), ip(51), None)).clone()
    };
    subnet.reservations = vec![reservation(key(1), ip(50), None), insists.into()];
    let mut world = World::with(subnet);
    expect_no_address(&mut world, &capable(discover(1)));
    let offer = world.ask(&capable(discover(2)));
    assert_eq!((offer.yiaddr(), offer.option(CODE)), (ip(51), None));
}

fn of_pools(pools: Vec<Pool>) -> Config {
    let subnet = Subnet { pools, ..subnet() };
    config(vec![(NETWORK, subnet)])
}

#[test]
fn c111_the_pool_of_the_address_that_it_would_get_decides() {
    let pools = vec![pool(10, 10, None), pool(11, 12, Some(true))];
    let mut world = World::with_config(of_pools(pools), 100);
    world.expect_offer(&capable(discover(1)), ip(10));
    expect_no_address(&mut world, &capable(discover(2)));
    world.expect_offer(&capable(discover(1)), ip(10));
    world.ask_all(&selecting_other(1));
    let wish = capable(discover(2)).requested(ip(12));
    expect_no_address(&mut world, &wish);
    world.expect_offer(&capable(discover(2)), ip(10));
}

#[test]
fn c111_a_class_may_decide_as_well() {
    let mut config = of_pools(vec![pool(10, 12, None)]);
    config.classes = vec![Class {
        name: "phones".into(),
        when: Condition::Architecture(vec![7]),
        refuse: false,
        overrides: pool(0, 0, Some(true)).overrides,
    }];
    let mut world = World::with_config(config, 100);
    let phone = capable(discover(1)).option(option::ARCHITECTURE, &[0, 7]);
    expect_no_address(&mut world, &phone);
    world.expect_offer(&capable(discover(1)), ip(10));
}

#[test]
fn c111_the_option_is_sent_however_little_room_there_is() {
    let mut subnet = mostly();
    subnet.options.insert(
        0,
        OptionValue {
            code: 43,
            data: vec![7; 255],
        },
    );
    let mut world = World::with(subnet);
    let message = discover(1).option(option::PARAMETER_LIST, &[43, 6, 3, CODE]);
    let offer = expect_no_address(&mut world, &message);
    assert_eq!(offer.option(CODE), Some(vec![0; 4]));
}

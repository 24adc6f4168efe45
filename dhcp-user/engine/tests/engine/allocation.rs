//! Allocation: which address a client gets, and from which network.

use std::net::Ipv4Addr;

use dhcp_common::{abi::ClientKey, wire::option};
use dhcp_config::{Pool, Subnet};
use dhcp_engine::{Counter, lease_table::LeaseState};
use dhcp_testkit::world::*;

#[test]
fn c027_current_then_former_then_requested_then_any() {
    let mut world = World::new();
    world.expect_offer(&discover(1).requested(ip(12)), ip(12));
    world.expect_ack(&selecting(1, ip(12)), ip(12));
    world.expect_offer(&discover(1).requested(ip(11)), ip(12));
    world.ask_all(&release(1, ip(12)));
    world.expect_offer(&discover(1).requested(ip(11)), ip(12));
    world.expect_offer(&discover(2).requested(ip(12)), ip(10));
    world.expect_offer(&discover(3).requested(ip(200)), ip(11));
}

#[test]
fn c017_c018_the_client_identifier_is_not_looked_at_where_it_shall_not() {
    let mut config = config(vec![(NETWORK, subnet())]);
    config.networks[0].match_client_id = false;
    let mut world = World::with_config(config, 100);
    let id = |message: Message, id: &[u8]| message.option(option::CLIENT_ID, id);
    let offer = world.ask(&id(discover(1), &[1, 2, 3]));
    assert_eq!(offer.yiaddr(), ip(10));
    assert_eq!(offer.option(option::CLIENT_ID), Some(vec![1, 2, 3]));
    // A second system on the same machine, then two machines cloned from one image.
    world.expect_ack(&id(selecting(1, ip(10)), &[0xff; 40]), ip(10));
    assert!(world.published(1).is_some(), "by its hardware address");
    world.expect_ack(&renewing(1, ip(10)), ip(10));
    world.expect_offer(&id(discover(2), &[1, 2, 3]), ip(11));

    let mut nobody = id(discover(3), &[1, 2, 3]);
    nobody.payload[2] = 0;
    world.expect_silence(&nobody, Counter::NoIdentity);
}

#[test]
fn c032_an_empty_pool_is_silence() {
    let mut world = World::new();
    for client in 1..=3 {
        world.lease(client);
    }
    world.expect_silence(&discover(4), Counter::PoolEmpty);
}

#[test]
fn m09_a_reservation_precedes_everything_and_is_nobody_elses() {
    let mut subnet = subnet();
    subnet.reservations = vec![
        reservation(key(1), ip(12), None),
        reservation(key(2), ip(50), None),
    ];
    let mut world = World::with(subnet);
    world.expect_offer(&discover(3).requested(ip(12)), ip(10));
    world.expect_offer(&discover(1).requested(ip(11)), ip(12));
    world.expect_ack(&selecting(1, ip(12)), ip(12));
    world.expect_offer(&discover(2), ip(50));
    world.expect_ack(&selecting(2, ip(50)), ip(50));
    world.expect_nak(&selecting(3, ip(12)));
    world.expect_nak(&selecting(3, ip(50)));
}

#[test]
fn m09_a_client_moves_to_the_address_that_has_been_reserved_for_it() {
    let mut world = reserve_another();
    assert_eq!(
        world.published(1),
        None,
        "the kernel would go on renewing the old one"
    );
    world.expect_nak(&renewing(1, ip(10)));
    world.expect_offer(&discover(1), ip(50));
    world.expect_ack(&selecting(1, ip(50)), ip(50));
    assert_eq!(world.published(1).unwrap().address, ip(50).into());
    world.settle();
    assert_eq!(world.state(ip(10)), None, "its client has been told");
    for (client, address) in [(2, 11), (3, 12), (4, 10)] {
        world.expect_offer(&discover(client), ip(address));
    }
}

/// Gives a client that has ip(10) a reservation for another address.
fn reserve_another() -> World {
    let mut world = World::new();
    world.lease(1);
    let mut subnet = subnet();
    subnet.reservations = vec![reservation(key(1), ip(50), None)];
    world.restart_with(config(vec![(NETWORK, subnet)]));
    world.settle();
    world
}

#[test]
fn a_lease_that_its_client_was_not_refused_is_kept_to_the_end_of_its_horizon() {
    let mut world = reserve_another();
    // Perhaps another machine with the same identifier.
    world.expect_offer(&discover(1), ip(50));
    world.expect_ack(&selecting(1, ip(50)), ip(50));
    world.settle();
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
    world.pass(secs(1800));
    assert_eq!(world.state(ip(10)), None);
}

#[test]
fn a_refused_lease_is_kept_until_its_client_has_another_one() {
    let mut world = reserve_another();
    world.expect_nak(&renewing(1, ip(10)));
    world.expect_offer(&discover(1), ip(50));
    world.settle();
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));

    // The reservation is taken back before the client has asked for the new address.
    world.restart_with(config(vec![(NETWORK, subnet())]));
    world.settle();
    world.expect_ack(&renewing(1, ip(10)), ip(10));
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
}

#[test]
fn c118_an_address_left_behind_is_free_only_after_its_commit() {
    let mut world = reserve_another();
    world.expect_nak(&renewing(1, ip(10)));
    world.expect_offer(&discover(1), ip(50));
    world.message(&selecting(1, ip(50)));
    world.commit();
    assert_eq!(world.state(ip(10)), Some(LeaseState::Withdrawn));
    world.settle();
    assert_eq!(world.state(ip(10)), None);
}

/// One link with two subnets: 10.0.0.0/24 with three addresses, and 10.1.0.0/24 with one address
/// and shorter leases.
fn shared_network() -> World {
    let mut second = subnet();
    second.prefix = "10.1.0.0/24".parse().expect("a prefix");
    second.pools[0].first = SECOND_SUBNETS;
    second.pools[0].last = SECOND_SUBNETS;
    second.lease.lease_secs = LEASE_SECS / 2;
    second.lease.renewal_secs = LEASE_SECS / 4;
    second.lease.rebinding_secs = LEASE_SECS / 3;
    World::with_config(shared(vec![(NETWORK, vec![subnet(), second])]), 100)
}

const SECOND_SUBNETS: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 10);

#[test]
fn m07_the_next_subnet_of_a_link_is_used_when_one_is_full() {
    let mut world = shared_network();
    for client in 1..=3 {
        world.lease(client);
    }
    world.expect_offer(&discover(4), SECOND_SUBNETS);
    let ack = world.ask(&selecting(4, SECOND_SUBNETS));
    assert_eq!(
        ack.option(option::LEASE_TIME),
        Some((LEASE_SECS / 2).to_be_bytes().to_vec()),
        "what its subnet has"
    );
    world.expect_silence(&discover(5), Counter::PoolEmpty);
    world.expect_ack(&renewing(4, SECOND_SUBNETS), SECOND_SUBNETS);
    world.expect_ack(&rebinding(4, SECOND_SUBNETS), SECOND_SUBNETS);
    world.expect_ack(&init_reboot(4, SECOND_SUBNETS), SECOND_SUBNETS);
    assert_eq!(world.published(4).unwrap().address, SECOND_SUBNETS.into());

    world.ask_all(&release(4, SECOND_SUBNETS));
    world.expect_offer(&discover(5), SECOND_SUBNETS);
}

#[test]
fn m07_a_wish_for_an_address_of_another_subnet_of_the_link_is_granted() {
    let mut world = shared_network();
    world.expect_offer(&discover(1).requested(SECOND_SUBNETS), SECOND_SUBNETS);
    world.expect_ack(&selecting(1, SECOND_SUBNETS), SECOND_SUBNETS);
    world.expect_nak(&init_reboot(1, Ipv4Addr::new(10, 2, 0, 1)));
}

#[test]
fn m07_a_relay_agent_on_any_subnet_of_a_link_stands_for_all() {
    let mut world = shared_network();
    let relay = Ipv4Addr::new(10, 1, 0, 1);
    world.expect_offer(&discover(1).relayed(relay), SECOND_SUBNETS);
    world.expect_offer(&discover(2).relayed(relay), ip(10));
}

#[test]
fn m07_after_a_restart_each_lease_is_in_its_subnet() {
    let mut world = shared_network();
    for client in 1..=4 {
        world.lease(client);
    }
    let config = world.config.clone();
    world.restart_with(config);
    world.settle();
    world.expect_silence(&discover(5), Counter::PoolEmpty);
    world.expect_ack(&renewing(4, SECOND_SUBNETS), SECOND_SUBNETS);
}

#[test]
fn m06_the_same_client_on_two_networks_has_two_leases() {
    let mut second = subnet();
    second.prefix = "10.1.0.0/24".parse().unwrap();
    second.pools = vec![Pool::new([10, 1, 0, 10].into(), [10, 1, 0, 20].into())];
    let mut world = World::with_config(config(vec![(NETWORK, subnet()), (8, second)]), 100);
    world.lease(1);
    let relay = [10, 1, 0, 1].into();
    world.expect_offer(&discover(1).relayed(relay), [10, 1, 0, 10].into());
    world.expect_ack(
        &selecting(1, [10, 1, 0, 10].into()).relayed(relay),
        [10, 1, 0, 10].into(),
    );
    assert_eq!(world.leases.len(), 2);
    world.expect_ack(&renewing(1, ip(10)), ip(10));
}

#[test]
fn c023_c025_the_relay_agents_address_selects_the_network() {
    let mut world = World::new();
    world.expect_offer(&discover(1).relayed(ip(254)), ip(10));
    world.expect_silence(
        &discover(2).relayed([10, 9, 0, 1].into()),
        Counter::UnknownRelay,
    );
}

#[test]
fn c024_a_unicast_renewal_selects_by_ciaddr_and_a_broadcast_one_by_its_link() {
    let mut second = subnet();
    second.prefix = "10.1.0.0/24".parse().unwrap();
    second.pools = vec![Pool::new([10, 1, 0, 10].into(), [10, 1, 0, 20].into())];
    let mut world = World::with_config(config(vec![(NETWORK, subnet()), (8, second)]), 100);
    let (relay, address) = ([10, 1, 0, 1].into(), [10, 1, 0, 10].into());
    world.ask(&discover(1).relayed(relay));
    world.expect_ack(&selecting(1, address).relayed(relay), address);
    world.expect_ack(&renewing(1, address), address);
    world.expect_silence(&rebinding(1, address), Counter::UnknownClient);
}

#[test]
fn c025_a_link_without_a_network_is_silence() {
    let mut world = World::new();
    let mut message = discover(1);
    message.ingress.ifindex += 1;
    world.expect_silence(&message, Counter::UnknownNetwork);
    message = discover(1);
    message.ingress.tags[0] = Some([0x81, 0, 0, 5]);
    world.expect_silence(&message, Counter::UnknownNetwork);
}

#[test]
fn c014_the_client_identifier_alone_is_the_client() {
    let mut world = World::new();
    let id = [1, 2, 3, 4];
    world.expect_offer(&discover(1).option(option::CLIENT_ID, &id), ip(10));
    world.expect_offer(&discover(2).option(option::CLIENT_ID, &id), ip(10));
    world.expect_offer(&discover(1), ip(11));
    let expected = ClientKey::client_id(NETWORK, &id).unwrap();
    assert_eq!(world.leases.get(&ip(10)).unwrap().holder.client(), expected);
}

#[test]
fn a_long_client_identifier_is_a_client_too() {
    let mut world = World::new();
    world.expect_offer(&discover(1).option(option::CLIENT_ID, &[7; 33]), ip(10));
    world.expect_offer(&discover(1).option(option::CLIENT_ID, &[7; 34]), ip(11));
    world.expect_offer(&discover(1).option(option::CLIENT_ID, &[7; 33]), ip(10));
}

#[test]
fn offers_are_held_for_less_time_as_the_pool_empties() {
    let mut world = World::new();
    for (client, hold) in [(1, 60), (2, 41), (3, 6)] {
        world.ask(&discover(client));
        let expires = world.leases.get(&ip(9 + client)).unwrap().expires;
        assert_eq!(expires.since(world.now).as_secs(), hold, "client {client}");
    }
}

#[test]
fn c015_without_identifier_type_and_address_of_the_hardware_are_the_client() {
    let mut world = World::new();
    let changed = |offset: usize, value| {
        let mut message = discover(1);
        message.payload[offset] = value;
        message
    };
    world.expect_offer(&discover(1), ip(10));
    // Octets of `chaddr` beyond `hlen` are ignored.
    world.expect_offer(&changed(43, 9), ip(10));
    world.expect_offer(&changed(1, 6), ip(11));
    world.expect_offer(&changed(2, 5), ip(12));
}

#[test]
fn c016_an_identifier_of_iaid_and_duid_outlives_a_network_card() {
    let id = |iaid: u8| [255, 0, 0, 0, iaid, 0, 3, 0, 1, 2, 0, 0, 0, 0, 7];
    let with = |message: Message, iaid| message.option(option::CLIENT_ID, &id(iaid));
    let mut world = World::new();
    world.expect_offer(&with(discover(1), 1), ip(10));
    world.expect_ack(&with(selecting(1, ip(10)), 1), ip(10));
    world.expect_ack(&with(renewing(2, ip(10)), 1), ip(10));
    world.expect_offer(&with(discover(2), 1), ip(10));
    world.expect_offer(&with(discover(1), 2), ip(11));
}

#[test]
fn m08_the_server_identifier_is_ours_in_the_subnet_or_the_one_configured() {
    let subnet_of = |prefix: &str, [a, b, c]: [u8; 3], server_id| Subnet {
        prefix: prefix.parse().unwrap(),
        pools: vec![Pool::new([a, b, c, 10].into(), [a, b, c, 12].into())],
        server_id,
        ..subnet()
    };
    let ours = Ipv4Addr::new(192, 0, 2, 1);
    let networks = vec![
        (NETWORK, subnet()),
        (8, subnet_of("192.0.2.0/24", [192, 0, 2], None)),
        (9, subnet_of("10.8.0.0/24", [10, 8, 0], None)),
        (10, subnet_of("10.9.0.0/24", [10, 9, 0], Some(ours))),
    ];
    let mut world = World::with_config(config(networks), 100);
    for (message, expected) in [
        (discover(1), SERVER),
        (discover(2).relayed([192, 0, 2, 254].into()), ours),
        // The server has no address in this subnet: it uses one that the relay agent reaches.
        (discover(3).relayed([10, 8, 0, 254].into()), SERVER),
        (discover(4).relayed([10, 9, 0, 254].into()), ours),
    ] {
        let reply = world.ask(&message);
        assert_eq!(
            reply.option(option::SERVER_ID),
            Some(expected.octets().to_vec())
        );
        assert_eq!(reply.egress.source, expected);
    }
}

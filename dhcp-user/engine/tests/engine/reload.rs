//! Reloads of the configuration while leases exist.

use std::net::Ipv4Addr;

use dhcp_common::{
    abi::{BindingState, ClientKey},
    wire::{message_type, option},
};
use dhcp_config::{Config, OptionValue, Owner, Pool, Subnet};
use dhcp_engine::{Counter, lease_table::LeaseState};
use dhcp_testkit::world::*;

const OTHER_NETWORK: u32 = 77;

/// Returns a configuration with the subnet of all tests and one behind a relay agent.
fn two(first: Subnet, second: Subnet) -> Config {
    config(vec![(NETWORK, first), (OTHER_NETWORK, second)])
}

fn other() -> Subnet {
    Subnet {
        prefix: "10.1.0.0/24".parse().expect("a prefix"),
        pools: vec![Pool::new(far(10), far(12))],
        ..subnet()
    }
}

fn far(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, 0, last)
}

fn relayed(message: Message) -> Message {
    message.relayed(far(1))
}

fn lease_far(world: &mut World, client: u8) -> Ipv4Addr {
    let address = world.ask(&relayed(discover(client))).yiaddr();
    world.expect_ack(&relayed(selecting(client, address)), address);
    address
}

fn with_pool(last: u8) -> Subnet {
    Subnet {
        pools: vec![Pool::new(ip(10), ip(last))],
        ..subnet()
    }
}

#[test]
fn what_nothing_of_the_change_concerns_is_not_touched() {
    let mut world = World::with_config(two(subnet(), other()), 100);
    let address = world.lease(1);
    let far = lease_far(&mut world, 2);
    let before = world.kernel.leases.clone();
    world.take_effects();
    world.reload(two(subnet(), other()));
    assert_eq!(
        world.take_effects(),
        Vec::<&str>::new(),
        "nothing has changed"
    );

    let mut second = other();
    second.options.push(OptionValue {
        code: 15,
        data: b"far".to_vec(),
    });
    let preview = world.preview(&two(subnet(), second.clone()));
    assert_eq!((preview.untouched, preview.kept), (1, 1));
    world.reload(two(subnet(), second));
    assert_eq!(world.take_effects(), ["publish"], "of the other subnet");
    assert_eq!(world.published(1).as_ref(), before.get(&key(1)));
    let ack = world.ask(&relayed(init_reboot(2, far)));
    assert_eq!(ack.option(15), Some(b"far".to_vec()));
    world.expect_ack(&renewing(1, address), address);
}

#[test]
fn an_address_that_is_no_longer_in_the_pool_is_withdrawn_and_its_client_told() {
    let mut world = World::new();
    let kept = world.lease(1);
    world.lease(2);
    let gone = world.lease(3);
    assert_eq!(gone, ip(12));
    let smaller = config(vec![(NETWORK, with_pool(11))]);
    let preview = world.preview(&smaller);
    assert_eq!((preview.kept, preview.ended.count), (2, 1));
    assert_eq!(preview.ended.addresses, [gone]);
    assert!(world.published(3).is_some(), "a preview changes nothing");

    world.reload(smaller);
    world.settle();
    assert_eq!(world.published(3), None);
    assert!(world.published(1).is_some());
    world.expect_ack(&renewing(1, kept), kept);
    world.expect_nak(&renewing(3, gone));
    world.expect_silence(&discover(3), Counter::PoolEmpty);

    // The address returns to the configuration, and the lease, which has not ended, with it.
    world.reload(config(vec![(NETWORK, with_pool(12))]));
    world.settle();
    assert_eq!(
        world.published(3).map(|binding| binding.address),
        Some(gone.into())
    );
    world.expect_ack(&renewing(3, gone), gone);
}

#[test]
fn what_the_kernel_grants_until_the_fence_counts() {
    let mut world = World::new();
    world.lease(1);
    let address = world.lease(2);
    world.sleep(secs(100));
    world.reload(config(vec![(NETWORK, with_pool(10))]));
    // A run of the program that has read the entry before it was withdrawn.
    let mut kernel = world.kernel_before_reload(2);
    let granted = kernel.renew(&key(2), world.now).expect("it was published");
    world.kernel.grants = kernel.grants;
    world.settle();
    let lease = world
        .leases
        .get(&address)
        .expect("kept until its time")
        .clone();
    assert_eq!(
        (lease.state, lease.expires >= granted),
        (LeaseState::Bound, true)
    );
}

#[test]
fn pools_go_on_from_where_they_were() {
    let mut world = World::new();
    world.lease(1);
    world.lease(2);
    world.ask_all(&release(1, ip(10)));
    // A larger pool replaces the old one; each address keeps its state.
    world.reload(config(vec![(NETWORK, with_pool(13))]));
    let mut free = Vec::new();
    for client in 3..7 {
        let offers = world.ask_all(&discover(client));
        free.extend(offers.iter().map(Received::yiaddr));
    }
    assert_eq!(free, [ip(12), ip(13), ip(10)], "and the longest free first");
    assert_eq!(world.count(Counter::PoolEmpty), 1);
}

#[test]
fn an_offer_of_an_address_that_is_gone_lapses_at_once() {
    let mut world = World::new();
    world.lease(1);
    world.expect_offer(&discover(2), ip(11));
    world.reload(config(vec![(NETWORK, with_pool(10))]));
    assert_eq!(world.state(ip(11)), None);
    world.settle();
    assert_eq!(world.published(2), None);
}

#[test]
fn a_subnet_that_is_gone_is_served_no_more_and_one_that_is_new_is() {
    let mut world = World::with_config(two(subnet(), other()), 100);
    let address = lease_far(&mut world, 2);
    let mut third = other();
    third.prefix = "10.2.0.0/24".parse().expect("a prefix");
    let first = Ipv4Addr::new(10, 2, 0, 10);
    third.pools = vec![Pool::new(first, first)];
    world.reload(config(vec![(NETWORK, subnet()), (78, third)]));
    world.settle();
    assert!(world.kernel.leases.is_empty());
    world.expect_silence(&relayed(discover(2)), Counter::UnknownRelay);
    world.expect_nak(&renewing(2, address));
    let offer = world.ask(&discover(4).relayed(Ipv4Addr::new(10, 2, 0, 1)));
    assert_eq!(offer.yiaddr(), first);

    world.reload(two(subnet(), other()));
    world.settle();
    assert_eq!(world.kernel.leases.len(), 1);
    world.expect_ack(&relayed(init_reboot(2, address)), address);
}

#[test]
fn what_the_store_holds_of_a_subnet_comes_back_with_it() {
    let mut world = World::with_config(two(subnet(), other()), 100);
    let address = lease_far(&mut world, 2);
    world.restart_with(config(vec![(NETWORK, subnet())]));
    world.settle();
    assert_eq!(world.state(address), None);
    world.reload(two(subnet(), other()));
    world.settle();
    assert_eq!(world.state(address), Some(LeaseState::Bound));
    let key = ClientKey::hardware(OTHER_NETWORK, 1, &mac(2)).expect("six octets");
    assert_eq!(world.kernel.leases[&key].state, BindingState::Bound as u8);
    world.expect_offer(&relayed(discover(3)), far(11));
}

#[test]
fn a_client_moves_to_an_address_that_is_reserved_for_it_now() {
    let reserving = |reservations| {
        let mut subnet = subnet();
        subnet.reservations = reservations;
        config(vec![(NETWORK, subnet)])
    };
    let another = || reservation(key(9), ip(41), None);
    let mut world = World::with_config(reserving(vec![another()]), 100);
    let address = world.lease(1);
    let other = world.lease(2);
    let reserved = reserving(vec![another(), reservation(key(1), ip(40), None)]);
    let preview = world.preview(&reserved);
    assert_eq!((preview.moved.count, preview.ended.count), (1, 0));
    assert_eq!(preview.moved.addresses, [address]);
    world.take_effects();
    world.reload(reserved);
    assert_eq!(
        world.take_effects(),
        ["withdraw"],
        "and nobody else is touched"
    );
    world.settle();
    assert!(world.published(2).is_some());
    world.expect_nak(&renewing(1, address));
    world.expect_offer(&discover(1), ip(40));
    world.expect_ack(&renewing(2, other), other);
    // The client gets its former address again when the reservation is removed.
    world.expect_ack(&selecting(1, ip(40)), ip(40));
    world.reload(reserving(vec![another()]));
    world.settle();
    assert_eq!(world.published(1), None);
    world.expect_nak(&renewing(1, ip(40)));
}

#[test]
fn a_machine_that_an_address_is_reserved_for_now_moves_whatever_identifier_it_sends() {
    let mut world = World::new();
    let id = &[0, 1, 2, 3];
    let of = |message: Message| message.option(option::CLIENT_ID, id);
    let address = world.ask(&of(discover(1))).yiaddr();
    world.expect_ack(&of(selecting(1, address)), address);
    let mut reserved = subnet();
    reserved.reservations = vec![
        reservation(key(9), ip(41), None),
        reservation(key(1), ip(40), None),
    ];
    let reserved = config(vec![(NETWORK, reserved)]);
    assert_eq!(world.preview(&reserved).moved.addresses, [address]);
    world.reload(reserved.clone());
    world.settle();
    assert!(world.kernel.leases.is_empty());
    world.expect_offer(&of(discover(1)), ip(40));
    world.expect_ack(&of(selecting(1, ip(40))), ip(40));
    // If there are other reservations by hardware address, removing one affects its machine only.
    let mut one = subnet();
    one.reservations = vec![reservation(key(9), ip(41), None)];
    let preview = world.preview(&config(vec![(NETWORK, one)]));
    assert_eq!(preview.ended.addresses, [ip(40)]);
}

#[test]
fn an_address_that_is_reserved_for_another_now_is_taken_from_whom_has_it() {
    let mut world = World::new();
    let address = world.lease(1);
    let mut reserved = subnet();
    reserved.reservations = vec![reservation(key(2), address, None)];
    world.reload(config(vec![(NETWORK, reserved)]));
    world.settle();
    assert_eq!(world.published(1), None);
    // The client may use the address until its next request; then the other client gets it.
    world.expect_offer(&discover(2), ip(11));
    world.expect_nak(&renewing(1, address));
    world.pass(secs(u64::from(LEASE_SECS) + 1));
    world.expect_offer(&discover(2), address);
}

#[test]
fn a_reservation_for_a_port_concerns_all_of_its_network() {
    let mut world = World::new();
    world.lease(1);
    let before = world.published(1).expect("it is leased");
    let mut reserved = subnet();
    let mut of_port = (*reservation(key(9), ip(40), None)).clone();
    of_port.owners = vec![Owner::RelayPort(dhcp_config::RelayPort {
        circuit_id: Some(b"7".to_vec()),
        remote_id: None,
    })];
    reserved.reservations = vec![of_port.into()];
    world.reload(config(vec![(NETWORK, reserved)]));
    let after = world.published(1).expect("it still is");
    assert_ne!(
        before.flags, after.flags,
        "now it matters where the client is"
    );
}

#[test]
fn a_lease_that_is_being_committed_is_decided_about_when_it_is() {
    let mut world = World::new();
    world.lease(1);
    let offer = world.ask(&discover(2)).yiaddr();
    world.message(&selecting(2, offer));
    world.reload(config(vec![(NETWORK, with_pool(10))]));
    world.settle();
    assert_eq!(world.published(2), None);
    world.expect_nak(&renewing(2, offer));
}

#[test]
fn new_options_are_in_the_next_answer_on_both_paths() {
    let mut world = World::new();
    let address = world.lease(1);
    let before = world.published(1).expect("it is leased").profile;
    let mut changed = subnet();
    changed.options[0].data = ip(254).octets().to_vec();
    world.reload(config(vec![(NETWORK, changed)]));
    assert_ne!(world.published(1).expect("it still is").profile, before);
    let ack = world.ask(&renewing(1, address));
    assert_eq!(ack.option(option::ROUTER), Some(ip(254).octets().to_vec()));
}

#[test]
fn an_address_that_is_probed_is_not_offered_once_it_is_gone() {
    let probing = |last: u8| {
        let probe_time = std::time::Duration::from_millis(500);
        config(vec![(
            NETWORK,
            Subnet {
                probe_time,
                ..with_pool(last)
            },
        )])
    };
    let mut world = World::with_config(probing(10), 100);
    world.message(&discover(1));
    assert_eq!(world.state(ip(10)), Some(LeaseState::Probing));
    let elsewhere = Subnet {
        pools: vec![Pool::new(ip(20), ip(20))],
        ..subnet()
    };
    world.reload(config(vec![(NETWORK, elsewhere)]));
    assert_eq!(world.state(ip(10)), None);
    world.pass(secs(1));
    assert_eq!(world.sent, [], "and no offer of it leaves");
    world.expect_offer(&discover(1), ip(20));
    // After a reload that enables probes, new addresses are probed.
    world.reload(probing(12));
    world.settle();
    world.message(&discover(2));
    assert_eq!(world.state(ip(10)), Some(LeaseState::Probing));
}

#[test]
fn who_may_ask_about_leases_from_now_on_hears_of_those_that_there_are() {
    let mut world = World::new();
    world.lease(1);
    let mut config = world.config.clone();
    config.server.leasequery = vec!["10.9.0.1/32".parse().expect("a prefix")];
    world.reload(config);
    let mut query = Message::new(1, message_type::LEASEQUERY);
    query = query.relayed(Ipv4Addr::new(10, 9, 0, 1));
    let reply = world.ask(&query);
    assert_eq!(reply.message_type(), message_type::LEASE_ACTIVE);
    assert_eq!(reply.ciaddr(), ip(10));
    world.reload(self::config(vec![(NETWORK, subnet())]));
    world.expect_silence(&query, Counter::LeasequeryRefused);
}

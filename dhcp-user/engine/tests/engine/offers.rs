//! Offers that become leases, and offers that are not taken.

use dhcp_common::{
    abi::{BindingState, NS_PER_SEC},
    wire::{message_type, option},
};
use dhcp_engine::{Counter, lease_table::LeaseState};
use dhcp_testkit::world::*;

#[test]
fn an_offer_is_published_for_the_first_half_of_its_hold() {
    let mut world = World::new();
    world.ask(&discover(1));
    let binding = world.published(1).unwrap();
    assert_eq!(binding.state, BindingState::Offered as u8);
    assert_eq!(
        binding.expires_ns,
        world.now.0 + OFFER_SECS / 2 * NS_PER_SEC
    );
    assert_eq!(binding.durable_until_ns, 0);
    assert!(world.store.is_empty(), "an offer is not durable");
}

#[test]
fn c029_c047_retransmissions_get_the_same_address_and_no_second_commit() {
    let mut world = World::new();
    world.expect_offer(&discover(1), ip(10));
    world.expect_offer(&discover(1), ip(10));
    for _ in 0..3 {
        world.message(&selecting(1, ip(10)));
    }
    assert_eq!(world.commits.len(), 1);
    world.sent.clear();
    world.settle();
    assert_eq!(world.sent.len(), 1, "one answer to what came three times");
    world.expect_ack(&selecting(1, ip(10)), ip(10));
    assert_eq!(world.leases.len(), 1);
}

#[test]
fn a_repeated_discover_prolongs_the_hold() {
    let mut world = World::new();
    world.ask(&discover(1));
    world.pass(secs(OFFER_SECS - 1));
    world.ask(&discover(1));
    world.pass(secs(OFFER_SECS - 1));
    assert_eq!(world.state(ip(10)), Some(LeaseState::Offered));
    world.pass(secs(1));
    assert_eq!(world.state(ip(10)), None);
    assert_eq!(world.published(1), None);
}

#[test]
fn m13_an_expired_offer_is_still_acknowledged_while_the_address_is_free() {
    let mut world = World::new();
    world.ask(&discover(1));
    world.pass(secs(OFFER_SECS));
    assert_eq!(world.count(Counter::OfferExpired), 1);
    world.expect_ack(&selecting(1, ip(10)), ip(10));
}

#[test]
fn c044_m13_an_expired_offer_that_another_has_taken_is_told_nak() {
    let mut world = World::new();
    world.ask(&discover(1));
    world.pass(secs(OFFER_SECS));
    for client in 2..=4 {
        world.lease(client);
    }
    world.expect_nak(&selecting(1, ip(10)));
}

#[test]
fn c040_an_offer_not_taken_is_free_at_once() {
    let mut world = World::new();
    for client in 1..=3 {
        world.ask(&discover(client));
    }
    world.expect_silence(&discover(4), Counter::PoolEmpty);

    world.message(&selecting_other(2));
    assert_eq!(world.published(2), None);
    assert_eq!(world.fences.len(), 1, "the fence is still under way");
    world.sent.clear();
    world.message(&discover(4));
    assert_eq!(
        world.sent[0].yiaddr(),
        ip(11),
        "offered to the next before the fence"
    );
    assert_eq!(world.count(Counter::OfferDeclined), 1);
}

#[test]
fn c040_relayed_too() {
    let mut world = World::new();
    world.ask(&discover(1).relayed(SERVER));
    world.expect_silence(&selecting_other(1).relayed(SERVER), Counter::NotSelected);
    assert_eq!(world.leases.len(), 0);
}

#[test]
fn c040_a_request_just_before_the_deadline_frees_the_offer_too() {
    let mut world = World::new();
    world.ask(&discover(1));
    world.sleep(secs(OFFER_SECS));
    world.expect_silence(&selecting_other(1), Counter::NotSelected);
    assert_eq!(world.leases.len(), 0);
    assert_eq!(world.count(Counter::OfferDeclined), 1);
    assert_eq!(world.count(Counter::OfferExpired), 0);
}

#[test]
fn c039_c041_a_lease_stays_when_its_client_chooses_another_server() {
    let mut world = World::new();
    world.lease(1);
    world.expect_silence(&selecting_other(1), Counter::NotSelected);
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
    assert_eq!(world.count(Counter::OfferDeclined), 0);
    world.expect_ack(&renewing(1, ip(10)), ip(10));
}

#[test]
fn c012_every_address_of_ours_names_this_server() {
    let mut world = World::new();
    world.ask(&discover(1));
    let request = init_reboot(1, ip(10)).server_id(std::net::Ipv4Addr::new(192, 0, 2, 1));
    world.expect_ack(&request, ip(10));
}

#[test]
fn a_failed_commit_is_silence_and_the_offer_stays() {
    let mut world = World::new();
    world.ask(&discover(1));
    world.store_fails = true;
    world.expect_silence(&selecting(1, ip(10)), Counter::StoreFailed);
    assert_eq!(world.state(ip(10)), Some(LeaseState::Offered));
    world.store_fails = false;
    world.expect_ack(&selecting(1, ip(10)), ip(10));
}

#[test]
fn a_conflict_in_the_store_is_a_nak_and_the_address_is_set_aside() {
    let mut world = World::new();
    world.lease(9);
    let foreign = world.store[&ip(10)].clone();
    let mut world = World::new();
    world.store.insert(ip(10), foreign);
    world.expect_offer(&discover(1), ip(10));
    world.expect_nak(&selecting(1, ip(10)));
    assert_eq!(world.state(ip(10)), Some(LeaseState::Quarantined));
    world.expect_offer(&discover(1), ip(11));
}

#[test]
fn c045_the_ack_says_what_the_offer_said() {
    let asked = |message: Message| {
        message
            .option(option::PARAMETER_LIST, &[6, 3, 1])
            .option(option::CLIENT_ID, &[0, 5])
    };
    let mut world = World::new();
    let offer = world.ask(&asked(discover(1)));
    let ack = world.ask(&asked(selecting(1, offer.yiaddr())));
    assert_eq!(ack.yiaddr(), offer.yiaddr());
    let mut expected = offer.options();
    assert_eq!(
        expected[0],
        (option::MESSAGE_TYPE, vec![message_type::OFFER])
    );
    expected[0].1 = vec![message_type::ACK];
    assert_eq!(ack.options(), expected);
}

#[test]
fn m12_a_request_finds_its_offer_whatever_its_transaction_is() {
    let mut world = World::new();
    let request = |xid: u8| {
        let mut message = selecting(1, ip(10));
        message.payload[4..8].fill(xid);
        message
    };
    world.expect_offer(&discover(1), ip(10));
    world.message(&request(0xaa));
    world.message(&request(0xbb));
    assert_eq!(world.commits.len(), 1);
    world.sent.clear();
    world.settle();
    assert_eq!(world.sent.len(), 1);
    for xid in [0xaa, 0xcc] {
        let ack = world.ask(&request(xid));
        assert_eq!(ack.message_type(), message_type::ACK);
        assert_eq!((ack.yiaddr(), &ack.payload[4..8]), (ip(10), &[xid; 4][..]));
    }
    assert_eq!((world.commits.len(), world.leases.len()), (0, 1));
}

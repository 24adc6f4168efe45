//! Ends of leases: fence, then check the grant, then free the address.

use dhcp_common::{abi::NS_PER_SEC, wire::message_type};
use dhcp_engine::{Counter, lease_table::LeaseState};
use dhcp_model::Nanos;
use dhcp_testkit::world::*;

#[test]
fn a_lease_that_the_kernel_extended_goes_on() {
    let mut world = World::new();
    world.lease(1);
    world.sleep(secs(300));
    let granted = world.kernel.renew(&key(1), world.now).unwrap();
    world.take_effects();
    world.pass(secs(300));
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
    assert!(!world.effects.contains(&"withdraw"));
    assert!(world.engine.next_deadline().unwrap() >= granted);
}

#[test]
fn an_address_is_free_only_after_withdraw_fence_and_commit() {
    let mut world = World::new();
    world.lease(1);
    world.sleep(secs(600));
    world.take_effects();
    world.timeout();
    assert_eq!(world.take_effects(), ["withdraw"]);
    for client in [2, 3] {
        world.lease_without(client);
    }
    world.expect_no_offer(4);
    world.fence();
    world.expect_no_offer(4);
    assert_eq!(world.take_effects().last(), Some(&"commit"));
    world.commit();
    world.expect_offer(&discover(4), ip(10));
}

#[test]
fn a_grant_between_deadline_and_fence_keeps_the_lease() {
    let mut world = World::new();
    world.lease(1);
    let binding = world.published(1).unwrap();
    world.sleep(secs(600));
    world.timeout();
    assert_eq!(world.state(ip(10)), Some(LeaseState::Withdrawn));
    // A run of the program that had looked the entry up before it was withdrawn.
    let granted = world.now.0 + 600 * NS_PER_SEC;
    world.kernel.grants.entry(binding.slot).or_default().granted =
        dhcp_common::abi::Grant::pack(granted, binding.epoch);
    world.fence();
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
    assert!(world.published(1).unwrap().expires_ns >= granted);
    assert_eq!(world.commits.len(), 0);
}

#[test]
fn while_a_fence_is_under_way_nothing_is_published_for_the_address() {
    let mut world = World::new();
    world.lease(1);
    world.sleep(secs(600));
    world.timeout();
    world.take_effects();
    world.message(&renewing(1, ip(10)));
    world.commit();
    assert_eq!(
        world.take_effects(),
        ["commit", "send"],
        "served, but not published yet"
    );
    world.fence();
    assert_eq!(world.take_effects(), ["publish"]);
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
}

#[test]
fn a_slot_is_not_used_again_before_its_fence() {
    let mut world = World::with_config(config(vec![(NETWORK, subnet())]), 1);
    world.ask(&discover(1));
    world.message(&selecting_other(1));
    world.message(&discover(2));
    assert_eq!(world.published(2), None);
    world.fence();
    world.message(&discover(2));
    assert!(world.published(2).is_some());
}

#[test]
fn a_fence_of_an_earlier_offer_does_not_touch_the_next() {
    let mut world = World::new();
    world.ask(&discover(1));
    world.message(&selecting_other(1));
    world.message(&discover(1).requested(ip(10)));
    let binding = world.published(1).unwrap();
    world.fence();
    assert_eq!(world.published(1), Some(binding));
    assert_eq!(world.state(ip(10)), Some(LeaseState::Offered));
    world.expect_ack(&selecting(1, ip(10)), ip(10));
}

#[test]
fn unknown_fences_and_tickets_are_ignored() {
    let mut world = World::new();
    world.lease(1);
    world.take_effects();
    world.input(dhcp_engine::Input::Fenced(dhcp_engine::FenceId(99)));
    world.input(dhcp_engine::Input::Committed {
        ticket: dhcp_model::Ticket(99),
        result: Ok(vec![]),
    });
    assert_eq!(world.take_effects(), [""; 0]);
}

#[test]
fn the_kernel_never_promises_beyond_what_is_committed() {
    let mut world = World::new();
    world.lease(1);
    while world.kernel.renew(&key(1), world.now).is_some() {
        let granted = world.kernel.renew(&key(1), world.now).unwrap();
        assert!(granted <= world.store[&ip(10)].horizon);
        world.sleep(secs(100));
    }
    assert_eq!(world.now, Nanos((1_000 + 1_300) * NS_PER_SEC));
    let reply = world.ask(&renewing(1, ip(10)));
    assert_eq!(reply.message_type(), message_type::ACK);
    assert_eq!(world.count(Counter::Acked), 2);
    assert!(world.now.plus_lease(LEASE_SECS) <= world.store[&ip(10)].horizon);
}

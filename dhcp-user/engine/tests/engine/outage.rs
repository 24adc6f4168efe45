//! c120: the store refuses commits for a while. Meanwhile only durable times are promised and no
//! client gets a NAK because of it; when commits succeed again, clients need not repeat anything.

use dhcp_engine::{Counter, Input, lease_table::LeaseState};
use dhcp_model::RecordState;
use dhcp_testkit::world::*;

/// Makes the kernel renew a client near its horizon and request an extension.
fn near_the_horizon(world: &mut World, client: u8) {
    world
        .kernel
        .renew(&key(client), world.now)
        .expect("it is bound");
    let binding = world.published(client).expect("it is bound");
    let (slot, epoch) = (binding.slot, binding.epoch);
    world.input(Input::HorizonLow { slot, epoch });
}

#[test]
fn c120_an_offer_that_cannot_be_committed_is_not_held_longer_than_its_time() {
    let mut world = World::new();
    world.ask(&discover(1));
    world.store_fails = true;
    world.sleep(secs(OFFER_SECS - 1));
    for _ in 0..3 {
        world.expect_silence(&selecting(1, ip(10)), Counter::StoreFailed);
        assert_eq!(world.state(ip(10)), Some(LeaseState::Offered));
    }
    world.pass(secs(1));
    assert_eq!(world.state(ip(10)), None);
    assert_eq!(world.count(Counter::OfferExpired), 1);
    // A REQUEST that arrives too late does not hold the address either.
    world.expect_silence(&selecting(1, ip(10)), Counter::StoreFailed);
    assert_eq!(world.state(ip(10)), None);
    assert_eq!(world.published(1), None);
}

#[test]
fn c120_while_commits_fail_new_clients_are_left_to_other_servers() {
    let mut world = World::new();
    world.lease(1);
    world.ask(&discover(2));
    world.store_fails = true;
    world.expect_silence(&selecting(2, ip(11)), Counter::StoreFailed);
    world.expect_silence(&discover(2), Counter::StoreFailing);
    world.expect_silence(&discover(3), Counter::StoreFailing);
    // A durable binding is offered and acknowledged again.
    world.expect_offer(&discover(1), ip(10));
    world.expect_ack(&selecting(1, ip(10)), ip(10));
    assert_eq!(world.count(Counter::NakSent), 0);
    // No commit has failed recently, so the next request tries the store again.
    world.pass(secs(1));
    world.expect_offer(&discover(3), ip(12));
    world.store_fails = false;
    world.expect_ack(&selecting(3, ip(12)), ip(12));
    world.expect_offer(&discover(2), ip(11));
}

#[test]
fn c120_known_clients_are_renewed_within_their_horizon_and_beyond_it_not_answered() {
    let mut world = World::new();
    world.lease(1);
    let horizon = world.store[&ip(10)].horizon;
    world.store_fails = true;
    let mut renewals = 0;
    while world.now.plus_lease(LEASE_SECS) <= horizon {
        world.expect_ack(&renewing(1, ip(10)), ip(10));
        renewals += 1;
        world.pass(secs(300));
    }
    assert_eq!(renewals, 5, "three leases less the last, by half leases");
    world.expect_silence(&renewing(1, ip(10)), Counter::StoreFailed);
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
    assert_eq!(world.count(Counter::NakSent), 0);
    assert_eq!(world.store[&ip(10)].horizon, horizon);
    world.store_fails = false;
    world.expect_ack(&renewing(1, ip(10)), ip(10));
}

#[test]
fn c120_horizons_are_extended_when_the_store_is_back_though_no_client_asks_again() {
    let mut world = World::new();
    for client in 1..=3 {
        world.lease(client);
    }
    world.store_fails = true;
    world.sleep(secs(590));
    for client in 1..=3 {
        near_the_horizon(&mut world, client);
    }
    let before = world.published(1).unwrap().durable_until_ns;
    world.settle();
    world.take_effects();
    world.pass(secs(10));
    let commits = world.take_effects();
    assert_eq!(
        commits, ["commit"; 10],
        "one try in a second, for all of them"
    );
    world.store_fails = false;
    world.pass(secs(1));
    assert_eq!(world.count(Counter::HorizonExtended), 3);
    for client in 1..=3 {
        let binding = world.published(client).unwrap();
        assert!(binding.durable_until_ns > before);
        assert_eq!(
            binding.durable_until_ns,
            world.store[&ip(9 + client)].horizon.0
        );
    }
}

#[test]
fn c120_leases_that_end_meanwhile_wait_together_and_are_freed_when_the_store_is_back() {
    let mut world = World::new();
    for client in 1..=3 {
        world.lease(client);
    }
    world.store_fails = true;
    world.pass(secs(600));
    for last in 10..=12 {
        assert_eq!(world.state(ip(last)), Some(LeaseState::Withdrawn));
    }
    world.take_effects();
    world.pass(secs(10));
    assert_eq!(
        world.take_effects(),
        ["commit"; 10],
        "one of them, once in a second"
    );
    // Only the lease's own client may get the address again.
    world.expect_silence(&selecting(1, ip(10)), Counter::StoreFailed);
    assert_eq!(world.state(ip(10)), Some(LeaseState::Withdrawn));
    world.store_fails = false;
    world.pass(secs(1));
    for last in 10..=12 {
        assert_eq!(world.state(ip(last)), None);
        assert_eq!(world.recorded(ip(last)), Some(RecordState::Former));
    }
    assert_eq!(world.engine.next_deadline(), None, "nothing is left to do");
}

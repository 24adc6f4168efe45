//! Restart, upgrade, crash, reboot: state that is adopted, and state that is repaired.

use dhcp_common::abi::{BindingState, Grant};
use dhcp_engine::{Command, Counter, lease_table::LeaseState};
use dhcp_model::{Nanos, RecordState};
use dhcp_testkit::world::*;

#[test]
fn c120_a_restart_adopts_what_is_right_without_touching_it() {
    let mut world = World::new();
    world.lease(1);
    world.lease(2);
    let before = world.kernel.leases.clone();
    world.restart();
    assert_eq!(world.take_effects(), [""; 0]);
    assert_eq!(world.kernel.leases, before);
    world.expect_ack(&renewing(1, ip(10)), ip(10));
    assert_eq!(world.published(1).unwrap().slot, before[&key(1)].slot);
    world.expect_offer(&discover(3), ip(12));
    assert!(
        before
            .values()
            .all(|binding| binding.slot != world.published(3).unwrap().slot)
    );
}

#[test]
fn c120_a_lease_that_the_kernel_extended_alone_is_not_cut_short() {
    let mut world = World::new();
    world.lease(1);
    world.sleep(secs(500));
    let granted = world.kernel.renew(&key(1), world.now).unwrap();
    world.restart();
    assert!(world.leases.get(&ip(10)).unwrap().expires >= granted);
    world.sleep(secs(500));
    world.timeout();
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
}

/// The ACK's lease time counts from the repeated REQUEST, the commit from the first.
#[test]
fn c118_c120_a_lease_asked_for_again_while_it_was_committed_is_not_cut_short() {
    let mut world = World::new();
    world.ask(&discover(1));
    world.message(&selecting(1, ip(10)));
    world.sleep(secs(300));
    world.expect_ack(&selecting(1, ip(10)), ip(10));
    let promised = world.now.plus_lease(LEASE_SECS);
    world.restart();
    assert_eq!(world.leases.get(&ip(10)).unwrap().expires, promised);
}

#[test]
fn c120_after_a_reboot_the_map_is_built_from_the_store_and_leases_are_kept_to_their_horizon() {
    let mut world = World::new();
    world.lease(1);
    let horizon = world.store[&ip(10)].horizon;
    world.kernel = Default::default();
    world.restart();
    let binding = world.published(1).unwrap();
    assert_eq!(
        (Nanos(binding.expires_ns), Nanos(binding.durable_until_ns)),
        (horizon, horizon)
    );
    world.pass(horizon.since(world.now));
    assert_eq!(
        (world.leases.len(), world.recorded(ip(10))),
        (0, Some(RecordState::Former))
    );
}

#[test]
fn offers_of_an_earlier_run_are_withdrawn_and_their_slots_used_after_the_fence() {
    let mut world = World::with_config(config(vec![(NETWORK, subnet())]), 1);
    world.ask(&discover(1));
    world.restart();
    assert_eq!(world.take_effects(), ["withdraw"]);
    assert_eq!(world.leases.len(), 0);
    world.message(&discover(2));
    assert_eq!(world.published(2), None);
    world.fence();
    world.message(&discover(2));
    assert!(world.published(2).is_some());
}

#[test]
fn a_crash_between_commit_and_publication_is_made_good() {
    let mut world = World::new();
    world.ask(&discover(1));
    world.message(&selecting(1, ip(10)));
    let (_, changes) = world.commits.pop_front().unwrap();
    let dhcp_model::Change::Put(record) = &changes[0] else {
        panic!("{changes:?}")
    };
    world.store.insert(ip(10), (**record).clone());
    world.restart();
    assert_eq!(world.take_effects(), ["publish"]);
    assert_eq!(world.published(1).unwrap().state, BindingState::Bound as u8);
    world.expect_ack(&selecting(1, ip(10)), ip(10));
}

#[test]
fn c120_what_a_client_that_asked_again_was_promised_survives_a_crash() {
    let mut world = World::new();
    world.ask(&discover(1));
    world.message(&selecting(1, ip(10)));
    world.sleep(secs(2));
    world.message(&selecting(1, ip(10)));
    world.commit();
    let promised = world.now.plus_lease(LEASE_SECS);
    assert_eq!(world.published(1).unwrap().expires_ns, promised.0);
    world.restart();
    assert!(world.leases.get(&ip(10)).unwrap().expires >= promised);
}

#[test]
fn a_changed_configuration_publishes_leases_under_their_new_profile() {
    let mut world = World::new();
    world.lease(1);
    let before = world.published(1).unwrap();
    let mut subnet = subnet();
    subnet.options.clear();
    world.restart_with(config(vec![(NETWORK, subnet)]));
    let after = world.published(1).unwrap();
    assert_ne!(before.profile, after.profile);
    assert_eq!((before.slot, before.epoch), (after.slot, after.epoch));
}

#[test]
fn an_address_removed_from_the_configuration_is_withdrawn_and_its_client_told_nak() {
    let mut world = World::new();
    world.lease(1);
    let mut subnet = subnet();
    subnet.pools[0].first = ip(11);
    world.restart_with(config(vec![(NETWORK, subnet)]));
    assert_eq!(world.take_effects(), ["withdraw"]);
    world.settle();
    assert_eq!(world.published(1), None);
    world.expect_nak(&renewing(1, ip(10)));
    world.expect_offer(&discover(1), ip(11));
    world.pass(secs(u64::from(LEASE_SECS)));
    assert_eq!(world.state(ip(10)), None);
}

#[test]
fn c120_a_lease_of_the_kernel_that_the_store_has_lost_is_recorded_again_and_goes_on() {
    let mut world = World::new();
    world.lease(1);
    let before = world.kernel.leases.clone();
    world.sleep(secs(500));
    world.kernel.renew(&key(1), world.now).unwrap();
    let binding = before[&key(1)];
    let granted = world.kernel.grants[&binding.slot].granted_for(binding.epoch);
    world.store.clear();
    world.restart();
    assert_eq!(world.take_effects(), [""; 0]);
    assert_eq!(world.kernel.leases, before);
    let record = &world.store[&ip(10)];
    assert_eq!(
        (record.client, record.state, record.expires, record.horizon),
        (
            key(1),
            RecordState::Bound,
            Nanos(granted.unwrap()),
            Nanos(binding.durable_until_ns)
        )
    );
    world.expect_offer(&discover(2).requested(ip(10)), ip(11));
    world.expect_ack(&renewing(1, ip(10)), ip(10));
}

/// The entry is withdrawn, and the controller is killed before the fence has passed. A run of the
/// program may have looked the entry up before, and its grant has not been read.
#[test]
fn c120_a_lease_that_the_store_has_lost_is_kept_for_what_the_kernel_may_grant_until_the_fence() {
    let mut world = World::new();
    world.lease(1);
    let horizon = Nanos(world.published(1).unwrap().durable_until_ns);
    world.store.clear();
    let mut subnet = subnet();
    subnet.pools[0].first = ip(11);
    world.restart_with(config(vec![(NETWORK, subnet)]));
    assert_eq!(world.take_effects(), ["withdraw"]);
    world.restart_with(config(vec![(NETWORK, self::subnet())]));
    world.pass(horizon.since(world.now) - secs(1));
    world.expect_offer(&discover(2).requested(ip(10)), ip(11));
    world.pass(secs(2));
    assert_eq!(world.state(ip(10)), None);
}

#[test]
fn c120_a_lease_that_the_store_has_lost_survives_a_reboot_after_the_start() {
    let mut world = World::new();
    world.lease(1);
    world.store.clear();
    world.restart();
    world.kernel = Default::default();
    world.restart();
    world.expect_offer(&discover(2).requested(ip(10)), ip(11));
    world.expect_ack(&renewing(1, ip(10)), ip(10));
}

/// The program no longer answers from the entry, but a run that began earlier may.
#[test]
fn c120_a_lost_lease_that_has_expired_is_kept_as_long_as_the_kernel_may_have_extended_it() {
    let mut world = World::new();
    world.lease(1);
    let binding = world.published(1).unwrap();
    world.sleep(secs(u64::from(LEASE_SECS) + 1));
    world.store.clear();
    world.restart();
    world.timeout();
    let granted = world.now.plus_lease(LEASE_SECS);
    world.kernel.grants.entry(binding.slot).or_default().granted =
        Grant::pack(granted.0, binding.epoch);
    world.settle();
    world.expect_offer(&discover(2).requested(ip(10)), ip(11));
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
}

#[test]
fn what_the_store_has_lost_of_a_revoked_lease_stays_revoked() {
    let mut world = World::new();
    world.lease(1);
    world.command(1, Command::Revoke(ip(10)));
    world.settle();
    world.store.clear();
    world.restart();
    assert_eq!(world.recorded(ip(10)), Some(RecordState::Revoked));
    world.expect_offer(&discover(2).requested(ip(10)), ip(11));
    world.expect_nak(&renewing(1, ip(10)));
}

#[test]
fn deleted_revoked_and_quarantined_addresses_stay_so() {
    let mut world = World::new();
    for client in 1..=3 {
        world.lease(client);
    }
    world.command(1, Command::Delete(ip(10)));
    world.command(2, Command::Revoke(ip(11)));
    world.message(&decline(3, ip(12)));
    world.settle();
    world.restart();
    world.settle();
    let states = [10, 11, 12].map(|last| world.state(ip(last)));
    assert_eq!(
        states,
        [
            LeaseState::Deleted,
            LeaseState::Revoked,
            LeaseState::Quarantined
        ]
        .map(Some)
    );
    assert_eq!(
        world.published(2).unwrap().state,
        BindingState::Revoked as u8
    );
    world.expect_ack(&renewing(1, ip(10)), ip(10));
    world.expect_nak(&renewing(2, ip(11)));
    world.expect_silence(&discover(4), Counter::PoolEmpty);
}

#[test]
fn former_addresses_are_remembered_and_the_longest_free_is_given_first() {
    let mut world = World::new();
    for client in [3, 1, 2] {
        world.lease(client);
        world.pass(secs(1));
    }
    for (client, address) in [(2, ip(12)), (3, ip(10)), (1, ip(11))] {
        world.ask_all(&release(client, address));
        world.pass(secs(1));
    }
    world.restart();
    world.expect_offer(&discover(9), ip(12));
    world.expect_offer(&discover(1), ip(11));
    world.expect_ack(&init_reboot(3, ip(10)), ip(10));
}

#[test]
fn a_release_that_no_controller_heard_opens_again() {
    let mut world = World::new();
    world.lease(1);
    world.kernel.close(&key(1));
    world.restart();
    world.settle();
    assert!(world.kernel.renew(&key(1), world.now).is_some());
}

#[test]
fn a_map_that_claims_a_slot_twice_is_not_believed() {
    let mut world = World::new();
    world.lease(1);
    world.lease(2);
    let slot = world.published(1).unwrap().slot;
    world.kernel.leases.get_mut(&key(2)).unwrap().slot = slot;
    world.restart();
    world.settle();
    let slots = [1, 2].map(|client| world.published(client).unwrap().slot);
    assert_ne!(slots[0], slots[1]);
}

#[test]
fn a_horizon_that_ran_low_while_no_controller_was_there_is_extended() {
    let mut world = World::new();
    world.lease(1);
    while world.kernel.renew(&key(1), world.now).is_some() {
        world.sleep(secs(100));
    }
    world.restart();
    world.timeout();
    assert_eq!(world.commits.len(), 1);
    world.settle();
    assert!(world.kernel.renew(&key(1), world.now).is_some());
    let slot = world.published(1).unwrap().slot;
    assert_ne!(world.kernel.grants[&slot], Grant::default());
}

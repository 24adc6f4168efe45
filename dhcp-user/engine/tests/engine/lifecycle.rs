//! A lease from the first DISCOVER to the last RELEASE.

use dhcp_common::{
    abi::{BindingState, Grant, NS_PER_SEC},
    wire::message_type,
};
use dhcp_engine::{Counter, Grants, Input, lease_table::LeaseState};
use dhcp_model::{Nanos, RecordState};
use dhcp_testkit::world::*;

#[test]
fn c043_c046_the_ack_follows_commit_and_publication() {
    let mut world = World::new();
    world.message(&discover(1));
    assert_eq!(
        world.take_effects(),
        ["publish", "send", "template", "template"]
    );
    assert_eq!(world.sent[0].message_type(), message_type::OFFER);

    world.message(&selecting(1, ip(10)));
    assert_eq!(
        world.take_effects(),
        ["commit"],
        "nothing is promised before the commit"
    );
    assert_eq!(world.state(ip(10)), Some(LeaseState::Committing));

    world.commit();
    assert_eq!(world.take_effects(), ["publish", "send"]);
    assert_eq!(world.sent[1].message_type(), message_type::ACK);
    assert_eq!(world.recorded(ip(10)), Some(RecordState::Bound));
}

#[test]
fn the_record_carries_the_horizon_and_so_does_the_binding() {
    let mut world = World::new();
    let start = world.now;
    world.lease(1);
    let lease_ns = u64::from(LEASE_SECS) * NS_PER_SEC;
    let (expires, horizon) = (start.0 + lease_ns, start.0 + 3 * lease_ns);
    let record = &world.store[&ip(10)];
    assert_eq!(
        (record.expires, record.horizon),
        (Nanos(expires), Nanos(horizon))
    );
    let binding = world.published(1).unwrap();
    assert_eq!(binding.state, BindingState::Bound as u8);
    assert_eq!(
        (binding.expires_ns, binding.durable_until_ns),
        (expires, horizon)
    );
}

#[test]
fn a_renewal_within_the_horizon_needs_no_commit() {
    let mut world = World::new();
    world.lease(1);
    world.pass(secs(300));
    world.take_effects();
    world.message(&renewing(1, ip(10)));
    assert_eq!(world.take_effects(), ["publish", "send"]);
    assert_eq!(
        world.published(1).unwrap().expires_ns,
        world.now.plus_lease(LEASE_SECS).0
    );
}

/// The controller may stop after this renewal, and the kernel would not have requested an
/// extension.
#[test]
fn c062_a_horizon_that_a_renewal_by_the_controller_brings_near_is_extended() {
    let mut world = World::new();
    world.lease(1);
    for _ in 0..2 {
        world.sleep(secs(u64::from(LEASE_SECS) * 5 / 6));
        world.message(&renewing(1, ip(10)));
    }
    world.timeout();
    world.settle();
    world.sleep(secs(u64::from(LEASE_SECS) * 5 / 6));
    assert_ne!(world.kernel.renew(&key(1), world.now), None);
}

#[test]
fn a_renewal_beyond_the_horizon_is_committed_first() {
    let mut subnet = subnet();
    subnet.lease.horizon_leases = 0;
    let mut world = World::with(subnet);
    world.lease(1);
    world.pass(secs(300));
    world.take_effects();
    world.message(&renewing(1, ip(10)));
    world.message(&renewing(1, ip(10)));
    assert_eq!(world.take_effects(), ["commit"]);
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
    world.settle();
    assert_eq!(world.take_effects(), ["publish", "send"]);
    let expires = world.now.plus_lease(LEASE_SECS);
    assert_eq!(world.store[&ip(10)].horizon, expires);
}

#[test]
fn c108_an_infinite_lease_stays_infinite() {
    let mut subnet = subnet();
    subnet.lease.lease_secs = u32::MAX;
    let mut world = World::with(subnet);
    world.lease(1);
    assert_eq!(world.store[&ip(10)].horizon, Nanos::FOREVER);
    assert_eq!(world.published(1).unwrap().expires_ns, u64::MAX);
    assert_eq!(world.engine.next_deadline(), None);
    world.pass(secs(1 << 30));
    world.expect_ack(&renewing(1, ip(10)), ip(10));
}

#[test]
fn m16_a_lease_that_ended_leaves_its_address_to_its_client() {
    let mut world = World::new();
    world.lease(1);
    world.pass(secs(u64::from(LEASE_SECS)));
    assert_eq!(world.recorded(ip(10)), Some(RecordState::Former));
    assert_eq!(world.leases.len(), 0);
    assert_eq!(world.count(Counter::LeaseExpired), 1);
    world.expect_offer(&discover(2), ip(11));
    world.expect_offer(&discover(1), ip(10));
}

#[test]
fn m13_a_lease_that_ended_is_acknowledged_again_while_its_address_is_free() {
    let mut world = World::new();
    world.lease(1);
    world.pass(secs(u64::from(LEASE_SECS)));
    world.expect_ack(&init_reboot(1, ip(10)), ip(10));
}

#[test]
fn c074_c075_m16_a_release_frees_the_address_and_is_not_answered() {
    let mut world = World::new();
    world.lease(1);
    world.kernel.close(&key(1));
    world.take_effects();
    world.message(&release(1, ip(10)));
    assert_eq!(world.take_effects(), ["withdraw"]);
    world.fence();
    assert_eq!(world.take_effects(), ["commit"]);
    assert_eq!(
        world.state(ip(10)),
        Some(LeaseState::Withdrawn),
        "free only when it is durable"
    );
    world.commit();
    assert_eq!(world.take_effects(), [""; 0]);
    assert_eq!(
        (world.state(ip(10)), world.recorded(ip(10))),
        (None, Some(RecordState::Former))
    );
    world.expect_offer(&discover(1), ip(10));
}

#[test]
fn c074_c075_c076_a_release_that_does_not_fit_changes_nothing_and_opens_the_entry_again() {
    let wrong = [
        release(1, ip(11)),
        Message::new(1, message_type::RELEASE)
            .ciaddr(ip(10))
            .server_id(OTHER_SERVER),
    ];
    for message in wrong {
        let mut world = World::new();
        world.lease(1);
        let before = world.published(1).unwrap();
        world.kernel.close(&key(1));
        world.expect_silence(&message, Counter::ReleaseMismatch);
        let after = world.published(1).unwrap();
        assert_ne!((before.slot, before.epoch), (after.slot, after.epoch));
        assert!(world.kernel.renew(&key(1), world.now).is_some());
    }
}

#[test]
fn c074_nobody_releases_the_lease_of_another() {
    let mut world = World::new();
    world.lease(1);
    world.expect_silence(&release(2, ip(10)), Counter::ReleaseMismatch);
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
}

#[test]
fn m17_inform_creates_nothing() {
    let mut world = World::new();
    let inform = Message::new(1, message_type::INFORM).ciaddr(ip(200));
    let reply = world.ask(&inform);
    assert_eq!(reply.message_type(), message_type::ACK);
    assert_eq!(
        (
            world.leases.len(),
            world.store.len(),
            world.kernel.leases.len()
        ),
        (0, 0, 0)
    );
}

#[test]
fn a_client_that_asks_while_its_lease_ends_keeps_it() {
    for (message, state) in [
        (renewing(1, ip(10)), LeaseState::Bound),
        (init_reboot(1, ip(10)), LeaseState::Bound),
        (discover(1), LeaseState::Offered),
    ] {
        // The message arrives before the fence, or after it while the end is being committed.
        for fence_first in [false, true] {
            let mut world = World::new();
            world.lease(1);
            world.message(&release(1, ip(10)));
            if fence_first {
                world.fence();
            }
            let reply = world.ask(&message);
            assert_eq!(reply.yiaddr(), ip(10));
            assert_eq!(world.state(ip(10)), Some(state), "{message:?}");
            assert_eq!(world.published(1).unwrap().address, ip(10).into());
            world.expect_ack(&selecting(1, ip(10)), ip(10));
            assert_eq!(world.recorded(ip(10)), Some(RecordState::Bound));
        }
    }
}

#[test]
fn an_end_that_is_not_committed_is_tried_again() {
    let mut world = World::new();
    world.lease(1);
    world.store_fails = true;
    world.message(&release(1, ip(10)));
    world.fence();
    world.commit();
    assert_eq!(world.state(ip(10)), Some(LeaseState::Withdrawn));
    world.store_fails = false;
    world.pass(secs(1));
    assert_eq!(world.state(ip(10)), None);
}

#[test]
fn horizons_are_extended_many_in_one_commit() {
    let mut world = World::new();
    for client in 1..=3 {
        world.lease(client);
    }
    world.take_effects();
    let published: Vec<_> = (1..=3)
        .map(|client| world.published(client).unwrap())
        .collect();
    world.sleep(secs(590));
    for (client, binding) in (1..=3).zip(&published) {
        let granted = world.kernel.renew(&key(client), world.now).unwrap();
        let (slot, epoch) = (binding.slot, binding.epoch);
        world.input(Input::HorizonLow { slot, epoch });
        assert_eq!(granted, world.now.plus_lease(LEASE_SECS));
    }
    world.timeout();
    assert_eq!(world.take_effects(), ["commit"]);
    assert_eq!(world.commits[0].1.len(), 3);
    world.commit();
    assert_eq!(world.take_effects(), ["publish"; 3]);
    for (client, before) in (1..=3).zip(published) {
        let after = world.published(client).unwrap();
        assert_eq!((after.slot, after.epoch), (before.slot, before.epoch));
        assert!(after.expires_ns >= world.now.plus_lease(LEASE_SECS).0);
        assert_eq!(
            after.durable_until_ns,
            world.store[&ip(9 + client)].horizon.0
        );
        assert!(after.durable_until_ns >= before.durable_until_ns + 590 * NS_PER_SEC);
    }
}

#[test]
fn a_horizon_event_of_a_former_epoch_or_slot_is_nobodys() {
    let mut world = World::new();
    world.lease(1);
    let binding = world.published(1).unwrap();
    for (slot, epoch) in [
        (binding.slot, binding.epoch + 1),
        (binding.slot + 1, binding.epoch),
        (u32::MAX, 0),
    ] {
        world.input(Input::HorizonLow { slot, epoch });
    }
    world.timeout();
    assert_eq!(world.commits.len(), 0);
}

#[test]
fn c119_a_lease_without_a_place_in_the_map_works_without_it() {
    let mut world = World::with_config(config(vec![(NETWORK, subnet())]), 1);
    world.lease(1);
    world.lease(2);
    assert_eq!(world.kernel.leases.len(), 1);
    assert!(world.count(Counter::TableFull) >= 1);
    world.expect_ack(&renewing(2, ip(11)), ip(11));
    world.pass(secs(u64::from(LEASE_SECS)));
    assert_eq!(world.leases.len(), 0);
}

#[test]
fn an_epoch_is_not_used_twice_in_a_slot() {
    let mut world = World::new();
    let mut last = None;
    for _ in 0..3 {
        world.lease(1);
        let binding = world.published(1).unwrap();
        assert!(
            world
                .kernel
                .grant(binding.slot)
                .granted_for(binding.epoch)
                .is_none()
        );
        assert_ne!(last, Some((binding.slot, binding.epoch)));
        last = Some((binding.slot, binding.epoch));
        world.kernel.renew(&key(1), world.now).unwrap();
        world.kernel.close(&key(1));
        assert_ne!(world.kernel.grants[&binding.slot], Grant::default());
        world.ask_all(&release(1, ip(10)));
    }
}

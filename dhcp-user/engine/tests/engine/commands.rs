//! Leases that an operator deletes or revokes while the client uses them.

use dhcp_common::{abi::BindingState, wire::message_type};
use dhcp_engine::{Command, CommandId, CommandOutcome, Counter, lease_table::LeaseState};
use dhcp_model::RecordState;
use dhcp_testkit::world::*;

fn done(id: u64) -> (CommandId, CommandOutcome) {
    (CommandId(id), CommandOutcome::Done)
}

#[test]
fn c061_delete_is_answered_when_the_kernel_has_forgotten_and_the_store_knows() {
    let mut world = World::new();
    world.lease(1);
    world.take_effects();
    world.command(5, Command::Delete(ip(10)));
    assert_eq!(world.take_effects(), ["withdraw"]);
    assert_eq!(world.published(1), None);
    world.fence();
    assert_eq!(world.take_effects(), ["commit"]);
    world.commit();
    assert_eq!(world.answers, [done(5)]);
    assert_eq!(world.recorded(ip(10)), Some(RecordState::Deleted));
}

#[test]
fn c057_a_deleted_lease_comes_back_when_its_client_asks() {
    for request in [
        renewing(1, ip(10)),
        rebinding(1, ip(10)),
        init_reboot(1, ip(10)),
        rebinding(1, ip(10)).relayed(SERVER),
    ] {
        let mut world = World::new();
        world.lease(1);
        world.command(1, Command::Delete(ip(10)));
        world.settle();
        world.expect_ack(&request, ip(10));
        assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
        assert_eq!(world.recorded(ip(10)), Some(RecordState::Bound));
        assert_eq!(world.published(1).unwrap().state, BindingState::Bound as u8);
    }
}

#[test]
fn c057_a_deleted_lease_is_offered_again_to_its_client_and_to_nobody_else() {
    let mut world = World::new();
    world.lease(1);
    world.command(1, Command::Delete(ip(10)));
    world.settle();
    world.expect_offer(&discover(2).requested(ip(10)), ip(11));
    world.expect_offer(&discover(1), ip(10));
    world.expect_ack(&selecting(1, ip(10)), ip(10));
}

#[test]
fn c057_the_address_is_kept_for_as_long_as_the_kernel_granted() {
    let mut world = World::new();
    world.lease(1);
    world.sleep(secs(500));
    world.kernel.renew(&key(1), world.now).unwrap();
    world.command(1, Command::Delete(ip(10)));
    world.settle();
    world.pass(secs(599));
    assert_eq!(world.state(ip(10)), Some(LeaseState::Deleted));
    world.pass(secs(2));
    assert_eq!(
        (world.state(ip(10)), world.recorded(ip(10))),
        (None, Some(RecordState::Former))
    );
    world.expect_ack(&renewing(1, ip(10)), ip(10));
}

#[test]
fn c058_a_deleted_lease_given_to_somebody_else_is_told_nak_at_once() {
    for request in [
        renewing(1, ip(10)),
        rebinding(1, ip(10)),
        init_reboot(1, ip(10)),
    ] {
        let mut world = World::new();
        world.lease(1);
        world.command(1, Command::Delete(ip(10)));
        world.settle();
        world.pass(secs(601));
        world.expect_offer(&discover(2).requested(ip(10)), ip(10));
        world.expect_ack(&selecting(2, ip(10)), ip(10));
        world.expect_nak(&request);
        world.expect_offer(&discover(1), ip(11));
    }
}

#[test]
fn c058_a_deleted_lease_removed_from_the_configuration_is_told_nak_at_once() {
    for request in [
        renewing(1, ip(10)),
        rebinding(1, ip(10)),
        init_reboot(1, ip(10)),
    ] {
        let mut world = World::new();
        world.lease(1);
        world.command(1, Command::Delete(ip(10)));
        world.settle();
        let mut subnet = subnet();
        subnet.pools[0].first = ip(11);
        world.restart_with(config(vec![(NETWORK, subnet)]));
        world.settle();
        world.expect_nak(&request);
        world.expect_offer(&discover(1), ip(11));
    }
}

#[test]
fn a_client_that_renews_before_the_delete_is_through_is_acknowledged() {
    let mut world = World::new();
    world.lease(1);
    world.command(1, Command::Delete(ip(10)));
    world.message(&renewing(1, ip(10)));
    world.settle();
    assert_eq!(world.sent.last().unwrap().message_type(), message_type::ACK);
    assert_eq!(world.answers, [done(1)]);
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
    assert_eq!(world.recorded(ip(10)), Some(RecordState::Bound));
    assert!(world.published(1).is_some());
}

#[test]
fn c060_a_revoked_lease_is_told_nak_by_both_paths() {
    for request in [
        renewing(1, ip(10)),
        rebinding(1, ip(10)),
        init_reboot(1, ip(10)),
        selecting(1, ip(10)),
    ] {
        let mut world = World::new();
        world.lease(1);
        world.take_effects();
        world.command(1, Command::Revoke(ip(10)));
        world.expect_nak(&request);
        assert_eq!(world.answers, [done(1)]);
        assert_eq!(world.recorded(ip(10)), Some(RecordState::Revoked));
        assert_eq!(
            world.published(1).unwrap().state,
            BindingState::Revoked as u8
        );
        let binding = world.published(1).unwrap();
        let nak = (binding.profile, [0, 0], message_type::NAK);
        assert!(world.kernel.templates.contains_key(&nak));
        let position = |name| world.effects.iter().rposition(|effect| *effect == name);
        assert!(
            position("template") < position("publish"),
            "the entry needs its template"
        );
    }
}

#[test]
fn c060_a_revoked_client_starts_afresh_with_another_address() {
    let mut world = World::new();
    world.lease(1);
    world.command(1, Command::Revoke(ip(10)));
    world.settle();
    world.expect_nak(&renewing(1, ip(10)));
    world.expect_offer(&discover(1), ip(11));
    assert_eq!((world.state(ip(10)), world.recorded(ip(10))), (None, None));
    assert_eq!(world.published(1).unwrap().address, ip(11).into());
    world.expect_ack(&selecting(1, ip(11)), ip(11));
}

#[test]
fn c060_a_revoked_client_is_not_offered_the_address_that_is_on_its_way_to_the_pool() {
    let mut subnet = subnet();
    subnet.pools[0].last = ip(10);
    let mut world = World::with(subnet);
    world.lease(1);
    world.command(1, Command::Revoke(ip(10)));
    world.settle();
    for _ in 0..2 {
        world.message(&discover(1));
        assert_eq!(world.state(ip(10)), Some(LeaseState::Withdrawn));
    }
    assert_eq!(world.count(Counter::PoolEmpty), 2);
}

#[test]
fn a_revoked_lease_ends_when_its_lease_would_have() {
    let mut world = World::new();
    world.lease(1);
    world.command(1, Command::Revoke(ip(10)));
    world.settle();
    world.pass(secs(600));
    assert_eq!(
        (
            world.leases.len(),
            world.kernel.leases.len(),
            world.store.len()
        ),
        (0, 0, 0)
    );
}

#[test]
fn a_revocation_can_be_taken_back() {
    let mut world = World::new();
    world.lease(1);
    world.command(1, Command::Revoke(ip(10)));
    world.settle();
    world.command(2, Command::Delete(ip(10)));
    world.settle();
    assert_eq!(world.answers, [done(1), done(2)]);
    world.expect_ack(&renewing(1, ip(10)), ip(10));
}

#[test]
fn c073_delete_lifts_a_quarantine() {
    let mut world = World::new();
    world.lease(1);
    world.message(&decline(1, ip(10)));
    world.command(1, Command::Delete(ip(10)));
    assert_eq!(world.answers, []);
    world.settle();
    assert_eq!(world.answers, [done(1)]);
    assert_eq!((world.state(ip(10)), world.recorded(ip(10))), (None, None));
}

#[test]
fn a_command_that_the_store_does_not_take_changes_nothing() {
    for command in [Command::Delete(ip(10)), Command::Revoke(ip(10))] {
        let mut world = World::new();
        world.lease(1);
        world.store_fails = true;
        world.command(1, command);
        world.settle();
        assert_eq!(world.answers, [(CommandId(1), CommandOutcome::StoreFailed)]);
        assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
        assert_eq!(world.published(1).unwrap().state, BindingState::Bound as u8);
        assert!(world.kernel.renew(&key(1), world.now).is_some());
    }
}

#[test]
fn commands_about_an_address_come_one_after_the_other() {
    let mut world = World::new();
    world.lease(1);
    world.command(1, Command::Revoke(ip(10)));
    world.command(2, Command::Delete(ip(10)));
    world.fence();
    assert_eq!(world.answers, []);
    world.commit();
    assert_eq!(world.answers, [done(1)]);
    assert_eq!(world.recorded(ip(10)), Some(RecordState::Revoked));
    world.settle();
    assert_eq!(world.answers, [done(1), done(2)]);
    assert_eq!(world.recorded(ip(10)), Some(RecordState::Deleted));
    world.command(3, Command::Revoke(ip(11)));
    assert_eq!(world.answers[2], (CommandId(3), CommandOutcome::NoLease));
}

#[test]
fn a_command_that_fails_goes_back_to_what_the_one_before_has_made_durable() {
    let failed = |id| (CommandId(id), CommandOutcome::StoreFailed);
    for first_fails in [false, true] {
        let mut world = World::new();
        world.lease(1);
        world.command(1, Command::Revoke(ip(10)));
        world.command(2, Command::Delete(ip(10)));
        world.fence();
        world.store_fails = first_fails;
        world.commit();
        world.store_fails = true;
        world.settle();
        let (first, state, published) = if first_fails {
            (failed(1), RecordState::Bound, BindingState::Bound)
        } else {
            (done(1), RecordState::Revoked, BindingState::Revoked)
        };
        assert_eq!(world.answers, [first, failed(2)]);
        assert_eq!(world.recorded(ip(10)), Some(state));
        let binding = world.published(1).unwrap();
        assert_eq!(binding.state, published as u8);
        assert_eq!(binding.durable_until_ns, world.store[&ip(10)].horizon.0);
    }
}

#[test]
fn a_command_about_an_address_that_is_released_and_leased_again_meanwhile_is_answered() {
    let mut world = World::new();
    world.lease(1);
    world.command(1, Command::Delete(ip(10)));
    world.message(&release(1, ip(10)));
    world.fence();
    world.message(&renewing(1, ip(10)));
    world.settle();
    assert_eq!(world.answers, [done(1)]);
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
}

#[test]
fn a_command_about_an_address_that_is_declined_meanwhile_is_answered() {
    let mut world = World::new();
    world.lease(1);
    world.command(1, Command::Delete(ip(10)));
    world.message(&decline(1, ip(10)));
    world.settle();
    assert_eq!(world.answers, [done(1)]);
    assert_eq!(world.recorded(ip(10)), Some(RecordState::Quarantined));
}

#[test]
fn there_is_nothing_to_delete_or_revoke_but_leases() {
    let mut world = World::new();
    world.ask(&discover(1));
    let commands = [
        Command::Delete(ip(10)),
        Command::Revoke(ip(10)),
        Command::Delete(ip(11)),
        Command::Revoke(ip(200)),
    ];
    for (id, command) in (0..).zip(commands) {
        world.command(id, command);
        assert_eq!(
            world.answers.pop(),
            Some((CommandId(id), CommandOutcome::NoLease))
        );
    }
    world.expect_ack(&selecting(1, ip(10)), ip(10));
}

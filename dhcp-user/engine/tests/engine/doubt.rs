//! c120: the store cannot report whether a commit was applied. Until the result is known, nothing
//! is promised, an address whose binding may be on disk is neither offered to another client nor
//! dropped, and the commit is repeated.

use dhcp_engine::{Command, CommandId, CommandOutcome, Counter, lease_table::LeaseState};
use dhcp_model::RecordState;
use dhcp_testkit::world::*;

/// Whether a commit with an unknown result was applied.
const EITHER: [bool; 2] = [true, false];

#[test]
fn c120_an_offer_whose_commit_is_in_doubt_is_freed_by_a_commit() {
    for happens in EITHER {
        let mut world = World::new();
        world.ask(&discover(1));
        world.store_doubts = Some(happens);
        assert_eq!(world.ask_all(&selecting(1, ip(10))), []);
        assert_eq!(world.count(Counter::Acked), 0);
        assert_eq!(world.state(ip(10)), Some(LeaseState::Withdrawn));
        assert_eq!(world.published(1), None, "no OFFER of it is repeated");
        // It stays withdrawn until the store answers: on disk it may be bound to another client.
        world.pass(secs(OFFER_SECS + 10));
        assert_eq!(world.state(ip(10)), Some(LeaseState::Withdrawn));
        world.store_doubts = None;
        world.pass(secs(1));
        assert_eq!(world.state(ip(10)), None);
        assert_eq!(world.recorded(ip(10)), Some(RecordState::Former));
        assert_eq!(world.count(Counter::StoreConflict), 0);
        world.expect_offer(&discover(2).requested(ip(10)), ip(10));
        world.expect_ack(&selecting(2, ip(10)), ip(10));
    }
}

#[test]
fn c120_a_client_that_asks_again_has_the_address_whose_commit_was_in_doubt() {
    for happens in EITHER {
        let mut world = World::new();
        world.ask(&discover(1));
        world.store_doubts = Some(happens);
        assert_eq!(world.ask_all(&selecting(1, ip(10))), []);
        assert_eq!(world.count(Counter::Acked), 0);
        world.store_doubts = None;
        world.expect_ack(&selecting(1, ip(10)), ip(10));
        assert_eq!(world.recorded(ip(10)), Some(RecordState::Bound));
        world.settle();
        assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
        assert!(world.published(1).is_some());
    }
}

#[test]
fn c120_an_active_lease_goes_on_within_what_is_known_to_be_durable() {
    for happens in EITHER {
        let mut world = World::new();
        world.lease(1);
        let durable = world.published(1).unwrap().durable_until_ns;
        world.store_doubts = Some(happens);
        while world.now.plus_lease(LEASE_SECS).0 <= durable {
            world.expect_ack(&renewing(1, ip(10)), ip(10));
            world.pass(secs(300));
        }
        world.expect_silence(&renewing(1, ip(10)), Counter::StoreFailed);
        assert_eq!(world.published(1).unwrap().durable_until_ns, durable);
        world.store_doubts = None;
        world.expect_ack(&renewing(1, ip(10)), ip(10));
    }
}

#[test]
fn c120_an_end_in_doubt_is_committed_again() {
    for happens in EITHER {
        let mut world = World::new();
        world.lease(1);
        world.store_doubts = Some(happens);
        world.pass(secs(700));
        assert_eq!(world.state(ip(10)), Some(LeaseState::Withdrawn));
        world.store_doubts = None;
        world.pass(secs(1));
        assert_eq!(world.state(ip(10)), None);
        assert_eq!(world.recorded(ip(10)), Some(RecordState::Former));
        assert_eq!(world.engine.next_deadline(), None);
    }
}

#[test]
fn c120_a_command_in_doubt_is_in_force_and_answered_when_its_result_is_known() {
    for happens in EITHER {
        for (command, state, recorded) in [
            (
                Command::Delete(ip(10)),
                LeaseState::Deleted,
                RecordState::Deleted,
            ),
            (
                Command::Revoke(ip(10)),
                LeaseState::Revoked,
                RecordState::Revoked,
            ),
        ] {
            let mut world = World::new();
            world.lease(1);
            world.store_doubts = Some(happens);
            world.command(1, command);
            world.settle();
            assert_eq!(world.state(ip(10)), Some(state));
            assert_eq!(world.answers, [], "{command:?}");
            world.pass(secs(10));
            assert_eq!((world.state(ip(10)), world.answers.len()), (Some(state), 0));
            world.store_doubts = None;
            world.pass(secs(1));
            assert_eq!(world.answers, [(CommandId(1), CommandOutcome::Done)]);
            assert_eq!(world.recorded(ip(10)), Some(recorded));
        }
    }
}

#[test]
fn c120_a_command_in_doubt_stays_in_doubt_while_the_store_fails() {
    let mut world = World::new();
    world.lease(1);
    world.store_doubts = Some(true);
    world.command(1, Command::Delete(ip(10)));
    world.settle();
    world.store_doubts = None;
    world.store_fails = true;
    world.pass(secs(10));
    assert_eq!(world.state(ip(10)), Some(LeaseState::Deleted));
    assert_eq!((world.published(1), world.answers.len()), (None, 0));
    world.store_fails = false;
    world.pass(secs(1));
    assert_eq!(world.answers, [(CommandId(1), CommandOutcome::Done)]);
}

#[test]
fn c120_a_command_in_doubt_whose_client_asks_again_is_done() {
    let mut world = World::new();
    world.lease(1);
    world.store_doubts = Some(false);
    world.command(1, Command::Delete(ip(10)));
    world.settle();
    world.store_doubts = None;
    world.expect_ack(&renewing(1, ip(10)), ip(10));
    assert_eq!(world.answers, [(CommandId(1), CommandOutcome::Done)]);
    assert_eq!(world.recorded(ip(10)), Some(RecordState::Bound));
}

#[test]
fn c120_a_quarantine_in_doubt_is_committed_again() {
    for happens in EITHER {
        let mut world = World::new();
        world.lease(1);
        world.store_doubts = Some(happens);
        world.message(&decline(1, ip(10)));
        world.settle();
        assert_eq!(world.state(ip(10)), Some(LeaseState::Quarantined));
        world.store_doubts = None;
        world.pass(secs(1));
        assert_eq!(world.recorded(ip(10)), Some(RecordState::Quarantined));
        world.pass(secs(DECLINE_SECS));
        assert_eq!((world.state(ip(10)), world.recorded(ip(10))), (None, None));
    }
}

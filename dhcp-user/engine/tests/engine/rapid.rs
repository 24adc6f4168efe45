//! Rapid commit (RFC 4039): a lease in two messages.

use dhcp_common::wire::{message_type, option};
use dhcp_config::Subnet;
use dhcp_engine::{Counter, lease_table::LeaseState};
use dhcp_model::RecordState;
use dhcp_testkit::world::*;

fn world() -> World {
    World::with(Subnet {
        rapid_commit: true,
        ..subnet()
    })
}

fn rapid(message: Message) -> Message {
    message.option(option::RAPID_COMMIT, &[])
}

#[test]
fn c110_the_binding_is_committed_then_acknowledged() {
    let mut world = world();
    world.message(&rapid(discover(1)));
    assert_eq!(world.take_effects(), ["commit"], "nothing is said yet");
    world.settle();
    assert_eq!(
        world.take_effects(),
        ["publish", "send", "template"],
        "the ACK alone becomes a template"
    );
    let ack = world.sent.remove(0);
    assert_eq!(
        (ack.message_type(), ack.yiaddr()),
        (message_type::ACK, ip(10))
    );
    assert_eq!(ack.option(option::RAPID_COMMIT), Some(Vec::new()));
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
    assert_eq!(world.recorded(ip(10)), Some(RecordState::Bound));
    let kinds = world.kernel.templates.keys().map(|(.., reply)| *reply);
    assert_eq!(kinds.collect::<Vec<_>>(), [message_type::ACK]);

    // Rapid commit succeeds again in every state that the client may be in.
    world.expect_ack(&rapid(discover(1)), ip(10));
    world.ask_all(&release(1, ip(10)));
    world.expect_ack(&rapid(discover(1)), ip(10));
    world.expect_offer(&discover(2), ip(11));
    world.expect_ack(&rapid(discover(2)), ip(11));
    world.pass(secs(u64::from(LEASE_SECS)));
    world.expect_ack(&rapid(discover(1)), ip(10));
}

#[test]
fn c110_without_the_setting_or_the_option_there_is_an_offer() {
    let mut off = World::new();
    let offer = off.ask(&rapid(discover(1)));
    assert_eq!(offer.message_type(), message_type::OFFER);
    assert_eq!(offer.option(option::RAPID_COMMIT), None);
    assert_eq!(off.kernel.templates.len(), 2, "an OFFER among them");

    let mut on = world();
    let offer = on.ask(&discover(1));
    assert_eq!(offer.message_type(), message_type::OFFER);
    assert_eq!(offer.option(option::RAPID_COMMIT), None);
    assert_eq!(on.recorded(ip(10)), None);
    assert_eq!(on.kernel.templates.len(), 2);
}

#[test]
fn m28_the_option_means_nothing_in_a_request() {
    let mut world = world();
    world.expect_offer(&discover(1), ip(10));
    for message in [selecting(1, ip(10)), renewing(1, ip(10))] {
        let ack = world.ask(&rapid(message));
        assert_eq!(ack.message_type(), message_type::ACK);
        assert_eq!(ack.option(option::RAPID_COMMIT), None);
    }
}

#[test]
fn c046_c110_what_cannot_be_committed_is_not_acknowledged() {
    let mut world = world();
    world.store_fails = true;
    world.expect_silence(&rapid(discover(1)), Counter::StoreFailed);
    assert_eq!(world.state(ip(10)), None, "it was never offered");
    world.store_fails = false;
    world.pass(secs(1));
    world.expect_ack(&rapid(discover(1)), ip(11));
    world.expect_ack(&rapid(discover(2)), ip(12));
    world.expect_ack(&rapid(discover(3)), ip(10));
    world.expect_silence(&rapid(discover(4)), Counter::PoolEmpty);
}

#[test]
fn c110_a_restart_with_the_setting_changed_keeps_no_offer_for_the_kernel() {
    let mut world = World::new();
    world.ask(&rapid(discover(1)));
    world.lease(1);
    let profile = world.published(1).expect("it is bound").profile;
    let mut config = world.config.clone();
    config.networks[0].subnets[0].rapid_commit = true;
    world.restart_with(config);
    world.settle();
    let other = world.published(1).expect("it still is").profile;
    assert_ne!(profile, other, "templates of the former one do not count");
}

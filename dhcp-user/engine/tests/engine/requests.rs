//! Which messages are answered, and how the states of a REQUEST are told apart.

use dhcp_common::wire::{message_type, option};
use dhcp_engine::{Counter, Input, lease_table::LeaseState};
use dhcp_testkit::world::*;

/// Sends a payload unchanged, and expects silence for this reason.
fn expect_refusal(payload: &[u8], counter: Counter) {
    let mut world = World::new();
    let ingress = discover(1).ingress;
    world.input(Input::Message {
        ingress: &ingress,
        payload,
    });
    assert_eq!(world.effects, [""; 0], "{counter:?}");
    assert_eq!(world.count(counter), 1, "{counter:?}");
    assert_eq!(
        (world.leases.len(), world.engine.next_deadline()),
        (0, None)
    );
}

#[test]
fn c002_c003_c005_c006_c007_c008_m05_malformed_messages_get_no_answer_and_leave_no_state() {
    let good = discover(1).end().payload;
    let changed = |offset: usize, value: u8| {
        let mut payload = good.clone();
        payload[offset] = value;
        payload
    };
    let with = |code: u8, value: &[u8]| discover(1).option(code, value).end().payload;
    let without_type = |tail: &[u8]| [&good[..240], tail].concat();
    let many: Vec<u8> = [224, 0].repeat(193);
    let cases = [
        (good[..239].to_vec(), Counter::Truncated),
        (Vec::new(), Counter::Truncated),
        (changed(0, 2), Counter::BadOp),
        (changed(0, 0), Counter::BadOp),
        (changed(2, 17), Counter::BadHlen),
        (changed(2, 255), Counter::BadHlen),
        (changed(236, 0), Counter::BadCookie),
        (good[..240].to_vec(), Counter::Bootp),
        (without_type(&[53]), Counter::OptionOverrun),
        (without_type(&[53, 1]), Counter::OptionOverrun),
        (without_type(&[53, 9, 1, 255]), Counter::OptionOverrun),
        (without_type(&[255]), Counter::Bootp),
        (without_type(&[53, 0, 255]), Counter::BadMessageType),
        (without_type(&[53, 2, 1, 1, 255]), Counter::BadMessageType),
        (without_type(&[53, 1, 0, 255]), Counter::BadMessageType),
        (without_type(&[53, 1, 2, 255]), Counter::BadMessageType),
        (without_type(&[53, 1, 19, 255]), Counter::BadMessageType),
        (without_type(&[53, 1, 9, 255]), Counter::UnservedMessageType),
        (
            without_type(&[53, 1, 14, 255]),
            Counter::UnservedMessageType,
        ),
        (
            with(option::REQUESTED_ADDRESS, &[1, 2, 3]),
            Counter::BadOptionLength,
        ),
        (
            with(option::SERVER_ID, &[1, 2, 3, 4, 5]),
            Counter::BadOptionLength,
        ),
        (with(option::OVERLOAD, &[4]), Counter::BadOptionLength),
        (with(option::OVERLOAD, &[]), Counter::BadOptionLength),
        (with(option::MESSAGE_TYPE, &[3]), Counter::ConflictingOption),
        (
            discover(1)
                .requested(ip(10))
                .requested(ip(11))
                .end()
                .payload,
            Counter::ConflictingOption,
        ),
        (
            selecting(1, ip(10)).server_id(OTHER_SERVER).end().payload,
            Counter::ConflictingOption,
        ),
        (
            init_reboot(1, ip(10))
                .option(option::SERVER_ID, &[])
                .end()
                .payload,
            Counter::BadOptionLength,
        ),
        (
            [&discover(1).payload, &[option::CLIENT_ID, 9, 1][..]].concat(),
            Counter::OptionOverrun,
        ),
        (
            [&good[..243], &many, &[255]].concat(),
            Counter::TooManyOptions,
        ),
        (changed(2, 0), Counter::NoIdentity),
    ];
    for (payload, counter) in cases {
        expect_refusal(&payload, counter);
    }
}

#[test]
fn every_prefix_and_every_changed_octet_is_survived() {
    let good = selecting(1, ip(10))
        .option(option::CLIENT_ID, &[1, 2, 3])
        .end()
        .payload;
    let ingress = discover(1).ingress;
    let mut world = World::new();
    for len in 0..good.len() {
        world.input(Input::Message {
            ingress: &ingress,
            payload: &good[..len],
        });
    }
    for offset in 0..good.len() {
        for value in [0, 1, 4, 127, 255] {
            let mut payload = good.clone();
            payload[offset] = value;
            world.input(Input::Message {
                ingress: &ingress,
                payload: &payload,
            });
        }
    }
    assert!(world.leases.len() <= 3);
}

#[test]
fn m01_what_follows_end_is_ignored() {
    let mut world = World::new();
    let mut message = discover(1).end();
    message.payload.extend([53, 0, 9]);
    world.expect_offer(&message, ip(10));
}

#[test]
fn c005_c010_m01_m05_what_is_meant_is_answered_and_counted() {
    let extended = |tail: &[u8]| {
        let mut message = discover(1);
        message.payload.extend(tail);
        message
    };
    let cases = [
        (discover(1), Counter::NoEnd),
        (extended(&[43, 64, 1, 2]), Counter::OverrunIgnored),
        (extended(&[43]), Counter::OverrunIgnored),
        (
            discover(1).option(option::MESSAGE_TYPE, &[1]).end(),
            Counter::OptionRepeated,
        ),
        (
            discover(1).requested(ip(11)).requested(ip(11)).end(),
            Counter::OptionRepeated,
        ),
        (
            discover(1).option(option::REQUESTED_ADDRESS, &[]).end(),
            Counter::OptionEmpty,
        ),
        (
            discover(1).option(option::SERVER_ID, &[]).end(),
            Counter::OptionEmpty,
        ),
        (
            discover(1).option(option::CLIENT_ID, &[1]).end(),
            Counter::ShortClientId,
        ),
    ];
    for (message, counter) in cases {
        let mut world = World::new();
        // Octet for octet, without END.
        world.input(Input::Message {
            ingress: &message.ingress,
            payload: &message.payload,
        });
        world.settle();
        let types: Vec<_> = world.sent.iter().map(Received::message_type).collect();
        assert_eq!(types, [message_type::OFFER], "{counter:?}");
        assert_eq!(world.count(counter), 1, "{counter:?}");
    }
}

#[test]
fn c018_m05_a_client_identifier_of_one_octet_comes_back_and_identifies_nobody() {
    let mut world = World::new();
    let short = |client| discover(client).option(option::CLIENT_ID, &[7]).end();
    let offer = world.ask(&short(1));
    assert_eq!(offer.option(option::CLIENT_ID), Some(vec![7]));
    let lease = world.leases.get(&offer.yiaddr()).expect("it is offered");
    assert_eq!(lease.holder.client(), key(1));
    drop(lease);
    assert_ne!(world.ask(&short(2)).yiaddr(), offer.yiaddr());
}

#[test]
fn c009_options_continue_in_file_and_sname() {
    let mut world = World::new();
    let mut message = Message::new(1, message_type::DISCOVER).option(option::OVERLOAD, &[3]);
    message.payload[108..115].copy_from_slice(&[50, 4, 10, 0, 0, 12, 255]);
    message.payload[44..49].copy_from_slice(&[61, 2, 9, 9, 255]);
    let reply = world.ask(&message);
    assert_eq!(reply.yiaddr(), ip(12));
    assert_eq!(reply.option(option::CLIENT_ID), Some(vec![9, 9]));
    assert_eq!(
        world.count(Counter::TemplatePublished),
        0,
        "the kernel does not read them"
    );
}

#[test]
fn c010_parts_of_an_option_are_joined_in_order() {
    let mut world = World::new();
    let parts = discover(1)
        .option(option::CLIENT_ID, &[1])
        .option(option::PARAMETER_LIST, &[1])
        .option(option::CLIENT_ID, &[2, 3]);
    let reply = world.ask(&parts);
    assert_eq!(reply.option(option::CLIENT_ID), Some(vec![1, 2, 3]));
    let whole = discover(2).option(option::CLIENT_ID, &[1, 2, 3]);
    world.expect_offer(&whole, reply.yiaddr());
}

#[test]
fn c034_c080_c086_a_server_identifier_of_ours_makes_it_an_answer_to_us() {
    let mut world = World::new();
    world.lease(1);
    for message in [
        selecting(1, ip(10)).ciaddr(ip(10)),
        renewing(1, ip(10)).server_id(SERVER),
        renewing(1, ip(10)).server_id(SERVER).requested(ip(10)),
        rebinding(1, ip(10)).server_id(SERVER),
    ] {
        let reply = world.ask(&message);
        assert_eq!(reply.message_type(), message_type::ACK);
        assert_eq!((reply.yiaddr(), reply.ciaddr()), (ip(10), ip(10)));
        assert_eq!(reply.egress.destination, ip(10));
    }
    world.ask(&discover(2));
    world.expect_ack(&selecting(2, ip(11)).ciaddr(ip(40)), ip(11));
}

#[test]
fn m11_a_server_identifier_without_any_address_is_silence() {
    let mut world = World::new();
    world.lease(1);
    let odd = Message::new(1, message_type::REQUEST).server_id(SERVER);
    world.expect_silence(&odd, Counter::OddRequest);
}

#[test]
fn c035_the_address_that_a_client_has_counts_beside_option_50() {
    let mut world = World::new();
    world.lease(1);
    world.lease(2);
    for message in [
        rebinding(1, ip(10)).requested(ip(10)),
        renewing(1, ip(10)).requested(ip(11)),
        rebinding(1, ip(11)).requested(ip(10)),
    ] {
        world.expect_ack(&message, ip(10));
    }
    world.expect_nak(&renewing(1, ip(40)).requested(ip(11)));
    world.expect_ack(&renewing(3, ip(12)).requested(ip(12)), ip(12));
    let unknown = rebinding(4, ip(41)).requested(ip(42));
    world.expect_silence(&unknown, Counter::UnknownClient);
}

#[test]
fn c038_a_request_of_no_state_is_silence() {
    let mut world = World::new();
    world.lease(1);
    world.expect_silence(&Message::new(1, message_type::REQUEST), Counter::OddRequest);
}

#[test]
fn c035_c052_c054_c055_c056_an_active_lease_is_acknowledged_in_every_state() {
    let mut world = World::new();
    world.lease(1);
    for message in [
        selecting(1, ip(10)),
        init_reboot(1, ip(10)),
        renewing(1, ip(10)),
        rebinding(1, ip(10)),
        rebinding(1, ip(10)).relayed(SERVER),
    ] {
        world.expect_ack(&message, ip(10));
    }
}

#[test]
fn c049_c053_c054_another_address_is_told_nak_in_every_state() {
    let mut world = World::new();
    world.lease(1);
    world.lease(2);
    for address in [ip(11), ip(12)] {
        for message in [
            selecting(1, address),
            init_reboot(1, address),
            renewing(1, address),
            rebinding(1, address),
        ] {
            world.expect_nak(&message);
        }
    }
    assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
    assert_eq!(world.state(ip(12)), None);
}

#[test]
fn c053_an_address_of_another_is_told_nak_even_to_a_stranger() {
    let mut world = World::new();
    world.lease(1);
    for message in [
        init_reboot(2, ip(10)),
        rebinding(2, ip(10)),
        renewing(2, ip(10)),
    ] {
        world.expect_nak(&message);
    }
}

#[test]
fn c048_an_address_off_the_network_is_told_nak() {
    let mut world = World::new();
    world.expect_nak(&init_reboot(1, [192, 168, 0, 9].into()));
    world.expect_nak(&renewing(1, [192, 168, 0, 9].into()));
}

#[test]
fn c050_c059_strangers_are_met_with_silence() {
    let mut world = World::new();
    for address in [ip(10), ip(200)] {
        world.expect_silence(&init_reboot(1, address), Counter::UnknownClient);
        world.expect_silence(&rebinding(1, address), Counter::UnknownClient);
    }
    world.expect_silence(
        &rebinding(1, [192, 168, 0, 9].into()),
        Counter::UnknownClient,
    );
    assert_eq!(world.leases.len(), 0);
}

#[test]
fn c050_an_offer_does_not_make_a_client_known() {
    let mut world = World::new();
    world.ask(&discover(1));
    for address in [ip(11), ip(200)] {
        world.expect_silence(&init_reboot(1, address), Counter::UnknownClient);
        world.expect_silence(&rebinding(1, address), Counter::UnknownClient);
        world.expect_nak(&selecting(1, address));
    }
    world.expect_ack(&init_reboot(1, ip(10)), ip(10));
}

#[test]
fn c051_an_authoritative_server_tells_strangers() {
    for request in [init_reboot, rebinding] {
        let mut world = World::with(dhcp_config::Subnet {
            authoritative: true,
            ..subnet()
        });
        world.expect_nak(&request(1, ip(200)));
        world.expect_ack(&request(1, ip(10)), ip(10));
        assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
    }
}

#[test]
fn c057_c058_a_renewal_of_an_unknown_lease_creates_it_or_is_told_nak() {
    let mut world = World::new();
    world.expect_ack(&renewing(1, ip(11)), ip(11));
    assert_eq!(world.state(ip(11)), Some(LeaseState::Bound));
    world.expect_nak(&renewing(2, ip(200)));
}

#[test]
fn c105_relay_information_is_taken_from_relay_agents() {
    let mut world = World::new();
    let message = discover(1)
        .relayed(SERVER)
        .option(option::RELAY_INFO, &[1, 1, 7]);
    assert_eq!(
        world.ask(&message).option(option::RELAY_INFO),
        Some(vec![1, 1, 7])
    );
}

#[test]
fn c036_where_it_was_sent_to_tells_renewing_from_rebinding() {
    let mut world = World::new();
    world.expect_silence(&rebinding(1, ip(11)), Counter::UnknownClient);
    // A relayed message was broadcast by its client.
    let relayed = rebinding(1, ip(11)).relayed(ip(254));
    world.expect_silence(&relayed, Counter::UnknownClient);
    world.expect_ack(&renewing(1, ip(11)), ip(11));
}

#[test]
fn m03_seconds_and_hops_change_nothing() {
    let changed = |mut message: Message, hops, secs: u16| {
        message.payload[3] = hops;
        message.payload[8..10].copy_from_slice(&secs.to_be_bytes());
        message
    };
    let mut world = World::new();
    for message in [
        discover(1),
        selecting(1, ip(10)),
        renewing(1, ip(10)),
        init_reboot(1, ip(10)).relayed(ip(254)),
        init_reboot(1, ip(11)),
    ] {
        let plain = world.ask(&message);
        for (hops, secs) in [(0, 1), (1, 0), (16, 60), (255, 0xffff)] {
            assert_eq!(world.ask(&changed(message.clone(), hops, secs)), plain);
        }
    }
}

#[test]
fn m15_a_renewal_may_come_with_relay_information_or_without() {
    let mut world = World::new();
    world.lease(1);
    let relay_info = [1, 2, 0xca, 0xfe];
    for request in [renewing(1, ip(10)), rebinding(1, ip(10))] {
        let request = request.relayed(ip(254));
        let with = request.clone().option(option::RELAY_INFO, &relay_info);
        for (request, echo) in [(request, None), (with, Some(relay_info.to_vec()))] {
            let ack = world.ask(&request);
            assert_eq!(ack.message_type(), message_type::ACK);
            assert_eq!(ack.option(option::RELAY_INFO), echo);
        }
    }
}

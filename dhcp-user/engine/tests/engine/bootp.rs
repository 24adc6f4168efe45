//! BOOTP (RFC 951) for clients with a reservation (RFC 1534 §2).

use std::net::Ipv4Addr;

use dhcp_common::wire::{self, option};
use dhcp_config::{Boot, OptionValue, Subnet};
use dhcp_engine::{Command, Counter, lease_table::LeaseState};
use dhcp_testkit::world::*;

const SIADDR: std::ops::Range<usize> = 20..24;
const SNAME: std::ops::Range<usize> = 44..108;
const FILE: std::ops::Range<usize> = 108..236;
const RESERVED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);

/// Returns a subnet that serves BOOTP, with reservations for clients 1 and 2.
fn served() -> Subnet {
    Subnet {
        bootp: true,
        reservations: vec![
            reservation(key(1), RESERVED, None),
            reservation(key(2), ip(51), None),
        ],
        ..subnet()
    }
}

/// Returns a message without option 53 whose options are padded to `room` octets, END included.
fn bootp(client: u8, room: usize) -> Message {
    let mut message = Message::new(client, 0);
    message.payload.truncate(wire::BOOTP_FIXED_LEN);
    let pads = room - 1;
    message.payload.resize(wire::BOOTP_FIXED_LEN + pads, 0);
    message
}

/// Returns a message of RFC 951, which has 64 octets for vendors and zeros in them.
fn without_cookie(client: u8) -> Message {
    let mut message = bootp(client, 60);
    message.payload.truncate(wire::BOOTP_FIXED_LEN - 4);
    message.payload.resize(wire::BOOTP_MIN_LEN, 0);
    message
}

fn expect_reply(world: &mut World, message: &Message) -> Received {
    let before = world.count(Counter::BootpAnswered);
    let reply = world.ask(message);
    assert_eq!(world.count(Counter::BootpAnswered), before + 1);
    reply
}

#[test]
fn c003_c007_a_client_that_knows_no_options_is_answered_where_bootp_is() {
    let mut world = World::with(served());
    let reply = expect_reply(&mut world, &without_cookie(1));
    assert_eq!(reply.yiaddr(), RESERVED);
    world.expect_silence(&without_cookie(3), Counter::Bootp);
    let mut world = World::new();
    world.expect_silence(&without_cookie(1), Counter::Bootp);
}

#[test]
fn c007_a_bootp_client_gets_what_is_reserved_for_it_and_no_word_of_dhcp() {
    let mut subnet = served();
    let configured = [
        (60, b"PXEClient".to_vec()),
        (66, b"tftp".to_vec()),
        (15, b"lan".to_vec()),
    ];
    let configured = configured.map(|(code, data)| OptionValue { code, data });
    subnet.options.extend(configured);
    subnet.boot = Boot {
        next_server: Some(ip(9)),
        file: Some("vmunix".into()),
        server_name: Some("boot".into()),
    };
    let mut world = World::with(subnet);
    let reply = expect_reply(&mut world, &bootp(1, 60));
    assert_eq!(reply.payload.len(), wire::BOOTP_MIN_LEN);
    assert_eq!(reply.payload[0], wire::BOOTREPLY);
    assert_eq!(reply.payload[4..8], [1, 2, 3, 1]);
    assert_eq!(
        (reply.yiaddr(), reply.ciaddr()),
        (RESERVED, Ipv4Addr::UNSPECIFIED)
    );
    assert_eq!(reply.payload[SIADDR], ip(9).octets());
    assert_eq!(&reply.payload[SNAME][..5], b"boot\0");
    assert_eq!(&reply.payload[FILE][..7], b"vmunix\0");
    assert_eq!(reply.codes(), [1, 3, 6, 15]);
    assert_eq!(
        world.take_effects(),
        ["send"],
        "nothing is committed or published"
    );
    assert_eq!(world.leases.len(), 0);
}

#[test]
fn c007_without_the_setting_or_a_reservation_there_is_silence() {
    let mut off = World::with(Subnet {
        bootp: false,
        ..served()
    });
    off.expect_silence(&bootp(1, 60), Counter::Bootp);
    let mut on = World::with(served());
    on.expect_silence(&bootp(3, 60), Counter::Bootp);
    assert_eq!(on.leases.len(), 0);
}

#[test]
fn c007_the_server_that_answers_is_the_one_to_boot_from_unless_there_is_another() {
    let reply = expect_reply(&mut World::with(served()), &bootp(1, 60));
    assert_eq!(reply.payload[SIADDR], SERVER.octets());
    assert_eq!(reply.payload[FILE], [0; 128]);
}

#[test]
fn c007_the_reply_is_no_longer_than_the_message_of_rfc_951_or_the_request() {
    let mut subnet = served();
    subnet.options.extend((200..203).map(|code| OptionValue {
        code,
        data: vec![code; 40],
    }));
    let mut world = World::with(subnet);
    for (room, codes) in [
        (1, &[1, 3, 6][..]),
        (60, &[1, 3, 6]),
        (61, &[1, 3, 6, 200]),
        (102, &[1, 3, 6, 200]),
        (103, &[1, 3, 6, 200, 201]),
        (145, &[1, 3, 6, 200, 201, 202]),
        (500, &[1, 3, 6, 200, 201, 202]),
    ] {
        let reply = expect_reply(&mut world, &bootp(1, room));
        assert_eq!(reply.codes(), codes, "{room} octets");
        let longest = wire::BOOTP_MIN_LEN.max(wire::BOOTP_FIXED_LEN + room);
        assert!(reply.payload.len() <= longest, "{room} octets");
        assert_eq!(
            reply.payload[SNAME.start..FILE.end],
            [0; 192],
            "no overload"
        );
    }
}

#[test]
fn c007_it_is_known_by_its_hardware_address_alone() {
    let mut world = World::with(served());
    let mut message = bootp(1, 1).option(option::CLIENT_ID, &[1, 2, 3]);
    message = message.option(option::PARAMETER_LIST, &[6]);
    let reply = expect_reply(&mut world, &message);
    assert_eq!((reply.yiaddr(), reply.codes()), (RESERVED, vec![1, 3, 6]));
}

#[test]
fn c007_the_same_hardware_may_lease_the_address_by_dhcp_and_another_client_keeps_it() {
    let mut world = World::with(served());
    assert_eq!(world.lease(1), RESERVED);
    let leased = world.published(1);
    world.take_effects();
    assert_eq!(expect_reply(&mut world, &bootp(1, 60)).yiaddr(), RESERVED);
    assert_eq!(world.take_effects(), ["send"]);
    assert_eq!(
        (world.state(RESERVED), world.published(1)),
        (Some(LeaseState::Bound), leased)
    );
    assert_eq!(expect_reply(&mut world, &bootp(2, 60)).yiaddr(), ip(51));
    world.expect_offer(&discover(2), ip(51));

    world.command(1, Command::Revoke(RESERVED));
    world.settle();
    world.expect_silence(&bootp(1, 60), Counter::Bootp);
    world.ask_all(&selecting(2, ip(51)));
    world.ask_all(&decline(2, ip(51)));
    assert_eq!(world.state(ip(51)), Some(LeaseState::Quarantined));
    world.expect_silence(&bootp(2, 60), Counter::Bootp);

    // The address was leased before it was reserved.
    let mut world = World::with(subnet());
    assert_eq!(world.lease(3), ip(10));
    let mut config = world.config.clone();
    config.networks[0].subnets[0] = Subnet {
        reservations: vec![reservation(key(1), ip(10), None)],
        ..served()
    };
    world.restart_with(config);
    world.settle();
    world.expect_silence(&bootp(1, 60), Counter::Bootp);
}

#[test]
fn c007_replies_go_where_rfc_1542_sends_them() {
    let mut world = World::with(served());
    let relayed = bootp(1, 60).relayed(SERVER);
    let with_address = bootp(1, 60).relayed(SERVER).ciaddr(RESERVED);
    let broadcast = bootp(1, 60).flags(wire::FLAG_BROADCAST);
    for (message, destination, port) in [
        (bootp(1, 60), RESERVED, wire::CLIENT_PORT),
        (broadcast, Ipv4Addr::BROADCAST, wire::CLIENT_PORT),
        (relayed, SERVER, wire::SERVER_PORT),
        (with_address, RESERVED, wire::CLIENT_PORT),
    ] {
        let egress = expect_reply(&mut world, &message).egress;
        assert_eq!(
            (egress.destination, egress.destination_port),
            (destination, port)
        );
    }
    let reply = expect_reply(&mut world, &bootp(1, 60).ciaddr(RESERVED));
    assert_eq!((reply.ciaddr(), reply.yiaddr()), (RESERVED, RESERVED));
}

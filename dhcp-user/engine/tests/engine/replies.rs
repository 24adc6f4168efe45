//! Header, destination and options of replies.

use std::net::Ipv4Addr;

use dhcp_common::wire::{self, FLAG_BROADCAST, MAC_BROADCAST, message_type, option};
use dhcp_config::{Boot, OptionValue, Subnet};
use dhcp_engine::Counter;
use dhcp_testkit::world::*;

const ROUTES: u8 = 121;
const REQUIRED: [u8; 5] = [53, 54, 51, 58, 59];

pub fn codes_after_required(codes: &[u8]) -> Vec<u8> {
    [&REQUIRED[..], codes].concat()
}

pub fn with_options(options: Vec<(u8, Vec<u8>)>) -> World {
    let options = options
        .into_iter()
        .map(|(code, data)| OptionValue { code, data })
        .collect();
    World::with(Subnet {
        options,
        ..subnet()
    })
}

#[test]
fn c031_c106_an_offer_has_what_it_must() {
    let reply = World::new().ask(&discover(1));
    assert_eq!(reply.codes(), codes_after_required(&[1, 3, 6]));
    assert_eq!(reply.option(54), Some(SERVER.octets().to_vec()));
    assert_eq!(reply.option(51), Some(LEASE_SECS.to_be_bytes().to_vec()));
    assert_eq!(
        reply.option(58),
        Some((LEASE_SECS / 2).to_be_bytes().to_vec())
    );
    assert_eq!(
        reply.option(59),
        Some((LEASE_SECS / 8 * 7).to_be_bytes().to_vec())
    );
    assert_eq!(reply.option(1), Some(vec![255, 255, 255, 0]));
}

#[test]
fn c079_c080_c081_c082_c083_c084_m19_the_header_is_table_3() {
    let mut world = World::new();
    let mut message = discover(1).flags(0x8001);
    message.payload[3] = 5;
    message.payload[8..10].copy_from_slice(&[1, 1]);
    message.payload[16..24].copy_from_slice(&[9; 8]);
    message.payload[34..236].fill(0xee);
    let request = message.payload.clone();
    let reply = world.ask(&message).payload;
    let mut expected = request[..44].to_vec();
    expected[0] = wire::BOOTREPLY;
    expected[3] = 0;
    expected[8..10].fill(0);
    expected[10..12].copy_from_slice(&FLAG_BROADCAST.to_be_bytes());
    expected[16..20].copy_from_slice(&ip(10).octets());
    expected[20..24].fill(0);
    assert_eq!(reply[..44], expected);
    assert_eq!(reply[44..236], [0; 192], "nothing of the request leaks");
    assert_eq!(reply[236..240], [99, 130, 83, 99]);
    assert_eq!(reply.len(), 300);
}

#[test]
fn c080_an_ack_keeps_ciaddr_and_an_offer_does_not() {
    let mut world = World::new();
    let offer = world.ask(&discover(1).ciaddr(ip(77)));
    assert_eq!(offer.ciaddr(), Ipv4Addr::UNSPECIFIED);
    world.expect_ack(&selecting(1, ip(10)), ip(10));
    let ack = world.ask(&renewing(1, ip(10)));
    assert_eq!((ack.ciaddr(), ack.yiaddr()), (ip(10), ip(10)));
}

#[test]
fn c085_c086_c087_c088_where_offers_and_acks_go() {
    let cases = [
        (discover(1), ip(10), mac(1), 68),
        (
            discover(1).flags(FLAG_BROADCAST),
            Ipv4Addr::BROADCAST,
            MAC_BROADCAST,
            68,
        ),
        (discover(1).relayed(ip(254)), ip(254), RELAY_MAC, 67),
        (
            discover(1).relayed(ip(254)).flags(FLAG_BROADCAST),
            ip(254),
            RELAY_MAC,
            67,
        ),
    ];
    for (message, destination, destination_mac, port) in cases {
        let mut world = World::new();
        let egress = world.ask(&message).egress;
        assert_eq!(egress.source, SERVER);
        assert_eq!(
            (
                egress.destination,
                egress.destination_mac,
                egress.destination_port
            ),
            (destination, destination_mac, port)
        );
    }
    let mut world = World::new();
    world.lease(1);
    let mut message = rebinding(1, ip(10)).flags(FLAG_BROADCAST);
    message.ingress.source_mac = RELAY_MAC;
    let egress = world.ask(&message).egress;
    assert_eq!(
        (egress.destination, egress.destination_mac),
        (ip(10), RELAY_MAC)
    );
}

#[test]
fn c088_other_hardware_than_ethernet_is_broadcast_to() {
    let mut message = discover(1);
    message.payload[1] = 32;
    let egress = World::new().ask(&message).egress;
    assert_eq!(
        (egress.destination, egress.destination_mac),
        (ip(10), MAC_BROADCAST)
    );
}

#[test]
fn c090_tags_go_back_as_they_came() {
    let mut world = World::new();
    let mut message = discover(1).relayed(SERVER);
    message.ingress.tags = [Some([0x88, 0xa8, 0xe0, 5]), Some([0x81, 0, 0, 6])];
    assert_eq!(world.ask(&message).egress.tags, message.ingress.tags);
}

#[test]
fn c064_c066_c067_a_nak_is_broadcast_and_says_little() {
    let mut world = World::new();
    world.lease(1);
    world.lease(2);
    let message = renewing(1, ip(11)).option(option::CLIENT_ID, &mac(1));
    let message = Message {
        payload: message.payload,
        ..renewing(1, ip(11))
    };
    let nak = world.ask(&message);
    assert_eq!(nak.codes(), [53, 54, 56, 61]);
    assert_eq!(
        (nak.ciaddr(), nak.yiaddr()),
        (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED)
    );
    assert_eq!(nak.egress.destination, Ipv4Addr::BROADCAST);
    assert_eq!(
        (nak.egress.destination_mac, nak.egress.destination_port),
        (MAC_BROADCAST, 68)
    );
}

#[test]
fn c065_c102_a_nak_to_a_relay_agent_sets_the_broadcast_flag_and_echoes_its_option() {
    let mut world = World::new();
    world.lease(1);
    let message = init_reboot(2, ip(10))
        .relayed(ip(254))
        .option(option::RELAY_INFO, &[1, 1, 5]);
    let nak = world.ask(&message);
    assert_eq!(nak.codes(), [53, 54, 56, 82]);
    assert_eq!(nak.payload[10..12], FLAG_BROADCAST.to_be_bytes());
    assert_eq!(
        (nak.egress.destination, nak.egress.destination_port),
        (ip(254), 67)
    );
}

#[test]
fn c077_c078_an_inform_is_answered_to_its_sender_without_a_lease() {
    let mut world = World::new();
    let reply = world.ask(
        &Message::new(1, message_type::INFORM)
            .ciaddr(ip(200))
            .relayed(ip(254)),
    );
    assert_eq!(reply.codes(), [53, 54, 1, 3, 6]);
    assert_eq!(
        (reply.yiaddr(), reply.ciaddr()),
        (Ipv4Addr::UNSPECIFIED, ip(200))
    );
    assert_eq!(
        (reply.egress.destination, reply.egress.destination_port),
        (ip(200), 68)
    );
}

#[test]
fn m18_an_inform_without_ciaddr_goes_to_where_it_came_from() {
    let mut world = World::new();
    let mut message = Message::new(1, message_type::INFORM);
    world.expect_silence(&message, Counter::InformNowhere);
    message.ingress.source = ip(201);
    assert_eq!(world.ask(&message).egress.destination, ip(201));
}

#[test]
fn c018_c019_c102_c103_m26_the_echoes_come_last_and_only_when_sent() {
    let mut world = World::new();
    let message = discover(1)
        .relayed(SERVER)
        .option(option::RELAY_INFO, &[1, 2, 8, 9])
        .option(option::CLIENT_ID, &[0, 7, 7]);
    let reply = world.ask(&message);
    assert_eq!(reply.codes(), codes_after_required(&[1, 3, 6, 61, 82]));
    assert_eq!(reply.option(61), Some(vec![0, 7, 7]));
    assert_eq!(reply.option(82), Some(vec![1, 2, 8, 9]));
    assert!(
        !world
            .ask(&discover(2))
            .codes()
            .iter()
            .any(|code| [61, 82].contains(code))
    );
}

#[test]
fn c093_c094_c095_c096_options_follow_the_list_once_each_and_the_mask_precedes_the_router() {
    let cases: [(&[u8], &[u8]); 6] = [
        (&[6, 3, 1], &[6, 1, 3]),
        (&[1, 3, 6], &[1, 3, 6]),
        (&[6, 6, 1, 6], &[6, 1]),
        (&[3], &[1, 3]),
        (
            &[6, 50, 51, 53, 54, 55, 57, 58, 59, 61, 82, 0, 255, 200],
            &[1, 6],
        ),
        (&[], &[1]),
    ];
    for (list, expected) in cases {
        let mut world = World::new();
        let reply = world.ask(&discover(1).option(option::PARAMETER_LIST, list));
        assert_eq!(reply.codes(), codes_after_required(expected), "{list:?}");
    }
}

#[test]
fn a_host_name_is_sent_to_whom_it_is_reserved_for_when_asked_for() {
    let mut subnet = subnet();
    subnet.reservations = vec![reservation(key(1), ip(12), Some("printer"))];
    let mut world = World::with(subnet);
    let list = [option::HOST_NAME];
    let reply = world.ask(&discover(1).option(option::PARAMETER_LIST, &list));
    assert_eq!(reply.option(option::HOST_NAME), Some(b"printer".to_vec()));
    assert_eq!(world.ask(&discover(1)).option(option::HOST_NAME), None);
    let reply = world.ask(&discover(2).option(option::PARAMETER_LIST, &list));
    assert_eq!(reply.option(option::HOST_NAME), None);
    assert_ne!(
        world.published(1).unwrap().profile,
        world.published(2).unwrap().profile
    );
}

#[test]
fn c098_a_long_value_is_split() {
    let mut world = with_options(vec![(43, (0..=255).chain(0..45).collect())]);
    let message = discover(1).option(option::MAX_MESSAGE_SIZE, &1500u16.to_be_bytes());
    let parts: Vec<_> = world
        .ask(&message)
        .options()
        .into_iter()
        .filter(|(code, _)| *code == 43)
        .collect();
    assert_eq!(
        parts
            .iter()
            .map(|(_, value)| value.len())
            .collect::<Vec<_>>(),
        [255, 46]
    );
    assert_eq!(parts[1].1[0], 255);
}

#[test]
fn c100_classless_routes_replace_router_and_static_routes_where_asked_for_and_sent() {
    let options =
        |routes: usize| vec![(3, vec![1; 4]), (33, vec![2; 8]), (ROUTES, vec![0; routes])];
    let list = |codes: &[u8]| discover(1).option(option::PARAMETER_LIST, codes);
    let codes = |routes, message: Message| with_options(options(routes)).ask(&message).codes();
    assert_eq!(
        codes(5, list(&[1, 3, 33, ROUTES])),
        codes_after_required(&[1, ROUTES])
    );
    assert_eq!(
        codes(5, list(&[1, 3, 33])),
        codes_after_required(&[1, 3, 33])
    );
    assert_eq!(
        codes(5, discover(1)),
        codes_after_required(&[1, 3, 33, ROUTES])
    );
    assert_eq!(
        codes(460, list(&[1, 3, 33, ROUTES])),
        codes_after_required(&[1, 3, 33]),
        "does not fit"
    );
}

#[test]
fn m22_the_older_code_of_routes_is_sent_to_who_lists_it() {
    const MS_ROUTES: u8 = 249;
    let codes = |list: &[u8]| {
        let options = vec![(ROUTES, vec![0; 5]), (MS_ROUTES, vec![0; 5])];
        let message = discover(1).option(option::PARAMETER_LIST, list);
        with_options(options).ask(&message).codes()
    };
    assert_eq!(codes(&[1, ROUTES]), codes_after_required(&[1, ROUTES]));
    assert_eq!(
        codes(&[1, MS_ROUTES]),
        codes_after_required(&[1, MS_ROUTES])
    );
}

#[test]
fn c092_options_that_do_not_fit_are_left_out_and_counted_and_others_are_not() {
    let with_options = |options: Vec<(u8, Vec<u8>)>| {
        let options = options.into_iter();
        // `sname` and `file` are in use, so neither holds options.
        let boot = Boot {
            file: Some("boot".to_owned()),
            server_name: Some("server".to_owned()),
            ..Boot::default()
        };
        World::with(Subnet {
            options: options
                .map(|(code, data)| OptionValue { code, data })
                .collect(),
            boot,
            ..subnet()
        })
    };
    let options = vec![(43, vec![1; 100]), (66, vec![2; 100]), (67, vec![3; 100])];
    let size = |size: u16| discover(1).option(option::MAX_MESSAGE_SIZE, &size.to_be_bytes());
    let cases = [
        (discover(1), &[1u8, 43, 66][..]),
        (size(100), &[1, 43, 66]),
        (
            discover(1).option(option::MAX_MESSAGE_SIZE, &[2]),
            &[1, 43, 66],
        ),
        (size(576), &[1, 43, 66]),
        (size(620), &[1, 43, 66, 67]),
        (size(65535), &[1, 43, 66, 67]),
    ];
    for (message, expected) in cases {
        let reply = with_options(options.clone()).ask(&message);
        assert_eq!(reply.codes(), codes_after_required(expected));
    }
    // 28 octets of headers, 240 fixed, 27 required, 6 mask, 3 * 102, END.
    let exact = 28 + 240 + 27 + 6 + 306 + 1;
    assert_eq!(
        with_options(options.clone())
            .ask(&size(exact))
            .codes()
            .len(),
        9
    );
    assert_eq!(with_options(options).ask(&size(exact - 1)).codes().len(), 8);
}

#[test]
fn c099_what_the_options_field_has_no_room_for_stands_in_file_and_sname() {
    const FILE: std::ops::Range<usize> = 108..236;
    const SNAME: std::ops::Range<usize> = 44..108;
    let field = |octets: &[&[u8]], len| {
        let mut field = octets.concat();
        field.resize(len, 0);
        field
    };
    let value = |code, len: u8| [&[code, len][..], &vec![code; usize::from(len)]].concat();
    // There is room for 307 octets; required options, mask and option 52 take 36.
    let options = vec![
        (43, vec![43; 240]),
        (66, vec![66; 120]),
        (67, vec![67; 60]),
        (15, vec![15; 20]),
    ];
    let reply = with_options(options.clone()).ask(&discover(1));
    assert_eq!(reply.codes(), [53, 54, 51, 58, 59, 52, 1, 43, 15]);
    assert_eq!(reply.option(option::OVERLOAD), Some(vec![3]));
    assert_eq!(
        reply.payload[FILE],
        field(&[&value(66, 120), &[option::END]], 128)
    );
    assert_eq!(
        reply.payload[SNAME],
        field(&[&value(67, 60), &[option::END]], 64)
    );
    let reply = with_options(options[..2].to_vec()).ask(&discover(1));
    assert_eq!(reply.option(option::OVERLOAD), Some(vec![1]));
    assert_eq!(reply.payload[SNAME], [0; 64]);
    let reply = with_options(vec![(43, vec![43; 240]), (66, vec![66; 223])]).ask(&discover(1));
    assert_eq!(reply.option(option::OVERLOAD), None, "66 fits nowhere");
    assert_eq!(reply.payload[SNAME.start..FILE.end], [0; 192]);
    let large = discover(1).option(option::MAX_MESSAGE_SIZE, &1500u16.to_be_bytes());
    let reply = with_options(options).ask(&large);
    assert_eq!(reply.option(option::OVERLOAD), None, "all fits");
}

/// Returns the value of an option that a client joins from the options field, `file` and `sname`
/// (RFC 3396 §5), and the lengths of its parts.
fn joined(reply: &Received, code: u8) -> (Vec<u8>, Vec<usize>) {
    let overload = reply.option(option::OVERLOAD).map_or(0, |value| value[0]);
    let fields = [
        Some(&reply.payload[240..]),
        (overload & 1 != 0).then(|| &reply.payload[108..236]),
        (overload & 2 != 0).then(|| &reply.payload[44..108]),
    ];
    let (mut value, mut lens) = (Vec::new(), Vec::new());
    for mut rest in fields.into_iter().flatten() {
        while let [found @ 1..=254, len, tail @ ..] = rest {
            let (part, tail) = tail.split_at(usize::from(*len));
            if *found == code {
                value.extend_from_slice(part);
                lens.push(part.len());
            }
            rest = tail;
        }
        assert_eq!(rest.first(), Some(&option::END), "the field ends");
    }
    (value, lens)
}

#[test]
fn c092_c098_c099_what_fits_no_field_is_split_over_all_three() {
    let value = |len: usize| -> Vec<u8> { (0..len).map(|octet| octet as u8).collect() };
    // There is room for 307 octets; required options, mask and option 52 take 36.
    for (len, parts) in [
        (265, &[255, 10][..]),
        (269, &[83, 125, 61]),
        (271, &[85, 125, 61]),
        (320, &[134, 125, 61]),
        (441, &[255, 125, 61]),
        (450, &[255, 9, 125, 61]),
        (453, &[255, 12, 125, 61]),
    ] {
        let mut options = vec![(224, value(len))];
        if len <= 450 {
            options.push((15, b"x".to_vec()));
        }
        let mut world = with_options(options);
        let list = [224, 15];
        let reply = world.ask(&discover(1).option(option::PARAMETER_LIST, &list));
        assert_eq!(joined(&reply, 224), (value(len), parts.to_vec()), "{len}");
        assert_eq!(reply.option(15).is_some(), len <= 450, "{len}");
        assert_eq!(world.count(Counter::OptionLeftOut), 0, "{len}");
        assert!(reply.payload.len() <= 548);
    }
    let mut world = with_options(vec![(224, value(454)), (15, b"x".to_vec())]);
    let reply = world.ask(&discover(1));
    assert_eq!(reply.codes(), codes_after_required(&[1, 15]));
    assert_eq!(world.count(Counter::OptionLeftOut), 1);
}

#[test]
fn c092_c117_echoes_do_not_move_the_parts_of_an_option() {
    let value = vec![7; 320];
    let world = || with_options(vec![(224, value.clone())]);
    let mut first = world();
    let plain = first.ask(&discover(1));
    let mut templates = first.kernel.templates.iter();
    let offer = templates.find(|((_, _, kind), _)| *kind == message_type::OFFER);
    let template = offer.expect("the kernel has it").1;
    let image = &template.image[..usize::from(template.len)];
    assert_eq!(plain.payload[44..44 + image.len()], *image);
    // 36 octets, 136 of option 224, and room for 135 of echoes.
    for (id, is_the_kernels) in [(100, true), (133, true), (134, false)] {
        let echoed = discover(2).option(option::CLIENT_ID, &vec![9; id]);
        let reply = world().ask(&echoed);
        let is_same = reply.payload.get(44..44 + image.len()) == Some(image);
        assert_eq!(is_same, is_the_kernels, "{id} octets");
        let expected = if is_the_kernels { &value[..] } else { &[] };
        assert_eq!(joined(&reply, 224).0, expected, "{id} octets");
    }
}

#[test]
fn c099_c103_c117_an_overloaded_answer_is_a_template_and_relay_information_stays_outside() {
    let options = vec![(43, vec![43; 200]), (66, vec![66; 100])];
    let mut world = with_options(options);
    let reply = world.ask(
        &discover(1)
            .relayed(SERVER)
            .option(option::RELAY_INFO, &[1, 2, 8, 9]),
    );
    assert_eq!(reply.codes(), [53, 54, 51, 58, 59, 52, 1, 43, 82]);
    let template = world
        .kernel
        .templates
        .iter()
        .find(|((_, _, kind), _)| *kind == message_type::OFFER)
        .map(|(_, template)| template)
        .expect("the kernel has it");
    let len = usize::from(template.len);
    assert_eq!(template.image[..len], reply.payload[44..44 + len]);
}

#[test]
fn c104_relay_information_that_does_not_fit_is_left_out_and_counted() {
    let mut world = World::new();
    let long = vec![9; 255];
    let message = discover(1)
        .relayed(SERVER)
        .option(option::RELAY_INFO, &long)
        .option(option::CLIENT_ID, &[1; 40]);
    let reply = world.ask(&message);
    assert_eq!(reply.option(option::RELAY_INFO), None);
    assert_eq!(world.count(Counter::RelayInfoLeftOut), 1);
    assert_eq!(reply.option(option::CLIENT_ID), Some(vec![1; 40]));
}

#[test]
fn c107_a_client_gets_the_time_that_it_asks_for_within_the_limits() {
    let mut subnet = subnet();
    subnet.lease.range = Some([LEASE_SECS / 4, LEASE_SECS * 2]);
    let mut world = World::with(subnet);
    let times = |world: &mut World, message: &Message| {
        let reply = world.ask(message);
        [
            option::LEASE_TIME,
            option::RENEWAL_TIME,
            option::REBINDING_TIME,
        ]
        .map(|code| {
            let value = reply.option(code).expect("every lease has times");
            u32::from_be_bytes(value.try_into().expect("four octets"))
        })
    };
    let wish =
        |message: Message, secs: u32| message.option(option::LEASE_TIME, &secs.to_be_bytes());
    let (whole, t2) = (LEASE_SECS, LEASE_SECS / 8 * 7);
    for (asked, expected) in [
        (0, [whole / 4, whole / 8, t2 / 4]),
        (whole / 2, [whole / 2, whole / 4, t2 / 2]),
        (whole, [whole, whole / 2, t2]),
        (u32::MAX, [whole * 2, whole, t2 * 2]),
    ] {
        assert_eq!(
            times(&mut world, &wish(discover(1), asked)),
            expected,
            "{asked}"
        );
    }
    assert_eq!(times(&mut world, &discover(1)), [whole, whole / 2, t2]);

    world.expect_ack(&wish(selecting(1, ip(10)), whole * 2), ip(10));
    let durable = world.published(1).expect("it is leased").durable_until_ns;
    assert_eq!(
        durable,
        world.now.plus_lease(whole * 2 * (1 + HORIZON_LEASES)).0,
        "in leases of the time granted"
    );
}

#[test]
fn c107_c108_endless_leases_have_no_parts() {
    let mut subnet = subnet();
    subnet.lease.range = Some([LEASE_SECS, u32::MAX]);
    let mut world = World::with(subnet);
    let offer = world.ask(&discover(1).option(option::LEASE_TIME, &[255; 4]));
    for code in [
        option::LEASE_TIME,
        option::RENEWAL_TIME,
        option::REBINDING_TIME,
    ] {
        assert_eq!(offer.option(code), Some(vec![255; 4]));
    }
}

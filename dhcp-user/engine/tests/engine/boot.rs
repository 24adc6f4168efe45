//! Boot parameters in header fields and in options.

use std::net::Ipv4Addr;

use dhcp_common::wire::{FILE_LEN, SNAME_LEN, message_type, option};
use dhcp_config::{Boot, Class, Condition, OptionValue, Overrides, Reservation, Subnet};
use dhcp_engine::Command;
use dhcp_testkit::world::*;

const NEXT_SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 69);
const CLASS: u8 = option::VENDOR_CLASS;
const MACHINE: u8 = option::CLIENT_MACHINE_ID;
const FIRMWARE: &[u8] = b"PXEClient:Arch:00007:UNDI:003016";

fn boot(file: &str, server_name: &str) -> Boot {
    Boot {
        next_server: Some(NEXT_SERVER),
        file: Some(file.to_owned()),
        server_name: Some(server_name.to_owned()),
    }
}

fn booting() -> Subnet {
    Subnet {
        boot: boot("grubx64.efi", "boot.example"),
        ..subnet()
    }
}

/// Returns `siaddr`, and the text of `sname` and `file` up to the first zero.
fn fields(reply: &Received) -> (Ipv4Addr, String, String) {
    let text = |field: &[u8]| {
        let len = field.iter().position(|octet| *octet == 0).expect("a zero");
        assert!(field[len..].iter().all(|octet| *octet == 0), "zeros follow");
        String::from_utf8(field[..len].to_vec()).expect("text")
    };
    let siaddr: [u8; 4] = reply.payload[20..24].try_into().expect("four octets");
    let (sname, file) = reply.payload[44..236].split_at(SNAME_LEN);
    assert_eq!(file.len(), FILE_LEN);
    (siaddr.into(), text(sname), text(file))
}

fn expected(sname: &str, file: &str) -> (Ipv4Addr, String, String) {
    (NEXT_SERVER, sname.to_owned(), file.to_owned())
}

#[test]
fn c082_offers_acks_and_answers_to_inform_say_what_to_boot_from() {
    let mut world = World::with(booting());
    let offer = world.ask(&discover(1));
    assert_eq!(fields(&offer), expected("boot.example", "grubx64.efi"));
    assert_eq!(offer.option(67), None, "not asked for");
    let ack = world.ask(&selecting(1, offer.yiaddr()));
    assert_eq!(fields(&ack), expected("boot.example", "grubx64.efi"));
    let inform = Message::new(2, message_type::INFORM).ciaddr(ip(200));
    assert_eq!(
        fields(&world.ask(&inform)),
        expected("boot.example", "grubx64.efi")
    );
}

#[test]
fn c066_a_nak_says_nothing_to_boot_from() {
    let mut world = World::with(booting());
    world.lease(1);
    let nowhere = (Ipv4Addr::UNSPECIFIED, String::new(), String::new());
    let nak = world.ask(&init_reboot(2, ip(10)));
    assert_eq!(nak.message_type(), message_type::NAK);
    assert_eq!(fields(&nak), nowhere);
    world.command(1, Command::Revoke(ip(10)));
    let nak = world.ask(&renewing(1, ip(10)));
    assert_eq!(fields(&nak), nowhere);
    let template = world
        .kernel
        .templates
        .iter()
        .find(|((_, _, reply), _)| *reply == message_type::NAK)
        .map(|(_, template)| template)
        .expect("the kernel has the NAK");
    assert!(template.siaddr.is_zero());
    assert_eq!(template.image[..192], [0; 192]);
}

#[test]
fn the_boot_file_and_the_servers_name_are_options_where_asked_for() {
    let mut world = World::with(booting());
    let message = discover(1).option(option::PARAMETER_LIST, &[67, 66]);
    let reply = world.ask(&message);
    assert_eq!(reply.option(66), Some(b"boot.example".to_vec()));
    assert_eq!(reply.option(67), Some(b"grubx64.efi".to_vec()));
    assert_eq!(fields(&reply), expected("boot.example", "grubx64.efi"));

    let mut subnet = booting();
    subnet.options.push(OptionValue {
        code: 67,
        data: b"other".to_vec(),
    });
    let reply = World::with(subnet).ask(&message);
    assert_eq!(reply.option(67), Some(b"other".to_vec()), "said for it");
}

#[test]
fn what_a_field_has_no_room_for_is_an_option_for_everybody() {
    let (longest_file, longest_name) = ("f".repeat(127), "n".repeat(63));
    let with = |file: &str, name: &str| {
        let subnet = Subnet {
            boot: boot(file, name),
            ..subnet()
        };
        World::with(subnet).ask(&discover(1).option(option::PARAMETER_LIST, &[1]))
    };
    let reply = with(&longest_file, &longest_name);
    assert_eq!(fields(&reply), expected(&longest_name, &longest_file));
    assert_eq!((reply.option(66), reply.option(67)), (None, None));
    let (file, name) = ("f".repeat(128), "n".repeat(64));
    let reply = with(&file, &name);
    assert_eq!(fields(&reply), expected("", ""));
    assert_eq!(reply.option(66), Some(name.into_bytes()));
    assert_eq!(reply.option(67), Some(file.into_bytes()));
}

#[test]
fn a_reservation_boots_from_its_own_file() {
    let mut subnet = booting();
    let mut own = Reservation::clone(&reservation(key(1), ip(12), None));
    own.overrides.boot.file = Some("own.efi".to_owned());
    subnet.reservations = vec![own.into()];
    let mut world = World::with(subnet);
    assert_eq!(
        fields(&world.ask(&discover(1))),
        expected("boot.example", "own.efi")
    );
    assert_eq!(
        fields(&world.ask(&discover(2))),
        expected("boot.example", "grubx64.efi")
    );
    assert_ne!(
        world.published(1).expect("an offer").profile,
        world.published(2).expect("an offer").profile
    );
}

#[test]
fn c101_the_boot_file_is_chosen_by_architecture_but_a_reservations_stays() {
    let mut subnet = booting();
    let mut own = Reservation::clone(&reservation(key(1), ip(12), None));
    own.overrides.boot.file = Some("own.efi".to_owned());
    subnet.reservations = vec![own.into()];
    let mut config = config(vec![(NETWORK, subnet)]);
    config.classes = vec![Class {
        name: "bios".into(),
        when: Condition::Architecture(vec![0]),
        refuse: false,
        overrides: Overrides {
            boot: Boot {
                file: Some("pxelinux.0".to_owned()),
                ..Boot::default()
            },
            ..Overrides::default()
        },
    }];
    let mut world = World::with_config(config, 100);
    let bios = |client| discover(client).option(option::ARCHITECTURE, &[0, 0]);
    let uefi = |client| discover(client).option(option::ARCHITECTURE, &[0, 7]);
    assert_eq!(
        fields(&world.ask(&bios(2))),
        expected("boot.example", "pxelinux.0")
    );
    assert_eq!(
        fields(&world.ask(&uefi(2))),
        expected("boot.example", "grubx64.efi")
    );
    assert_eq!(
        fields(&world.ask(&bios(1))),
        expected("boot.example", "own.efi")
    );
}

#[test]
fn c101_pxe_firmware_gets_its_class_back_with_option_43_only_and_http_firmware_in_any_case() {
    const HTTP: &[u8] = b"HTTPClient:Arch:00016:UNDI:003001";
    let with = |code: u8, data: &[u8]| {
        let mut subnet = booting();
        let data = data.to_vec();
        subnet.options.push(OptionValue { code, data });
        subnet
    };
    let class = |subnet: &Subnet, class: &[u8], list: &[u8]| {
        let message = discover(1)
            .option(CLASS, class)
            .option(option::PARAMETER_LIST, list);
        World::with(subnet.clone()).ask(&message).option(CLASS)
    };
    let (pxe, http): (Option<&[u8]>, Option<&[u8]>) = (Some(b"PXEClient"), Some(b"HTTPClient"));
    let menu = with(option::VENDOR_OPTIONS, &[6, 1, 8]);
    type Case<'a> = (&'a Subnet, &'a [u8], &'a [u8], Option<&'a [u8]>);
    let cases: [Case<'_>; 10] = [
        (&booting(), FIRMWARE, &[1, 43, CLASS], None),
        (&menu, FIRMWARE, &[1, 43, CLASS], pxe),
        (&menu, FIRMWARE, &[1, 43], pxe),
        (&menu, FIRMWARE, &[1, CLASS], None),
        (&booting(), HTTP, &[1, 3], http),
        (&booting(), b"MSFT 5.0", &[1, CLASS], None),
        (&menu, b"aPXEClient", &[43, CLASS], None),
        (&subnet(), HTTP, &[1, CLASS], None),
        // The configuration says what is sent, or that nothing is.
        (
            &with(CLASS, b"PXEClient:x"),
            FIRMWARE,
            &[1, 3],
            Some(b"PXEClient:x"),
        ),
        (&with(CLASS, b""), HTTP, &[1, CLASS], None),
    ];
    for (case, (subnet, sent, list, expected)) in cases.into_iter().enumerate() {
        assert_eq!(
            class(subnet, sent, list).as_deref(),
            expected,
            "case {case}"
        );
    }

    let mut world = World::with(menu);
    let reply = world.ask(&discover(1).option(CLASS, FIRMWARE));
    let codes = reply.codes();
    assert_eq!(codes, [53, 54, 51, 58, 59, CLASS, 1, 3, 6, 43], "once");
}

#[test]
fn c101_pxe_firmware_gets_no_class_where_option_43_has_no_room() {
    let mut subnet = booting();
    let data = vec![1; 268];
    subnet.options = vec![OptionValue {
        code: option::VENDOR_OPTIONS,
        data,
    }];
    let message = discover(1).option(CLASS, FIRMWARE);
    // Without the class there is room for it.
    let codes = World::with(subnet.clone()).ask(&message).codes();
    assert_eq!(codes, [53, 54, 51, 58, 59, 1, 43, 43]);
    subnet.options[0].data = vec![1; 600];
    let codes = World::with(subnet).ask(&message).codes();
    assert_eq!(codes, [53, 54, 51, 58, 59, 1]);
}

#[test]
fn c101_the_machines_id_is_returned_by_the_controller_and_never_in_a_nak() {
    let id = [&[0][..], &[7; 16]].concat();
    let mut world = World::with(booting());
    let reply = world.ask(&discover(1).option(MACHINE, &id));
    assert_eq!(reply.option(MACHINE), Some(id.clone()));
    assert_eq!(world.kernel.templates.len(), 0, "one machine's answer");
    world.expect_ack(&selecting(1, ip(10)).option(MACHINE, &id), ip(10));
    assert_eq!(world.kernel.templates.len(), 0);
    assert_eq!(world.ask(&discover(2)).option(MACHINE), None);
    assert_eq!(world.kernel.templates.len(), 2);
    let nak = world.ask(&init_reboot(3, ip(10)).option(MACHINE, &id));
    assert_eq!(nak.message_type(), message_type::NAK);
    assert_eq!(nak.option(MACHINE), None);
}

#[test]
fn c117_templates_carry_what_to_boot_from() {
    let mut world = World::with(booting());
    let offer = world.ask(&discover(1).option(CLASS, FIRMWARE));
    assert_eq!(world.kernel.templates.len(), 2, "OFFER and ACK");
    for ((_, _, reply), template) in &world.kernel.templates {
        assert_eq!(template.siaddr, NEXT_SERVER.into());
        let mut expected = offer.payload[44..].to_vec();
        expected[198] = *reply;
        assert_eq!(template.image[..expected.len()], expected);
    }
}

#[test]
fn what_to_boot_from_is_part_of_the_profile() {
    let profile = |boot: Boot| {
        let mut world = World::with(Subnet { boot, ..subnet() });
        world.lease(1);
        world.published(1).expect("a lease").profile
    };
    let all = [
        Boot::default(),
        boot("a", "b"),
        boot("ab", ""),
        boot("", "ab"),
        Boot {
            next_server: None,
            ..boot("a", "b")
        },
        Boot {
            file: None,
            ..boot("a", "b")
        },
        Boot {
            server_name: None,
            ..boot("a", "b")
        },
    ];
    let mut profiles: Vec<_> = all.into_iter().map(profile).collect();
    profiles.sort_unstable();
    profiles.dedup();
    assert_eq!(profiles.len(), 7);
}

#[test]
fn m22_an_option_is_only_for_those_who_list_it() {
    let routes = vec![0, 10, 0, 0, 1];
    let options = vec![(121, routes.clone())];
    let ask = |list: Option<&[u8]>| {
        let mut message = discover(1);
        if let Some(list) = list {
            message = message.option(option::PARAMETER_LIST, list);
        }
        crate::replies::with_options(options.clone()).ask(&message)
    };
    assert_eq!(ask(None).option(249), None);
    assert_eq!(ask(Some(&[249])).option(249), Some(routes.clone()));
    let both = ask(Some(&[249, 121]));
    assert_eq!((both.option(249), both.option(121)), (None, Some(routes)));
}

//! A link where another server gives the addresses: only what to boot, and only to firmware.

use std::net::Ipv4Addr;

use dhcp_common::wire::{self, message_type, option, pxe_suboption};
use dhcp_config::{Boot, Class, Condition, Config, OptionValue, Overrides};
use dhcp_engine::{Counter, Egress};
use dhcp_testkit::world::*;

const PXE: &[u8] = b"PXEClient:Arch:00007:UNDI:003016";
const HTTP: &[u8] = b"HTTPClient:Arch:00016:UNDI:003001";
const AT_ONCE: [u8; 4] = [6, 1, 8, 255];
const VENDOR: u8 = option::VENDOR_OPTIONS;
const MACHINE: [u8; 17] = [7; 17];
/// An address that the other server gave to client 1.
const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 50);
const ITEM: u16 = 0x8001;

fn on_link(message: Message) -> Message {
    message.tagged(PROXY_VLAN)
}

fn firmware(message: Message, class: &[u8]) -> Message {
    on_link(message)
        .option(option::VENDOR_CLASS, class)
        .option(option::ARCHITECTURE, &[0, 7])
        .option(option::CLIENT_MACHINE_ID, &MACHINE)
}

/// Returns a request to the port of boot servers at our address.
fn to_boot_server(kind: u8, source_port: u16) -> Message {
    let mut message = firmware(Message::new(1, kind).ciaddr(CLIENT), PXE);
    message.ingress.destination = PROXY_SERVER;
    message.ingress.destination_port = wire::BOOT_SERVER_PORT;
    message.ingress.source_port = source_port;
    message
}

fn item(kind: u16) -> Vec<u8> {
    let [high, low] = kind.to_be_bytes();
    vec![pxe_suboption::BOOT_ITEM, 4, high, low, 0x80, 2, 255]
}

/// Returns a class of all clients that changes these options and this file.
fn class(when: Condition, options: &[(u8, &[u8])], file: Option<&str>) -> Class {
    let values = options.iter().map(|(code, data)| OptionValue {
        code: *code,
        data: data.to_vec(),
    });
    Class {
        name: "class".into(),
        when,
        refuse: false,
        overrides: Overrides {
            options: values.collect(),
            boot: Boot {
                file: file.map(str::to_owned),
                ..Boot::default()
            },
            ..Overrides::default()
        },
    }
}

fn with_classes(classes: Vec<Class>) -> World {
    let config = Config {
        classes,
        ..config(vec![(NETWORK, subnet())])
    };
    World::with_config(config, 100)
}

fn for_all(options: &[(u8, &[u8])]) -> World {
    with_classes(vec![class(Condition::All(Vec::new()), options, None)])
}

fn siaddr(reply: &Received) -> Ipv4Addr {
    let octets: [u8; 4] = reply.payload[20..24].try_into().expect("four octets");
    octets.into()
}

fn file(reply: &Received) -> String {
    let field = &reply.payload[108..236];
    let len = field.iter().position(|octet| *octet == 0).expect("a zero");
    String::from_utf8(field[..len].to_vec()).expect("text")
}

/// Asserts that the engine keeps nothing: no lease, no commit, no entry and no template.
fn expect_nothing_kept(world: &mut World) {
    assert_eq!(world.leases.iter().count(), 0);
    assert!(world.store.is_empty() && world.commits.is_empty());
    assert!(world.kernel.leases.is_empty() && world.kernel.templates.is_empty());
    let effects = world.take_effects();
    assert!(
        effects.iter().all(|effect| *effect == "send"),
        "{effects:?}"
    );
}

#[test]
fn c101_firmware_is_offered_a_boot_file_and_no_address() {
    let mut world = World::new();
    let message =
        firmware(discover(1), PXE).option(option::PARAMETER_LIST, &[1, 3, 6, 43, 60, 66, 67]);
    let offer = world.ask(&message);
    assert_eq!(offer.yiaddr(), Ipv4Addr::UNSPECIFIED);
    assert_eq!(
        siaddr(&offer),
        PROXY_SERVER,
        "unless another one is configured"
    );
    assert_eq!(file(&offer), PROXY_FILE);
    assert_eq!(
        offer.options(),
        [
            (option::MESSAGE_TYPE, vec![message_type::OFFER]),
            (option::SERVER_ID, PROXY_SERVER.octets().to_vec()),
            (option::VENDOR_CLASS, b"PXEClient".to_vec()),
            (option::CLIENT_MACHINE_ID, MACHINE.to_vec()),
            (VENDOR, AT_ONCE.to_vec()),
            (option::BOOTFILE_NAME, PROXY_FILE.into()),
        ],
        "neither times nor mask, router and name servers"
    );
    assert_eq!(
        offer.egress,
        Egress {
            ifindex: IFINDEX,
            tags: message.ingress.tags,
            destination_mac: wire::MAC_BROADCAST,
            source: PROXY_SERVER,
            source_port: wire::SERVER_PORT,
            destination: Ipv4Addr::BROADCAST,
            destination_port: wire::CLIENT_PORT,
        }
    );
    assert_eq!(world.count(Counter::BootOffered), 1);
    expect_nothing_kept(&mut world);
}

#[test]
fn c101_http_firmware_is_offered_its_url_in_an_option() {
    let offer = World::new().ask(&firmware(discover(1), HTTP).option(option::PARAMETER_LIST, &[1]));
    assert_eq!(
        offer.option(option::VENDOR_CLASS),
        Some(b"HTTPClient".to_vec())
    );
    assert_eq!(offer.option(option::BOOTFILE_NAME), Some(PROXY_FILE.into()));
    assert_eq!(offer.option(VENDOR), None, "its meaning is PXE's");
    let request = firmware(Message::new(1, message_type::REQUEST), HTTP);
    World::new().expect_silence(&request, Counter::NotForBootServer);
}

#[test]
fn c101_a_boot_server_answers_at_the_address_and_port_that_asked() {
    for kind in [
        message_type::DISCOVER,
        message_type::REQUEST,
        message_type::INFORM,
    ] {
        for port in [wire::CLIENT_PORT, wire::BOOT_SERVER_PORT] {
            let mut world = World::new();
            let ack = world.ask(&to_boot_server(kind, port));
            assert_eq!(ack.message_type(), message_type::ACK);
            assert_eq!(
                (ack.ciaddr(), ack.yiaddr()),
                (CLIENT, Ipv4Addr::UNSPECIFIED)
            );
            assert_eq!(file(&ack), PROXY_FILE);
            assert_eq!(ack.option(VENDOR), Some(AT_ONCE.to_vec()));
            assert_eq!(ack.option(option::LEASE_TIME), None);
            let egress = ack.egress;
            assert_eq!((egress.source, egress.source_port), (PROXY_SERVER, 4011));
            assert_eq!(
                (egress.destination, egress.destination_port),
                (CLIENT, port)
            );
            assert_eq!(egress.destination_mac, mac(1));
            assert_eq!(world.count(Counter::BootAcked), 1);
            expect_nothing_kept(&mut world);
        }
    }
    // It is not said where the client is.
    let mut nowhere = to_boot_server(message_type::REQUEST, 0);
    nowhere.payload[12..16].fill(0);
    nowhere.ingress.source = Ipv4Addr::UNSPECIFIED;
    let egress = World::new().ask(&nowhere).egress;
    assert_eq!(
        (egress.destination, egress.destination_port),
        (Ipv4Addr::BROADCAST, wire::CLIENT_PORT)
    );
}

#[test]
fn c101_the_item_that_is_asked_for_is_returned_and_chooses_the_file() {
    let items = Condition::BootItem(vec![ITEM]);
    let mut world = with_classes(vec![class(items, &[], Some("install.efi"))]);
    let ask = |kind| to_boot_server(message_type::REQUEST, 68).option(VENDOR, &item(kind));
    let ack = world.ask(&ask(ITEM));
    assert_eq!(ack.option(VENDOR), Some(item(ITEM)));
    assert_eq!(file(&ack), "install.efi");
    assert_eq!(file(&world.ask(&ask(ITEM + 1))), PROXY_FILE);
    assert_eq!(file(&world.ask(&firmware(discover(1), PXE))), PROXY_FILE);
    // The sub-option has another meaning for other vendors.
    let other = on_link(discover(1))
        .option(option::VENDOR_CLASS, b"Other")
        .option(VENDOR, &item(ITEM));
    world.expect_silence(&other, Counter::NotFirmware);
}

#[test]
fn c101_of_those_that_hear_a_broadcast_the_ones_answer_that_have_the_item() {
    let menu = |servers: &[u8]| {
        let mut menu = vec![pxe_suboption::BOOT_MENU, 8, 0x80, 1, 5];
        menu.extend(b"Setup");
        menu.extend(servers);
        menu.push(255);
        menu
    };
    let ours = PROXY_SERVER.octets();
    let listed = |address: [u8; 4]| [&[8, 7, 0x80, 1, 1][..], &address].concat();
    let broadcast = |kind| {
        let message = Message::new(1, message_type::REQUEST).ciaddr(CLIENT);
        firmware(message, PXE).option(VENDOR, &item(kind))
    };
    for (servers, kind, answers) in [
        (Vec::new(), ITEM, true),
        (Vec::new(), ITEM + 1, false),
        (listed(ours), ITEM, true),
        (listed([192, 0, 2, 7]), ITEM, false),
    ] {
        let mut world = for_all(&[(VENDOR, &menu(&servers))]);
        let message = broadcast(kind);
        if answers {
            let ack = world.ask(&message);
            assert_eq!(ack.option(VENDOR), Some(item(kind)));
            assert_eq!(ack.egress.source_port, wire::SERVER_PORT);
            assert_eq!(ack.egress.destination, CLIENT);
        } else {
            world.expect_silence(&message, Counter::NotForBootServer);
        }
        let alone = to_boot_server(message_type::REQUEST, 68).option(VENDOR, &item(kind));
        assert_eq!(
            world.ask(&alone).option(VENDOR),
            Some(item(kind)),
            "asked alone"
        );
    }
}

#[test]
fn c101_a_menu_is_offered_instead_of_booting_at_once() {
    let menu = [
        9, 9, 0x80, 1, 2, b'O', b'S', 0, 0, 1, b'D', 10, 3, 5, b'F', b'8', 255,
    ];
    let servers = [6, 1, 7, 8, 7, 0x80, 1, 1, 198, 51, 100, 1];
    let mut world = for_all(&[(VENDOR, &menu), (6, &[192, 0, 2, 53]), (210, b"/boot/")]);
    let offer = world.ask(&firmware(discover(1), PXE));
    let expected = [&servers[..], &menu].concat();
    assert_eq!(
        offer.option(VENDOR),
        Some(expected),
        "this server has its items"
    );
    for said in [&[6, 1, 0][..], &[8, 7, 0x80, 1, 1, 192, 0, 2, 7]] {
        let configured = [said, &menu].concat();
        let offer = for_all(&[(VENDOR, &configured)]).ask(&firmware(discover(1), PXE));
        assert_eq!(offer.option(VENDOR), Some(configured), "as configured");
    }
    let only_disk = [9, 4, 0, 0, 1, b'D', 255];
    let disk = for_all(&[(VENDOR, &only_disk)]).ask(&firmware(discover(1), PXE));
    assert_eq!(disk.option(VENDOR), Some(only_disk.to_vec()));
    assert_eq!(offer.option(6), None, "belongs to the address");
    assert_eq!(offer.option(210), Some(b"/boot/".to_vec()));
    let listing = firmware(discover(1), PXE).option(option::PARAMETER_LIST, &[1, 210, 210]);
    assert_eq!(world.ask(&listing).codes(), [53, 54, 60, 97, 43, 210]);
}

#[test]
fn c101_all_others_get_no_answer_and_are_counted() {
    let mut world = World::new();
    world.expect_silence(&on_link(discover(1)), Counter::NotFirmware);
    world.expect_silence(
        &on_link(renewing(1, ip(10))).ciaddr(CLIENT),
        Counter::NotFirmware,
    );
    let bootp = Message {
        payload: {
            let mut payload = on_link(discover(1)).payload;
            payload.truncate(wire::BOOTP_FIXED_LEN);
            payload
        },
        ..on_link(discover(1))
    };
    world.expect_silence(&bootp, Counter::NotFirmware);
    for message in [
        selecting(1, CLIENT),
        selecting_other(1),
        init_reboot(1, CLIENT),
        rebinding(1, CLIENT),
        Message::new(1, message_type::RELEASE).ciaddr(CLIENT),
        Message::new(1, message_type::DECLINE).requested(CLIENT),
        Message::new(1, message_type::INFORM).ciaddr(CLIENT),
    ] {
        world.expect_silence(&firmware(message, PXE), Counter::NotForBootServer);
    }
    let release = to_boot_server(message_type::RELEASE, 68);
    world.expect_silence(&release, Counter::NotForBootServer);
    let mut elsewhere = firmware(discover(1), PXE).tagged(0);
    elsewhere.ingress.tags = [None; 2];
    elsewhere.ingress.destination_port = wire::BOOT_SERVER_PORT;
    world.expect_silence(&elsewhere, Counter::UnknownNetwork);
    expect_nothing_kept(&mut world);

    let mut refused = class(Condition::All(Vec::new()), &[], None);
    refused.refuse = true;
    with_classes(vec![refused]).expect_silence(&firmware(discover(1), PXE), Counter::ClassRefused);
}

#[test]
fn c101_relay_agents_of_networks_that_are_not_served_get_the_boot_file_only() {
    let mut world = World::new();
    let giaddr = Ipv4Addr::new(203, 0, 113, 1);
    let relayed = |message: Message| firmware(message, PXE).relayed(giaddr);
    let offer = world.ask(&relayed(discover(1)).option(option::RELAY_INFO, &[1, 1, 7]));
    assert_eq!(offer.yiaddr(), Ipv4Addr::UNSPECIFIED);
    assert_eq!(file(&offer), PROXY_FILE);
    assert_eq!(offer.codes().last(), Some(&option::RELAY_INFO));
    let egress = offer.egress;
    assert_eq!((egress.destination, egress.destination_port), (giaddr, 67));
    assert_eq!(egress.destination_mac, RELAY_MAC);
    world.expect_silence(&relayed(selecting(1, CLIENT)), Counter::NotForBootServer);
    world.expect_silence(&on_link(discover(1)).relayed(giaddr), Counter::NotFirmware);
    // A network that is served is served by this way too.
    let served = firmware(discover(1), PXE).relayed(ip(254));
    world.expect_offer(&served, ip(10));
}

#[test]
fn c101_option_82_is_left_out_where_the_boot_file_would_not_fit() {
    let mut world = for_all(&[(VENDOR, &[0x2b; 200])]);
    let giaddr = Ipv4Addr::new(203, 0, 113, 1);
    let long = firmware(discover(1), PXE)
        .relayed(giaddr)
        .option(option::RELAY_INFO, &[&[1, 250][..], &[7; 250]].concat());
    let offer = world.ask(&long);
    assert!(offer.payload.len() <= 548);
    assert_eq!(
        offer.option(option::VENDOR_CLASS),
        Some(b"PXEClient".to_vec())
    );
    let has_all = offer.option(option::RELAY_INFO).is_some();
    assert_eq!(world.count(Counter::RelayInfoLeftOut), u64::from(!has_all));
}

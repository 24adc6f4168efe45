//! Effects of a client's classes: its options and times, its pool, and whether it is served.

use dhcp_common::{abi::BindingState, wire::option};
use dhcp_config::{Class, Condition, Field, OptionValue, Overrides, Pattern, Pool};
use dhcp_engine::Counter;
use dhcp_model::LeaseTimes;
use dhcp_testkit::world::*;

const PHONE: &[u8] = b"Phone 7";
const DOMAIN_NAME: u8 = 15;

fn vendor(text: &str) -> Condition {
    let (octets, is_prefix) = match text.strip_suffix('*') {
        Some(prefix) => (prefix, true),
        None => (text, false),
    };
    let octets = octets.as_bytes().to_vec();
    Condition::Is(Field::VendorClass, vec![Pattern { octets, is_prefix }])
}

fn class(when: Condition) -> Class {
    Class {
        name: "test".into(),
        when,
        refuse: false,
        overrides: Overrides::default(),
    }
}

fn domain(name: &str) -> OptionValue {
    OptionValue {
        code: DOMAIN_NAME,
        data: name.into(),
    }
}

fn options(options: &[OptionValue]) -> Overrides {
    Overrides {
        options: options.to_vec(),
        ..Overrides::default()
    }
}

/// Returns a world with one subnet. Its first address is in a pool for the first class only.
pub fn world(classes: Vec<Class>) -> World {
    let mut subnet = subnet();
    subnet.pools = vec![
        Pool {
            classes: 1,
            ..Pool::new(ip(10), ip(10))
        },
        Pool::new(ip(11), ip(12)),
    ];
    let mut config = config(vec![(NETWORK, subnet)]);
    config.classes = classes;
    World::with_config(config, 100)
}

fn phone(message: Message) -> Message {
    message.option(option::VENDOR_CLASS, PHONE)
}

#[test]
fn m23_a_class_gives_its_options_and_times_and_the_later_one_wins() {
    let lease = LeaseTimes {
        lease_secs: 120,
        renewal_secs: 60,
        rebinding_secs: 100,
        horizon_leases: 9,
        range: None,
    };
    let mut world = world(vec![
        Class {
            overrides: Overrides {
                lease: Some(lease),
                ..options(&[
                    domain("phones"),
                    OptionValue {
                        code: 6,
                        data: vec![9; 4],
                    },
                ])
            },
            ..class(vendor("Phone*"))
        },
        Class {
            overrides: options(&[domain("seven")]),
            ..class(vendor("Phone 7"))
        },
    ]);
    let offer = world.ask(&phone(discover(1)));
    assert_eq!(offer.option(DOMAIN_NAME), Some(b"seven".to_vec()));
    assert_eq!(offer.option(6), Some(vec![9; 4]));
    assert_eq!(offer.option(option::ROUTER), Some(ip(1).octets().to_vec()));
    let ack = world.ask(&phone(selecting(1, offer.yiaddr())));
    assert_eq!(ack.option(option::LEASE_TIME), Some(vec![0, 0, 0, 120]));
    let durable = world.published(1).expect("it is leased").durable_until_ns;
    let horizon = world.now.plus_lease(120 * (1 + HORIZON_LEASES));
    assert_eq!(durable, horizon.0, "in leases of the class");

    let other = world.ask(&discover(2));
    assert_eq!(other.option(DOMAIN_NAME), None);
    assert_eq!(
        other.option(option::LEASE_TIME),
        Some(LEASE_SECS.to_be_bytes().to_vec())
    );
}

#[test]
fn m23_vendor_options_are_those_of_the_very_vendor_class() {
    const VENDOR_OPTIONS: u8 = 43;
    let mut world = world(vec![Class {
        overrides: options(&[OptionValue {
            code: VENDOR_OPTIONS,
            data: vec![1, 1, 7],
        }]),
        ..class(vendor("Phone 7"))
    }]);
    for (name, expected) in [
        (&b"Phone 7"[..], Some(vec![1, 1, 7])),
        (b"Phone 77", None),
        (b"Phone", None),
        (b"phone 7", None),
    ] {
        let offer = world.ask(&discover(1).option(option::VENDOR_CLASS, name));
        assert_eq!(offer.option(VENDOR_OPTIONS), expected, "{name:?}");
    }
}

/// Returns the data of one enterprise in option 124 or 125 (RFC 3925 §3, §4).
fn of_enterprise(number: u32, data: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &[data.len() as u8], data].concat()
}

#[test]
fn m23_vendor_options_may_be_those_of_an_enterprises_class() {
    const VI_VENDOR_OPTIONS: u8 = 125;
    let modem = |text: &str| {
        let (octets, is_prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix.into(), true),
            None => (text.into(), false),
        };
        Condition::Enterprise(4491, vec![Pattern { octets, is_prefix }])
    };
    let given = of_enterprise(4491, &[2, 1, 7]);
    let mut world = world(vec![Class {
        overrides: options(&[OptionValue {
            code: VI_VENDOR_OPTIONS,
            data: given.clone(),
        }]),
        ..class(Condition::Any(vec![modem("docsis3*"), modem("eMTA")]))
    }]);
    let several = [of_enterprise(9, b""), of_enterprise(4491, b"eMTA")].concat();
    let second = [of_enterprise(4491, b"x"), of_enterprise(4491, b"docsis3")].concat();
    let cut = of_enterprise(4491, b"docsis3.1");
    for (sent, is_member) in [
        (of_enterprise(4491, b"docsis3.1"), true),
        (several, true),
        (second, true),
        (of_enterprise(4491, b"docsis2"), false),
        (of_enterprise(4491, b"eMTA2"), false),
        (of_enterprise(4492, b"docsis3.1"), false),
        (b"docsis3.1".to_vec(), false),
        (cut[..cut.len() - 1].to_vec(), false),
        (vec![], false),
    ] {
        let offer = world.ask(&discover(1).option(option::VI_VENDOR_CLASS, &sent));
        let expected = is_member.then(|| given.clone());
        assert_eq!(offer.option(VI_VENDOR_OPTIONS), expected, "{sent:?}");
    }
    assert_eq!(world.ask(&discover(1)).option(VI_VENDOR_OPTIONS), None);
}

#[test]
fn m23_the_kernel_gets_an_answer_for_each_class() {
    let mut world = world(vec![Class {
        overrides: options(&[domain("phones")]),
        ..class(vendor("Phone*"))
    }]);
    world.lease(1);
    let before = world.kernel.templates.len();
    world.ask_all(&phone(renewing(1, ip(11))));
    let of_phones: Vec<_> = world
        .kernel
        .templates
        .values()
        .filter(|template| template.image.windows(6).any(|octets| octets == b"phones"))
        .collect();
    assert_eq!(world.kernel.templates.len(), before + 2, "OFFER and ACK");
    assert_eq!(of_phones.len(), 2);
}

#[test]
fn a_pool_of_a_class_is_for_its_members_and_their_first_choice() {
    let mut world = world(vec![class(vendor("Phone*"))]);
    world.expect_offer(&discover(1).requested(ip(10)), ip(11));
    world.expect_offer(&discover(2), ip(12));
    world.expect_silence(&discover(3), Counter::PoolEmpty);
    world.expect_offer(&phone(discover(4)), ip(10));
    world.expect_ack(&phone(selecting(4, ip(10))), ip(10));
    world.expect_silence(&phone(discover(5)), Counter::PoolEmpty);
}

#[test]
fn a_client_that_has_left_the_class_of_its_pool_must_start_again_on_both_paths() {
    let mut world = world(vec![class(vendor("Phone*"))]);
    world.ask_all(&phone(discover(1)));
    world.expect_ack(&phone(selecting(1, ip(10))), ip(10));
    let in_pool = world.published(1).expect("it is leased").profile;
    world.lease(2);
    let outside = world.published(2).expect("it is leased").profile;
    assert_ne!(
        in_pool, outside,
        "or the kernel would go on with the answer of the others"
    );
    world.expect_nak(&renewing(1, ip(10)));
    world.expect_offer(&discover(1), ip(12));
}

#[test]
fn a_refused_class_gets_no_answer_but_may_give_back_what_it_has() {
    let mut world = world(vec![Class {
        refuse: true,
        ..class(vendor("Phone*"))
    }]);
    world.lease(1);
    for message in [
        discover(1),
        renewing(1, ip(11)),
        selecting(1, ip(11)),
        discover(2),
    ] {
        let templates = world.kernel.templates.len();
        world.expect_silence(&phone(message), Counter::ClassRefused);
        assert_eq!(
            world.kernel.templates.len(),
            templates,
            "for the kernel neither"
        );
    }
    world.ask_all(&phone(release(1, ip(11))));
    assert_eq!(world.published(1), None);
}

#[test]
fn conditions_are_told_by_all_any_not_and_earlier_classes() {
    let user = |text: &[u8]| {
        let octets = text.to_vec();
        let is_prefix = false;
        Condition::Is(Field::UserClass, vec![Pattern { octets, is_prefix }])
    };
    let named = |name: &str, when| Class {
        overrides: options(&[domain(name)]),
        ..class(when)
    };
    let uefi = Condition::Architecture(vec![7, 9]);
    let mut world = world(vec![
        named("uefi", Condition::All(vec![vendor("PXEClient*"), uefi])),
        named("ipxe", Condition::Any(vec![user(b"iPXE"), user(b"gPXE")])),
        named(
            "first stage",
            Condition::All(vec![
                Condition::In(1),
                Condition::Not(Box::new(Condition::In(2))),
            ]),
        ),
    ]);
    let pxe = |client| discover(client).option(option::VENDOR_CLASS, b"PXEClient:Arch:00007");
    let uefi = |client| pxe(client).option(option::ARCHITECTURE, &[0, 0, 0, 7]);
    let cases = [
        (pxe(1), None),
        (pxe(1).option(option::ARCHITECTURE, &[0, 6, 7]), None),
        (uefi(1), Some("first stage")),
        (uefi(1).option(option::USER_CLASS, b"iPXE"), Some("ipxe")),
        (
            uefi(1).option(option::USER_CLASS, b"\x03foo\x04gPXE"),
            Some("ipxe"),
        ),
        (
            uefi(1).option(option::USER_CLASS, b"\x03foo\x09gPXE"),
            Some("first stage"),
        ),
        (discover(1).option(option::USER_CLASS, b"iPXE2"), None),
    ];
    for (message, expected) in cases {
        let offer = world.ask(&message);
        let expected = expected.map(|name| name.as_bytes().to_vec());
        assert_eq!(offer.option(DOMAIN_NAME), expected, "{message:?}");
    }
}

#[test]
fn after_a_change_of_classes_no_answer_of_before_is_adopted() {
    let mut world = world(vec![class(vendor("Phone*"))]);
    world.lease(1);
    let before = world.published(1).expect("it is leased");
    let mut config = world.config.clone();
    config.classes[0].overrides = options(&[domain("phones")]);
    world.restart_with(config);
    world.settle();
    let after = world.published(1).expect("it is leased");
    assert_eq!(after.state, BindingState::Bound as u8);
    assert_ne!(before.profile, after.profile);
}

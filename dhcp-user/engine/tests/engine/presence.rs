//! Options that are sent, or not sent, whatever a client lists.

use dhcp_common::wire::option;
use dhcp_config::{Class, Condition, Field, OptionValue, Overrides, Pattern, Presence, Subnet};
use dhcp_testkit::world::*;

use crate::replies::codes_after_required;

const PREFIX: u8 = 210;

fn presence(always: &[u8], never: &[u8]) -> Presence {
    Presence {
        always: always.iter().copied().collect(),
        never: never.iter().copied().collect(),
    }
}

fn value(code: u8) -> OptionValue {
    OptionValue {
        code,
        data: vec![code; 4],
    }
}

fn listing(client: u8, list: &[u8]) -> Message {
    discover(client).option(option::PARAMETER_LIST, list)
}

/// Returns a subnet with options 3, 6, 249 and [`PREFIX`], and these choices.
fn chosen(presence: Presence) -> Subnet {
    let mut subnet = subnet();
    subnet.options.extend([249, PREFIX].map(value));
    Subnet { presence, ..subnet }
}

#[test]
fn c093_c094_what_is_always_sent_follows_what_is_listed_and_what_is_never_sent_is_left_out() {
    type Case<'a> = (&'a [u8], &'a [u8], Option<&'a [u8]>, &'a [u8]);
    let cases: [Case<'_>; 7] = [
        (&[PREFIX], &[], Some(&[3, 1]), &[1, 3, PREFIX]),
        (&[PREFIX, 6], &[], Some(&[PREFIX, 3]), &[1, PREFIX, 3, 6]),
        (&[], &[6], Some(&[6, 3]), &[1, 3]),
        (&[], &[6], None, &[1, 3, PREFIX]),
        (&[249], &[], None, &[1, 3, 6, PREFIX, 249]),
        (&[200], &[], Some(&[]), &[1]),
        (&[option::CLASSLESS_ROUTES], &[249], Some(&[249]), &[1]),
    ];
    for (case, (always, never, list, expected)) in cases.into_iter().enumerate() {
        let mut world = World::with(chosen(presence(always, never)));
        let message = list.map_or_else(|| discover(1), |list| listing(1, list));
        let reply = world.ask(&message);
        assert_eq!(reply.codes(), codes_after_required(expected), "case {case}");
    }
}

#[test]
fn c093_a_class_gives_firmware_that_lists_nothing_of_it_what_it_boots_with() {
    let class = |presence| Class {
        name: "pxe".into(),
        when: Condition::Is(
            Field::VendorClass,
            vec![Pattern {
                octets: b"PXEClient".to_vec(),
                is_prefix: true,
            }],
        ),
        refuse: false,
        overrides: Overrides {
            options: vec![value(PREFIX)],
            presence,
            ..Overrides::default()
        },
    };
    let with = |inner, outer| {
        let subnet = Subnet {
            presence: outer,
            ..subnet()
        };
        let mut config = config(vec![(NETWORK, subnet)]);
        config.classes = vec![class(inner)];
        World::with_config(config, 100)
    };
    let firmware = || listing(1, &[1, 3]).option(option::VENDOR_CLASS, b"PXEClient:Arch");
    let sent = |mut world: World| world.ask(&firmware()).option(PREFIX).is_some();
    assert!(!sent(with(Presence::default(), Presence::default())));
    assert!(sent(with(presence(&[PREFIX], &[]), Presence::default())));
    assert!(sent(with(
        presence(&[PREFIX], &[]),
        presence(&[], &[PREFIX])
    )));
    assert!(!sent(with(
        presence(&[], &[PREFIX]),
        presence(&[PREFIX], &[])
    )));
    assert!(sent(with(Presence::default(), presence(&[PREFIX], &[]))));
    let mut world = with(presence(&[PREFIX], &[]), Presence::default());
    assert_eq!(world.ask(&listing(2, &[1, 3])).option(PREFIX), None);
}

#[test]
fn c101_a_class_that_is_never_sent_goes_to_no_firmware() {
    let mut subnet = chosen(presence(&[], &[option::VENDOR_CLASS]));
    subnet.boot.file = Some("http://192.0.2.1/a.efi".to_owned());
    let message = discover(1).option(option::VENDOR_CLASS, b"HTTPClient:Arch");
    let reply = World::with(subnet).ask(&message);
    assert_eq!(reply.option(option::VENDOR_CLASS), None);
}

#[test]
fn c093_a_reserved_name_can_be_sent_to_a_client_that_lists_nothing() {
    let mut subnet = chosen(presence(&[option::HOST_NAME], &[]));
    subnet.reservations = vec![reservation(key(1), ip(12), Some("printer"))];
    let mut world = World::with(subnet);
    let reply = world.ask(&listing(1, &[1]));
    assert_eq!(reply.option(option::HOST_NAME), Some(b"printer".to_vec()));
    assert_eq!(world.ask(&listing(2, &[1])).option(option::HOST_NAME), None);
}

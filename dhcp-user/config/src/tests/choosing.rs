//! Conditions of classes and kinds of reservations.

use dhcp_common::abi::ClientKey;

use super::{GOOD, good, parse};
use crate::{Condition, OptionTest, Owner, Pattern};

fn pattern(octets: &[u8], is_prefix: bool) -> Pattern {
    Pattern {
        octets: octets.to_vec(),
        is_prefix,
    }
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

/// Returns the only condition of a class that is written so.
fn when(text: &str) -> Condition {
    let reservation = "[[reservation]]\nclient-id = '0102'\nhost-name = 'a'";
    let config = good(&format!(
        "{GOOD}{reservation}\n[[class]]\nname = 'c'\nwhen = {{ {text} }}"
    ));
    let mut condition = config.classes[0].when.clone();
    while let Condition::All(mut conditions) = condition {
        assert_eq!(conditions.len(), 1, "{text}");
        condition = conditions.remove(0);
    }
    condition
}

#[test]
fn an_option_is_tested_by_name_or_number_in_each_way() {
    let matches =
        |code, offset, patterns| Condition::Option(code, OptionTest::Matches(offset, patterns));
    for (text, expected) in [
        (
            "option = { 43 = true }",
            Condition::Option(43, OptionTest::Present),
        ),
        (
            "option = { 224 = false }",
            not(Condition::Option(224, OptionTest::Present)),
        ),
        (
            "option = { vendor-class = ['AX*', 'hex:00'] }",
            matches(60, 0, vec![pattern(b"AX", true), pattern(&[0], false)]),
        ),
        (
            "option.mtu = 1500",
            matches(26, 0, vec![pattern(&[5, 220], false)]),
        ),
        (
            "option.requested-address = '10.0.0.9'",
            matches(50, 0, vec![pattern(&[10, 0, 0, 9], false)]),
        ),
        (
            "option.224 = { equals = 'a*' }",
            matches(224, 0, vec![pattern(b"a*", false)]),
        ),
        (
            "option.224 = { begins-with = ['hex:01', 'b'], offset = 2 }",
            matches(224, 2, vec![pattern(&[1], true), pattern(b"b", true)]),
        ),
        (
            "option.client-id = { contains = 'hex:0203', offset = 1 }",
            Condition::Option(61, OptionTest::Contains(1, vec![vec![2, 3]])),
        ),
    ] {
        assert_eq!(when(text), expected, "{text}");
    }
}

#[test]
fn the_rest_of_a_request_has_conditions_too() {
    let giaddr = |texts: &[&str]| {
        Condition::Giaddr(texts.iter().map(|text| text.parse().unwrap()).collect())
    };
    for (text, expected) in [
        (
            "host-name = ['CAM-*', 'printer']",
            Condition::HostName(vec![pattern(b"cam-", true), pattern(b"printer", false)]),
        ),
        (
            "giaddr = ['10.9.0.1', '10.8.0.0/16']",
            giaddr(&["10.9.0.1/32", "10.8.0.0/16"]),
        ),
        ("giaddr = false", giaddr(&["0.0.0.0/32"])),
        ("giaddr = true", not(giaddr(&["0.0.0.0/32"]))),
        ("known = true", Condition::Known),
        ("known = false", not(Condition::Known)),
        ("secs = 4", Condition::Secs(4)),
    ] {
        assert_eq!(when(text), expected, "{text}");
    }
}

#[test]
fn a_reservation_is_for_a_duid_for_machines_and_with_or_without_an_address() {
    let config = good(&format!(
        "{GOOD}[[class]]\nname = 'staff'\n\
         [[subnet.reservation]]\nduid = '00:03:00:01:02:00:00:00:00:01'\naddress = '10.0.0.5'\n\
         [[subnet.reservation]]\nhardware-address = ['020000000001', '020000000002']\naddress = '10.0.0.6'\n\
         [[subnet.reservation]]\nhardware-type = 6\nhardware-address = '020000000001'\nclasses = 'staff'\n\
         [[subnet.reservation]]\nhardware-type = 32\n\
         hardware-address = '80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:10:39'\nhost-name = 'ib'\n\
         [[reservation]]\nhardware-address = '020000000001'\naddress = '10.0.0.7'\n"
    ));
    let network = config.networks[0].id;
    let hardware = |network, htype, octets: &[u8]| {
        Owner::Client(ClientKey::hardware(network, htype, octets).unwrap())
    };
    let reservations = &config.networks[0].subnets[0].reservations;
    let found: Vec<_> = reservations
        .iter()
        .chain(&config.reservations)
        .map(|r| {
            (
                &*r.owners,
                r.address.map(|address| address.octets()[3]),
                r.classes,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (
                &[Owner::Duid(vec![0, 3, 0, 1, 2, 0, 0, 0, 0, 1])][..],
                Some(5),
                0
            ),
            (
                &[
                    hardware(network, 1, &[2, 0, 0, 0, 0, 1]),
                    hardware(network, 1, &[2, 0, 0, 0, 0, 2])
                ],
                Some(6),
                0
            ),
            (&[hardware(network, 6, &[2, 0, 0, 0, 0, 1])], None, 1),
            (
                &[hardware(network, 32, &[0, 2, 0xc9, 3, 0, 0, 0x10, 0x39])],
                None,
                0
            ),
            (&[hardware(0, 1, &[2, 0, 0, 0, 0, 1])], Some(7), 0),
        ]
    );
}

#[test]
fn all_mistakes_in_choosing_are_named_at_once() {
    for (text, expected) in [
        (
            "[[class]]\nname = 'c'\nwhen.option = { vendor-clas = true, 0 = true, 43 = {}, mtu = 'hex:010203', 53 = 'hex:0101' }",
            &[
                "option.vendor-clas = true: unknown option; did you mean `vendor-class`?",
                "option.0 = true: no such option; option codes range from 1 to 254",
                "option.43: give exactly one of `equals`, `begins-with` and `contains`",
                "option.mtu = 'hex:010203': can never hold: it looks at 3 octets, and option 26 has at most 2",
                "option.53 = 'hex:0101': can never hold: it looks at 2 octets, and option 53 has at most 1",
            ][..],
        ),
        (
            "[[class]]\nname = 'c'\nwhen.option = { 43 = { offset = 1024, contains = 'a' }, 44 = { offset = 1023, begins-with = 'ab' }, mtu = 'hex:01', 60 = 'a', vendor-class = 'b' }",
            &[
                "option.43.offset = 1024: out of range; give a number from 0 to 1023",
                "option.44: can never hold: it looks at 1025 octets, and option 44 has at most 1024",
                "option.mtu = 'hex:01': can never hold: option 26 has 2 octets; give as many, as in \"hex:0000\"",
                "option.vendor-class = 'b': option 60 is already tested by class[0].when.option.60 (line 7)",
            ],
        ),
        (
            "[[class]]\nname = 'c'\nwhen = { host-name = '*', giaddr = '10.9.0.1/16', known = true, secs = 0 }",
            &[
                "host-name = '*': not a host name; give 1 to 255 octets",
                "giaddr = '10.9.0.1/16': host bits are set; give \"10.9.0.0/16\"",
                "known = true: no reservation makes a client known; add one, or remove the condition",
                "secs = 0: out of range; give a number from 1 to 65535",
            ],
        ),
        (
            "[[class]]\nname = 'c'\nwhen = { option.43 = true, not = { option.43 = true } }\n[[class]]\nname = 'd'\n[[class]]\nname = 'e'\nwhen.any = []",
            &[
                "class[0].when: can never hold: it wants a condition and its opposite",
                "class[1]: no client can be a member; add `when",
                "class[2].when.any = []: empty list; give conditions",
            ],
        ),
        (
            "[[subnet.reservation]]\nduid = '00:03:00'\naddress = '10.0.0.5'\n\
             [[subnet.reservation]]\nduid = '00:03:00'\nhost-name = 'b'\n\
             [[subnet.reservation]]\nhardware-address = ['020000000001', '02:00:00:00:00:01']\nhost-name = 'c'\n\
             [[subnet.reservation]]\nhardware-address = []\nhost-name = 'c'\n\
             [[subnet.reservation]]\nclient-id = '0102'\nhardware-type = 6\nhost-name = 'c'\n\
             [[subnet.reservation]]\nduid = '0003'\nhost-name = 'c'\n\
             [[reservation]]\nclient-id = '0102'\naddress = '10.0.0.5'\n\
             [[reservation]]\nclient-id = '0102'\naddress = '192.0.2.1'",
            &[
                "reservation[1].duid = '00:03:00': this DUID already has a reservation on this network in line 6",
                "hardware-address[1] = '02:00:00:00:00:01': this client already has a reservation on this network in line 12",
                "reservation[3].hardware-address = []: empty list; give at least one hardware address",
                "reservation[4].hardware-type = 6: only `hardware-address` has a type",
                "reservation[5].duid = '0003': not a DUID; give its type and its value without an IAID",
                "reservation[0].address = '10.0.0.5': already reserved in line 7",
                "reservation[1].client-id = '0102': this client already has a reservation for all networks in line 25",
                "reservation[1].address = '192.0.2.1': in no subnet; give an address of one",
            ],
        ),
    ] {
        let found = parse(&format!("{GOOD}{text}\n")).unwrap_err().to_string();
        let lines: Vec<_> = found.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{found}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.contains(expected), "{expected}\n{line}");
        }
    }
}

//! Options of all types, by name and by number.

use proptest::prelude::*;

use super::{OptionValue, good, problems::problems, subnet};
use crate::options::written;

pub(super) fn options(lines: &str) -> Vec<(u8, Vec<u8>)> {
    let config = good(&subnet(&format!(
        "ipv6-mostly = true\n[subnet.options]\n{lines}"
    )));
    let options = &config.networks[0].subnets[0].options;
    options
        .iter()
        .map(|OptionValue { code, data }| (*code, data.clone()))
        .collect()
}

#[test]
fn a_value_by_number_is_octets_text_addresses_names_or_numbers() {
    let found = options(
        "\
'224' = 'hex:de:ad'
'225' = { hex = 'beef' }
'226' = { text = 'näh' }
'227' = { addresses = ['10.0.0.1', '10.0.0.2'] }
'228' = { u8 = 7 }
'229' = { u16 = [1, 65535] }
'230' = { u32 = 4294967295 }
'231' = { domains = ['a.example', 'b.example'] }
'26' = { u16 = 1400 }
",
    );
    let expected: [(u8, &[u8]); 9] = [
        (224, &[0xde, 0xad]),
        (225, &[0xbe, 0xef]),
        (226, "näh".as_bytes()),
        (227, &[10, 0, 0, 1, 10, 0, 0, 2]),
        (228, &[7]),
        (229, &[0, 1, 255, 255]),
        (230, &[255; 4]),
        (231, b"\x01a\x07example\x00\x01b\x07example\x00"),
        (26, &[5, 120]),
    ];
    assert_eq!(found, expected.map(|(code, data)| (code, data.to_vec())));
}

#[test]
fn options_by_name_have_the_octets_of_their_rfcs() {
    let cases: &[(&str, u8, &[u8])] = &[
        ("v6-only-preferred = 1800", 108, &[0, 0, 7, 8]),
        (
            "static-routes = ['192.0.2.7 via 10.0.0.1']",
            33,
            &[192, 0, 2, 7, 10, 0, 0, 1],
        ),
        (
            "policy-filters = ['10.2.0.0/16']",
            21,
            &[10, 2, 0, 0, 255, 255, 0, 0],
        ),
        ("path-mtu-plateau-table = [68, 1500]", 25, &[0, 68, 5, 220]),
        ("name-service-search = [6, 44]", 117, &[0, 6, 0, 44]),
        (
            "sip-servers = ['10.0.0.1', '10.0.0.2']",
            120,
            &[1, 10, 0, 0, 1, 10, 0, 0, 2],
        ),
        (
            "sip-servers = ['a.example']",
            120,
            b"\x00\x01a\x07example\x00",
        ),
        (
            "sip-ua-domains = ['a.example', 'b.example']",
            141,
            b"\x01a\x07example\x00\x01b\x07example\x00",
        ),
        (
            "lost-server = 'lost.example'",
            137,
            b"\x04lost\x07example\x00",
        ),
        ("capwap-controllers = ['10.0.0.1']", 138, &[10, 0, 0, 1]),
        ("pana-agents = ['10.0.0.1']", 136, &[10, 0, 0, 1]),
        ("nds-tree-name = 'tree'", 86, b"tree"),
        (
            "posix-timezone = 'CET-1CEST,M3.5.0,M10.5.0/3'",
            100,
            b"CET-1CEST,M3.5.0,M10.5.0/3",
        ),
        ("smtp-servers = ['10.0.0.1']", 69, &[10, 0, 0, 1]),
        ("pxelinux-reboot-time = 30", 211, &[0, 0, 0, 30]),
        (
            "captive-portal = 'https://a.example/api'",
            114,
            b"https://a.example/api",
        ),
        (
            "vendor-encapsulated-options = { 6 = { u8 = 8 }, 1 = { addresses = ['10.0.0.1'] } }",
            43,
            &[6, 1, 8, 1, 4, 10, 0, 0, 1],
        ),
        ("vendor-encapsulated-options = 'hex:010108'", 43, &[1, 1, 8]),
        (
            "vi-vendor-class = { 4491 = { text = 'ab' } }",
            124,
            &[0, 0, 0x11, 0x8b, 2, b'a', b'b'],
        ),
        (
            "vi-vendor-options = { 4491 = { 2 = { addresses = ['10.0.0.1'] } }, 9 = { 1 = 'hex:07' } }",
            125,
            &[
                0, 0, 0x11, 0x8b, 6, 2, 4, 10, 0, 0, 1, 0, 0, 0, 9, 3, 1, 1, 7,
            ],
        ),
    ];
    for (line, code, data) in cases {
        assert_eq!(options(line), [(*code, data.to_vec())], "{line}");
    }
}

#[test]
fn m25_a_uri_has_no_zero_octet() {
    let found = problems(&subnet(
        "options = { captive-portal = \"https://a.example\\u0000\" }",
    ));
    assert!(found[0].contains("without zero octets"), "{found:?}");
    let found = problems(&subnet("options = { '114' = 'hex:6100' }"));
    assert!(
        found[0].contains("text without zero octets (RFC 8910)"),
        "{found:?}"
    );
}

#[test]
fn c101_an_empty_vendor_class_is_one_that_is_not_sent() {
    assert_eq!(options("vendor-class = ''"), [(60, Vec::new())]);
}

#[test]
fn options_that_bulk_leasequery_has_over_tcp_are_those_of_phones_here() {
    let lines: String = (151..=157)
        .map(|code| format!("'{code}' = {{ text = 'ftpservers=10.0.0.5' }}\n"))
        .collect();
    let expected = (151..=157).map(|code| (code, b"ftpservers=10.0.0.5".to_vec()));
    assert_eq!(options(&lines), expected.collect::<Vec<_>>());
}

#[test]
fn wrong_values_are_refused_with_what_their_rfc_wants() {
    let cases: &[(&str, &str)] = &[
        (
            "'26' = 'hex:0043'",
            "x.toml:5:20: subnet[0].options.26 = 'hex:0043': option 26 takes two octets, at least 68 (RFC 2132 §5.1), but the value has 2 octets; set it by name, as `mtu`",
        ),
        (
            "'3' = { addresses = 'x' }",
            "x.toml:5:33: subnet[0].options.3.addresses = 'x': wrong type (string); give a list of addresses",
        ),
        (
            "'108' = { u16 = 5 }",
            "x.toml:5:21: subnet[0].options.108: option 108 takes four octets (RFC 8925 §3.1), but the value has 2 octets; set it by name, as `v6-only-preferred`",
        ),
        (
            "'150' = { u16 = 65536 }",
            "x.toml:5:29: subnet[0].options.150.u16 = 65536: out of range; give a number from 0 to 65535",
        ),
        (
            "'224' = { u8 = 1, text = 'x' }",
            "x.toml:5:21: subnet[0].options.224: give the value in exactly one form, such as `{ addresses = [\"10.0.0.1\"] }`",
        ),
        (
            "'224' = { address = ['10.0.0.1'] }",
            "x.toml:5:23: subnet[0].options.224.address: unknown field; did you mean `addresses`?",
        ),
        (
            "'224' = {}",
            "x.toml:5:21: subnet[0].options.224: give the value in exactly one form, such as `{ addresses = [\"10.0.0.1\"] }`",
        ),
        (
            "'121' = 'hex:21000000000000000000'",
            "x.toml:5:21: subnet[0].options.121 = 'hex:21000000000000000000': option 121 takes prefixes, each with the address of a router (RFC 3442), but the value has 10 octets; set it by name, as `classless-static-routes`",
        ),
        (
            "static-routes = ['0.0.0.0 via 10.0.0.1']",
            "x.toml:5:30: subnet[0].options.static-routes[0] = '0.0.0.0 via 10.0.0.1': the default route is not allowed here (RFC 2132 §5.8); set `routers`",
        ),
        (
            "sip-servers = ['10.0.0.1', 'a.example']",
            "x.toml:5:27: subnet[0].options.sip-servers = ['10.0.0.1', 'a.example']: mixes addresses and domain names; give only one kind (RFC 3361 §3)",
        ),
        (
            "sip-servers = 'a.example'",
            "x.toml:5:27: subnet[0].options.sip-servers = 'a.example': wrong type (string); give a list of domain names",
        ),
        (
            "vendor-encapsulated-options = { 255 = 'hex:00' }",
            "x.toml:5:51: subnet[0].options.vendor-encapsulated-options.255 = 'hex:00': not a sub-option code; give 1 to 254",
        ),
        (
            "vendor-encapsulated-options = {}",
            "x.toml:5:43: subnet[0].options.vendor-encapsulated-options: empty table; give a value for each number, such as `{ 1 = { u32 = 0 }, 2 = { text = \"x\" } }`, or remove the option",
        ),
        (
            "vi-vendor-options = { 04491 = { 1 = 'hex:00' } }",
            "x.toml:5:43: subnet[0].options.vi-vendor-options.04491: not an enterprise number; give one from IANA's registry, such as 4491",
        ),
        (
            "vi-vendor-options = { 4491 = 'hex:00' }",
            "x.toml:5:42: subnet[0].options.vi-vendor-options.4491 = 'hex:00': wrong type (string); give a table",
        ),
    ];
    for (line, expected) in cases {
        let found = problems(&subnet(&format!(
            "options = {{ {line} }}\nipv6-mostly = true"
        )));
        assert_eq!(found, [*expected], "{line}");
    }
    let long = "x".repeat(256);
    for line in [
        format!("vendor-encapsulated-options = {{ 1 = {{ text = '{long}' }} }}"),
        format!("vi-vendor-class = {{ 9 = {{ text = '{long}' }} }}"),
    ] {
        let found = problems(&subnet(&format!("options = {{ {line} }}")));
        assert!(
            found.len() == 1 && found[0].contains("at most 255"),
            "{found:?}"
        );
    }
}

/// Checks that a written option is read back as the same octets. Names in option 119 may be
/// compressed.
fn is_read_back(code: u8, data: &[u8]) {
    let Ok(line) = written(code, data) else {
        return;
    };
    let found = options(&line);
    if code == 119 {
        assert_eq!(found[0].0, code);
    } else {
        assert_eq!(found, [(code, data.to_vec())], "{line}");
    }
}

#[test]
fn values_of_all_kinds_are_written_as_the_file_has_them() {
    for (code, data, line) in [
        (3, &[10, 0, 0, 1][..], "routers = [\"10.0.0.1\"]"),
        (2, &[255, 255, 255, 255], "time-offset = -1"),
        (19, &[1], "ip-forwarding = true"),
        (26, &[5, 220], "mtu = 1500"),
        (15, b"a\"b", "domain-name = 'a\"b'"),
        (16, &[10, 0, 0, 1], "swap-server = \"10.0.0.1\""),
        (46, &[8], "netbios-node-type = \"h-node\""),
        (
            33,
            &[192, 0, 2, 7, 10, 0, 0, 1],
            "static-routes = [\"192.0.2.7 via 10.0.0.1\"]",
        ),
        (
            21,
            &[10, 2, 0, 0, 255, 255, 0, 0],
            "policy-filters = [\"10.2.0.0/16\"]",
        ),
        (
            121,
            &[16, 10, 2, 10, 0, 0, 254],
            "classless-static-routes = [\"10.2.0.0/16 via 10.0.0.254\"]",
        ),
        (
            119,
            b"\x01a\x07example\0",
            "domain-search = [\"a.example\"]",
        ),
        (120, &[1, 10, 0, 0, 1], "sip-servers = [\"10.0.0.1\"]"),
        (43, &[1, 0], "\"43\" = \"hex:0100\""),
        (15, &[0xff], "\"15\" = \"hex:ff\""),
        (224, b"x", "\"224\" = \"hex:78\""),
    ] {
        assert_eq!(written(code, data).as_deref(), Ok(line));
        is_read_back(code, data);
    }
    for code in [1, 12, 51, 53, 82] {
        assert!(written(code, &[1, 2, 3, 4]).is_err(), "{code}");
    }
    assert!(written(26, &[0, 1]).unwrap_err().contains("at least 68"));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        code in any::<u8>(),
        data in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..24),
            proptest::collection::vec(prop_oneof![Just(0_u8), 1..5_u8, b'a'..b'f'], 0..24),
        ],
    ) {
        is_read_back(code, &data);
    }
}

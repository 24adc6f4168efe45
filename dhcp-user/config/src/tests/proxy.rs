//! Network boot beside another server, and the sub-options of PXE.

use std::{net::Ipv4Addr, path::Path};

use super::{good, options::options, problems::problems, subnet};
use crate::{Boot, Condition, Host, OptionValue, file};

const PROXY: &str = "[[interface]]\nname = 'eth1'\nproxy = true\naddresses = ['10.0.0.1']\n";

/// Returns the problems with option 43 of a subnet, each without its place in the file.
fn problems_of(pxe: &str) -> Vec<String> {
    let line = format!("options.vendor-encapsulated-options = {{ pxe = {{ {pxe} }} }}\n");
    let field = "options.vendor-encapsulated-options.pxe";
    let found = problems(&subnet(&line)).into_iter();
    let without_place = |problem: String| {
        let at = problem.find(field).map_or(0, |at| at + field.len());
        problem[at..].to_owned()
    };
    found.map(without_place).collect()
}

#[test]
fn c101_a_proxy_needs_no_subnet_and_has_the_boot_settings_of_the_defaults() {
    let config = good(&format!(
        "[defaults]\nlease-time = '2h'\nboot-file = 'a.efi'\noptions = {{ root-path = '/r' }}\n{PROXY}\
         [[interface.vlan]]\nid = 7\naddresses = ['10.1.0.1']\n"
    ));
    assert!(config.networks.is_empty());
    let [untagged, tagged] = &*config.interfaces[0].links else {
        panic!("{:?}", config.interfaces)
    };
    let settings = untagged.proxy.as_ref().expect("a proxy");
    assert_eq!(settings.lease, None);
    assert_eq!(settings.boot.file.as_deref(), Some("a.efi"));
    let root_path = OptionValue {
        code: 17,
        data: b"/r".to_vec(),
    };
    assert_eq!(settings.options, [root_path]);
    assert_eq!(tagged.proxy, None, "each link says it for itself");

    let tagged = good(
        "[[interface]]\nname = 'e'\n[[interface.vlan]]\nid = 7\nproxy = true\naddresses = ['10.1.0.1']\n\
         [[class]]\nname = 'all'\nwhen.vendor-class = 'PXEClient*'\nboot-file = 'b'\n",
    );
    let links = tagged.interfaces[0].links.iter();
    let boot: Vec<_> = links
        .map(|link| link.proxy.as_ref().map(|proxy| proxy.boot.clone()))
        .collect();
    assert_eq!(boot, [None, Some(Boot::default())]);
}

#[test]
fn c101_a_proxy_with_nothing_to_boot_and_a_subnet_with_its_address_are_refused() {
    assert_eq!(
        problems(PROXY),
        [
            "x.toml:1:1: an interface is a `proxy`, but there is nothing to boot; set `boot-file` or the option `vendor-encapsulated-options` in `[defaults]` or in a `[[class]]`"
        ]
    );
    let boot = "[defaults]\nboot-file = 'a'\n";
    let subnets = "[[subnet]]\nprefix = '10.9.0.0/24'\n[[subnet]]\nprefix = '10.0.0.0/16'\n";
    assert_eq!(
        problems(&format!("{boot}{PROXY}{subnets}")),
        [
            "x.toml:10:10: subnet[1].prefix = '10.0.0.0/16': contains 10.0.0.1, an address of eth1, which is a `proxy`: another server gives the addresses there; remove this subnet, or `proxy` from the interface"
        ]
    );

    // Where the file names no address, those of the host count.
    let text = format!("{boot}{PROXY}{subnets}").replace("addresses = ['10.0.0.1']\n", "");
    let host = |address: [u8; 4]| Host {
        interfaces: [("eth1".to_owned(), vec![Ipv4Addr::from(address)])].into(),
        ..Host::default()
    };
    let parse = |host| file::parse(Path::new("x.toml"), &text, Some(&host));
    let problems = parse(host([10, 0, 9, 1])).expect_err("on the proxy's link");
    assert!(
        problems.to_string().contains("contains 10.0.9.1"),
        "{problems}"
    );
    assert_eq!(
        parse(host([192, 0, 2, 1]))
            .expect("elsewhere")
            .networks
            .len(),
        2
    );
}

#[test]
fn c101_a_class_can_be_that_of_an_item_of_the_menu() {
    let with = |value: &str| {
        format!(
            "{}[[class]]\nname = 'a'\nwhen.boot-item = {value}\n",
            subnet("")
        )
    };
    let when = |value: &str| match &good(&with(value)).classes[0].when {
        Condition::All(conditions) => format!("{conditions:?}"),
        other => panic!("{other:?}"),
    };
    assert_eq!(when("32769"), "[BootItem([32769])]");
    assert_eq!(when("[0, 65535]"), "[BootItem([0, 65535])]");
    assert_eq!(
        problems(&with("65536")),
        [
            "x.toml:7:18: class[0].when.boot-item = 65536: out of range; give a number from 0 to 65535"
        ]
    );
}

#[test]
fn c101_sub_options_of_pxe_have_the_octets_of_its_specification() {
    let cases: [(&str, &[u8]); 6] = [
        ("{ pxe = { discovery-control = 8 } }", &[6, 1, 8, 255]),
        (
            "{ pxe = { discovery-control = ['no-broadcast', 'no-multicast', 'listed-servers-only', 'boot-file'] } }",
            &[6, 1, 15, 255],
        ),
        (
            "{ pxe = { prompt = { text = 'F8' }, menu = [{ type = 'local', text = 'Disk' }] } }",
            b"\x09\x07\x00\x00\x04Disk\x0a\x03\xffF8\xff",
        ),
        (
            "{ pxe = { prompt = { text = 'F8', timeout = 10 }, menu = [{ type = 32769, text = 'A' }, { type = 0, text = 'B' }] } }",
            b"\x09\x08\x80\x01\x01A\x00\x00\x01B\x0a\x03\x0aF8\xff",
        ),
        (
            "{ pxe = { discovery-control = 'listed-servers-only', menu = [{ type = 1, text = 'A' }], servers = [{ type = 1, addresses = ['10.0.0.1', '10.0.0.2'] }] } }",
            &[
                6, 1, 4, 8, 11, 0, 1, 2, 10, 0, 0, 1, 10, 0, 0, 2, 9, 4, 0, 1, 1, b'A', 255,
            ],
        ),
        (
            "{ pxe = { discovery-control = 'boot-file' }, 128 = { u8 = 7 } }",
            &[6, 1, 8, 128, 1, 7, 255],
        ),
    ];
    for (value, octets) in cases {
        assert_eq!(
            options(&format!("vendor-encapsulated-options = {value}")),
            [(43, octets.to_vec())],
            "{value}"
        );
    }
}

#[test]
fn c101_wrong_sub_options_of_pxe_name_field_value_and_remedy() {
    let text = "x".repeat(253);
    let addresses: Vec<_> = (0..64).map(|last| format!("'10.0.0.{last}'")).collect();
    let cases = [
        (
            "discovery-control = 16".to_owned(),
            ".discovery-control = 16: out of range; give a number from 0 to 15",
        ),
        (
            "discovery-control = 'bootfile'".to_owned(),
            ".discovery-control = 'bootfile': unknown name; give \"no-broadcast\", \"no-multicast\", \"listed-servers-only\", \"boot-file\", or their sum as a number from 0 to 15",
        ),
        (
            format!("menu = [{{ type = 1, text = '{text}' }}]"),
            ": invalid text; give 1 to 252 printable octets",
        ),
        (
            "menu = [{ type = 'disk', text = 'A' }]".to_owned(),
            ".menu[0].type = 'disk': not the type of a boot item; give a number from 0 to 65535, 32768 or higher for your own items, or \"local\"",
        ),
        (
            "menu = [{ type = 1, text = 'A' }, { type = 1, text = 'B' }]".to_owned(),
            ".menu[1].type = 1: type 1 is already in the menu in line 5; give each item its own type",
        ),
        (
            "menu = []".to_owned(),
            ".menu = []: empty list; give tables such as { type = 32768, text = \"Install\" }, or remove the option",
        ),
        (
            "menu = [{ type = 1, text = 'A' }], discovery-control = ['listed-servers-only']".to_owned(),
            ": no server for type 1 of the menu, and `discovery-control` forbids to look for one; add `servers = [{ type = 1, addresses = [\"10.0.0.1\"] }]`",
        ),
        (
            "menu = [{ type = 1, text = 'A' }], discovery-control = 3".to_owned(),
            ": no server for type 1 of the menu, and `discovery-control` forbids to look for one; add `servers = [{ type = 1, addresses = [\"10.0.0.1\"] }]`",
        ),
        (
            "servers = [{ type = 0, addresses = ['10.0.0.1'] }]".to_owned(),
            ".servers[0].type = 0: type 0 is local boot, which needs no server; give the type of an item of the menu, or remove it",
        ),
        (
            "servers = [{ type = 1, addresses = ['10.0.0.1'] }, { type = 1, addresses = ['10.0.0.2'] }]".to_owned(),
            ".servers[1].type = 1: type 1 is already set in line 5; give all of its addresses there",
        ),
        (
            format!("servers = [{{ type = 1, addresses = [{}] }}]", addresses.join(", ")),
            ": 259 octets; a sub-option has at most 255, so give fewer or shorter values",
        ),
        (
            "prompt = { text = 'F8' }".to_owned(),
            ".prompt: a prompt without a menu; add `menu = [{ type = 32768, text = \"Install\" }]`",
        ),
        (
            "menu = [{ type = 1, text = 'A' }], prompt = { text = 'F8', timeout = 255 }".to_owned(),
            ".prompt.timeout = 255: out of range; give a number from 0 to 254",
        ),
        (
            "menu = [{ type = 1, text = 'A' }], prompt = { text = 'F8', timeout = 'never' }".to_owned(),
            ".prompt.timeout = 'never': give seconds from 0 to 254, or \"forever\"",
        ),
    ];
    for (pxe, expected) in cases {
        let found = problems_of(&pxe);
        assert_eq!(found.len(), 1, "{pxe}: {found:?}");
        assert!(found[0].ends_with(expected), "{pxe}: {found:?}");
    }
    let twice = problems(&subnet(
        "options.vendor-encapsulated-options = { 6 = { u8 = 8 }, pxe = { discovery-control = 8 } }\n",
    ));
    assert_eq!(
        twice,
        [
            "x.toml:5:45: subnet[0].options.vendor-encapsulated-options.6: sub-option 6 is already set by name under `pxe`; remove one"
        ]
    );
}

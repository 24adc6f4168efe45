//! Conversions of configurations. Those in `configs` pass the checks of their servers (`kea-dhcp4
//! -t`, `dhcpd -t`, `dnsmasq --test`) except for intended errors.

use std::{net::Ipv4Addr, path::Path};

use dhcp_config::{Config, Host, file};
use dhcp_migrate::{
    Source,
    convert::{Converted, convert},
};
use proptest::prelude::*;

use super::text_of;

const SOURCES: [Source; 3] = [Source::Kea, Source::Dnsmasq, Source::Isc];

/// Returns the host for which the files were written.
fn host() -> Host {
    let interface = |name: &str, octets: [u8; 4]| (name.to_owned(), vec![Ipv4Addr::from(octets)]);
    Host {
        interfaces: [
            interface("lo", [127, 0, 0, 1]),
            interface("eth1", [10, 77, 0, 1]),
            interface("eth2", [10, 20, 0, 1]),
        ]
        .into(),
        prefixes: vec![
            "10.77.0.0/24".parse().unwrap(),
            "10.20.0.0/24".parse().unwrap(),
        ],
    }
}

fn config_file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/migrate/configs");
    std::fs::read_to_string(path.join(name)).unwrap()
}

fn converted(source: Source, text: &str) -> Converted {
    convert(source, Path::new("x"), text.as_bytes(), &host()).unwrap()
}

fn parsed(source: Source, text: &str) -> Config {
    let toml = converted(source, text).toml;
    file::parse(Path::new("x.toml"), &toml, Some(&host())).unwrap()
}

fn refusal(source: Source, octets: &[u8]) -> String {
    let refused = convert(source, Path::new("x"), octets, &host());
    refused.unwrap_err().to_string()
}

#[test]
fn configurations_of_each_server_become_ours_with_a_list_of_what_they_lack() {
    for (source, name) in [
        (Source::Kea, "kea.json"),
        (Source::Isc, "dhcpd.conf"),
        (Source::Dnsmasq, "dnsmasq.conf"),
    ] {
        let text = config_file(name);
        let converted = convert(source, Path::new(name), text.as_bytes(), &host()).unwrap();
        assert_eq!(
            converted.toml,
            config_file(&format!("{name}.toml")),
            "{name}"
        );
        let notes: Vec<_> = converted
            .notes
            .iter()
            .map(|note| format!("{note}\n"))
            .collect();
        assert_eq!(
            notes.concat(),
            config_file(&format!("{name}.notes")),
            "{name}"
        );
        assert_eq!(converted.problems, None);
        let config = file::parse(Path::new("x.toml"), &converted.toml, Some(&host()));
        assert!(config.is_ok(), "{name}: {config:?}");
    }
}

#[test]
fn without_an_interface_the_one_of_a_subnet_is_served_and_it_is_said() {
    let subnet = "subnet 10.77.0.0 netmask 255.255.255.0 { range 10.77.0.10 10.77.0.20; }";
    let result = converted(Source::Isc, subnet);
    assert_eq!(parsed(Source::Isc, subnet).interfaces[0].name, "eth1");
    assert_eq!(result.notes.len(), 1);
    assert!(
        result.notes[0].why.contains("the result serves eth1"),
        "{:?}",
        result.notes
    );

    // All clients are behind relay agents: any interface may be the right one.
    let subnet = subnet.replace("10.77", "10.99");
    assert_eq!(parsed(Source::Isc, &subnet).interfaces[0].name, "eth1");
    let alone = convert(
        Source::Isc,
        Path::new("x"),
        subnet.as_bytes(),
        &Host::default(),
    )
    .unwrap();
    assert!(alone.toml.contains("name = \"lo\""));
}

#[test]
fn dnsmasq_tells_clients_its_own_address_unasked() {
    let options = |text: &str| {
        let config = parsed(Source::Dnsmasq, text);
        let options = config.networks[0].subnets[0].options.iter();
        let options = options.map(|option| (option.code, option.data.clone()));
        let mut options: Vec<_> = options.collect();
        options.sort();
        options
    };
    let range = "interface=eth1\ndhcp-range=10.77.0.50,10.77.0.150\n";
    let own = vec![10, 77, 0, 1];
    let broadcast = (28, vec![10, 77, 0, 255]);
    assert_eq!(
        options(range),
        [(3, own.clone()), (6, own.clone()), broadcast.clone()]
    );
    let without = format!("{range}port=0\ndhcp-option=3\n");
    assert_eq!(options(&without), [broadcast]);
}

#[test]
fn a_file_of_another_kind_is_called_by_its_name() {
    let isc = b"subnet 10.0.0.0 netmask 255.0.0.0 {\n}\n";
    for (source, octets, said) in [
        (
            Source::Kea,
            &isc[..],
            "looks like a configuration of ISC dhcpd, not like a configuration of Kea; use `--from isc`",
        ),
        (
            Source::Isc,
            b"{ \"Dhcp4\": {} }",
            "a configuration of Kea, not like a configuration of ISC dhcpd; use `--from kea`",
        ),
        (
            Source::Isc,
            b"interface=eth0\ndhcp-range=10.0.0.1,10.0.0.9\n",
            "use `--from dnsmasq`",
        ),
        (Source::Isc, b"lease 10.0.0.1 {\n}\n", "use `xdhcpd import`"),
        (Source::Dnsmasq, b"a\0b", "a binary file"),
        (Source::Kea, b"", "x:1: nothing but comments"),
        (Source::Kea, b"{ \"Dhcp6\": {} }", "x:1: no `Dhcp4` object"),
        (
            Source::Isc,
            b"",
            "no subnet can be converted; add `subnet … netmask …`",
        ),
    ] {
        let error = refusal(source, octets);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn what_is_cut_off_or_broken_is_told_with_its_line() {
    for (source, text, said) in [
        (
            Source::Kea,
            "{ \"Dhcp4\": {\n  \"subnet4\": [\n",
            "x:2: Unterminated array",
        ),
        (
            Source::Kea,
            "{ \"Dhcp4\": {\n  \"a\": 1\n  \"b\": 2 } }",
            "x:2: Expected comma",
        ),
        (
            Source::Isc,
            "option domain-name \"x\";\nsubnet 10.0.0.0 netmask 255.0.0.0 {\n  range 10.0.0.1",
            "x:3: truncated: the file ends within a statement that begins in line 2",
        ),
        (Source::Isc, "authoritative;\n}\n", "x:2: `}` without `{`"),
        (
            Source::Isc,
            "option domain-name \"x;\n",
            "x:1: unterminated string",
        ),
    ] {
        assert!(
            refusal(source, text.as_bytes()).starts_with(said),
            "{}",
            refusal(source, text.as_bytes())
        );
    }
}

#[test]
fn an_include_of_keas_is_noted_wherever_it_stands() {
    let text = "{ \"Dhcp4\": { <?include \"/etc/a.json\"?>,\n  \"option-data\": <?include \"/etc/b.json\"?>,\n \
        \"subnet4\": [ <?include \"/etc/c.json\"?>,\n { \"id\": 1, \"subnet\": \"10.77.0.0/24\" } ] } }";
    let notes = converted(Source::Kea, text).notes;
    let includes: Vec<_> = notes
        .iter()
        .filter(|note| note.what.starts_with("include"))
        .map(|note| (note.line, &*note.what))
        .collect();
    assert_eq!(
        includes,
        [
            (1, "include \"/etc/a.json\""),
            (2, "include \"/etc/b.json\""),
            (3, "include \"/etc/c.json\""),
        ]
    );
}

#[test]
fn files_that_are_too_deep_or_too_long_are_refused_or_noted() {
    let deep = format!("{{ \"Dhcp4\": {}", "[".repeat(100_000));
    assert_eq!(
        refusal(Source::Kea, deep.as_bytes()),
        "x:1: Maximum nesting depth exceeded"
    );
    let deep = "group {\n".repeat(100);
    assert!(refusal(Source::Isc, deep.as_bytes()).contains("blocks nested more than 32 deep"));
    let tests = format!(
        "{}option[60].text == 'x'{}",
        "not (".repeat(1000),
        ")".repeat(1000)
    );
    let kea = format!(
        "{{ \"Dhcp4\": {{ \"client-classes\": [ {{ \"name\": \"x\", \"test\": \"{tests}\" }} ], \"subnet4\": [ {{ \"subnet\": \"10.77.0.0/24\" }} ] }} }}"
    );
    let notes = converted(Source::Kea, &kea).notes;
    assert!(
        notes
            .iter()
            .any(|note| note.why.contains("tests nested more than 8 deep")),
        "{notes:?}"
    );
    let long = format!(
        "interface={}\ndhcp-range=10.77.0.5,10.77.0.9\n",
        "x".repeat(1 << 20)
    );
    assert!(converted(Source::Dnsmasq, &long).toml.contains("eth1"));
}

/// Generates text that resembles configurations.
fn config_like() -> impl Strategy<Value = String> {
    let words = [
        "subnet 10.77.0.0 netmask 255.255.255.0",
        "shared-network x",
        "pool",
        "group",
        "host h",
        "class \"c\"",
        "subclass \"c\" 1:2",
        "if",
        "else",
        "option arch = 00:07",
        "option",
        "routers",
        "code 7 = array of { ip-address, integer 8 }",
        "{",
        "}",
        ";",
        "\n",
        "\"",
        "\\",
        "range 10.77.0.5 10.77.0.9;",
        "range 10.77.0.9 10.77.0.5;",
        "default-lease-time 0;",
        "max-lease-time 1;",
        "min-lease-time 4294967295;",
        "hardware ethernet 2:0:0:0:0:1;",
        "fixed-address 10.77.0.7;",
        "match",
        "match hardware;",
        "substring(hardware, 1, 3)",
        "allow members of \"c\";",
        "deny members of \"c\";",
        "filename \"\";",
        "next-server 0.0.0.0;",
        "interface=lo\n",
        "dhcp-range=set:r,10.77.0.5,10.77.0.9,255.255.255.0,1m\n",
        "dhcp-range=tag:t,10.77.0.7,10.77.0.20,255.255.255.0\n",
        "dhcp-host=02:00:00:00:00:01,10.77.0.7,na_me,1s\n",
        "dhcp-option=tag:!t,option:router,10.77.0.1\n",
        "dhcp-option=26,1\n",
        "dhcp-option=121,x\n",
        "dhcp-match=set:t,93,7\n",
        "dhcp-vendorclass=set:t,*\n",
        "tag-if=set:u,tag:t\n",
        "dhcp-boot=tag:t,f,s,1.2.3.4\n",
        "dhcp-ignore=tag:t\n",
        "=",
        ",",
        ":",
        "#",
    ];
    text_of(words, 12, 60)
}

/// Generates JSON with names of Kea.
fn kea_like() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        (0_u64..5_000_000_000).prop_map(|number| number.to_string()),
        proptest::sample::select(vec![
            "10.77.0.0/24",
            "10.77.0.10 - 10.77.0.20",
            "10.77.0.5",
            "02:00:00:00:00:01",
            "routers",
            "x",
            "option[60].hex == 'x'",
            "member('x')",
            "substring(option[77].text,0,3) == 'abc'",
            "0xff",
            "'text'",
            "",
            "eth1",
            "*",
            "dhcp4",
            "record",
            "uint8, fqdn",
        ])
        .prop_map(|text| format!("{text:?}")),
        "\\PC{0,4}".prop_map(|text| format!("{text:?}")),
    ];
    let names = [
        "subnet4",
        "subnet",
        "pools",
        "pool",
        "reservations",
        "hw-address",
        "ip-address",
        "hostname",
        "client-classes",
        "name",
        "test",
        "option-data",
        "data",
        "code",
        "csv-format",
        "space",
        "valid-lifetime",
        "min-valid-lifetime",
        "max-valid-lifetime",
        "renew-timer",
        "rebind-timer",
        "shared-networks",
        "interfaces-config",
        "interfaces",
        "option-def",
        "type",
        "array",
        "record-types",
        "client-class",
        "relay",
        "ip-addresses",
        "flex-id",
        "client-id",
        "next-server",
        "boot-file-name",
        "match-client-id",
        "authoritative",
        "hooks-libraries",
        "x",
    ];
    let value = leaf.prop_recursive(6, 60, 5, move |inner| {
        let member = (proptest::sample::select(names.to_vec()), inner.clone());
        prop_oneof![
            proptest::collection::vec(inner, 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            proptest::collection::vec(member, 0..6).prop_map(|members| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| format!("{name:?}: {value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    let subnet = r#"{ "subnet": "10.77.0.0/24", "pools": [ { "pool": "10.77.0.0/25" } ] }"#;
    proptest::collection::vec((proptest::sample::select(names.to_vec()), value), 0..8).prop_map(move |members| {
        let members: Vec<_> = members.iter().map(|(name, value)| format!(", {name:?}: {value}")).collect();
        format!("{{ \"Dhcp4\": {{ \"shared-networks\": [ {{ \"name\": \"n\", \"subnet4\": [ {subnet} ] }} ]{} }} }}", members.concat())
    })
}

proptest! {
    /// Every converted configuration is valid.
    #[test]
    fn no_text_upsets_a_converter(text in config_like()) {
        for source in SOURCES {
            if let Ok(converted) = convert(source, Path::new("x"), text.as_bytes(), &host()) {
                prop_assert_eq!(converted.problems, None, "{}", converted.toml);
            }
        }
    }

    #[test]
    fn no_json_upsets_the_converter_of_keas(text in kea_like()) {
        if let Ok(converted) = convert(Source::Kea, Path::new("x"), text.as_bytes(), &host()) {
            prop_assert_eq!(converted.problems, None, "{}", converted.toml);
        }
    }

    #[test]
    fn no_octets_upset_a_converter(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        for source in SOURCES {
            let _ = convert(source, Path::new("x"), &octets, &host());
        }
    }
}

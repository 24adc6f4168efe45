//! Files that are right and what they mean; files that are wrong and what is said about them.

use std::{fmt::Write as _, net::Ipv4Addr, path::Path, time::Duration, time::Instant};

use dhcp_common::abi::{ClientKey, Limit};
use dhcp_common::wire::INFINITE_SECS;
use proptest::prelude::*;

use super::{Config, Host, LeaseTimes, OptionValue, Pool, Problems, check};

const GOOD: &str = "\
[[interface]]
name = 'eth1'
[[subnet]]
prefix = '10.0.0.0/24'
";

fn parse(text: &str) -> Result<Config, Problems> {
    check::parse(Path::new("x.toml"), text, None)
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// All problems as they are printed, a line each.
fn problems(text: &str) -> Vec<String> {
    let problems = parse(text).expect_err(text);
    problems.0.iter().map(ToString::to_string).collect()
}

/// One `[[subnet]]` of 10.0.0.0/24 with these lines, the first of which is line 5.
fn subnet(lines: &str) -> String {
    format!("{GOOD}{lines}")
}

#[test]
fn the_example_is_good_and_means_what_its_comments_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/xdhcpd.example.toml");
    let config = Config::load(Path::new(path)).unwrap_or_else(|problems| panic!("{problems}"));
    let defaults = good(GOOD);
    assert_eq!(config.server.store, defaults.server.store);
    assert_eq!(config.server.max_leases, 131_072);
    assert_eq!(config.server.client_limit, Limit::per_second(20, 40));
    assert_eq!(config.server.relay_limit, Limit::per_second(20_000, 40_000));

    let [interface] = &*config.interfaces else {
        panic!("{:?}", config.interfaces)
    };
    let vlans: Vec<_> = interface.links.iter().map(|link| link.vlans).collect();
    assert_eq!(vlans, [[0, 0], [100, 0]]);

    let [lan, guests] = &*config.networks else {
        panic!("{:?}", config.networks)
    };
    assert_eq!((&*lan.name, &*guests.name), ("lan", "guests"));
    assert_eq!(
        lan.subnet.lease,
        LeaseTimes {
            lease_secs: 3600,
            renewal_secs: 1800,
            rebinding_secs: 3150,
            horizon_leases: 2
        }
    );
    assert_eq!(guests.subnet.lease.rebinding_secs, 525);
    assert_eq!(lan.subnet.offer_time, Duration::from_secs(60));
    assert_eq!(lan.subnet.decline_time, Duration::from_secs(86_400));
    assert!(!lan.subnet.authoritative && guests.subnet.authoritative);
    let pool = |first: [u8; 4], last: [u8; 4]| Pool {
        first: first.into(),
        last: last.into(),
    };
    assert_eq!(
        guests.subnet.pools,
        [
            pool([10, 1, 1, 0], [10, 1, 1, 255]),
            pool([10, 1, 2, 0], [10, 1, 3, 200])
        ]
    );
    let clients: Vec<_> = lan.subnet.reservations.iter().map(|r| r.client).collect();
    let duid = [0xff, 0, 0, 0, 1, 0, 3, 0, 1, 2, 0, 0, 0, 0, 2];
    assert_eq!(
        clients,
        [
            ClientKey::hardware(lan.id, 1, &[2, 0, 0, 0, 0, 1]).unwrap(),
            ClientKey::client_id(lan.id, &duid).unwrap(),
        ]
    );
    let codes: Vec<_> = lan
        .subnet
        .options
        .iter()
        .map(|option| option.code)
        .collect();
    assert_eq!(
        codes,
        [3, 15, 119, 26, 121, 43, 6, 42],
        "own first, then inherited"
    );
}

#[test]
fn network_ids_are_those_of_every_other_start() {
    // printf lan | sha256sum
    let config = good(&subnet("name = 'lan'"));
    assert_eq!(config.networks[0].id, 0x094a_367b);
    let renamed = good(&subnet("name = 'lan2'"));
    assert_ne!(renamed.networks[0].id, config.networks[0].id);
}

#[test]
fn options_have_the_octets_of_their_rfcs() {
    let text = subnet(
        "\
[subnet.options]
time-offset = -3600
routers = ['10.0.0.1', '10.0.0.2']
mtu = 1500
default-ttl = 64
arp-timeout = 70000
ip-forwarding = true
netbios-node-type = 'h-node'
domain-name = 'example.net'
domain-search = ['a.example.net', 'b.example.net']
classless-static-routes = ['0.0.0.0/0 via 10.0.0.1', '10.17.0.0/16 via 10.0.0.2', '10.229.0.128/25 via 10.0.0.3']
'224' = 'hex:de:ad'
'225' = 'hex:beef'
",
    );
    let option = |code, data: &[u8]| OptionValue {
        code,
        data: data.to_vec(),
    };
    assert_eq!(
        good(&text).networks[0].subnet.options,
        [
            option(2, &[0xff, 0xff, 0xf1, 0xf0]),
            option(3, &[10, 0, 0, 1, 10, 0, 0, 2]),
            option(26, &[5, 220]),
            option(23, &[64]),
            option(35, &[0, 1, 0x11, 0x70]),
            option(19, &[1]),
            option(46, &[8]),
            option(15, b"example.net"),
            // RFC 1035 §4.1.4: the second name ends with a pointer to the first one's tail.
            option(119, b"\x01a\x07example\x03net\x00\x01b\xc0\x02"),
            // c100: RFC 3442 §3, significant octets only.
            option(
                121,
                &[
                    0, 10, 0, 0, 1, 16, 10, 17, 10, 0, 0, 2, 25, 10, 229, 0, 128, 10, 0, 0, 3
                ]
            ),
            option(224, &[0xde, 0xad]),
            option(225, &[0xbe, 0xef]),
        ]
    );
}

#[test]
fn long_option_values_stay_whole() {
    let name = "x".repeat(300);
    let routes: Vec<_> = (0..60)
        .map(|i| format!("'10.{i}.0.0/16 via 10.0.0.1'"))
        .collect();
    let text = subnet(&format!(
        "options = {{ root-path = '{name}', classless-static-routes = [{}] }}",
        routes.join(",")
    ));
    let options = &good(&text).networks[0].subnet.options;
    assert_eq!(options[0].data, name.as_bytes());
    assert_eq!(options[1].data.len(), 60 * 7);
}

#[test]
fn the_nearest_setting_wins() {
    let text = format!(
        "[defaults]\nlease-time = '2h'\noffer-time = '10s'\nauthoritative = true\n\
         [defaults.options]\nrouters = ['10.0.0.1']\nmtu = 1400\n{GOOD}lease-time = 'infinite'\n\
         offer-time = '20s'\noptions = {{ mtu = 1500 }}\n[[subnet]]\nprefix = '10.0.1.0/24'\n\
         authoritative = false\n"
    );
    let config = good(&text);
    let [first, second] = [&config.networks[0].subnet, &config.networks[1].subnet];
    assert_eq!(
        first.lease,
        LeaseTimes {
            lease_secs: INFINITE_SECS,
            renewal_secs: INFINITE_SECS,
            rebinding_secs: INFINITE_SECS,
            horizon_leases: 2
        }
    );
    assert_eq!(second.lease.lease_secs, 7200);
    assert_eq!(first.offer_time, Duration::from_secs(20));
    assert_eq!(second.offer_time, Duration::from_secs(10));
    assert!(first.authoritative && !second.authoritative);
    let codes = |subnet: &super::Subnet| subnet.options.iter().map(|o| o.code).collect::<Vec<_>>();
    assert_eq!(codes(first), [26, 3]);
    assert_eq!(first.options[0].data, [5, 220]);
    assert_eq!(codes(second), [3, 26]);
}

#[test]
fn m04_m05_client_identifiers_are_keyed_as_clients_send_them() {
    let long: Vec<u8> = (0..40).collect();
    let hex: String = long.iter().fold(String::new(), |mut hex, octet| {
        write!(hex, "{octet:02x}").unwrap();
        hex
    });
    let text = subnet(&format!(
        "[[subnet.reservation]]\nclient-id = '01-02-00-00-00-00-01'\naddress = '10.0.0.5'\n\
         [[subnet.reservation]]\nhardware-address = '020000000001'\naddress = '10.0.0.6'\n\
         [[subnet.reservation]]\nclient-id = '{hex}'\naddress = '10.0.0.7'\n"
    ));
    let config = good(&text);
    let network = &config.networks[0];
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&long).into();
    let keys: Vec<_> = network
        .subnet
        .reservations
        .iter()
        .map(|r| r.client)
        .collect();
    assert_eq!(
        keys,
        [
            ClientKey::client_id(network.id, &[1, 2, 0, 0, 0, 0, 1]).unwrap(),
            ClientKey::hardware(network.id, 1, &[2, 0, 0, 0, 0, 1]).unwrap(),
            ClientKey::client_id_digest(network.id, digest),
        ]
    );
}

#[test]
fn each_problem_names_place_field_value_and_remedy() {
    let whole_files: &[(&str, &str)] = &[
        (
            "",
            "x.toml:1:1: no interface to serve; add `[[interface]]` with `name = \"eth1\"`\nx.toml:1:1: no subnet to serve; add `[[subnet]]` with `prefix = \"10.0.0.0/24\"`",
        ),
        (
            "[server]\nmax-lease = 5\n[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:2:1: server.max-lease: unknown field; did you mean `max-leases`?",
        ),
        (
            "[server]\nmax-leases = '5'\nstore = 'leases.db'\n[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:2:14: server.max-leases = '5': wrong type (string); give a number from 1 to 16777216\nx.toml:3:9: server.store = 'leases.db': not an absolute path; a service has no working directory to start from, so begin with `/`",
        ),
        (
            "[[interface]]\nname = 'e'\n[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:4:8: interface[1].name = 'e': named already in line 2; describe each interface once",
        ),
        (
            "[[interface]]\nname = 'a/b'\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:2:8: interface[0].name = 'a/b': not a name that an interface can have; give 1 to 15 characters without `/`, `:` and spaces",
        ),
        (
            "[[interface]]\nname = 'e'\n[[interface.vlan]]\nid = 4095\naddresses = []\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:3:1: interface[0].vlan[0]: a VLAN has no addresses of its own; give at least one in `addresses`\nx.toml:4:6: interface[0].vlan[0].id = 4095: out of range; give a number from 1 to 4094",
        ),
        (
            "[[interface]]\nname = 'e'\nvlan = [{ id = 7, addresses = ['10.0.0.1'] }, { id = 7, addresses = ['10.0.1.1'] }]\n[[subnet]]\nprefix = '10.0.0.0/24'",
            "x.toml:3:47: interface[0].vlan[1]: the same VLAN as in line 3; describe each VLAN once",
        ),
        (
            "[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/16'\n[[subnet]]\nprefix = '10.0.9.0/24'\n[[subnet]]\nprefix = '10.0.10.0/24'",
            "x.toml:6:10: subnet[1].prefix = '10.0.9.0/24': overlaps subnet[0].prefix (line 4); let each address stand in one only\nx.toml:8:10: subnet[2].prefix = '10.0.10.0/24': overlaps subnet[0].prefix (line 4); let each address stand in one only",
        ),
        (
            "[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'\nname = 'a'\n[[subnet]]\nprefix = '10.0.1.0/24'\nname = 'a'",
            "x.toml:6:1: subnet[1]: the subnet in line 3 has the same name; give this one another `name` than \"a\"",
        ),
        (
            "[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.9/24'\npools = ['5']",
            "x.toml:4:10: subnet[0].prefix = '10.0.0.9/24': has bits set behind its prefix; give \"10.0.0.0/24\"\nx.toml:5:10: subnet[0].pools[0] = '5': not a pool; give \"10.0.0.100-10.0.0.200\" or a prefix such as \"10.0.0.128/25\"",
        ),
        (
            "[[interface]]\nname = 'e'\naddresses = ['10.0.0.1']\n[[subnet]]\nprefix = '10.0.0.0/24'\npools = ['10.0.0.1-10.0.0.9']",
            "x.toml:6:10: subnet[0].pools[0] = '10.0.0.1-10.0.0.9': contains 10.0.0.1, this server's own address on e; leave it out",
        ),
        (
            "a = \nb = 1\nc = = 2",
            "x.toml:1:5: string values must be quoted, expected literal string\nx.toml:3:5: extra `=`, expected nothing\nx.toml:3:7: unexpected key or value, expected newline, `#`",
        ),
        (
            "[[interface]]\nname = 'e'\n[defaults]\nlease-time = '1h'\nrenewal-time = '2h'\n[[subnet]]\nprefix = '10.0.0.0/24'\n[[subnet]]\nprefix = '10.0.1.0/24'",
            "x.toml:5:16: defaults.renewal-time = '2h': renewal after 2h is not before rebinding after 52m 30s; give renewal-time < rebinding-time < lease-time, or only a lease-time of at least \"3s\"",
        ),
    ];
    for (text, expected) in whole_files {
        assert_eq!(problems(text).join("\n"), *expected, "in\n{text}");
    }
    let subnets: &[(&str, &str)] = &[
        (
            "pools = ['10.0.0.5-10.0.0.9', '10.0.1.5-10.0.1.9']",
            "x.toml:5:31: subnet[0].pools[1] = '10.0.1.5-10.0.1.9': lies outside the subnet 10.0.0.0/24; give addresses between 10.0.0.1 and 10.0.0.254",
        ),
        (
            "pools = ['10.0.0.0/25']",
            "x.toml:5:10: subnet[0].pools[0] = '10.0.0.0/25': contains the network's own or broadcast address of 10.0.0.0/24; give addresses between 10.0.0.1 and 10.0.0.254",
        ),
        (
            "pools = ['10.0.0.9-10.0.0.5']",
            "x.toml:5:10: subnet[0].pools[0] = '10.0.0.9-10.0.0.5': ends before it begins; give \"10.0.0.5-10.0.0.9\"",
        ),
        (
            "pools = ['10.0.0.5-10.0.0.90', '10.0.0.7-10.0.0.8', '10.0.0.90-10.0.0.99']",
            "x.toml:5:32: subnet[0].pools[1] = '10.0.0.7-10.0.0.8': overlaps subnet[0].pools[0] (line 5); let each address stand in one only\nx.toml:5:53: subnet[0].pools[2] = '10.0.0.90-10.0.0.99': overlaps subnet[0].pools[0] (line 5); let each address stand in one only",
        ),
        (
            "lease-time = '0s'",
            "x.toml:5:14: subnet[0].lease-time = '0s': out of range; give whole seconds from \"1s\" to \"10years\"",
        ),
        (
            "lease-time = 3600",
            "x.toml:5:14: subnet[0].lease-time = 3600: wrong type (integer); give a string such as \"1h\"",
        ),
        (
            "lease-time = '2s'",
            "x.toml:5:14: subnet[0].lease-time = '2s': renewal after 1s is not before rebinding after 1s; give renewal-time < rebinding-time < lease-time, or only a lease-time of at least \"3s\"",
        ),
        (
            "lease-time = '1h'\nrebinding-time = '1h'",
            "x.toml:6:18: subnet[0].rebinding-time = '1h': rebinding after 1h is not before the end of a lease of 1h; give renewal-time < rebinding-time < lease-time",
        ),
        (
            "offer-time = '1500ms'",
            "x.toml:5:14: subnet[0].offer-time = '1500ms': out of range; give whole seconds from \"1s\" to \"1h\"",
        ),
        (
            "horizon-leases = 0",
            "x.toml:5:18: subnet[0].horizon-leases = 0: out of range; give a number from 1 to 8",
        ),
        (
            "server-id = '224.0.0.1'",
            "x.toml:5:13: subnet[0].server-id = '224.0.0.1': not an address that a host on a network can have; give one such as \"10.0.0.1\"",
        ),
        (
            "options = { router = ['10.0.0.1'] }",
            "x.toml:5:22: subnet[0].options.router = ['10.0.0.1']: no option of this name; did you mean `routers`?",
        ),
        (
            "options = { frobnicate = 1 }",
            "x.toml:5:26: subnet[0].options.frobnicate = 1: no option of this name; give it by its number, such as `\"150\" = \"hex:0a000001\"`",
        ),
        (
            "options = { '51' = 'hex:00000001' }",
            "x.toml:5:20: subnet[0].options.51 = 'hex:00000001': option 51 cannot be set: set `lease-time`",
        ),
        (
            "options = { '256' = 'hex:00' }",
            "x.toml:5:21: subnet[0].options.256 = 'hex:00': no such option; codes go from 1 to 254",
        ),
        (
            "options = { '150' = 'hex:0a0' }",
            "x.toml:5:21: subnet[0].options.150 = 'hex:0a0': an option by number is given in octets, such as \"hex:0a000001\"",
        ),
        (
            "options = { mtu = 67 }",
            "x.toml:5:19: subnet[0].options.mtu = 67: out of range; give a number from 68 to 65535",
        ),
        (
            "options = { routers = [] }",
            "x.toml:5:23: subnet[0].options.routers = []: give a list of addresses, or leave the option out",
        ),
        (
            "options = { routers = ['10.0.0', 5] }",
            "x.toml:5:24: subnet[0].options.routers[0] = '10.0.0': not an IPv4 address; give one such as \"10.0.0.1\"\nx.toml:5:34: subnet[0].options.routers[1] = 5: wrong type (integer); give a string such as \"10.0.0.1\"",
        ),
        (
            "options = { routers = ['10.0.0.1'], '3' = 'hex:0a000001' }",
            "x.toml:5:43: subnet[0].options.3 = 'hex:0a000001': option 3 is also subnet[0].options.routers (line 5); leave one out",
        ),
        (
            "options = { classless-static-routes = ['10.2.3.4/16 via 10.0.0.1'] }",
            "x.toml:5:40: subnet[0].options.classless-static-routes[0] = '10.2.3.4/16 via 10.0.0.1': has bits set behind its prefix; give \"10.2.0.0/16 via 10.0.0.1\"",
        ),
        (
            "[[subnet.reservation]]\nhardware-address = '02:00:00:00:00:01'\naddress = '10.0.1.5'",
            "x.toml:7:11: subnet[0].reservation[0].address = '10.0.1.5': no host of the subnet 10.0.0.0/24 can have it; give an address between 10.0.0.1 and 10.0.0.254",
        ),
        (
            "[[subnet.reservation]]\nhardware-address = '02:00:00:00:01'\naddress = '10.0.0.255'",
            "x.toml:6:20: subnet[0].reservation[0].hardware-address = '02:00:00:00:01': not an Ethernet address; give six octets such as \"02:00:00:00:00:01\"\nx.toml:7:11: subnet[0].reservation[0].address = '10.0.0.255': no host of the subnet 10.0.0.0/24 can have it; give an address between 10.0.0.1 and 10.0.0.254",
        ),
        (
            "[[subnet.reservation]]\nclient-id = '01'",
            "x.toml:5:1: subnet[0].reservation[0]: `address` is missing; add `address = \"10.0.0.5\"`, with your own value\nx.toml:6:13: subnet[0].reservation[0].client-id = '01': not a client identifier; give 2 to 255 octets such as \"01:02:00:00:00:00:01\"",
        ),
        (
            "[[subnet.reservation]]\naddress = '10.0.0.5'\nhost-name = 'a_b'",
            "x.toml:5:1: subnet[0].reservation[0]: give either `hardware-address = \"02:00:00:00:00:01\"` or `client-id = \"01:02:00:00:00:00:01\"`\nx.toml:7:13: subnet[0].reservation[0].host-name = 'a_b': not a host name (RFC 1123 §2.1); give letters, digits and inner hyphens, such as \"printer-2\"",
        ),
        (
            "[[subnet.reservation]]\nclient-id = '0102'\naddress = '10.0.0.5'\n[[subnet.reservation]]\nclient-id = '01:02'\naddress = '10.0.0.5'",
            "x.toml:9:13: subnet[0].reservation[1].client-id = '01:02': this client has a reservation on this subnet in line 6; give each client one address\nx.toml:10:11: subnet[0].reservation[1].address = '10.0.0.5': reserved already in line 7; give each address to one client",
        ),
    ];
    for (lines, expected) in subnets {
        assert_eq!(
            problems(&subnet(lines)).join("\n"),
            *expected,
            "in\n{lines}"
        );
    }
}

#[test]
fn options_that_only_the_server_decides_are_refused() {
    for code in [
        0, 1, 12, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 61, 82, 97, 255,
    ] {
        let found = problems(&subnet(&format!("options = {{ '{code}' = 'hex:00' }}")));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("cannot be set: "), "{found:?}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let problems = Config::load(Path::new("/nonexistent/x.toml")).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "/nonexistent/x.toml: cannot be read: No such file or directory (os error 2); name a TOML file with `--config`"
    );
}

#[test]
fn what_the_host_lacks_is_refused() {
    let host = Host {
        interfaces: [
            ("bare".to_owned(), vec![]),
            ("eth1".to_owned(), vec![Ipv4Addr::new(10, 0, 0, 1)]),
        ]
        .into(),
    };
    let parse = |text: &str| match check::parse(Path::new("x.toml"), text, Some(&host)) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string(),
    };
    assert_eq!(parse(GOOD), "");
    assert_eq!(
        parse(&GOOD.replace("eth1", "eth7")),
        "x.toml:2:8: interface[0].name = 'eth7': this host has no such interface; it has: bare, eth1"
    );
    assert_eq!(
        parse(&GOOD.replace("eth1", "bare")),
        "x.toml:2:8: interface[0].name = 'bare': the interface has no IPv4 address to answer from; give it one, or say `addresses = [\"…\"]` here"
    );
    assert_eq!(
        parse(&subnet("pools = ['10.0.0.1/32']")),
        "x.toml:5:10: subnet[0].pools[0] = '10.0.0.1/32': contains 10.0.0.1, this server's own address on eth1; leave it out"
    );
    assert!(Host::probe().unwrap().interfaces["lo"].contains(&Ipv4Addr::LOCALHOST));
}

#[test]
fn a_hundred_thousand_reservations_are_checked_in_two_seconds() {
    let mut text = "[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/8'\n".to_owned();
    for i in 1..=100_000u32 {
        let [_, a, b, c] = i.to_be_bytes();
        write!(
            text,
            "[[subnet.reservation]]\nhardware-address = '02:00:00:{a:02x}:{b:02x}:{c:02x}'\naddress = '10.{a}.{b}.{c}'\nhost-name = 'h{i}'\n"
        )
        .unwrap();
    }
    let start = Instant::now();
    let config = good(&text);
    assert_eq!(config.networks[0].subnet.reservations.len(), 100_000);
    // An unoptimized build on a busy machine gets more; a quadratic check would take minutes.
    let allowed = if cfg!(debug_assertions) { 15 } else { 2 };
    assert!(
        start.elapsed() < Duration::from_secs(allowed),
        "{:?}",
        start.elapsed()
    );
}

proptest! {
    #[test]
    fn no_text_upsets_the_checker(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_value_in_any_field_upsets_the_checker(
        field in proptest::sample::select(vec![
            "prefix", "name", "pools", "server-id", "lease-time", "renewal-time", "offer-time",
            "decline-time", "horizon-leases", "authoritative", "options", "reservation",
        ]),
        value in proptest::sample::select(vec![
            "''", "'-'", "'0.0.0.0-255.255.255.255'", "'0.0.0.0/0'", "'255.255.255.255/32'", "'é'",
            "-1", "9223372036854775807", "99999999999999999999", "1.5", "1979-05-27", "true", "[]",
            "[[]]", "[{}]", "{}", "{ '1' = {} }", "'infinite'", "'99999999999years'", "\"\\u0000\"",
        ]),
    ) {
        let _ = parse(&format!("[[interface]]\nname='e'\n[[subnet]]\nprefix='10.0.0.0/24'\n[[subnet]]\n{field} = {value}"));
    }
}

//! Valid files and their meaning.

use std::{fmt::Write as _, path::Path, time::Duration};

use dhcp_common::abi::{ClientKey, Limit};
use dhcp_common::wire::INFINITE_SECS;
use dhcp_model::LeaseTimes;

use super::{Config, OptionValue, Overrides, Owner, Pool, Problems, RelayPort, Subnet, file};

mod boot;
mod choosing;
mod options;
mod presence;
mod problems;
mod proxy;

const GOOD: &str = "\
[[interface]]
name = 'eth1'
[[subnet]]
prefix = '10.0.0.0/24'
";

fn parse(text: &str) -> Result<Config, Problems> {
    file::parse(Path::new("x.toml"), text, None)
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Returns a file with one `[[subnet]]` of 10.0.0.0/24 and these lines, the first of which is line
/// 5.
fn subnet(lines: &str) -> String {
    format!("{GOOD}{lines}")
}

#[test]
fn the_example_is_good_and_means_what_its_comments_say() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../dist/xdhcpd.example.toml"
    );
    let config = Config::load(Path::new(path)).unwrap_or_else(|problems| panic!("{problems}"));
    let defaults = good(GOOD);
    assert_eq!(config.server.store, defaults.server.store);
    assert_eq!(config.server.max_leases, 131_072);
    let days = |days: u64| Duration::from_secs(days * 86_400);
    assert_eq!(config.server.history, days(30));
    for (text, expected) in [("0", days(0)), ("0s", days(0)), ("90d", days(90))] {
        let with = format!("[server]\nhistory = '{text}'\n{GOOD}");
        assert_eq!(parse(&with).unwrap().server.history, expected);
    }
    assert_eq!(config.server.client_limit, Limit::per_second(20, 40));
    assert_eq!(config.server.relay_limit, Limit::per_second(20_000, 40_000));
    assert_eq!(
        config.server.unknown_limit,
        Limit::per_second(10_000, 4_000)
    );
    assert_eq!(config.server.leasequery, []);

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
        lan.subnets[0].lease,
        LeaseTimes {
            lease_secs: 3600,
            renewal_secs: 1800,
            rebinding_secs: 3150,
            horizon_leases: 2,
            range: None,
        }
    );
    assert_eq!(guests.subnets[0].lease.rebinding_secs, 525);
    assert_eq!(lan.subnets[0].offer_time, Duration::from_secs(60));
    assert_eq!(lan.subnets[0].probe_time, Duration::from_millis(500));
    assert_eq!(lan.subnets[0].decline_time, Duration::from_secs(86_400));
    assert!(!lan.subnets[0].authoritative && guests.subnets[0].authoritative);
    let pool = |first: [u8; 4], last: [u8; 4]| Pool::new(first.into(), last.into());
    assert_eq!(
        guests.subnets[0].pools,
        [
            pool([10, 1, 1, 0], [10, 1, 1, 255]),
            pool([10, 1, 2, 0], [10, 1, 3, 200])
        ]
    );
    let clients: Vec<_> = lan.subnets[0]
        .reservations
        .iter()
        .flat_map(|r| r.owners.clone())
        .collect();
    let duid = [0xff, 0, 0, 0, 1, 0, 3, 0, 1, 2, 0, 0, 0, 0, 2];
    assert_eq!(
        clients,
        [
            Owner::Client(ClientKey::hardware(lan.id, 1, &[2, 0, 0, 0, 0, 1]).unwrap()),
            Owner::Client(ClientKey::client_id(lan.id, &duid).unwrap()),
            Owner::RelayPort(RelayPort {
                circuit_id: Some(b"eth 0/1/7".to_vec()),
                remote_id: None,
            }),
        ]
    );
    let codes: Vec<_> = lan.subnets[0]
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
fn c021_c105_what_clients_may_say_of_their_link_is_off_unless_turned_on() {
    let of = |text: &str| {
        let links = good(&text.replace("[[subnet]]", "[[interface.vlan]]\nid = 7\naddresses = ['10.0.0.1']\nsubnet-selection = true\n[[subnet]]")).interfaces[0].links.clone();
        let switches = links
            .iter()
            .map(|link| (link.trust_relay_info, link.subnet_selection));
        switches.collect::<Vec<_>>()
    };
    assert_eq!(of(GOOD), [(false, false), (false, true)]);
    let trusted = GOOD.replace("'eth1'", "'eth1'\ntrust-relay-info = true");
    assert_eq!(of(&trusted), [(true, false), (false, true)]);
}

#[test]
fn c017_client_identifiers_are_matched_unless_a_network_says_otherwise() {
    let of = |text: &str| -> Vec<bool> {
        let networks = good(text).networks;
        networks
            .iter()
            .map(|network| network.match_client_id)
            .collect()
    };
    assert_eq!(of(GOOD), [true]);
    let other = "[[subnet]]\nprefix = '10.0.1.0/24'\n";
    let off = "match-client-id = false\n";
    assert_eq!(of(&format!("{GOOD}{off}{other}")), [false, true]);
    assert_eq!(
        of(&format!("[defaults]\n{off}{GOOD}{other}")),
        [false, false]
    );
    let shared = format!("[[network]]\nname = 'n'\n{off}{GOOD}network = 'n'\n{other}");
    assert_eq!(of(&shared), [false, true]);
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
fn c100_options_have_the_octets_of_their_rfcs() {
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
        good(&text).networks[0].subnets[0].options,
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
            // RFC 3442: significant octets only.
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
    let options = &good(&text).networks[0].subnets[0].options;
    assert_eq!(options[0].data, name.as_bytes());
    assert_eq!(options[1].data.len(), 60 * 7);
}

#[test]
fn subnets_of_a_network_share_its_name_and_settings() {
    let text = "\
[defaults]
lease-time = '1h'
options = { routers = ['10.0.0.1'], domain-name = 'a' }
[[interface]]
name = 'eth1'
[[subnet]]
prefix = '10.0.1.0/24'
network = 'campus'
[[subnet]]
prefix = '10.9.0.0/24'
[[network]]
name = 'campus'
lease-time = '20m'
authoritative = true
options = { domain-name = 'b' }
[[subnet]]
prefix = '10.0.2.0/24'
network = 'campus'
authoritative = false
options = { domain-name = 'c' }
";
    let config = good(text);
    let [campus, alone] = &*config.networks else {
        panic!("{:?}", config.networks)
    };
    assert_eq!((&*campus.name, &*alone.name), ("campus", "10.9.0.0/24"));
    let [first, second] = &*campus.subnets else {
        panic!("{:?}", campus.subnets)
    };
    assert_eq!(
        [first, second, &alone.subnets[0]].map(|subnet| subnet.lease.lease_secs),
        [1200, 1200, 3600]
    );
    assert!(first.authoritative && !second.authoritative);
    let domain = |data: &[u8]| OptionValue {
        code: 15,
        data: data.to_vec(),
    };
    let has = |subnet: &Subnet, data| subnet.options.contains(&domain(data));
    assert!(has(first, b"b") && has(second, b"c") && has(&alone.subnets[0], b"a"));
    assert_eq!([first, second].map(|subnet| subnet.options.len()), [2, 2]);
}

#[test]
fn c107_the_range_of_times_that_a_client_may_ask_for_is_what_the_file_says() {
    let range = |lines: &str| good(&subnet(lines)).networks[0].subnets[0].lease.range;
    assert_eq!(range(""), None);
    assert_eq!(range("max-lease-time = '2h'\n"), Some([3600, 7200]));
    assert_eq!(
        range("min-lease-time = '1m'\nmax-lease-time = 'infinite'\n"),
        Some([60, INFINITE_SECS])
    );
}

#[test]
fn classes_are_what_the_file_says() {
    let text = format!(
        "\
{GOOD}pools = ['10.0.0.10-10.0.0.19', {{ range = '10.0.0.128/26', classes = ['first', 'late'] }}]
[[class]]
name = 'uefi'
when = {{ vendor-class = ['PXEClient*', 'hex:0102'], architecture = [7, 9] }}
[[class]]
name = 'first'
when.all = [{{ class = 'uefi' }}, {{ not = {{ user-class = 'iPXE' }} }}]
lease-time = '2m'
options = {{ tftp-server-name = 'boot' }}
[[class]]
name = 'late'
when.any = [{{ class = 'uefi' }}, {{ vi-vendor-class = {{ 4491 = ['docsis3*', 'x'], 9 = 'y' }} }}]
refuse = true
[[class]]
name = 'here'
when = {{ hardware-address = ['02:00:5E:*', '02-00'], circuit-id = 'eth*', remote-id = 'hex:0001', subscriber-id = 'me' }}
"
    );
    let config = good(&text);
    let [uefi, first, late, here] = &*config.classes else {
        panic!("{:?}", config.classes)
    };
    assert_eq!(
        [uefi, first, late].map(|class| class.refuse),
        [false, false, true]
    );
    assert_eq!(
        first.overrides.lease,
        Some(LeaseTimes {
            lease_secs: 120,
            renewal_secs: 60,
            rebinding_secs: 105,
            horizon_leases: 2,
            range: None,
        })
    );
    assert_eq!(
        (uefi.overrides.lease, first.overrides.options.len()),
        (None, 1)
    );
    let printed = format!(
        "{:?} {:?} {:?} {:?}",
        uefi.when, first.when, late.when, here.when
    );
    let expected = "\
All([Is(VendorClass, [Pattern { octets: [80, 88, 69, 67, 108, 105, 101, 110, 116], is_prefix: true }, \
Pattern { octets: [1, 2], is_prefix: false }]), Architecture([7, 9])]) \
All([All([All([In(1)]), All([Not(All([Is(UserClass, [Pattern { octets: [105, 80, 88, 69], is_prefix: false }])]))])])]) \
All([Any([All([In(1)]), All([All([\
Enterprise(4491, [Pattern { octets: [100, 111, 99, 115, 105, 115, 51], is_prefix: true }, Pattern { octets: [120], is_prefix: false }]), \
Enterprise(9, [Pattern { octets: [121], is_prefix: false }])])])])]) \
All([Is(HardwareAddress, [Pattern { octets: [2, 0, 94], is_prefix: true }, Pattern { octets: [2, 0], is_prefix: false }]), \
Is(CircuitId, [Pattern { octets: [101, 116, 104], is_prefix: true }]), \
Is(RemoteId, [Pattern { octets: [0, 1], is_prefix: false }]), \
Is(SubscriberId, [Pattern { octets: [109, 101], is_prefix: false }])])";
    assert_eq!(printed, expected);
    let classes: Vec<_> = config.networks[0].subnets[0]
        .pools
        .iter()
        .map(|pool| pool.classes)
        .collect();
    assert_eq!(classes, [0, 0b110]);
}

#[test]
fn pools_and_reservations_say_what_their_clients_get() {
    let text = subnet(
        "\
pools = ['10.0.0.10-10.0.0.19', { range = '10.0.0.20-10.0.0.29', lease-time = '2m', options = { mtu = 1400 } }]
[[subnet.reservation]]
client-id = '0102'
address = '10.0.0.5'
next-server = '10.0.0.9'
lease-time = 'infinite'
",
    );
    let config = good(&text);
    let subnet = &config.networks[0].subnets[0];
    let secs = |overrides: &Overrides| overrides.lease.map(|lease| lease.lease_secs);
    let [plain, own] = &*subnet.pools else {
        panic!("{:?}", subnet.pools)
    };
    assert_eq!(plain.overrides, Overrides::default());
    assert_eq!((own.classes, secs(&own.overrides)), (0, Some(120)));
    assert_eq!(own.overrides.options[0].data, [5, 120]);
    let reserved = &subnet.reservations[0].overrides;
    assert_eq!(secs(reserved), Some(INFINITE_SECS));
    assert_eq!(reserved.boot.next_server, Some([10, 0, 0, 9].into()));
}

#[test]
fn the_nearest_setting_wins() {
    let text = format!(
        "[defaults]\nlease-time = '2h'\noffer-time = '10s'\nprobe-time = '2s'\nauthoritative = true\nrapid-commit = true\n\
         bootp = true\nipv6-mostly = true\n[defaults.options]\nrouters = ['10.0.0.1']\nmtu = 1400\n{GOOD}lease-time = 'infinite'\n\
         offer-time = '20s'\noptions = {{ mtu = 1500 }}\n[[subnet]]\nprefix = '10.0.1.0/24'\n\
         probe-time = '0s'\nauthoritative = false\nrapid-commit = false\nbootp = false\nipv6-mostly = false\n\
         pools = [{{ range = '10.0.1.8/32', ipv6-mostly = true }}, '10.0.1.9/32']\n"
    );
    let config = good(&text);
    let [first, second] = [
        &config.networks[0].subnets[0],
        &config.networks[1].subnets[0],
    ];
    assert_eq!(
        first.lease,
        LeaseTimes {
            lease_secs: INFINITE_SECS,
            renewal_secs: INFINITE_SECS,
            rebinding_secs: INFINITE_SECS,
            horizon_leases: 2,
            range: None,
        }
    );
    assert_eq!(second.lease.lease_secs, 7200);
    assert_eq!(first.offer_time, Duration::from_secs(20));
    assert_eq!(second.offer_time, Duration::from_secs(10));
    assert_eq!(first.probe_time, Duration::from_secs(2));
    assert_eq!(second.probe_time, Duration::ZERO);
    assert!(config.has_probes() && good(GOOD).has_probes());
    assert!(!good(&format!("{GOOD}probe-time = '0ms'\n")).has_probes());
    assert!(first.authoritative && !second.authoritative);
    assert!(first.rapid_commit && !second.rapid_commit);
    assert!(first.bootp && !second.bootp);
    assert!(first.ipv6_mostly && !second.ipv6_mostly);
    let of_pools = second.pools.iter().map(|pool| pool.overrides.ipv6_mostly);
    assert_eq!(of_pools.collect::<Vec<_>>(), [Some(true), None]);
    let unset = good(GOOD).networks[0].subnets[0].clone();
    assert!(!unset.rapid_commit && !unset.bootp && !unset.ipv6_mostly);
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
    let keys: Vec<_> = network.subnets[0]
        .reservations
        .iter()
        .flat_map(|r| r.owners.clone())
        .collect();
    assert_eq!(
        keys,
        [
            ClientKey::client_id(network.id, &[1, 2, 0, 0, 0, 0, 1]).unwrap(),
            ClientKey::hardware(network.id, 1, &[2, 0, 0, 0, 0, 1]).unwrap(),
            ClientKey::client_id_digest(network.id, digest),
        ]
        .map(Owner::Client)
    );
}

#[test]
fn c106_a_lease_is_renewed_at_half_and_rebound_at_seven_eighths_unless_told_otherwise() {
    let times = |lines: &str| {
        let lease = good(&subnet(lines)).networks[0].subnets[0].lease;
        (lease.lease_secs, lease.renewal_secs, lease.rebinding_secs)
    };
    assert_eq!(times("lease-time = '8h'"), (28_800, 14_400, 25_200));
    let own = "lease-time = '1h'\nrenewal-time = '10m'\nrebinding-time = '20m'";
    assert_eq!(times(own), (3600, 600, 1200));
    let endless = "lease-time = 'infinite'";
    assert_eq!(times(endless), (u32::MAX, u32::MAX, u32::MAX));
    for wrong in [
        "renewal-time = '20m'\nrebinding-time = '20m'",
        "renewal-time = '30m'\nrebinding-time = '20m'",
        "rebinding-time = '1h'",
    ] {
        let text = subnet(&format!("lease-time = '1h'\n{wrong}"));
        assert!(parse(&text).is_err(), "{wrong}");
    }
}

#[test]
fn m25_a_captive_portal_is_its_address_and_nothing_behind_it() {
    let text = subnet("options = { captive-portal = 'https://portal.example/api' }");
    let option = OptionValue {
        code: 114,
        data: b"https://portal.example/api".to_vec(),
    };
    assert_eq!(good(&text).networks[0].subnets[0].options, [option]);
}

#[test]
fn c115_those_who_may_ask_are_addresses_and_prefixes() {
    let text = format!("[server]\nleasequery = ['10.9.0.1', '10.8.0.0/16']\n{GOOD}");
    let permitted = good(&text).server.leasequery;
    let expected = ["10.9.0.1/32", "10.8.0.0/16"].map(|prefix| prefix.parse().unwrap());
    assert_eq!(permitted, expected);
    assert_eq!(good(GOOD).server.leasequery, [], "nobody by default");
}

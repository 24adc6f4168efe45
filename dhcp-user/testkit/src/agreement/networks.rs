//! The configuration, and the maps before any client arrives.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use dhcp_common::{
    abi::{self, ClientKey, LINK_TRUSTS_RELAY_INFO, LinkKey, MAX_LINK_ADDRESSES},
    wire::{Be32, HTYPE_ETHERNET, INFINITE_SECS, option},
};
use dhcp_config::{
    self, ALL_NETWORKS, Boot, Class, Condition, Config, Field, OptionTest, OptionValue, Overrides,
    Owner, Pattern, Pool, Presence, Reservation, Server, Subnet,
};
use dhcp_engine::{Link, LinkTable, network_ref, relays};
use dhcp_model::LeaseTimes;

use crate::fixtures::{
    host::HostTables,
    world::{SECOND, SERVER, SERVER_MAC, mac, meta},
};

pub const IFINDEX: u32 = crate::fixtures::world::IFINDEX;
/// A short lease, because a machine may have been up for less than an hour, but long compared with
/// a test.
pub const LEASE_SECS: u32 = 80;

const DIRECT: u32 = 1;
const INFINITE: u32 = 3;
const RELAYED: u32 = 9;
/// Numbers of clients with a reservation; the others count from zero.
pub const PRINTER: u8 = 200;
pub const RESERVED: u8 = 201;

/// The server's address on the link of infinite leases.
pub const THIRD: Ipv4Addr = Ipv4Addr::new(10, 3, 0, 1);

fn lease(lease_secs: u32) -> LeaseTimes {
    LeaseTimes {
        lease_secs,
        renewal_secs: lease_secs / 2,
        rebinding_secs: lease_secs / 8 * 7,
        horizon_leases: 2,
        range: (lease_secs == LEASE_SECS).then(|| [lease_secs / 4, lease_secs * 2]),
    }
}

fn subnet(prefix: &str, [first, last]: [Ipv4Addr; 2], lease_secs: u32) -> Subnet {
    let value = |code, data: &[u8]| OptionValue {
        code,
        data: data.to_vec(),
    };
    Subnet {
        prefix: prefix.parse().unwrap(),
        pools: vec![Pool::new(first, last)],
        lease: lease(lease_secs),
        offer_time: Duration::from_secs(60),
        probe_time: Duration::ZERO,
        decline_time: Duration::from_secs(3600),
        authoritative: false,
        rapid_commit: false,
        bootp: false,
        ipv6_mostly: false,
        server_id: None,
        options: vec![
            value(option::ROUTER, &SERVER.octets()),
            value(6, &[10, 0, 0, 53, 10, 0, 0, 54]),
            value(15, b"edge.example"),
            value(42, &SERVER.octets()),
            // Long enough that options 57, 61 and 82 decide what fits.
            value(43, &[0x2b; 180]),
            value(119, &[7; 61]),
            value(121, &[0, 10, 0, 0, 1]),
        ],
        presence: Presence::default(),
        boot: Boot::default(),
        reservations: Vec::new(),
    }
}

fn boots(file: String) -> Overrides {
    Overrides {
        boot: Boot {
            file: Some(file),
            ..Boot::default()
        },
        ..Overrides::default()
    }
}

/// Classes for some of the vendor classes that generated requests have: one with its own options
/// and times, one refused.
fn classes() -> Vec<Class> {
    let class = |vendor: &str| Class {
        name: vendor.into(),
        when: Condition::Is(
            Field::VendorClass,
            vec![Pattern {
                octets: vendor.into(),
                is_prefix: true,
            }],
        ),
        refuse: false,
        overrides: Overrides::default(),
    };
    let of_origin = |name: &str, field, octets: &[u8]| Class {
        when: Condition::Is(
            field,
            vec![Pattern {
                octets: octets.to_vec(),
                is_prefix: true,
            }],
        ),
        overrides: Overrides {
            options: vec![OptionValue {
                code: 15,
                data: name.into(),
            }],
            ..Overrides::default()
        },
        ..class(name)
    };
    let mut classes = vec![
        of_origin("business.example", Field::CircuitId, b"biz"),
        of_origin("own.example", Field::HardwareAddress, &mac(9)[..5]),
        Class {
            overrides: Overrides {
                lease: Some(lease(LEASE_SECS / 2)),
                options: vec![OptionValue {
                    code: 15,
                    data: b"windows.example".to_vec(),
                }],
                ..Overrides::default()
            },
            ..class("MSFT")
        },
        Class {
            overrides: boots("boot/pxe.0".to_owned()),
            ..class("PXEClient")
        },
        Class {
            refuse: true,
            ..class("dhcpcd")
        },
    ];
    classes.extend(chosen());
    classes
}

/// Returns classes with each kind of condition. Those on what neither the fingerprint nor a binding
/// covers are for cameras only, so that other requests keep the fast path.
fn chosen() -> Vec<Class> {
    let pattern = |octets: &[u8], is_prefix| Pattern {
        octets: octets.to_vec(),
        is_prefix,
    };
    let starts = |octets: &[u8]| vec![pattern(octets, true)];
    let present = |code| Condition::Option(code, OptionTest::Present);
    let named = |name: &str, when| Class {
        name: name.into(),
        when,
        refuse: false,
        overrides: Overrides {
            options: vec![OptionValue {
                code: 15,
                data: name.into(),
            }],
            ..Overrides::default()
        },
    };
    let camera = |when| {
        let is_camera = Condition::Is(Field::VendorClass, starts(b"AXIS"));
        Condition::All(vec![is_camera, when])
    };
    let of_cameras = [
        Condition::HostName(starts(b"cam-")),
        Condition::Giaddr(vec!["10.9.0.0/24".parse().unwrap()]),
        Condition::Secs(4),
        Condition::Option(
            option::HOST_NAME,
            OptionTest::Contains(0, vec![b"-7".to_vec()]),
        ),
        present(option::REQUESTED_ADDRESS),
        Condition::Option(
            option::MESSAGE_TYPE,
            OptionTest::Matches(0, vec![pattern(&[1], false)]),
        ),
        present(option::SERVER_ID),
        present(option::FQDN),
        Condition::Not(Box::new(present(option::CLIENT_ID))),
    ];
    let of_cameras = of_cameras.into_iter().enumerate();
    let of_cameras =
        of_cameras.map(|(n, when)| named(&format!("camera-{n}.example"), camera(when)));
    let refused = Class {
        refuse: true,
        ..named("bad", camera(Condition::HostName(starts(b"bad"))))
    };
    let of_all = [
        Condition::Known,
        // Where option 61 identifies nobody it may differ between requests, which costs the fast
        // path.
        Condition::All(vec![
            present(224),
            Condition::Option(option::CLIENT_ID, OptionTest::Matches(0, starts(&[255]))),
        ]),
        Condition::Option(
            option::RELAY_INFO,
            OptionTest::Contains(1, vec![b"biz 2".to_vec()]),
        ),
        Condition::Option(224, OptionTest::Matches(1, starts(&[2]))),
        Condition::All(vec![present(224), Condition::Not(Box::new(present(43)))]),
    ];
    let of_all = of_all.into_iter().enumerate();
    let of_all = of_all.map(|(n, when)| named(&format!("any-{n}.example"), when));
    let given = named(GIVEN, Condition::Any(Vec::new()));
    of_cameras
        .chain([refused])
        .chain(of_all)
        .chain([given])
        .collect()
}

/// The class that has its members from reservations only.
const GIVEN: &str = "given.example";
/// Option 61 of a client whose DUID has a reservation, and of one that is known on all networks.
pub const OF_DUID: [u8; 11] = [255, 1, 2, 3, 4, 0, 3, 0, 1, 7, 7];
pub const KNOWN_EVERYWHERE: [u8; 3] = [0, 9, 9];

const RESERVED_CIRCUIT: &[u8] = b"eth 0/1/7";

/// Returns option 82 from the port that has a reserved address.
pub fn reserved_port() -> Vec<u8> {
    [&[1, RESERVED_CIRCUIT.len() as u8], RESERVED_CIRCUIT].concat()
}

/// Values of option 82 that affect answers: two ports of a class, one with a reserved address, and
/// one without either.
pub fn ports() -> [Vec<u8>; 4] {
    [
        b"\x01\x05biz 1".to_vec(),
        b"\x02\x02me\x01\x05biz 2".to_vec(),
        reserved_port(),
        b"\x01\x05eth 1\x06\x00".to_vec(),
    ]
}

fn given(classes: &[Class]) -> dhcp_config::Classes {
    let index = classes.iter().position(|class| class.name == GIVEN);
    1 << index.unwrap()
}

pub fn config() -> Config {
    let classes = classes();
    let mut direct = subnet(
        "10.0.0.0/24",
        [[10, 0, 0, 100], [10, 0, 0, 199]].map(Ipv4Addr::from),
        LEASE_SECS,
    );
    let reserve = |n: u8, last, host_name: Option<&str>| {
        Arc::new(Reservation {
            owners: vec![Owner::Client(
                ClientKey::hardware(DIRECT, HTYPE_ETHERNET, &mac(n)).unwrap(),
            )],
            address: Some(Ipv4Addr::new(10, 0, 0, last)),
            host_name: host_name.map(str::to_owned),
            classes: 0,
            overrides: host_name
                .map_or_else(Overrides::default, |name| boots(format!("boot/{name}.efi"))),
        })
    };
    direct.boot = Boot {
        next_server: Some(Ipv4Addr::new(10, 0, 0, 9)),
        file: Some("boot/grubx64.efi".to_owned()),
        server_name: Some("boot.edge.example".to_owned()),
    };
    direct.reservations = vec![
        reserve(PRINTER, 50, Some("printer")),
        reserve(RESERVED, 51, None),
        Arc::new(Reservation {
            owners: vec![Owner::Duid(OF_DUID[5..].to_vec())],
            address: None,
            host_name: None,
            classes: given(&classes),
            overrides: boots("boot/duid.efi".to_owned()),
        }),
    ];
    let mut relayed = subnet(
        "10.9.0.0/16",
        [[10, 9, 1, 0], [10, 9, 1, 199]].map(Ipv4Addr::from),
        LEASE_SECS,
    );
    relayed.rapid_commit = true;
    relayed.reservations = vec![Arc::new(Reservation {
        owners: vec![Owner::RelayPort(dhcp_config::RelayPort {
            circuit_id: Some(RESERVED_CIRCUIT.to_vec()),
            remote_id: None,
        })],
        address: Some(Ipv4Addr::new(10, 9, 2, 7)),
        host_name: None,
        classes: 0,
        overrides: boots("boot/port.efi".to_owned()),
    })];
    relayed.ipv6_mostly = true;
    let infinite = subnet(
        "10.3.0.0/24",
        [[10, 3, 0, 100], [10, 3, 0, 199]].map(Ipv4Addr::from),
        INFINITE_SECS,
    );
    let networks = [(DIRECT, direct), (INFINITE, infinite), (RELAYED, relayed)];
    Config {
        server: Server {
            store: "store".into(),
            control_socket: "socket".into(),
            pin_dir: "pins".into(),
            max_leases: 1024,
            generic_xdp: false,
            fast_path: true,
            client_limit: meta().client_limit,
            relay_limit: meta().relay_limit,
            unknown_limit: meta().unknown_limit,
            leasequery: Vec::new(),
            history: dhcp_model::defaults::DEFAULT_HISTORY,
        },
        interfaces: Vec::new(),
        reservations: vec![Arc::new(Reservation {
            owners: vec![Owner::Client(
                ClientKey::client_id(ALL_NETWORKS, &KNOWN_EVERYWHERE).unwrap(),
            )],
            address: None,
            host_name: Some("anywhere".to_owned()),
            classes: given(&classes),
            overrides: Overrides::default(),
        })],
        classes,
        networks: networks
            .into_iter()
            .map(|(id, subnet)| dhcp_config::Network {
                id,
                name: id.to_string(),
                match_client_id: id != INFINITE,
                subnets: vec![subnet],
            })
            .collect(),
    }
}

/// Returns the links: untagged, 802.1Q with options 82 and 118 trusted, QinQ, and one of infinite
/// leases.
pub fn links() -> Vec<Link> {
    let link = |outer, inner, network, addresses: &[Ipv4Addr]| Link {
        key: LinkKey {
            ifindex: IFINDEX,
            outer,
            inner,
        },
        network: Some(network),
        addresses: addresses.to_vec(),
        trusts_relay_info: outer == 100 && inner == 0,
        honours_subnet_selection: outer == 100 && inner == 0,
        proxy: None,
    };
    let ours = [SERVER, SECOND];
    vec![
        link(0, 0, DIRECT, &ours),
        link(100, 0, DIRECT, &ours),
        link(100, 200, DIRECT, &ours),
        link(300, 0, INFINITE, &[THIRD]),
    ]
}

/// Returns the maps before any client arrives.
pub fn tables(config: &Config) -> HostTables {
    let mut tables = HostTables::new(meta());
    tables.max_leases = config.server.max_leases;
    for link in links() {
        let mut addresses = [Be32::default(); MAX_LINK_ADDRESSES];
        for (slot, address) in addresses.iter_mut().zip(&link.addresses) {
            *slot = (*address).into();
        }
        let value = abi::Link {
            network: network_ref(config.network(link.network.unwrap()).unwrap()),
            flags: if link.trusts_relay_info {
                LINK_TRUSTS_RELAY_INFO
            } else {
                0
            },
            slow_base: 64,
            mac: SERVER_MAC,
            address_count: link.addresses.len() as u16,
            addresses,
        };
        tables.links.insert(link.key, value);
    }
    for (prefix, network) in relays(config, &LinkTable::new(links())) {
        let len = u32::from(prefix.prefix_len());
        tables.relays.push((len, prefix.network().into(), network));
    }
    tables
}

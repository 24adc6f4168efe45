//! The scene: two networks, one direct and one behind a relay agent, and their possible
//! configurations.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use dhcp_common::{
    abi::{self, ClientKey, Limit, LinkKey, MAX_LINK_ADDRESSES, Meta},
    wire::{Be32, HTYPE_ETHERNET, option},
};
use dhcp_config::{
    self, Boot, Class, Condition, Config, Field, OptionValue, Overrides, Owner, Pattern, Pool,
    Presence, Reservation, Server, Subnet,
};

use crate::fixtures::world::{self, IFINDEX, SERVER_MAC};

pub use crate::fixtures::world::{OTHER_SERVER as RIVAL, RELAY, RELAY_MAC, SERVER};
use dhcp_engine::{Link, LinkTable, network_ref};
use dhcp_model::LeaseTimes;

use super::dice::Dice;

pub const DIRECT: u32 = 1;
pub const RELAYED: u32 = 9;
pub const DECLINE_SECS: u64 = 1800;
/// Probe times: none, as by default, and one so long that clients retransmit meanwhile.
const PROBE_TIMES_MS: [u64; 4] = [0, 500, 500, 6000];
/// The client for which an address may be reserved.
pub const RESERVED_CLIENT: u8 = 1;
const RESERVED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);

pub fn mac(n: u8) -> [u8; 6] {
    world::mac(n)
}

/// Returns another MAC address of the same client, which selects a class.
pub fn spare_mac(n: u8) -> [u8; 6] {
    [2, 0, 0, 0, SPARE, n]
}

const SPARE: u8 = 2;

/// Returns the network of an address.
pub fn network_of(address: Ipv4Addr) -> Option<u32> {
    match address.octets() {
        [10, 0, 0, _] => Some(DIRECT),
        [10, 9, ..] => Some(RELAYED),
        _ => None,
    }
}

/// The part of the configuration that differs from world to world and may change at a restart.
#[derive(Clone, Debug)]
pub struct Plan {
    lease_secs: u32,
    horizon_leases: u32,
    has_range: bool,
    offer_secs: u64,
    is_authoritative: bool,
    /// Last addresses of the two pools.
    last: [u8; 2],
    domain: u8,
    has_reservation: bool,
    has_classes: bool,
    /// For how long new addresses of the two subnets are probed.
    probe_time: [Duration; 2],
}

impl Plan {
    pub fn draw(dice: &mut Dice) -> Self {
        let mut coin = || dice.chance(500);
        let [has_range, is_authoritative, has_reservation, has_classes] = [(); 4].map(|()| coin());
        Self {
            lease_secs: *dice.pick(&[120, 600, 900]),
            horizon_leases: dice.between(1, 3) as u32,
            has_range,
            offer_secs: *dice.pick(&[5, 60]),
            is_authoritative,
            last: [dice.between(101, 104) as u8, dice.between(0, 2) as u8],
            domain: dice.below(2) as u8,
            has_reservation,
            has_classes,
            probe_time: [(); 2].map(|()| Duration::from_millis(*dice.pick(&PROBE_TIMES_MS))),
        }
    }

    fn pools(&self) -> [Pool; 2] {
        [
            Pool::new([10, 0, 0, 100].into(), [10, 0, 0, self.last[0]].into()),
            Pool::new([10, 9, 1, 0].into(), [10, 9, 1, self.last[1]].into()),
        ]
    }

    /// Returns every address that any client may have.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.pools().into_iter().flat_map(|pool| {
            let (first, last) = (u32::from(pool.first), u32::from(pool.last));
            (first..=last).map(Ipv4Addr::from)
        })
    }

    /// Returns whether a client may keep an address.
    pub fn allows(&self, client: &ClientKey, address: Ipv4Addr) -> bool {
        if self.has_reservation && *client == reserved_client() {
            return address == RESERVED;
        }
        client.network() == network_of(address).unwrap_or(0)
            && self.addresses().any(|other| other == address)
    }

    fn subnet(&self, prefix: &str, pool: Pool, probe_time: Duration) -> Subnet {
        let lease_secs = self.lease_secs;
        Subnet {
            prefix: prefix.parse().expect("a prefix"),
            pools: vec![pool],
            lease: LeaseTimes {
                lease_secs,
                renewal_secs: lease_secs / 2,
                rebinding_secs: lease_secs / 8 * 7,
                horizon_leases: self.horizon_leases,
                range: self.has_range.then_some([lease_secs / 4, lease_secs * 2]),
            },
            offer_time: Duration::from_secs(self.offer_secs),
            decline_time: Duration::from_secs(DECLINE_SECS),
            probe_time,
            authoritative: self.is_authoritative,
            rapid_commit: false,
            bootp: false,
            ipv6_mostly: false,
            server_id: None,
            options: vec![
                value(option::ROUTER, &SERVER.octets()),
                value(15, &[b'a' + self.domain]),
            ],
            presence: Presence::default(),
            boot: Boot::default(),
            reservations: Vec::new(),
        }
    }

    pub fn config(&self, max_leases: u32) -> Config {
        let [direct, relayed] = self.pools();
        let [probes_direct, probes_relayed] = self.probe_time;
        let mut direct = self.subnet("10.0.0.0/24", direct, probes_direct);
        if self.has_reservation {
            direct.reservations.push(Arc::new(Reservation {
                owners: vec![Owner::Client(reserved_client())],
                address: Some(RESERVED),
                host_name: None,
                classes: 0,
                overrides: Overrides::default(),
            }));
        }
        let relayed = self.subnet("10.9.0.0/16", relayed, probes_relayed);
        let networks =
            [(DIRECT, direct), (RELAYED, relayed)].map(|(id, subnet)| dhcp_config::Network {
                id,
                name: id.to_string(),
                match_client_id: true,
                subnets: vec![subnet],
            });
        let meta = meta();
        Config {
            reservations: Vec::new(),
            server: Server {
                store: "store".into(),
                control_socket: "socket".into(),
                pin_dir: "pins".into(),
                max_leases,
                generic_xdp: false,
                fast_path: true,
                client_limit: meta.client_limit,
                relay_limit: meta.relay_limit,
                unknown_limit: meta.unknown_limit,
                leasequery: Vec::new(),
                history: Duration::ZERO,
            },
            interfaces: Vec::new(),
            classes: if self.has_classes {
                classes()
            } else {
                Vec::new()
            },
            networks: networks.into(),
        }
    }
}

fn value(code: u8, data: &[u8]) -> OptionValue {
    OptionValue {
        code,
        data: data.to_vec(),
    }
}

fn reserved_client() -> ClientKey {
    ClientKey::hardware(DIRECT, HTYPE_ETHERNET, &mac(RESERVED_CLIENT)).expect("six octets")
}

/// Conditions by which a client that changes its hardware or its port gets another answer.
fn classes() -> Vec<Class> {
    let class = |name: &str, field, octets: &[u8]| Class {
        name: name.to_owned(),
        when: Condition::Is(
            field,
            vec![Pattern {
                octets: octets.to_vec(),
                is_prefix: true,
            }],
        ),
        refuse: false,
        overrides: Overrides {
            options: vec![value(15, name.as_bytes())],
            ..Overrides::default()
        },
    };
    vec![
        class("business", Field::CircuitId, b"biz"),
        class("spare", Field::HardwareAddress, &[2, 0, 0, 0, SPARE]),
    ]
}

/// Returns option 82, as the relay agent sends it for two ports.
pub fn ports() -> [Vec<u8>; 2] {
    [b"\x01\x05biz 1".to_vec(), b"\x01\x05eth 1".to_vec()]
}

pub fn meta() -> Meta {
    Meta {
        // A client in a loop is limited, and others are not.
        client_limit: Limit::per_second(5, 10),
        // Runs here take up to seconds, and one that began before others must still find a token.
        unknown_limit: Limit::per_second(100, 1000),
        ..world::meta()
    }
}

pub fn links() -> LinkTable {
    LinkTable::new(vec![Link {
        key: LINK_KEY,
        network: Some(DIRECT),
        addresses: vec![SERVER],
        trusts_relay_info: false,
        honours_subnet_selection: false,
        proxy: None,
    }])
}

const LINK_KEY: LinkKey = LinkKey {
    ifindex: IFINDEX,
    outer: 0,
    inner: 0,
};

/// Returns the only entry of `LINKS`.
pub fn kernel_link(config: &Config) -> (LinkKey, abi::Link) {
    let network = config.network(DIRECT).expect("it is in every plan");
    let mut addresses = [Be32::default(); MAX_LINK_ADDRESSES];
    addresses[0] = SERVER.into();
    let link = abi::Link {
        network: network_ref(network),
        flags: 0,
        slow_base: 0,
        mac: SERVER_MAC,
        address_count: 1,
        addresses,
    };
    (LINK_KEY, link)
}

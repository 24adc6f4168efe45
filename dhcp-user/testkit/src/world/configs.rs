//! Configurations of the engine under test.

use std::{net::Ipv4Addr, sync::Arc};

use dhcp_common::{
    abi::{ClientKey, Limit},
    wire::option,
};
use dhcp_config::{
    Boot, Config, Network, OptionValue, Overrides, Owner, Pool, Presence, Reservation, Server,
    Subnet,
};
use dhcp_model::LeaseTimes;

use super::*;

/// Returns 10.0.0.0/24 with a pool from `.10` to `.12`.
pub fn subnet() -> Subnet {
    Subnet {
        prefix: "10.0.0.0/24".parse().expect("a prefix"),
        pools: vec![Pool::new(ip(10), ip(12))],
        lease: LeaseTimes {
            lease_secs: LEASE_SECS,
            renewal_secs: LEASE_SECS / 2,
            rebinding_secs: LEASE_SECS / 8 * 7,
            horizon_leases: HORIZON_LEASES,
            range: None,
        },
        offer_time: secs(OFFER_SECS),
        probe_time: Duration::ZERO,
        decline_time: secs(DECLINE_SECS),
        authoritative: false,
        rapid_commit: false,
        bootp: false,
        ipv6_mostly: false,
        server_id: None,
        options: vec![
            OptionValue {
                code: option::ROUTER,
                data: ip(1).octets().to_vec(),
            },
            OptionValue {
                code: 6,
                data: ip(53).octets().to_vec(),
            },
        ],
        presence: Presence::default(),
        boot: Boot::default(),
        reservations: Vec::new(),
    }
}

pub fn config(networks: Vec<(u32, Subnet)>) -> Config {
    let alone = |(id, subnet)| (id, vec![subnet]);
    shared(networks.into_iter().map(alone).collect())
}

/// Returns a configuration with several subnets on each link.
pub fn shared(networks: Vec<(u32, Vec<Subnet>)>) -> Config {
    let limit = Limit::per_second(1, 1);
    Config {
        server: Server {
            store: "store".into(),
            control_socket: "socket".into(),
            pin_dir: "pins".into(),
            max_leases: 100,
            generic_xdp: false,
            fast_path: true,
            client_limit: limit,
            relay_limit: limit,
            unknown_limit: limit,
            leasequery: Vec::new(),
            history: dhcp_model::defaults::DEFAULT_HISTORY,
        },
        interfaces: Vec::new(),
        classes: Vec::new(),
        reservations: Vec::new(),
        networks: networks
            .into_iter()
            .map(|(id, subnets)| Network {
                id,
                name: id.to_string(),
                match_client_id: true,
                subnets,
            })
            .collect(),
    }
}

pub fn reservation(
    client: ClientKey,
    address: Ipv4Addr,
    host_name: Option<&str>,
) -> Arc<Reservation> {
    Arc::new(Reservation {
        owners: vec![Owner::Client(client)],
        address: Some(address),
        host_name: host_name.map(str::to_owned),
        classes: 0,
        overrides: Overrides::default(),
    })
}

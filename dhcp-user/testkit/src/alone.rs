//! An engine alone, for measurements: its kernel grants nothing, and it leases the addresses of one
//! subnet.

use std::{net::Ipv4Addr, path::Path, sync::Arc};

use dhcp_common::{
    abi::{Grant, LinkKey},
    fingerprint::KEY_WORDS,
};
use dhcp_config::file;
use dhcp_engine::{Engine, Grants, Link, LinkTable, Setup};

const CONFIG: &str = r#"
[[interface]]
name = "eth1"
addresses = ["10.0.0.1"]
[[subnet]]
prefix = "10.0.0.0/8"
probe-time = "0s"
pools = ["10.1.0.0-10.250.0.0"]
options = { routers = ["10.0.0.1"], domain-name-servers = ["10.0.0.1"] }
"#;
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const IFINDEX: u32 = 3;

pub struct NoGrants;

impl Grants for NoGrants {
    fn grant(&self, _slot: u32) -> Grant {
        Grant::default()
    }
}

pub fn engine(max_slots: u32) -> Engine {
    let config = file::parse(Path::new("alone.toml"), CONFIG, None).expect("a good file");
    let link = Link {
        key: LinkKey {
            ifindex: IFINDEX,
            outer: 0,
            inner: 0,
        },
        network: Some(config.networks[0].id),
        addresses: vec![SERVER],
        trusts_relay_info: false,
        honours_subnet_selection: false,
        proxy: None,
    };
    Engine::new(Setup {
        config: Arc::new(config),
        fingerprint_key: [7; KEY_WORDS],
        links: LinkTable::new(vec![link]),
        max_slots,
    })
}

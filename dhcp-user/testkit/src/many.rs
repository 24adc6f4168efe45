//! Configurations with many subnets and reservations, and their clients: for tests that count
//! operations, and benchmarks that measure time.

use std::{fmt::Write as _, net::Ipv4Addr, ops::Range, path::Path, sync::Arc};

use dhcp_common::{abi::LinkKey, wire::message_type};
use dhcp_config::Config;
use dhcp_engine::{Engine, Link, LinkTable, Setup};

use crate::world::{Message, fingerprint_key};

/// Returns the n-th subnet, a /24.
pub fn subnet(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 + (n << 8))
}

/// Returns the address of a host in a subnet.
pub fn host(subnet: Ipv4Addr, last: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(subnet) + last)
}

/// Returns the MAC address of the reservation of an address.
pub fn mac(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [2, 0, a, b, c, d]
}

/// Returns the text of a configuration with `subnets` subnets of `reservations` reservations each.
pub fn file(subnets: u32, reservations: u32) -> String {
    let mut text = String::from(
        "[defaults]\nprobe-time = \"0s\"\n\n\
         [[interface]]\nname = \"eth0\"\naddresses = [\"192.0.2.1\"]\n",
    );
    for n in 0..subnets {
        let prefix = subnet(n);
        let (first, last) = (host(prefix, 128), host(prefix, 250));
        let router = host(prefix, 1);
        write!(
            text,
            "\n[[subnet]]\nprefix = \"{prefix}/24\"\npools = [\"{first}-{last}\"]\n\
             options = {{ routers = [\"{router}\"], domain-name = \"edge.example\" }}\n"
        )
        .unwrap();
        for last in 10..10 + reservations {
            let address = host(prefix, last);
            let mac = mac(address).map(|octet| format!("{octet:02x}")).join(":");
            write!(
                text,
                "\n[[subnet.reservation]]\nhardware-address = \"{mac}\"\n\
                 address = \"{address}\"\nhost-name = \"host-{last}\"\n"
            )
            .unwrap();
        }
    }
    text
}

/// Parses a configuration, which must be valid.
pub fn read(text: &str) -> Config {
    dhcp_config::file::parse(Path::new("xdhcpd.toml"), text, None).unwrap()
}

/// Returns the DISCOVERs of clients behind the relay agents of the first `subnets` subnets.
pub fn clients(subnets: u32, last: Range<u32>) -> Vec<Message> {
    let places = (0..subnets).flat_map(|n| last.clone().map(move |last| (subnet(n), last)));
    places
        .map(|(prefix, last)| {
            let mut message = Message::new(0, message_type::DISCOVER).relayed(host(prefix, 1));
            message.payload[28..34].copy_from_slice(&mac(host(prefix, last)));
            message.ingress.ifindex = 1;
            message.end()
        })
        .collect()
}

/// Returns the only interface of such a configuration.
pub fn links() -> LinkTable {
    LinkTable::new(vec![Link {
        key: LinkKey {
            ifindex: 1,
            outer: 0,
            inner: 0,
        },
        network: None,
        addresses: vec![Ipv4Addr::new(192, 0, 2, 1)],
        trusts_relay_info: false,
        honours_subnet_selection: false,
        proxy: None,
    }])
}

/// Creates an engine with such a configuration, without leases.
pub fn engine(config: Config) -> Engine {
    Engine::new(Setup {
        config: Arc::new(config),
        fingerprint_key: fingerprint_key(),
        links: links(),
        max_slots: 200_000,
    })
}

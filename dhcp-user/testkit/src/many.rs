//! Configurations of very many subnets and reservations, and clients in them: for tests that count,
//! and benches that time.

use std::{fmt::Write as _, net::Ipv4Addr, ops::Range, path::Path, sync::Arc};

use dhcp_common::{abi::LinkKey, wire::message_type};
use dhcp_config::Config;
use dhcp_engine::{Engine, Link, LinkTable, Setup};

use crate::world::{Message, fingerprint_key};

/// The n-th subnet, of a /24 each.
pub fn subnet(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 + (n << 8))
}

/// A host of a subnet.
pub fn host(subnet: Ipv4Addr, last: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(subnet) + last)
}

/// The MAC address of the reservation of an address.
pub fn mac(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [2, 0, a, b, c, d]
}

/// A configuration of so many subnets, each with so many reservations.
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

/// The configuration in a file, which has to be right.
pub fn read(text: &str) -> Config {
    dhcp_config::file::parse(Path::new("xdhcpd.toml"), text, None).unwrap()
}

/// Clients behind the relay agents of the first so many subnets, and where they are.
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

/// The one interface of such a configuration.
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
    }])
}

/// An engine over it, without leases.
pub fn engine(config: Config) -> Engine {
    Engine::new(Setup {
        config: Arc::new(config),
        fingerprint_key: fingerprint_key(),
        links: links(),
        max_slots: 200_000,
    })
}

//! The configured links on this host's interfaces, for the engine and for the kernel.

use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
};

use anyhow::Context as _;
use dhcp_common::{
    abi::{
        self, LINK_TRUSTS_RELAY_INFO, LinkKey, MAX_INTERFACES, MAX_LINK_ADDRESSES, MAX_QUEUES,
        NetworkRef,
    },
    wire::Be32,
};
use dhcp_config::{self, Config};
use dhcp_datapath::host::Interface;
use dhcp_engine::{Link, LinkTable, NO_NETWORK, network_ref};

/// An interface that is served.
#[derive(Debug)]
pub struct Port {
    pub interface: Interface,
    /// Index of its first socket in `SLOW`.
    pub slow_base: u32,
    links: Vec<PortLink>,
}

#[derive(Debug)]
struct PortLink {
    key: LinkKey,
    addresses: Vec<Ipv4Addr>,
    network: Option<NetworkRef>,
    trusts_relay_info: bool,
    honours_subnet_selection: bool,
}

impl Port {
    /// Receive queues that have a socket.
    pub fn queues(&self) -> u32 {
        self.interface.queues.min(MAX_QUEUES)
    }
}

/// The sockets of the interfaces that are served, by the interface's index.
pub type SlowBases = HashMap<u32, u32>;

/// Asks the host for every interface of the configuration. Those that are served already keep their
/// sockets.
///
/// # Errors
/// Names the interface that is missing, or has no address where it needs one.
pub fn ports(config: &Config, served: &SlowBases) -> anyhow::Result<Vec<Port>> {
    anyhow::ensure!(
        config.interfaces.len() <= MAX_INTERFACES as usize,
        "{} interfaces: one controller serves up to {MAX_INTERFACES}",
        config.interfaces.len()
    );
    let interfaces = config.interfaces.iter();
    let interfaces = interfaces.map(|interface| Interface::find(&interface.name));
    let interfaces = interfaces.collect::<Result<Vec<_>, _>>()?;
    let kept = |interface: &Interface| served.get(&interface.ifindex).copied();
    let taken: HashSet<u32> = interfaces.iter().filter_map(kept).collect();
    let mut free = (0..MAX_INTERFACES)
        .map(|index| index * MAX_QUEUES)
        .filter(|base| !taken.contains(base));
    interfaces
        .into_iter()
        .zip(&config.interfaces)
        .map(|(interface, configured)| {
            let slow_base = kept(&interface).or_else(|| free.next());
            let slow_base = slow_base.context("more interfaces than sockets")?;
            port(slow_base, configured, interface, config)
        })
        .collect()
}

/// An interface of the configuration on the host's that it names, with its first socket at `slow_base` of `SLOW`.
///
/// # Errors
/// It has more addresses than the program compares.
pub fn port(
    slow_base: u32,
    configured: &dhcp_config::Interface,
    interface: Interface,
    config: &Config,
) -> anyhow::Result<Port> {
    if interface.queues > MAX_QUEUES {
        tracing::warn!(
            interface = interface.name,
            queues = interface.queues,
            "only the first {MAX_QUEUES} receive queues reach the controller: `ethtool -L` sets fewer"
        );
    }
    let links = configured
        .links
        .iter()
        .map(|link| port_link(link, &interface, config))
        .collect::<anyhow::Result<Vec<_>>>()
        .with_context(|| format!("interface {}", interface.name))?;
    Ok(Port {
        interface,
        slow_base,
        links,
    })
}

fn port_link(
    link: &dhcp_config::Link,
    interface: &Interface,
    config: &Config,
) -> anyhow::Result<PortLink> {
    let [outer, inner] = link.vlans;
    let addresses = if link.addresses.is_empty() {
        interface.addresses.clone()
    } else {
        link.addresses.clone()
    };
    anyhow::ensure!(
        addresses.len() <= MAX_LINK_ADDRESSES,
        "{} IPv4 addresses on one link, of which the program compares up to {MAX_LINK_ADDRESSES}: \
         name those that clients and relay agents use in `addresses`",
        addresses.len()
    );
    if addresses.is_empty() {
        tracing::warn!(
            interface = interface.name,
            vlans = ?link.vlans,
            "the link has no IPv4 address: nobody is served on it"
        );
    }
    let network = config
        .networks
        .iter()
        .find(|network| {
            let mut prefixes = network.subnets.iter().map(|subnet| subnet.prefix);
            prefixes.any(|prefix| addresses.iter().any(|address| prefix.contains(address)))
        })
        .map(network_ref);
    Ok(PortLink {
        key: LinkKey {
            ifindex: interface.ifindex,
            outer,
            inner,
        },
        addresses,
        network,
        trusts_relay_info: link.trust_relay_info,
        honours_subnet_selection: link.subnet_selection,
    })
}

/// For the engine.
pub fn table(ports: &[Port]) -> LinkTable {
    let links = ports.iter().flat_map(|port| &port.links);
    LinkTable::new(
        links
            .map(|link| Link {
                key: link.key,
                network: link.network.map(|network| network.id),
                addresses: link.addresses.clone(),
                trusts_relay_info: link.trusts_relay_info,
                honours_subnet_selection: link.honours_subnet_selection,
            })
            .collect(),
    )
}

/// For `LINKS`.
pub fn kernel_links(ports: &[Port]) -> Vec<(LinkKey, abi::Link)> {
    let links = ports
        .iter()
        .flat_map(|port| port.links.iter().map(move |link| (port, link)));
    links
        .map(|(port, link)| (link.key, kernel_link(port, link)))
        .collect()
}

fn kernel_link(port: &Port, link: &PortLink) -> abi::Link {
    let mut addresses = [Be32::default(); MAX_LINK_ADDRESSES];
    for (slot, address) in addresses.iter_mut().zip(&link.addresses) {
        *slot = (*address).into();
    }
    let flags = if link.trusts_relay_info {
        LINK_TRUSTS_RELAY_INFO
    } else {
        0
    };
    abi::Link {
        network: link.network.unwrap_or(NO_NETWORK),
        flags,
        slow_base: port.slow_base,
        mac: port.interface.mac,
        address_count: link.addresses.len().min(MAX_LINK_ADDRESSES) as u16,
        addresses,
    }
}

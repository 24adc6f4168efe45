//! The configured links on the interfaces of this host, for the engine and for the kernel.

use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
    sync::Arc,
};

use anyhow::Context as _;
use dhcp_common::{
    abi::{
        self, LINK_IS_PROXY, LINK_TRUSTS_RELAY_INFO, LinkKey, MAX_INTERFACES, MAX_LINK_ADDRESSES,
        MAX_QUEUES, NetworkRef,
    },
    wire::Be32,
};
use dhcp_config::{self, Config, Overrides};
use dhcp_datapath::host::Interface;
use dhcp_engine::{Link, LinkTable, NO_NETWORK, network_ref};

/// An interface to serve, with its links.
#[derive(Debug)]
pub struct ServedInterface {
    pub interface: Interface,
    /// The index of its first socket in the map `SLOW`.
    pub slow_base: u32,
    links: Vec<ServedLink>,
}

#[derive(Debug)]
struct ServedLink {
    key: LinkKey,
    addresses: Vec<Ipv4Addr>,
    network: Option<NetworkRef>,
    trusts_relay_info: bool,
    honours_subnet_selection: bool,
    proxy: Option<Arc<Overrides>>,
}

impl ServedInterface {
    /// Returns the number of receive queues that have a socket.
    pub fn queues(&self) -> u32 {
        self.interface.queues.min(MAX_QUEUES)
    }
}

/// The index of the first socket of each attached interface, by `ifindex`.
pub type SlowBases = HashMap<u32, u32>;

/// Finds every interface of the configuration on the host. Interfaces in `served` keep their
/// sockets.
///
/// # Errors
/// An interface does not exist, or has too many addresses.
pub fn interfaces(config: &Config, served: &SlowBases) -> anyhow::Result<Vec<ServedInterface>> {
    anyhow::ensure!(
        config.interfaces.len() <= MAX_INTERFACES as usize,
        "{} interfaces; at most {MAX_INTERFACES} are supported",
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
            self::interface(slow_base, configured, interface, config)
        })
        .collect()
}

/// Combines an interface of the configuration with that of the host; `slow_base` is the index of
/// its first socket in the map `SLOW`.
///
/// # Errors
/// A link has more addresses than the program compares.
pub fn interface(
    slow_base: u32,
    configured: &dhcp_config::Interface,
    interface: Interface,
    config: &Config,
) -> anyhow::Result<ServedInterface> {
    if interface.queues > MAX_QUEUES {
        tracing::warn!(
            interface = interface.name,
            queues = interface.queues,
            "only the first {MAX_QUEUES} receive queues are served; reduce their number with `ethtool -L`"
        );
    }
    let links = configured
        .links
        .iter()
        .map(|link| served_link(link, &interface, config))
        .collect::<anyhow::Result<Vec<_>>>()
        .with_context(|| format!("interface {}", interface.name))?;
    Ok(ServedInterface {
        interface,
        slow_base,
        links,
    })
}

fn served_link(
    link: &dhcp_config::Link,
    interface: &Interface,
    config: &Config,
) -> anyhow::Result<ServedLink> {
    let [outer, inner] = link.vlans;
    let addresses = if link.addresses.is_empty() {
        interface.addresses.clone()
    } else {
        link.addresses.clone()
    };
    anyhow::ensure!(
        addresses.len() <= MAX_LINK_ADDRESSES,
        "{} IPv4 addresses on one link; at most {MAX_LINK_ADDRESSES} are supported, so set \
         `addresses` to those that clients and relay agents use",
        addresses.len()
    );
    if addresses.is_empty() {
        tracing::warn!(
            interface = interface.name,
            vlans = ?link.vlans,
            "the link has no IPv4 address; its clients are not served"
        );
    }
    // Where another server gives the addresses, this one must not, whatever the interface's
    // addresses have become since the configuration was checked.
    let mut networks = config.networks.iter().filter(|_| link.proxy.is_none());
    let network = networks
        .find(|network| {
            let mut prefixes = network.subnets.iter().map(|subnet| subnet.prefix);
            prefixes.any(|prefix| addresses.iter().any(|address| prefix.contains(address)))
        })
        .map(network_ref);
    Ok(ServedLink {
        key: LinkKey {
            ifindex: interface.ifindex,
            outer,
            inner,
        },
        addresses,
        network,
        trusts_relay_info: link.trust_relay_info,
        honours_subnet_selection: link.subnet_selection,
        proxy: link.proxy.clone().map(Arc::new),
    })
}

/// Returns the links for the engine.
pub fn table(interfaces: &[ServedInterface]) -> LinkTable {
    let links = interfaces.iter().flat_map(|interface| &interface.links);
    LinkTable::new(
        links
            .map(|link| Link {
                key: link.key,
                network: link.network.map(|network| network.id),
                addresses: link.addresses.clone(),
                trusts_relay_info: link.trusts_relay_info,
                honours_subnet_selection: link.honours_subnet_selection,
                proxy: link.proxy.clone(),
            })
            .collect(),
    )
}

/// Returns the links for the map `LINKS`.
pub fn kernel_links(interfaces: &[ServedInterface]) -> Vec<(LinkKey, abi::Link)> {
    let links = interfaces
        .iter()
        .flat_map(|served| served.links.iter().map(move |link| (served, link)));
    links
        .map(|(served, link)| (link.key, kernel_link(served, link)))
        .collect()
}

fn kernel_link(served: &ServedInterface, link: &ServedLink) -> abi::Link {
    let mut addresses = [Be32::default(); MAX_LINK_ADDRESSES];
    for (slot, address) in addresses.iter_mut().zip(&link.addresses) {
        *slot = (*address).into();
    }
    let flags = [
        (LINK_TRUSTS_RELAY_INFO, link.trusts_relay_info),
        (LINK_IS_PROXY, link.proxy.is_some()),
    ];
    let flags = flags.into_iter().filter(|(_, is_set)| *is_set);
    let flags = flags.fold(0, |flags, (flag, _)| flags | flag);
    abi::Link {
        network: link.network.unwrap_or(NO_NETWORK),
        flags,
        slow_base: served.slow_base,
        mac: served.interface.mac,
        address_count: link.addresses.len().min(MAX_LINK_ADDRESSES) as u16,
        addresses,
    }
}

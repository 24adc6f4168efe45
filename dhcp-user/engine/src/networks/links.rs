//! Where requests come from: the links that are served.

use std::{collections::HashMap, net::Ipv4Addr, sync::Arc};

use dhcp_common::abi::LinkKey;
use dhcp_config::{Config, Overrides};

use crate::effect::Ingress;

/// Untagged frames of an interface, or those of one VLAN.
#[derive(Clone, Debug)]
pub struct Link {
    pub key: LinkKey,
    /// The network of clients that send here directly; `None` where there are only relay agents.
    pub network: Option<u32>,
    /// The server's addresses on this link.
    pub addresses: Vec<Ipv4Addr>,
    /// Whether option 82 is accepted from clients without a relay agent.
    pub trusts_relay_info: bool,
    /// Whether option 118 is honoured here (RFC 3011).
    pub honours_subnet_selection: bool,
    /// The boot settings of firmware where another server gives the addresses.
    pub proxy: Option<Arc<Overrides>>,
}

/// All links, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub struct LinkTable {
    links: Vec<Link>,
    by_key: HashMap<LinkKey, usize>,
}

impl LinkTable {
    /// Creates a table. Of two links with the same key the first counts.
    pub fn new(links: Vec<Link>) -> Self {
        let mut by_key = HashMap::with_capacity(links.len());
        for (index, link) in links.iter().enumerate() {
            by_key.entry(link.key).or_insert(index);
        }
        Self { links, by_key }
    }

    pub fn get(&self, ingress: &Ingress) -> Option<&Link> {
        let [outer, inner] = ingress.vlans();
        let key = LinkKey {
            ifindex: ingress.ifindex,
            outer,
            inner,
        };
        self.links.get(*self.by_key.get(&key)?)
    }

    /// Returns the server's addresses on all links.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.links
            .iter()
            .flat_map(|link| link.addresses.iter().copied())
    }

    /// Returns the directed broadcast address of each subnet in which the server has an address, to
    /// which some relay agents send. A prefix of one or two addresses has none (RFC 3021).
    pub fn directed_broadcasts<'a>(
        &self,
        config: &'a Config,
    ) -> impl Iterator<Item = (Ipv4Addr, &'a dhcp_config::Network)> {
        config.subnets().filter_map(|(network, subnet)| {
            let prefix = subnet.prefix;
            let is_ours = self.addresses().any(|address| prefix.contains(&address));
            (is_ours && prefix.prefix_len() < 31).then(|| (prefix.broadcast(), network))
        })
    }
}

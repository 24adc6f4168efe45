//! What this host has of the things that a configuration names.

use std::{collections::BTreeMap, io, net::Ipv4Addr};

use ipnet::Ipv4Net;

/// The interfaces of a host and their IPv4 addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    pub interfaces: BTreeMap<String, Vec<Ipv4Addr>>,
    /// The networks that these addresses are on.
    pub prefixes: Vec<Ipv4Net>,
}

impl Host {
    /// What the kernel says now.
    ///
    /// # Errors
    /// The kernel did not answer.
    pub fn probe() -> io::Result<Self> {
        let mut host = Self::default();
        for entry in nix::ifaddrs::getifaddrs()? {
            let addresses = host.interfaces.entry(entry.interface_name).or_default();
            let address = entry
                .address
                .as_ref()
                .and_then(|address| address.as_sockaddr_in());
            let mask = entry
                .netmask
                .as_ref()
                .and_then(|mask| mask.as_sockaddr_in());
            addresses.extend(address.map(|address| address.ip()));
            let prefix = address
                .zip(mask)
                .and_then(|(address, mask)| Ipv4Net::with_netmask(address.ip(), mask.ip()).ok());
            host.prefixes.extend(prefix.map(|prefix| prefix.trunc()));
        }
        Ok(host)
    }
}

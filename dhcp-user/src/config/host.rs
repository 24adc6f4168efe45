//! What this host has of the things that a configuration names.

use std::{collections::BTreeMap, io, net::Ipv4Addr};

/// The interfaces of a host and their IPv4 addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    pub interfaces: BTreeMap<String, Vec<Ipv4Addr>>,
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
            addresses.extend(address.map(|address| address.ip()));
        }
        Ok(host)
    }
}

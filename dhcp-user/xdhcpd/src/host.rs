//! The interfaces of this host.

use std::io;

use dhcp_config::Host;
use ipnet::Ipv4Net;

/// Reads the interfaces of this host and their IPv4 addresses.
///
/// # Errors
/// Errors of getifaddrs(3).
pub fn probe() -> io::Result<Host> {
    let mut host = Host::default();
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    #[test]
    fn the_loopback_interface_has_its_address() {
        let host = super::probe().unwrap();
        assert!(host.interfaces["lo"].contains(&Ipv4Addr::LOCALHOST));
    }
}

//! systemd-networkd without a system around it: folders of the lab are mounted into its own mount
//! namespace, there is no D-Bus, and a read-only `/sys` makes it run without udev.

use std::{fs, net::Ipv4Addr};

use anyhow::Result;
use nix::sys::signal::Signal;

use super::running::{Client, Event};
use crate::{Namespace, Process, topology::CLIENT_INTERFACE, wait};

#[derive(Debug)]
pub struct Networkd {
    process: Process,
}

/// `$1` is a folder in the lab. networkd takes a read-only `/sys` as the sign of a container, which
/// has no udev.
const ISOLATED: &str = r#"set -e
mkdir -p "$1/run/netif/leases" "$1/run/netif/links" "$1/run/netif/lldp" /etc/systemd/network
chown -R systemd-network: "$1/run/netif"
mount --bind "$1/etc" /etc/systemd/network
mount --bind "$1/run" /run/systemd
mount -t sysfs -o ro sysfs /sys
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent
export SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console SYSTEMD_LOG_COLOR=0
exec /lib/systemd/systemd-networkd
"#;

/// Every feature that would reach beyond the interface is off.
const SETTINGS: &str = "[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n\n\
    [DHCPv4]\nUseDNS=no\nUseNTP=no\nUseHostname=no\nSendHostname=no\nUseTimezone=no\n\
    ClientIdentifier=mac\n";

impl Networkd {
    /// Starts networkd.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(namespace: &Namespace) -> Result<Self> {
        let dir = namespace.path("networkd");
        fs::create_dir_all(dir.join("etc"))?;
        let network = format!("[Match]\nName={CLIENT_INTERFACE}\n\n{SETTINGS}");
        fs::write(dir.join("etc/10-lab.network"), network)?;
        let mut networkd = namespace.command("unshare", ["--mount", "sh", "-c", ISOLATED, "sh"]);
        networkd.arg(&dir);
        Ok(Self {
            process: Process::spawn(namespace, "networkd", &mut networkd)?,
        })
    }
}

impl Client for Networkd {
    fn events(&self) -> Result<Vec<Event>> {
        Ok(events(&self.process.output()?))
    }

    /// Does nothing: networkd renews at T1, and only D-Bus could make it renew earlier.
    fn renew(&mut self) -> Result<()> {
        self.process.expect_running()
    }

    /// Stops networkd, which then releases its lease.
    fn release(&mut self) -> Result<()> {
        self.process.signal(Signal::SIGTERM)?;
        self.process.wait(wait::PATIENCE).map(drop)
    }
}

/// Parses events from the debug log. What an ACK means follows from the last REQUEST.
fn events(log: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let mut renewing = false;
    let mut address = Ipv4Addr::UNSPECIFIED;
    for line in log.lines() {
        if let Some((_, what)) = line.split_once("DHCPv4 client: ") {
            match what.trim() {
                "REQUEST (renewing)" | "REQUEST (rebinding)" => renewing = true,
                "ACK" if renewing => {
                    events.push(Event::Renewed(address));
                    renewing = false;
                }
                "NAK" | "EXPIRED" => {
                    events.push(Event::Lost);
                    renewing = false;
                }
                _ => {}
            }
        } else if let Some(acquired) = acquired(line)
            && acquired != address
        {
            address = acquired;
            events.push(Event::Bound(address));
        }
    }
    events
}

/// Parses a line such as `eth0: DHCPv4 address 10.77.0.100/24, gateway 10.77.0.1 acquired from
/// 10.77.0.1`.
fn acquired(line: &str) -> Option<Ipv4Addr> {
    let (_, rest) = line.split_once("DHCPv4 address ")?;
    let (address, rest) = rest.split_once('/')?;
    rest.contains("acquired from").then_some(())?;
    address.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_events_from_the_log() {
        let log = "\
            eth0: DHCPv4 client: REQUEST (requesting)\n\
            eth0: DHCPv4 client: ACK\n\
            eth0: DHCPv4 address 10.77.0.174/24, gateway 10.77.0.1 acquired from 10.77.0.1\n\
            eth0: DHCPv4 client: REQUEST (renewing)\n\
            eth0: DHCPv4 client: ACK\n\
            eth0: DHCPv4 client: REQUEST (renewing)\n\
            eth0: DHCPv4 client: NAK\n";
        let address = Ipv4Addr::new(10, 77, 0, 174);
        assert_eq!(
            events(log),
            [Event::Bound(address), Event::Renewed(address), Event::Lost]
        );
    }
}

//! The lab itself, with dnsmasq in the daemon's place: what fails here is no fault of xdhcpd's.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::Result;
use xtask::lab::{
    Lab, Namespace,
    client::{Client, Dhclient, Dhcpcd, Networkd, Udhcpc},
    dnsmasq::Dnsmasq,
    topology::{Direct, SERVER_INTERFACE},
    wait,
};

const FIRST: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const LAST: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 199);

/// A lease, one renewal and the release, as dnsmasq's log has them.
fn play<C: Client>(start: impl Fn(&Namespace) -> Result<C>) -> Result<()> {
    let lab = Lab::new()?;
    let net = Direct::new(&lab)?;
    let dnsmasq = Dnsmasq::start(&net.server, SERVER_INTERFACE, (FIRST, LAST))?;
    let mut client = start(&net.client)?;
    let played = (|| {
        let address = client.wait_bound()?;
        assert!((FIRST..=LAST).contains(&address), "{address}");
        client.renew_and_wait()?;
        client.release()?;
        wait::until("a RELEASE", Duration::from_secs(5), || {
            let log = dnsmasq.output()?;
            let count = |what: &str| log.matches(what).count();
            assert!(count("DHCPREQUEST(") <= 2, "{log}");
            Ok((count("DHCPRELEASE(") == 1).then_some(()))
        })
    })();
    if played.is_err() {
        lab.print_logs();
    }
    played
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn udhcpc_leases_renews_and_releases() -> Result<()> {
    play(Udhcpc::start)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn dhcpcd_leases_renews_and_releases() -> Result<()> {
    play(Dhcpcd::start)
}
#[test]
#[ignore = "needs root: cargo xtask test"]
fn dhclient_leases_renews_and_releases() -> Result<()> {
    play(Dhclient::start)
}
#[test]
#[ignore = "needs root: cargo xtask test"]
fn networkd_leases_renews_and_releases() -> Result<()> {
    play(Networkd::start)
}

//! Tests of the lab itself, with dnsmasq in place of the daemon: a failure here is not xdhcpd's.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::Result;
use xtask_lab::{
    Lab, Namespace,
    client::{Client, Dhclient, Dhcpcd, Networkd, Udhcpc},
    dnsmasq::Dnsmasq,
    topology::{Direct, SERVER_INTERFACE},
    wait,
};

const FIRST: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const LAST: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 199);

/// Obtains a lease, renews it once, and expects `released` RELEASEs in dnsmasq's log.
fn play<C: Client>(start: impl Fn(&Namespace) -> Result<C>, released: usize) -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let dnsmasq = Dnsmasq::start(&net.server, SERVER_INTERFACE, (FIRST, LAST))?;
        let mut client = start(&net.client)?;
        let address = client.wait_bound()?;
        assert!((FIRST..=LAST).contains(&address), "{address}");
        client.renew_and_wait()?;
        client.release()?;
        wait::until("the RELEASE", Duration::from_secs(5), || {
            let log = dnsmasq.output()?;
            let count = |what: &str| log.matches(what).count();
            assert_eq!(count("DHCPDISCOVER("), 1);
            assert_eq!(count("DHCPREQUEST("), client.requests()?);
            Ok((count("DHCPRELEASE(") == released).then_some(()))
        })
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn udhcpc_leases_renews_and_releases() -> Result<()> {
    play(Udhcpc::start, 1)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn dhcpcd_leases_renews_and_releases() -> Result<()> {
    play(Dhcpcd::start, 1)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn dhclient_leases_renews_and_releases() -> Result<()> {
    play(Dhclient::start, 1)
}

/// The RELEASE of networkd has no option 54, which RFC 2131 table 5 requires, and dnsmasq ignores
/// it.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn networkd_leases_and_renews() -> Result<()> {
    play(Networkd::start, 0)
}

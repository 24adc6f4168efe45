//! A client returns with the lease that it had: INIT-REBOOT (RFC 2131 §3.2, §4.3.2).

use std::net::Ipv4Addr;

use anyhow::Result;
use dhcp_common::outcome::Outcome;
use xtask_lab::{
    Lab, Namespace,
    client::{Client, Dhclient, Dhcpcd, Event, Udhcpc},
    config,
    dnsmasq::Dnsmasq,
    server::Server,
    topology::{Direct, SERVER_INTERFACE},
};

const LONG: &str = r#"lease-time = "1h""#;
const AUTHORITATIVE: &str = "lease-time = \"1h\"\nauthoritative = true";

/// In the pool of `config::local`, and on its network but in no pool.
const IN_POOL: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 150);
const IN_NO_POOL: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 50);

fn known<C: Client>(start: impl Fn(&Namespace) -> Result<C>) -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let server = Server::start(lab, &net.server, &config::local(LONG))?;
        let first = start(&net.client)?;
        let address = first.wait_bound()?;
        drop(first);

        let before = server.stats()?;
        let second = start(&net.client)?;
        assert_eq!(second.wait_bound()?, address);
        let counted = server.stats()?.since(&before);
        assert_eq!(counted.of(Outcome::AckedRebooting), 1, "{counted}");
        assert_eq!(counted.answered(), 1, "{counted}");
        assert_eq!(counted.slow(), 0, "{counted}");
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c052_dhclient_comes_back_and_the_kernel_acknowledges_its_address() -> Result<()> {
    known(Dhclient::start)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c052_dhcpcd_comes_back_and_the_kernel_acknowledges_its_address() -> Result<()> {
    known(Dhcpcd::start)
}

/// dhclient returns with the lease of another server, which is gone.
fn unknown(
    theirs: Ipv4Addr,
    defaults: &str,
    look: impl Fn(&Server, &Dhclient) -> Result<()>,
) -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let other = Dnsmasq::start(&net.server, SERVER_INTERFACE, (theirs, theirs))?;
        let client = Dhclient::start(&net.client)?;
        assert_eq!(client.wait_bound()?, theirs);
        drop((client, other));

        let server = Server::start(lab, &net.server, &config::local(defaults))?;
        look(&server, &Dhclient::start(&net.client)?)
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c050_a_client_unknown_here_hears_nothing_and_starts_afresh() -> Result<()> {
    unknown(IN_POOL, LONG, |server, client| {
        client.wait_bound()?;
        let stats = server.stats()?;
        assert!(stats.engine("unknown_client") >= 1, "{stats:?}");
        assert_eq!(stats.engine("nak"), 0, "{stats:?}");
        assert_eq!(stats.engine("offered"), 1, "the client did not start again");
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c051_a_client_unknown_here_keeps_a_free_address_of_an_authoritative_server() -> Result<()> {
    unknown(IN_POOL, AUTHORITATIVE, |server, client| {
        assert_eq!(client.wait_bound()?, IN_POOL);
        let stats = server.stats()?;
        assert_eq!(stats.engine("acked"), 1, "{stats:?}");
        assert_eq!(stats.engine("offered"), 0, "{stats:?}");
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c051_a_client_whose_address_is_not_to_be_had_is_told_so_and_starts_afresh() -> Result<()> {
    unknown(IN_NO_POOL, AUTHORITATIVE, |server, client| {
        assert_ne!(client.wait_bound()?, IN_NO_POOL);
        let stats = server.stats()?;
        assert_eq!(stats.engine("nak"), 1, "{stats:?}");
        assert_eq!(stats.engine("offered"), 1, "{stats:?}");
        assert!(!client.events()?.contains(&Event::Bound(IN_NO_POOL)));
        Ok(())
    })
}

/// `udhcpc -r` is not an INIT-REBOOT: it requests the address in a DISCOVER.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c027_udhcpc_gets_the_free_address_that_it_asks_for() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let server = Server::start(lab, &net.server, &config::local(LONG))?;
        let asked = IN_POOL.to_string();
        let client = Udhcpc::start_with(&net.client, &["-r", &asked])?;
        assert_eq!(client.wait_bound()?, IN_POOL);
        assert_eq!(server.stats()?.engine("offered"), 1);
        Ok(())
    })
}

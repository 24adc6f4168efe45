//! Lease, renewal and release of each client.

use anyhow::Result;
use dhcp_common::outcome::Outcome;
use xtask_lab::{
    Lab, Namespace,
    client::{Client, Dhclient, Dhcpcd, Networkd, Udhcpc},
    config,
    server::Server,
    topology::Direct,
};

use crate::{expect_by_kernel, wait_engine, wait_state};

/// For clients that renew when they are told to.
const LONG: &str = r#"lease-time = "1h""#;
/// For clients that renew by their own timers only.
const SHORT: &str = r#"lease-time = "20s""#;

/// The client gets a lease from the controller, renews it by the kernel alone, and gives it up.
fn live<C: Client>(
    start: impl Fn(&Namespace) -> Result<C> + Sync,
    defaults: &str,
    renewals: u64,
) -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let server = Server::start(lab, &net.server, &config::local(defaults))?;
        let mut client = start(&net.client)?;
        let address = client.wait_bound()?;
        wait_state(&server, address, Some("bound"))?;

        let bound = server.stats()?;
        let before = client.requests()?;
        for _ in 0..renewals {
            client.renew_and_wait()?;
        }
        let sent = (client.requests()? - before) as u64;
        let renewed = server.stats()?;
        let counted = renewed.since(&bound);
        assert!(sent >= renewals, "{sent} REQUESTs for {renewals} renewals");
        expect_by_kernel(lab, &counted, &[(Outcome::AckedRenewing, sent)]);
        let by_controller = if lab.has_fast_path() { 0 } else { sent };
        let acked = renewed.engine("acked") - bound.engine("acked");
        assert_eq!(acked, by_controller);

        client.release()?;
        wait_state(&server, address, None)?;
        wait_engine(&server, "released", 1)
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn udhcpc_leases_renews_by_the_kernel_and_releases() -> Result<()> {
    live(Udhcpc::start, LONG, 3)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn dhcpcd_leases_renews_by_the_kernel_and_releases() -> Result<()> {
    live(Dhcpcd::start, LONG, 3)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn dhclient_leases_renews_by_the_kernel_and_releases() -> Result<()> {
    live(Dhclient::start, SHORT, 2)
}

/// Its RELEASE has no option 54, against RFC 2131 table 5, and is 14 octets short of what BOOTP asks;
/// only one that names another server is to be ignored (c075).
#[test]
#[ignore = "needs root: cargo xtask test"]
fn networkd_leases_renews_by_the_kernel_and_releases() -> Result<()> {
    live(Networkd::start, SHORT, 2)
}

/// A client that comes back after it was switched off without a RELEASE gets its address again.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c027_a_client_that_starts_anew_gets_its_address_from_the_kernel() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let server = Server::start(lab, &net.server, &config::local(LONG))?;
        let first = Udhcpc::start(&net.client)?;
        let address = first.wait_bound()?;
        drop(first);

        let before = server.stats()?;
        let second = Udhcpc::start(&net.client)?;
        assert_eq!(second.wait_bound()?, address);
        let counted = server.stats()?.since(&before);
        let answers = [(Outcome::Offered, 1), (Outcome::AckedSelecting, 1)];
        expect_by_kernel(lab, &counted, &answers);
        Ok(())
    })
}

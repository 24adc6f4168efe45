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

/// For clients that renew on request.
const LONG: &str = r#"lease-time = "1h""#;
/// For clients that renew only by their own timers.
const SHORT: &str = r#"lease-time = "20s""#;

/// The client obtains a lease from the controller, renews it through the kernel alone, and releases
/// it.
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

/// The RELEASE of networkd has no option 54, which RFC 2131 table 5 requires, and is 14 octets
/// shorter than BOOTP requires; only one that names another server is ignored (c075).
#[test]
#[ignore = "needs root: cargo xtask test"]
fn networkd_leases_renews_by_the_kernel_and_releases() -> Result<()> {
    live(Networkd::start, SHORT, 2)
}

/// A client that returns after it was switched off without a RELEASE obtains its address again.
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

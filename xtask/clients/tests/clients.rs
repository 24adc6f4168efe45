//! Each real client and each firmware gets its address from the daemon, and does with it what it
//! has an address for.
//!
//! The tests require root, a built daemon and the packages, which `cargo xtask test` provides.

use anyhow::{Result, ensure};
use xtask_clients::{KINDS, Kind, Report};
use xtask_lab::Lab;

fn play(name: &str, expect: impl FnOnce(&Report) -> bool) -> Result<()> {
    let kind = Kind::named(name)?;
    let missing = kind.missing()?;
    ensure!(
        missing.is_none(),
        "{missing:?} is not installed: run `cargo xtask setup`"
    );
    Lab::run(|lab| {
        let report = (kind.play)(lab)?;
        println!("{name} {report}");
        ensure!(
            report.address.is_some() && expect(&report),
            "{name} {report}"
        );
        Ok(())
    })
}

fn has_renewed(report: &Report) -> bool {
    report.renewed != 0
}

fn has_fetched(report: &Report) -> bool {
    report.fetched.is_some()
}

#[test]
fn every_kind_has_a_test() {
    let own = include_str!("clients.rs");
    for kind in KINDS {
        let call = format!("play(\"{}\", ", kind.name);
        assert!(own.contains(&call), "{} has no test", kind.name);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn udhcpc_gets_an_address_and_renews_it() -> Result<()> {
    play("udhcpc", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn dhclient_gets_an_address_and_renews_it() -> Result<()> {
    play("dhclient", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn dhcpcd_gets_an_address_and_renews_it() -> Result<()> {
    play("dhcpcd", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn networkd_gets_an_address_and_renews_it() -> Result<()> {
    play("networkd", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn vpcs_gets_an_address_twice() -> Result<()> {
    play("vpcs", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn smoltcp_gets_an_address_and_renews_it() -> Result<()> {
    play("smoltcp", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn lwip_gets_an_address_and_renews_it() -> Result<()> {
    play("lwip", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn network_manager_gets_an_address_again_after_an_outage() -> Result<()> {
    play("network-manager", |report| {
        has_renewed(report) && report.outlived_outage
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn connman_gets_an_address_and_renews_it() -> Result<()> {
    play("connman", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_rom_of_ipxe_boots() -> Result<()> {
    play("ipxe", has_fetched)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn u_boot_boots() -> Result<()> {
    play("u-boot", has_fetched)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn uefi_boots_over_pxe() -> Result<()> {
    play("ovmf-pxe", has_fetched)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn uefi_boots_over_http() -> Result<()> {
    play("ovmf-http", has_fetched)
}

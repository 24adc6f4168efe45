//! Each real client and each firmware gets its address from the daemon, and does with it what it
//! has an address for.
//!
//! The tests require root, a built daemon and the packages, which `cargo xtask test` provides.

use anyhow::{Result, ensure};
use xtask_clients::{KINDS, Kind, Report};
use xtask_lab::Lab;

/// Plays a kind in two labs: in one the XDP program answers, in the other it passes everything on.
fn play_in_both_modes(name: &str, expect: impl Fn(&Report) -> bool + Sync) -> Result<()> {
    let kind = installed(name)?;
    Lab::run_in_both_modes(|lab| play(kind, lab, &expect))
}

/// Plays firmware, which an emulator takes long for, in one lab.
fn boot(name: &str) -> Result<()> {
    let kind = installed(name)?;
    Lab::run(|lab| play(kind, lab, |report| report.fetched.is_some()))
}

fn installed(name: &str) -> Result<Kind> {
    let kind = Kind::named(name)?;
    let missing = kind.missing()?;
    ensure!(
        missing.is_none(),
        "{missing:?} is not installed: run `cargo xtask setup`"
    );
    Ok(kind)
}

fn play(kind: Kind, lab: &Lab, expect: impl Fn(&Report) -> bool) -> Result<()> {
    let report = (kind.play)(lab)?;
    println!("{} {report}", kind.name);
    ensure!(
        report.address.is_some() && expect(&report),
        "{} {report}",
        kind.name
    );
    Ok(())
}

fn has_renewed(report: &Report) -> bool {
    report.renewed != 0
}

#[test]
fn every_kind_has_a_test() {
    let own = include_str!("clients.rs");
    for kind in KINDS {
        let name = format!("(\"{}\"", kind.name);
        assert!(own.contains(&name), "{} has no test", kind.name);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn udhcpc_gets_an_address_and_renews_it() -> Result<()> {
    play_in_both_modes("udhcpc", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn dhclient_gets_an_address_and_renews_it() -> Result<()> {
    play_in_both_modes("dhclient", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn dhcpcd_gets_an_address_and_renews_it() -> Result<()> {
    play_in_both_modes("dhcpcd", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn networkd_gets_an_address_and_renews_it() -> Result<()> {
    play_in_both_modes("networkd", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn vpcs_gets_an_address_twice() -> Result<()> {
    play_in_both_modes("vpcs", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn smoltcp_gets_an_address_and_renews_it() -> Result<()> {
    play_in_both_modes("smoltcp", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn lwip_gets_an_address_and_renews_it() -> Result<()> {
    play_in_both_modes("lwip", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn network_manager_gets_an_address_again_after_an_outage() -> Result<()> {
    play_in_both_modes("network-manager", |report| {
        has_renewed(report) && report.outlived_outage
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn connman_gets_an_address_and_renews_it() -> Result<()> {
    play_in_both_modes("connman", has_renewed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_rom_of_ipxe_boots() -> Result<()> {
    boot("ipxe")
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn u_boot_boots() -> Result<()> {
    boot("u-boot")
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn uefi_boots_over_pxe() -> Result<()> {
    boot("ovmf-pxe")
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn uefi_boots_over_http() -> Result<()> {
    boot("ovmf-http")
}

//! The controller ends and starts again, while the kernel continues to answer.

use anyhow::Result;
use dhcp_common::outcome::Outcome;
use xtask_lab::{
    Lab,
    client::{Client as _, Event, Udhcpc},
    command, config,
    server::Server,
    topology::{Direct, SERVER_INTERFACE},
};

use crate::{expect_by_kernel, wait_state};

const LONG: &str = r#"lease-time = "1h""#;

/// A renewal while no controller runs, and another with the new one.
fn away(go: impl Fn(&mut Server) -> Result<()>) -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let mut server = Server::start(lab, &net.server, &config::local(LONG))?;
        let mut client = Udhcpc::start(&net.client)?;
        let address = client.wait_bound()?;
        let bound = server.stats()?;

        go(&mut server)?;
        client.renew_and_wait()?;
        let counted = server.pinned_stats()?.since(&bound);
        assert_eq!(counted.of(Outcome::AckedRenewing), 1, "{counted}");
        assert_eq!(counted.slow(), 0, "{counted}");

        server.start_again()?;
        assert_eq!(server.lease_state(address)?.as_deref(), Some("bound"));
        client.renew_and_wait()?;
        let counted = server.stats()?.since(&bound);
        assert_eq!(
            counted.of(Outcome::AckedRenewing),
            2,
            "not adopted: {counted}"
        );
        assert_eq!(counted.slow(), 0, "{counted}");
        assert!(!client.events()?.contains(&Event::Lost));
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c120_a_killed_controller_leaves_the_kernel_answering_and_adopts_it_again() -> Result<()> {
    away(|server| {
        server.kill();
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c120_a_stopped_controller_leaves_the_kernel_answering_and_adopts_it_again() -> Result<()> {
    away(Server::stop)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c120_a_controller_whose_store_was_lost_has_its_leases_from_the_kernel() -> Result<()> {
    away(|server| {
        server.kill();
        // The journal is removed with it.
        for suffix in ["", "-wal", "-shm"] {
            let mut file = server.store().as_os_str().to_owned();
            file.push(suffix);
            std::fs::remove_file(file)?;
        }
        Ok(())
    })
}

/// As after a reboot: pins are gone, and the leases come from the store.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c046_c120_leases_outlive_the_maps() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let mut server = Server::start(lab, &net.server, &config::local(LONG))?;
        let mut client = Udhcpc::start(&net.client)?;
        let address = client.wait_bound()?;

        server.kill();
        std::fs::remove_dir_all(server.pin_dir())?;
        server.start_again()?;
        assert_eq!(server.lease_state(address)?.as_deref(), Some("bound"));
        // At the first renewal the controller renders the answer, which the kernel then repeats.
        client.renew_and_wait()?;
        let rendered = server.stats()?;
        client.renew_and_wait()?;
        let counted = server.stats()?.since(&rendered);
        expect_by_kernel(lab, &counted, &[(Outcome::AckedRenewing, 1)]);
        wait_state(&server, address, Some("bound"))
    })
}

/// One command removes the program of a stopped controller, but not while a controller runs.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn detach_ends_what_a_stopped_controller_has_left() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let mut server = Server::start(lab, &net.server, &config::local(LONG))?;
        let attached = || -> Result<bool> {
            let show = ["-json", "-details", "link", "show", "dev", SERVER_INTERFACE];
            Ok(command::read(&mut net.server.command("ip", show))?.contains("\"xdp\""))
        };
        let refused = command::output(&mut server.command_detach())?;
        assert!(!refused.status.success());
        assert!(attached()?);

        server.stop()?;
        assert!(attached()?);
        let detached = command::read(&mut server.command_detach())?;
        assert!(
            detached.starts_with("detached from 1 interface"),
            "{detached}"
        );
        assert!(!attached()?);
        assert_eq!(std::fs::read_dir(server.pin_dir())?.count(), 0);
        Ok(())
    })
}

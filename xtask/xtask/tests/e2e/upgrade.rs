//! Another daemon takes over while a client renews without a pause.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
};

use anyhow::{Result, ensure};
use dhcp_common::outcome::Outcome;
use dhcproto::v4::MessageType;
use xtask_lab::{
    Lab, config,
    raw::{RawClient, expect},
    server::Server,
    topology::{Direct, SERVER, SERVER_INTERFACE},
    wait,
    wire::Path,
};

use crate::SOON;

const LONG: &str = r#"lease-time = "1h""#;
/// Minimum number of renewals before and after.
const AROUND: u64 = 30;

/// Renews, each time after the previous answer, from before `take_over` to well after it; a single
/// lost renewal is a failure. Returns the number of renewals and the new server.
fn under_load(
    lab: &Lab,
    take_over: impl FnOnce(&mut Server) -> Result<()>,
) -> Result<(Server, u64)> {
    let net = Direct::new(lab)?;
    let mut server = Server::start(lab, &net.server, &config::local(LONG))?;
    let client = RawClient::open(&net.client)?;
    let address = client.lease()?.address();
    let path = Path::unicast(address, SERVER, net.server.mac(SERVER_INTERFACE)?);
    let (renewed, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let renew = || -> Result<()> {
        while !is_over.load(Relaxed) {
            let ack = client.ask(&client.extend(address), path)?;
            expect(&ack, MessageType::Ack)?;
            renewed.fetch_add(1, Relaxed);
        }
        Ok(())
    };
    let wait_for = |renewals: u64| {
        wait::until(&format!("{renewals} renewals"), SOON, || {
            Ok((renewed.load(Relaxed) >= renewals).then_some(()))
        })
    };
    thread::scope(|scope| {
        let renewing = scope.spawn(renew);
        let taken_over = wait_for(AROUND)
            .and_then(|()| take_over(&mut server))
            .and_then(|()| wait_for(renewed.load(Relaxed) + AROUND));
        is_over.store(true, Relaxed);
        let renewals = renewing.join();
        ensure!(
            matches!(renewals, Ok(Ok(()))),
            "a renewal was lost: {renewals:?}"
        );
        taken_over
    })?;
    Ok((server, renewed.load(Relaxed)))
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c120_an_upgrade_adopts_the_maps_and_no_renewal_is_lost() -> Result<()> {
    Lab::run(|lab| {
        let (server, renewed) = under_load(lab, |server| {
            server.stop()?;
            server.start_again()
        })?;
        // All but the first, whose answer had to be rendered.
        let stats = server.stats()?;
        assert!(
            stats.of(Outcome::AckedRenewing) + 1 >= renewed,
            "{renewed}: {stats:?}"
        );
        assert_eq!(stats.of(Outcome::Unserved), 0);
        Ok(())
    })
}

/// As if another version of the daemon had other maps.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c120_an_upgrade_with_other_maps_builds_them_beside_the_old_and_no_renewal_is_lost() -> Result<()>
{
    Lab::run(|lab| {
        let other = format!("max-leases = 4096\n{}", config::local(LONG));
        let (server, _) = under_load(lab, |server| {
            server.configure(&other)?;
            server.kill();
            server.start_again()
        })?;
        // Counted in the new maps only, whose first requests the controller answers.
        let stats = server.stats()?;
        assert!(stats.of(Outcome::AckedRenewing) > 0, "{stats:?}");
        assert_eq!(stats.of(Outcome::Unserved), 0);
        Ok(())
    })
}

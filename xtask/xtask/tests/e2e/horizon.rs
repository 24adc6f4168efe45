//! The time that the kernel grants by itself, and its limit.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use dhcp_common::outcome::Outcome;
use dhcproto::v4::MessageType;
use xtask_lab::{
    Lab, config,
    raw::{RawClient, expect},
    server::Server,
    topology::{Direct, SERVER, SERVER_INTERFACE},
    wire::Path,
};

/// The horizon of a new lease is 24 seconds away, so that a stall of some seconds does not matter.
const NEAR: &str = "lease-time = \"12s\"\nhorizon-leases = 1";
/// Half of the interval at which clients renew.
const EACH: Duration = Duration::from_secs(3);

/// Far beyond the first horizon the kernel still answers every renewal: the controller has extended
/// the horizon each time that the kernel asked.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c062_the_controller_extends_the_horizon_while_the_kernel_renews() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let server = Server::start(lab, &net.server, &config::local(NEAR))?;
        let client = RawClient::open(&net.client)?;
        let address = client.lease()?.address();
        let path = Path::unicast(address, SERVER, net.server.mac(SERVER_INTERFACE)?);
        let leased = server.stats()?;
        let renewals = 12;
        for _ in 0..renewals {
            thread::sleep(EACH);
            let ack = client.ask(&client.extend(address), path)?;
            expect(&ack, MessageType::Ack)?;
        }
        let counted = server.stats()?.since(&leased);
        assert_eq!(counted.of(Outcome::AckedRenewing), renewals, "{counted}");
        assert_eq!(counted.slow(), 0, "{counted}");
        assert!(server.stats()?.engine("horizon_extended") >= 2);
        Ok(())
    })
}

/// Without a controller the kernel renews up to the horizon and then grants nothing; with a
/// controller the client continues at once.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c062_without_a_controller_the_kernel_stops_at_the_horizon() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let mut server = Server::start(lab, &net.server, &config::local(NEAR))?;
        let client = RawClient::open(&net.client)?;
        // Commits end after they began, so the horizon is later than 24 seconds from here.
        let begun = Instant::now();
        let address = client.lease()?.address();
        let path = Path::unicast(address, SERVER, net.server.mac(SERVER_INTERFACE)?);
        server.kill();
        let leased = server.pinned_stats()?;

        let mut renewals = 0;
        while begun.elapsed() < Duration::from_secs(8) {
            let ack = client.ask(&client.extend(address), path)?;
            expect(&ack, MessageType::Ack)?;
            renewals += 1;
            thread::sleep(EACH);
        }
        // Twelve seconds after this time are not on disk.
        thread::sleep(Duration::from_millis(16_500).saturating_sub(begun.elapsed()));
        client.ask_in_vain(&client.extend(address), path)?;
        let counted = server.pinned_stats()?.since(&leased);
        assert_eq!(counted.of(Outcome::AckedRenewing), renewals, "{counted}");
        assert_eq!(counted.of(Outcome::Unserved), 1, "{counted}");

        server.start_again()?;
        // The kernel answers if the controller has extended the horizon by then, or else the
        // controller.
        let ack = client.ask(&client.extend(address), path)?;
        expect(&ack, MessageType::Ack)?;
        assert_eq!(ack.address(), address);
        Ok(())
    })
}

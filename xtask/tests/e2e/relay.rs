//! Clients behind a relay agent, and their renewals through the router.

use anyhow::Result;
use dhcp_common::outcome::Outcome;
use xtask::lab::{
    Lab,
    client::{Client as _, Udhcpc},
    config,
    relay::Relay,
    server::Server,
    topology::Relayed,
};

use crate::wait_state;

const LONG: &str = r#"lease-time = "1h""#;

fn live(option_82: bool) -> Result<()> {
    Lab::run(|lab| {
        let net = Relayed::new(lab, 2)?;
        let server = Server::start(lab, &net.server, &config::relayed(LONG))?;
        let _relay = Relay::start(&net.relay, option_82)?;
        let mut client = Udhcpc::start(&net.clients[0])?;
        let address = client.wait_bound()?;
        wait_state(&server, address, Some("bound"))?;

        // Unicast, and so past the relay agent.
        let bound = server.stats()?;
        client.renew_and_wait()?;
        client.renew_and_wait()?;
        let counted = server.stats()?.since(&bound);
        assert_eq!(counted.of(Outcome::AckedRenewing), 2, "{counted}");
        assert_eq!(counted.slow(), 0, "AF_XDP was used: {counted}");

        // It starts anew, and the kernel answers the relay agent.
        drop(client);
        let before = server.stats()?;
        let mut client = Udhcpc::start(&net.clients[0])?;
        assert_eq!(client.wait_bound()?, address);
        let counted = server.stats()?.since(&before);
        assert_eq!(counted.of(Outcome::Offered), 1, "{counted}");
        assert_eq!(counted.of(Outcome::AckedSelecting), 1, "{counted}");
        assert_eq!(counted.slow(), 0, "{counted}");

        let other = Udhcpc::start(&net.clients[1])?;
        assert_ne!(other.wait_bound()?, address);
        client.release()?;
        wait_state(&server, address, None)
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c085_a_client_behind_dhcrelay_leases_renews_and_releases() -> Result<()> {
    live(false)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c085_c102_a_client_behind_dhcrelay_with_option_82_leases_renews_and_releases() -> Result<()> {
    live(true)
}

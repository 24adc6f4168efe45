//! Clients behind relay agents, and their renewals through the router.

use anyhow::Result;
use dhcp_common::outcome::Outcome;
use xtask_lab::{
    Lab, Namespace,
    client::{Client as _, Udhcpc},
    config,
    relay::Relay,
    server::Server,
    topology::{Relayed, TwoRelays},
};

use crate::{expect_by_kernel, wait_state};

const LONG: &str = r#"lease-time = "1h""#;

/// `copies` is how many of two unicast renewals the relay agent also relays, having received them.
fn live(relay: impl Fn(&Namespace) -> Result<Relay> + Sync, copies: u64) -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Relayed::new(lab, 2)?;
        let server = Server::start(lab, &net.server, &config::relayed(LONG))?;
        let _relay = relay(&net.relay)?;
        let mut client = Udhcpc::start(&net.clients[0])?;
        let address = client.wait_bound()?;
        wait_state(&server, address, Some("bound"))?;

        // Unicast, which bypasses the relay agent.
        let bound = server.stats()?;
        client.renew_and_wait()?;
        client.renew_and_wait()?;
        let counted = server.stats()?.since(&bound);
        let answers = [
            (Outcome::AckedRenewing, 2),
            (Outcome::AckedRebinding, copies),
        ];
        expect_by_kernel(lab, &counted, &answers);

        // The client starts again, and the kernel answers the relay agent.
        drop(client);
        let before = server.stats()?;
        let mut client = Udhcpc::start(&net.clients[0])?;
        assert_eq!(client.wait_bound()?, address);
        let counted = server.stats()?.since(&before);
        let answers = [(Outcome::Offered, 1), (Outcome::AckedSelecting, 1)];
        expect_by_kernel(lab, &counted, &answers);

        let other = Udhcpc::start(&net.clients[1])?;
        assert_ne!(other.wait_bound()?, address);
        client.release()?;
        wait_state(&server, address, None)
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c085_a_client_behind_dhcrelay_leases_renews_and_releases() -> Result<()> {
    live(|namespace| Relay::start(namespace, false), 2)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c085_c102_a_client_behind_dhcrelay_with_option_82_leases_renews_and_releases() -> Result<()> {
    live(|namespace| Relay::start(namespace, true), 2)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c085_a_client_behind_dnsmasq_as_a_relay_agent_leases_renews_and_releases() -> Result<()> {
    live(Relay::start_dnsmasq, 0)
}

/// Two relay agents report the same circuit-id and hardware address, and differ only in `giaddr`.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c085_m06_the_same_circuit_id_and_client_behind_two_relay_agents_are_two() -> Result<()> {
    Lab::run(|lab| {
        let net = TwoRelays::new(lab)?;
        let server = Server::start(lab, &net.server, &config::two_relays(LONG))?;
        let _relays = [
            Relay::start(&net.relays[0], true)?,
            Relay::start(&net.relays[1], true)?,
        ];
        let mut clients = [
            Udhcpc::start(&net.clients[0])?,
            Udhcpc::start(&net.clients[1])?,
        ];
        let addresses = [clients[0].wait_bound()?, clients[1].wait_bound()?];
        for (address, network) in addresses.iter().zip([88, 89]) {
            assert_eq!(address.octets()[1], network, "{addresses:?}");
            wait_state(&server, *address, Some("bound"))?;
        }

        let bound = server.stats()?;
        for client in &mut clients {
            client.renew_and_wait()?;
        }
        let counted = server.stats()?.since(&bound);
        assert_eq!(counted.of(Outcome::AckedRenewing), 2, "{counted}");
        assert_eq!(counted.slow(), 0, "{counted}");

        // The clients start again, and the kernel answers each relay agent about its own client.
        drop(clients);
        let before = server.stats()?;
        for (namespace, address) in net.clients.iter().zip(addresses) {
            assert_eq!(Udhcpc::start(namespace)?.wait_bound()?, address);
        }
        let counted = server.stats()?.since(&before);
        assert_eq!(counted.of(Outcome::Offered), 2, "{counted}");
        assert_eq!(counted.of(Outcome::AckedSelecting), 2, "{counted}");
        assert_eq!(counted.slow(), 0, "{counted}");
        Ok(())
    })
}

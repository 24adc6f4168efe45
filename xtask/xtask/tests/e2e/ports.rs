//! A client that is identified by its port of the relay agent.

use std::net::Ipv4Addr;

use anyhow::Result;
use dhcp_common::outcome::Outcome;
use xtask_lab::{
    Lab,
    client::{Client as _, Udhcpc},
    config,
    relay::Relay,
    server::Server,
    topology::{RELAY_TO_CLIENTS, Relayed},
};

use crate::wait_state;

const OF_PORT: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 7);

/// The relay agent names a port by its interface.
fn config() -> String {
    format!(
        "{}\n[[subnet.reservation]]\ncircuit-id = \"{RELAY_TO_CLIENTS}\"\naddress = \"{OF_PORT}\"\n\n\
         [[class]]\nname = \"here\"\nwhen.circuit-id = \"{RELAY_TO_CLIENTS}\"\nlease-time = \"20m\"\n",
        config::relayed("lease-time = \"1h\"")
    )
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn m27_whoever_is_at_a_port_gets_its_address_and_renews_past_the_relay_by_the_kernel() -> Result<()>
{
    Lab::run(|lab| {
        let net = Relayed::new(lab, 2)?;
        let server = Server::start(lab, &net.server, &config())?;
        let _relay = Relay::start(&net.relay, true)?;
        let mut client = Udhcpc::start(&net.clients[0])?;
        assert_eq!(client.wait_bound()?, OF_PORT);
        wait_state(&server, OF_PORT, Some("bound"))?;

        // The relay agent's report is kept although the agent does not see these renewals.
        let bound = server.stats()?;
        client.renew_and_wait()?;
        client.renew_and_wait()?;
        let counted = server.stats()?.since(&bound);
        assert_eq!(counted.of(Outcome::AckedRenewing), 2, "{counted}");
        assert_eq!(counted.slow(), 0, "AF_XDP was used: {counted}");

        // Through the relay agent the kernel answers too.
        drop(client);
        let before = server.stats()?;
        let mut client = Udhcpc::start(&net.clients[0])?;
        assert_eq!(client.wait_bound()?, OF_PORT);
        let counted = server.stats()?.since(&before);
        assert_eq!(counted.of(Outcome::Offered), 1, "{counted}");
        assert_eq!(counted.slow(), 0, "{counted}");

        // The next client at that port obtains the address once it is free.
        client.release()?;
        wait_state(&server, OF_PORT, None)?;
        let other = Udhcpc::start(&net.clients[1])?;
        assert_eq!(other.wait_bound()?, OF_PORT);
        Ok(())
    })
}

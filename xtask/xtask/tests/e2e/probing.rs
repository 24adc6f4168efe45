//! Addresses that a host already uses are detected before they are offered.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::Result;
use dhcp_common::outcome::Outcome;
use dhcproto::v4::MessageType;
use xtask_lab::{
    Lab,
    client::{Client as _, Udhcpc},
    config,
    raw::{RawClient, expect},
    relay::Relay,
    server::Server,
    topology::{
        CLIENT_INTERFACE, Direct, GATEWAY, PREFIX_LEN, Relayed, SERVER_INTERFACE, Switched,
    },
    wait,
    wire::Path,
};

use crate::{SOON, wait_state};

/// Long enough to observe which address is being probed.
const SLOW: &str = r#"probe-time = "6s""#;

fn after(address: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from_bits(address.to_bits() + 1)
}

/// Waits until an address is being probed, and no other.
fn wait_probing(server: &Server, address: Ipv4Addr) -> Result<()> {
    wait::until(&format!("{address} to be probed"), SOON, || {
        let offers = server.offers()?;
        let is_probed =
            matches!(&*offers, [offer] if offer.address == address && offer.state == "probing");
        Ok(is_probed.then_some(()))
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c030_an_address_that_a_host_on_the_link_has_is_not_offered() -> Result<()> {
    Lab::run(|lab| {
        let net = Switched::new(lab, 2)?;
        let [client, host] = net.clients.as_slice() else {
            unreachable!("there are two clients");
        };
        let taken = config::LOCAL_POOL;
        host.add_address(CLIENT_INTERFACE, taken, PREFIX_LEN)?;
        // A configuration without a setting for probes.
        let settings = config::local_probed("", "10.77.0.100-10.77.0.199");
        let server = Server::start(lab, &net.server, &settings)?;

        let client = Udhcpc::start(client)?;
        assert_eq!(client.wait_bound()?, after(taken));
        wait_state(&server, taken, Some("quarantined"))?;
        let stats = server.stats()?;
        assert_eq!(
            (stats.engine("address_in_use"), stats.engine("declined")),
            (1, 0)
        );
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c030_an_address_that_a_host_behind_the_relay_agent_has_is_not_offered() -> Result<()> {
    Lab::run(|lab| {
        let net = Relayed::new(lab, 2)?;
        let [client, host] = net.clients.as_slice() else {
            unreachable!("there are two clients");
        };
        let taken = config::RELAYED_POOL;
        host.add_address(CLIENT_INTERFACE, taken, PREFIX_LEN)?;
        host.ip(["route", "add", "default", "via", &GATEWAY.to_string()])?;
        let server = Server::start(lab, &net.server, &config::relayed_probed(""))?;
        let _relay = Relay::start(&net.relay, true)?;

        let client = Udhcpc::start(client)?;
        assert_eq!(client.wait_bound()?, after(taken));
        wait_state(&server, taken, Some("quarantined"))?;
        assert_eq!(server.stats()?.engine("address_in_use"), 1);
        Ok(())
    })
}

/// The kernel answers known clients regardless of others that wait for a probe.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c030_c033_a_known_client_does_not_wait_for_a_probe() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let settings = config::local_probed(SLOW, "10.77.0.100-10.77.0.199");
        let server = Server::start(lab, &net.server, &settings)?;
        let known = RawClient::open(&net.client)?;
        let new = RawClient::open(&net.client)?.with_mac([2, 0, 0, 0, 1, 2]);
        let leased = known.lease()?.address();

        let before = server.stats()?;
        let discover = new.discover();
        new.send(&discover, Path::BROADCAST)?;
        wait_probing(&server, after(leased))?;
        assert_eq!(known.offer()?.address(), leased);
        wait_probing(&server, after(leased))?;
        let counted = server.stats()?.since(&before);
        assert_eq!(
            (counted.of(Outcome::Offered), counted.slow()),
            (1, 1),
            "{counted}"
        );

        // The client asks again, and is answered once no host has answered the probe.
        let offer = new.ask(&discover, Path::BROADCAST)?;
        expect(&offer, MessageType::Offer)?;
        assert_eq!(offer.address(), after(leased));
        let stats = server.stats()?;
        assert_eq!(
            (stats.engine("probed"), stats.engine("retransmitted")),
            (2, 1)
        );
        Ok(())
    })
}

/// The host is simulated, which requires no VLAN device.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c030_c090_an_answer_counts_in_the_vlan_that_is_probed() -> Result<()> {
    const VLAN: u16 = 7;
    let first = Ipv4Addr::new(10, 99, 0, 100);
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let settings = format!(
            "[defaults]\n{SLOW}\n[[interface]]\nname = \"{SERVER_INTERFACE}\"\n\
             [[interface.vlan]]\nid = {VLAN}\naddresses = [\"10.99.0.1\"]\n\
             [[subnet]]\nprefix = \"10.99.0.0/24\"\npools = [\"10.99.0.100-10.99.0.199\"]\n"
        );
        let server = Server::start(lab, &net.server, &settings)?;
        let client = RawClient::open(&net.client)?.in_vlan(VLAN)?;
        let host = || anyhow::Ok(RawClient::open(&net.client)?.with_mac([2, 0, 0, 0, 1, 2]));

        let discover = client.discover();
        client.send(&discover, Path::BROADCAST)?;
        wait_probing(&server, first)?;
        host()?.in_vlan(VLAN)?.claim(first)?;
        wait_state(&server, first, Some("quarantined"))?;

        wait_probing(&server, after(first))?;
        for elsewhere in [host()?, host()?.in_vlan(VLAN + 1)?] {
            elsewhere.claim(after(first))?;
        }
        let offer = client.ask(&discover, Path::BROADCAST)?;
        expect(&offer, MessageType::Offer)?;
        assert_eq!(offer.address(), after(first));
        assert_eq!(server.stats()?.engine("address_in_use"), 1);
        Ok(())
    })
}

/// Without a host that has it the first address is offered, and only the time of a probe is lost.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c030_a_free_address_is_offered_when_its_probes_have_had_their_time() -> Result<()> {
    const PROBE_TIME: Duration = Duration::from_millis(500);
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let settings = config::local_probed("", "10.77.0.100-10.77.0.199");
        let server = Server::start(lab, &net.server, &settings)?;
        let client = RawClient::open(&net.client)?;
        let start = std::time::Instant::now();
        assert_eq!(client.offer()?.address(), config::LOCAL_POOL);
        assert!(start.elapsed() >= PROBE_TIME, "{:?}", start.elapsed());
        assert_eq!(server.stats()?.engine("probed"), 1);
        Ok(())
    })
}

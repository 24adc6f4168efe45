//! The second founding case: the lease of a client is deleted, and the client recovers without a
//! restart.

use std::net::Ipv4Addr;

use anyhow::Result;
use dhcp_common::outcome::Outcome;
use dhcproto::v4::{Message, MessageType};
use xtask_lab::{
    Lab,
    client::{Client as _, Event, Udhcpc},
    config,
    raw::{RawClient, expect},
    server::Server,
    topology::{Direct, SERVER, SERVER_INTERFACE},
    wire::Path,
};

use crate::{expect_by_kernel, wait_state};

const LONG: &str = r#"lease-time = "1h""#;
/// The address of a deleted lease is kept as long as its client may use it.
const SHORT: &str = r#"lease-time = "12s""#;
/// A pool without the addresses of [`config::local`].
const ELSEWHERE: &str = "10.77.0.200-10.77.0.209";

/// A client on the link, with all ways to return to its lease.
struct Returning {
    client: RawClient,
    server_mac: [u8; 6],
}

impl Returning {
    fn new(net: &Direct) -> Result<Self> {
        Ok(Self {
            client: RawClient::open(&net.client)?,
            server_mac: net.server.mac(SERVER_INTERFACE)?,
        })
    }

    /// Requests in RENEWING, REBINDING and INIT-REBOOT (RFC 2131 table 4).
    fn ways(&self, address: Ipv4Addr) -> [(&'static str, Message, Path); 3] {
        let client = &self.client;
        let unicast = Path::unicast(address, SERVER, self.server_mac);
        let broadcast = Path::broadcast_from(address);
        [
            ("RENEWING", client.extend(address), unicast),
            ("REBINDING", client.extend(address), broadcast),
            ("INIT-REBOOT", client.reboot(address), Path::BROADCAST),
        ]
    }

    fn expect_naks(&self, address: Ipv4Addr) -> Result<()> {
        for (state, request, path) in self.ways(address) {
            let reply = self.client.ask(&request, path)?;
            expect(&reply, MessageType::Nak)?;
            // c064, c066: broadcast, because the client's address may be wrong.
            assert_eq!(reply.path.destination, Ipv4Addr::BROADCAST, "{state}");
            assert_eq!(reply.address(), Ipv4Addr::UNSPECIFIED, "{state}");
        }
        Ok(())
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c057_c061_a_deleted_lease_is_acknowledged_again_while_its_address_is_free() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let server = Server::start(lab, &net.server, &config::local(LONG))?;
        let returning = Returning::new(&net)?;
        let address = returning.client.lease()?.address();

        for (state, request, path) in returning.ways(address) {
            server.delete(address)?;
            let deleted = server.stats()?;
            let ack = returning.client.ask(&request, path)?;
            expect(&ack, MessageType::Ack)?;
            assert_eq!(ack.address(), address, "{state}");
            // When the command had returned, the kernel no longer knew the lease.
            let counted = server.stats()?.since(&deleted);
            assert_eq!(counted.answered(), 0, "{state}: {counted}");
            assert_eq!(counted.slow(), 1, "{state}: {counted}");
            wait_state(&server, address, Some("bound"))?;
        }

        let restored = server.stats()?;
        let (_, renewal, path) = returning.ways(address)[0].clone();
        expect(&returning.client.ask(&renewal, path)?, MessageType::Ack)?;
        let counted = server.stats()?.since(&restored);
        expect_by_kernel(lab, &counted, &[(Outcome::AckedRenewing, 1)]);
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c053_c058_a_deleted_lease_is_refused_once_its_address_is_given_away() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let server = Server::start(lab, &net.server, &config::local(SHORT))?;
        let returning = Returning::new(&net)?;
        let address = returning.client.lease()?.address();
        let early = RawClient::open(&net.client)?.with_mac([2, 0, 0, 0, 1, 2]);
        let late = RawClient::open(&net.client)?.with_mac([2, 0, 0, 0, 1, 3]);

        server.delete(address)?;
        let offer = early.ask(&early.discover_address(address), Path::BROADCAST)?;
        assert_ne!(offer.address(), address, "its client may still use it");
        wait_state(&server, address, None)?;
        let offer = late.ask(&late.discover_address(address), Path::BROADCAST)?;
        assert_eq!(offer.address(), address);
        let ack = late.ask(&late.select(SERVER, address), Path::BROADCAST)?;
        expect(&ack, MessageType::Ack)?;
        returning.expect_naks(address)
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c058_a_deleted_lease_is_refused_once_its_address_is_no_longer_configured() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let mut server = Server::start(lab, &net.server, &config::local(LONG))?;
        let returning = Returning::new(&net)?;
        let address = returning.client.lease()?.address();

        server.delete(address)?;
        server.stop()?;
        server.configure(&config::local_with_pool(LONG, ELSEWHERE))?;
        server.start_again()?;
        returning.expect_naks(address)
    })
}

/// The client is answered with NAK at its next renewal, which suffices to obtain another address.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c058_a_real_client_moves_on_when_its_address_is_no_longer_configured() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let mut server = Server::start(lab, &net.server, &config::local(LONG))?;
        let mut client = Udhcpc::start(&net.client)?;
        let former = client.wait_bound()?;

        server.delete(former)?;
        server.stop()?;
        server.configure(&config::local_with_pool(LONG, ELSEWHERE))?;
        server.start_again()?;
        client.renew()?;
        client.wait_lost(1)?;
        let address = client.wait_bound()?;
        assert_ne!(address, former);
        wait_state(&server, address, Some("bound"))
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c057_a_real_client_does_not_notice_that_its_lease_was_deleted() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let server = Server::start(lab, &net.server, &config::local(LONG))?;
        let mut client = Udhcpc::start(&net.client)?;
        let address = client.wait_bound()?;

        server.delete(address)?;
        wait_state(&server, address, Some("deleted"))?;
        client.renew_and_wait()?;
        wait_state(&server, address, Some("bound"))?;
        let bound = server.stats()?;
        client.renew_and_wait()?;
        let counted = server.stats()?.since(&bound);
        expect_by_kernel(lab, &counted, &[(Outcome::AckedRenewing, 1)]);
        assert!(!client.events()?.contains(&Event::Lost));
        Ok(())
    })
}

/// A lease that is revoked, not deleted: the kernel answers the client with NAK, and the client
/// starts again.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c060_a_revoked_lease_is_refused_and_its_client_starts_afresh() -> Result<()> {
    Lab::run_in_both_modes(|lab| {
        let net = Direct::new(lab)?;
        let server = Server::start(lab, &net.server, &config::local(LONG))?;
        let mut client = Udhcpc::start(&net.client)?;
        let address = client.wait_bound()?;

        server.revoke(address)?;
        wait_state(&server, address, Some("revoked"))?;
        let revoked = server.stats()?;
        client.renew()?;
        client.wait_lost(1)?;
        client.wait_bound()?;
        let counted = server.stats()?.since(&revoked);
        let refused = counted.of(Outcome::NakSent) + server.stats()?.engine("nak");
        assert_eq!(refused, 1, "{counted}");
        Ok(())
    })
}

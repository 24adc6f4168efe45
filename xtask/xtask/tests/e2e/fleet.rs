//! Thousands of clients at once, and a ledger of every address, kept on the link.

use std::{collections::HashSet, net::Ipv4Addr};

use anyhow::{Context as _, Result};
use dhcp_common::{outcome::Outcome, wire::SERVER_PORT};
use dhcproto::v4::{Message, MessageType};
use xtask_lab::{
    Lab, napi,
    perfdhcp::{self, Fleet},
    raw::{RawClient, expect},
    server::Server,
    topology::{CLIENT_INTERFACE, Direct, SERVER_INTERFACE},
    wait,
    wire::Path,
    witness::Witness,
};

use crate::SOON;

/// The network of the fleet: perfdhcp is both relay agent and clients.
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const AGENT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
const PREFIX_LEN: u8 = 16;
const POOL: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 99, 16, 1), Ipv4Addr::new(10, 99, 25, 184)];
/// Some hundreds fewer than the fleet has clients, and many more than it leaves without RELEASE.
const POOL_SIZE: usize = 2488;
const FLEET: Fleet = Fleet {
    clients: 3000,
    leases_per_second: 500,
    renewals_per_second: 200,
    releases_per_second: 250,
};
fn config() -> String {
    let [first, last] = POOL;
    format!(
        "[defaults]\nlease-time = \"1h\"\nprobe-time = \"0s\"\n\n[[interface]]\nname = \"{SERVER_INTERFACE}\"\n\n\
         [[subnet]]\nprefix = \"10.99.0.0/16\"\npools = [\"{first}-{last}\"]\n"
    )
}

fn relayed(mut message: Message) -> Message {
    message.set_giaddr(AGENT);
    message
}

/// Obtains a lease for one more client behind the agent.
fn lease(client: &RawClient, path: Path) -> Result<()> {
    let offer = client.ask(&relayed(client.discover()), path)?;
    expect(&offer, MessageType::Offer)?;
    let choice = client.select(SERVER, offer.address());
    let ack = client.ask(&relayed(choice), path)?;
    expect(&ack, MessageType::Ack)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c118_perfdhcp_leases_renews_and_releases_and_no_address_is_given_twice_or_lost() -> Result<()> {
    let _crowd = crate::crowd();
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        // perfdhcp does not retransmit, so no frame may be dropped because a thread waits for a
        // processor.
        napi::receive_at_once(&net.server, SERVER_INTERFACE)?;
        napi::receive_at_once(&net.client, CLIENT_INTERFACE)?;
        net.server
            .add_address(SERVER_INTERFACE, SERVER, PREFIX_LEN)?;
        net.client
            .add_address(CLIENT_INTERFACE, AGENT, PREFIX_LEN)?;
        let server = Server::start(lab, &net.server, &config())?;
        let witness = Witness::start(&net.client, CLIENT_INTERFACE, AGENT)?;
        let before = server.stats()?;
        let leased_again = perfdhcp::run(&net.client, FLEET, AGENT, SERVER)?;
        assert_eq!(witness.ledger().wrong(), [""; 0]);

        let clients = usize::try_from(FLEET.clients)?;
        wait::until("every request to be answered", SOON, || {
            Ok((witness.ledger().unanswered() == 0).then_some(()))
        })?;
        let counts = witness.ledger().counts();
        assert_eq!(counts.discovers, clients);
        assert_eq!(counts.offers, clients);
        assert_eq!(counts.selections, clients);
        assert_eq!(counts.acks, clients + counts.extensions);
        assert!(counts.extensions > 0 && counts.releases > 0, "{counts:?}");
        // Released addresses are leased to others.
        assert!(counts.leased_again >= clients - POOL_SIZE, "{counts:?}");
        assert_eq!(u64::try_from(counts.leased_again)?, leased_again);
        // Through a relay agent a renewal looks like a broadcast one. The first of their shape, and
        // those before its template is published, go to the controller.
        let counted = server.stats()?.since(&before);
        let by_kernel = usize::try_from(counted.of(Outcome::AckedRebinding))?;
        let first = usize::try_from(counted.of(Outcome::NoTemplate))?;
        assert_eq!(by_kernel + first, counts.extensions, "{counted}");
        // Those come in the moment until the kernel has the first one's template, which a busy
        // machine makes longer.
        assert!((1..=counts.extensions / 4).contains(&first), "{counted}");

        let held = witness.ledger().held();
        assert_eq!(held.len(), clients - counts.releases);
        wait::until("the last RELEASE to be done", SOON, || {
            Ok((server.leases()?.len() == held.len()).then_some(()))
        })?;
        let leased: HashSet<_> = server.leases()?.iter().map(|lease| lease.address).collect();
        assert_eq!(leased, held);

        // What the ledger considers free can be leased, each address once, and no other.
        let free = POOL_SIZE - held.len();
        let path = Path {
            source_port: SERVER_PORT,
            ..Path::unicast(AGENT, SERVER, net.server.mac(SERVER_INTERFACE)?)
        };
        let mut late = RawClient::open(&net.client)?;
        for number in 0..free {
            let [high, low] = u16::try_from(number)?.to_be_bytes();
            late = late.with_mac([2, 0, 0, 1, high, low]);
            lease(&late, path).with_context(|| {
                format!("only {number} of {free} free addresses could be leased")
            })?;
        }
        let last = late.with_mac([2, 0, 0, 2, 0, 0]);
        last.ask_in_vain(&relayed(last.discover()), path)?;
        assert_eq!(witness.ledger().held().len(), POOL_SIZE);
        assert_eq!(witness.ledger().wrong(), [""; 0]);
        witness.stop()
    })
}

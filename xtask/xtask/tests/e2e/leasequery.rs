//! A relay agent sends LEASEQUERY while the kernel renews.

use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use dhcp_common::{
    outcome::Outcome,
    wire::{HTYPE_ETHERNET, SERVER_PORT},
};
use dhcproto::v4::{DhcpOption, HType, Message, MessageType, OptionCode};
use xtask_lab::{
    Lab,
    client::{Client as _, Udhcpc},
    config,
    raw::{RawClient, Reply, expect},
    server::Server,
    topology::{SERVER, SERVER_INTERFACE, Switched, client_mac},
    wire::Path,
};

use crate::{wait_engine, wait_state};

/// An address in none of the server's subnets.
const REQUESTER: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 9);
const PERMITTED: &str = "leasequery = [\"10.66.0.9\"]\n\n";
const LEASE_SECS: u32 = 3600;
const FREE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 199);
const FOREIGN: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 7);
const PAUSE: Duration = Duration::from_secs(3);

/// Returns a query without hardware address and without a subject.
fn query(requester: &RawClient) -> Message {
    let mut query = requester.message(MessageType::LeaseQuery);
    query.set_chaddr(&[]).set_htype(HType::Unknown(0));
    query.set_giaddr(REQUESTER);
    let options = query.opts_mut();
    options.insert(DhcpOption::ParameterRequestList(vec![
        OptionCode::AddressLeaseTime,
        OptionCode::Renewal,
        OptionCode::Router,
    ]));
    query
}

fn for_address(requester: &RawClient, address: Ipv4Addr) -> Message {
    let mut query = query(requester);
    query.set_ciaddr(address);
    query
}

/// Returns the remaining lease time, and the time since the client's last message.
fn times(reply: &Reply) -> Result<(u32, u32)> {
    let options = reply.message.opts();
    let left = match options.get(OptionCode::AddressLeaseTime) {
        Some(DhcpOption::AddressLeaseTime(secs)) => *secs,
        other => anyhow::bail!("option 51 is {other:?}"),
    };
    match options.get(OptionCode::ClientLastTransactionTime) {
        Some(DhcpOption::ClientLastTransactionTime(secs)) => Ok((left, *secs)),
        other => anyhow::bail!("option 91 is {other:?}"),
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c114_c115_m29_a_relay_agent_asks_for_an_address_a_mac_and_a_client_id() -> Result<()> {
    Lab::run(|lab| {
        let net = Switched::new(lab, 2)?;
        let config = format!("{PERMITTED}{}", config::local("lease-time = \"1h\""));
        let server = Server::start(lab, &net.server, &config)?;
        let mut client = Udhcpc::start(&net.clients[0])?;
        let address = client.wait_bound()?;
        wait_state(&server, address, Some("bound"))?;

        let requester = RawClient::open(&net.clients[1])?;
        let path = Path {
            source_port: SERVER_PORT,
            ..Path::unicast(REQUESTER, SERVER, net.server.mac(SERVER_INTERFACE)?)
        };
        let active = |query: &Message| -> Result<Reply> {
            let reply = requester.ask(query, path)?;
            expect(&reply, MessageType::LeaseActive)?;
            let message = &reply.message;
            assert_eq!(
                (message.ciaddr(), message.chaddr()),
                (address, &client_mac(1)[..])
            );
            assert_eq!(
                (reply.path.source, reply.path.destination),
                (SERVER, REQUESTER)
            );
            assert_eq!(reply.path.destination_port, SERVER_PORT);
            assert_eq!(reply.server(), Some(SERVER));
            assert!(message.opts().get(OptionCode::Router).is_some());
            Ok(reply)
        };

        thread::sleep(PAUSE);
        let asked = server.stats()?;
        let reply = active(&for_address(&requester, address))?;
        let (left, silent) = times(&reply)?;
        assert!(
            left <= LEASE_SECS - 3 && silent >= 3,
            "{left} s left, {silent} s silent"
        );

        // Only the kernel sees this renewal, and all following answers include it.
        let renewing = Instant::now();
        client.renew_and_wait()?;
        let mut by_mac = query(&requester);
        by_mac.set_chaddr(&client_mac(1)).set_htype(HType::Eth);
        let mut by_id = query(&requester);
        let mut id = vec![HTYPE_ETHERNET];
        id.extend(client_mac(1));
        by_id
            .opts_mut()
            .insert(DhcpOption::ClientIdentifier(id.clone()));
        for query in [for_address(&requester, address), by_mac, by_id] {
            let reply = active(&query)?;
            let (left, silent) = times(&reply)?;
            // Less than the pause more than this: it was not silent since its lease.
            let since = u32::try_from(renewing.elapsed().as_secs())?;
            assert!(
                left + since + 1 >= LEASE_SECS && silent <= since + 1,
                "{left} s left, {silent} s silent, renewed less than {since} s ago"
            );
            let said = reply.message.opts().get(OptionCode::ClientIdentifier);
            assert_eq!(said, Some(&DhcpOption::ClientIdentifier(id.clone())));
        }

        for (asked_for, kind) in [
            (FREE, MessageType::LeaseUnassigned),
            (FOREIGN, MessageType::LeaseUnknown),
        ] {
            let reply = requester.ask(&for_address(&requester, asked_for), path)?;
            expect(&reply, kind)?;
            let options = reply.message.opts();
            assert_eq!(options.iter().count(), 1, "{options:?}");
        }
        let mut stranger = for_address(&requester, address);
        stranger.set_giaddr(SERVER);
        requester.ask_in_vain(&stranger, path)?;
        wait_engine(&server, "leasequery_refused", 1)?;

        let counted = server.stats()?.since(&asked);
        assert_eq!(counted.of(Outcome::AckedRenewing), 1, "{counted}");
        assert_eq!(counted.of(Outcome::UnknownRelay), 6, "{counted}");
        assert_eq!(counted.of(Outcome::MessageType), 1, "{counted}");
        let leases = server.leases().context("the server has no leases")?;
        assert_eq!(leases.len(), 1, "a query changed the leases: {leases:?}");
        Ok(())
    })
}

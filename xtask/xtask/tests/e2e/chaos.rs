//! Thousands of clients on a real link, with all kinds of faults.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::Result;
use dhcproto::v4::{DhcpOption, Message, MessageType, Opcode};
use xtask_chaos::{
    accounts::{ANSWER, Accounts},
    conditions::Trouble,
    rule::Rule,
    scene::GUARANTEE,
    stage,
};
use xtask_lab::{
    Lab,
    raw::{self, RawClient},
    topology::{CLIENT_INTERFACE, Direct, SERVER, SERVER_INTERFACE, client_mac},
    wait,
    wire::{Path, Wire},
    witness::Witness,
};

use crate::SOON;

/// A seed whose events include every kind.
const SEED: u64 = 4;
const TIME: Duration = Duration::from_secs(40);
const CLIENTS: u32 = 2000;

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c046_c062_c118_c120_after_all_chaos_every_lease_and_every_address_is_accounted_for() -> Result<()>
{
    let _crowd = crate::crowd();
    Lab::run(|lab| {
        let report = xtask_chaos::play(lab, TIME, CLIENTS, SEED)?;
        println!("{report}");
        assert_eq!(report.violations, []);
        let tally = report.tally;
        let kinds = [
            tally.kills,
            tally.stops,
            tally.disks_full,
            tally.links_down,
            tally.reloads,
            tally.headless,
        ];
        assert!(!kinds.contains(&0), "{report}");
        // In ten seconds without a controller every client renews at least twice.
        assert!(report.counts.headless >= 2 * u64::from(CLIENTS), "{report}");
        Ok(())
    })
}

/// Sends frames that no server should send.
struct Forger {
    wire: Wire,
    mac: [u8; 6],
}

impl Forger {
    /// Answers a request of a client.
    fn answer(&self, kind: MessageType, request: &Message, address: Ipv4Addr) -> Result<()> {
        let mut answer = request.clone();
        answer.set_opcode(Opcode::BootReply);
        answer.set_yiaddr(address);
        let options = answer.opts_mut();
        options.clear();
        options.insert(DhcpOption::MessageType(kind));
        options.insert(DhcpOption::ServerIdentifier(SERVER));
        options.insert(DhcpOption::AddressLeaseTime(8));
        let path = Path {
            source: SERVER,
            source_port: 67,
            destination_port: 68,
            ..Path::BROADCAST
        };
        self.wire.send(&raw::frame(self.mac, None, &answer, path)?)
    }
}

/// The accounts are kept on the link, so every error of a server can be shown to them without one.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_accounts_notice_on_the_wire_what_no_server_may_send() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let forger = Forger {
            wire: Wire::open(&net.server, SERVER_INTERFACE)?,
            mac: net.server.mac(SERVER_INTERFACE)?,
        };
        let witness = Witness::keep(
            Accounts::new(GUARANTEE),
            &net.client,
            CLIENT_INTERFACE,
            Ipv4Addr::BROADCAST,
        )?;
        let client = |number| -> Result<_> {
            Ok(RawClient::open(&net.client)?.with_mac(client_mac(number)))
        };
        let expect = |rules: &[Rule]| {
            wait::until(&format!("{rules:?} to be noticed"), SOON, || {
                let accounts = witness.ledger();
                let broken = accounts.violations().iter().map(|v| v.rule);
                Ok(broken.eq(rules.iter().copied()).then_some(()))
            })
        };
        let (first, second) = (client(1)?, client(2)?);
        let address = Ipv4Addr::new(10, 77, 0, 100);

        let request = first.select(SERVER, address);
        first.send(&request, Path::BROADCAST)?;
        forger.answer(MessageType::Ack, &request, address)?;
        wait::until("the ACK to pass", SOON, || {
            Ok((witness.ledger().counts().acks == 1).then_some(()))
        })?;
        let discover = second.discover();
        second.send(&discover, Path::BROADCAST)?;
        forger.answer(MessageType::Offer, &discover, address)?;
        expect(&[Rule::OffersAreFree])?;

        let request = second.select(SERVER, address);
        second.send(&request, Path::BROADCAST)?;
        forger.answer(MessageType::Ack, &request, address)?;
        expect(&[Rule::OffersAreFree, Rule::OneClientAnAddress])?;

        // The same answer again.
        forger.answer(MessageType::Ack, &request, address)?;
        let so_far = [
            Rule::OffersAreFree,
            Rule::OneClientAnAddress,
            Rule::AnswersAreAsked,
        ];
        expect(&so_far)?;

        // The client is refused what it holds, and then not answered, without and with the
        // controller.
        let renewal = second.extend(address);
        second.send(&renewal, Path::broadcast_from(address))?;
        forger.answer(MessageType::Nak, &renewal, Ipv4Addr::UNSPECIFIED)?;
        witness
            .ledger()
            .conditions()
            .begin(Trouble::ControllerGone, stage::now());
        second.send(&second.extend(address), Path::broadcast_from(address))?;
        expect(&[&so_far[..], &[Rule::LeasesAreNotRefused]].concat())?;
        wait::until("the answer to be due", ANSWER * 2, || {
            let mut accounts = witness.ledger();
            accounts.pass(stage::now());
            let last = accounts.violations().last().map(|v| v.rule);
            Ok((last == Some(Rule::LeasesAreRenewed)).then_some(()))
        })?;
        witness.stop()
    })
}

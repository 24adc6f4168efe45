//! The steps of the demo.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result, ensure};
use dhcp_common::outcome::Outcome;
use dhcproto::v4::MessageType;
use xtask_lab::{
    Lab,
    client::{Client as _, Event, Udhcpc},
    command::Line,
    config,
    raw::{RawClient, expect},
    server::{Counted, Server, Stats},
    topology::{CLIENT_INTERFACE, Direct},
    wire::Path,
};

const DEFAULTS: &str = "lease-time = \"1h\"\noffer-time = \"60s\"";

/// A server on the same link that the client might have chosen instead.
const OTHER_SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// The daemon and its client.
pub(super) struct Play {
    net: Direct,
    server: Server,
    client: Udhcpc,
    address: Ipv4Addr,
}

type Step = fn(&mut Play) -> Result<Counted>;

impl Play {
    /// The steps after the first lease.
    pub const STEPS: [(&str, Step); 6] = [
        ("it renews, and the kernel answers", Self::renew),
        (
            "the controller is killed, and a renewal is still answered",
            Self::kill,
        ),
        (
            "the controller starts again and adopts the maps",
            Self::restart,
        ),
        (
            "an offer is not accepted, and its address is free at once",
            Self::take_no_offer,
        ),
        (
            "a lease in use is deleted, and its client obtains it again",
            Self::delete,
        ),
        ("from then on the kernel answers as before", Self::renew),
    ];

    pub fn start(lab: &Lab) -> Result<(Self, Counted)> {
        let net = Direct::new(lab)?;
        let server = Server::start(lab, &net.server, &config::local(DEFAULTS))?;
        say(&Line(&server.command_run()).to_string());
        let before = server.stats()?;
        let client = Udhcpc::start(&net.client)?;
        let address = client.wait_bound()?;
        say(&format!("udhcpc has {address}"));
        let play = Self {
            net,
            server,
            client,
            address,
        };
        play.expect_bound()?;
        let counted = play.since(&before)?;
        Ok((play, counted))
    }

    fn renew(&mut self) -> Result<Counted> {
        let before = self.server.stats()?;
        self.client.renew_and_wait()?;
        let counted = self.since(&before)?;
        expect_one_renewal(&counted)?;
        say("the controller was not involved");
        Ok(counted)
    }

    fn kill(&mut self) -> Result<Counted> {
        self.server.kill();
        say("xdhcpd was ended by SIGKILL; counters are read from the pinned map");
        let before = self.server.pinned_stats()?;
        self.client.renew_and_wait()?;
        let counted = self.server.pinned_stats()?.since(&before);
        expect_one_renewal(&counted)?;
        Ok(counted)
    }

    fn restart(&mut self) -> Result<Counted> {
        let before = self.server.pinned_stats()?;
        self.server.start_again()?;
        self.expect_bound()?;
        let adopted = self.server.stats()?;
        ensure!(
            adopted.of(Outcome::AckedRenewing) == before.of(Outcome::AckedRenewing),
            "the counters have been reset: the maps were not adopted"
        );
        self.client.renew_and_wait()?;
        let counted = self.since(&before)?;
        expect_one_renewal(&counted)?;
        say(&format!(
            "it knows the lease of {} and continues to count",
            self.address
        ));
        Ok(counted)
    }

    fn take_no_offer(&mut self) -> Result<Counted> {
        let before = self.server.stats()?;
        let undecided = RawClient::open(&self.net.client)?.with_mac([2, 0, 0, 0, 1, 1]);
        let offered = undecided.offer()?.address();
        let pending = self.server.offers()?;
        ensure!(
            pending.iter().any(|offer| offer.address == offered),
            "{offered} was offered, but `offers list` has {pending:?}"
        );
        let choice = undecided.select(OTHER_SERVER, offered);
        undecided.ask_in_vain(&choice, Path::BROADCAST)?;
        let pending = self.server.offers()?;
        ensure!(pending.is_empty(), "still offered: {pending:?}");

        let next = RawClient::open(&self.net.client)?.with_mac([2, 0, 0, 0, 1, 2]);
        let offer = next.ask(&next.discover_address(offered), Path::BROADCAST)?;
        expect(&offer, MessageType::Offer)?;
        ensure!(
            offer.address() == offered,
            "the next client asked for {offered} and was offered {}",
            offer.address()
        );
        // This offer has served its purpose; nothing may be pending in the following steps.
        let choice = next.select(OTHER_SERVER, offered);
        next.ask_in_vain(&choice, Path::BROADCAST)?;
        say(&format!(
            "{offered} went to the next client that asked for it"
        ));
        self.since(&before)
    }

    fn delete(&mut self) -> Result<Counted> {
        let before = self.server.stats()?;
        self.server.delete(self.address)?;
        say(&format!("xdhcpd leases delete {}", self.address));
        self.client.renew_and_wait()?;
        self.expect_bound()?;
        let events = self.client.events()?;
        ensure!(
            !events.contains(&Event::Lost),
            "the client lost its address: {events:?}"
        );
        let counted = self.since(&before)?;
        ensure!(
            counted.answered() == 0 && counted.slow() == 1,
            "the kernel still knew the lease: {counted}"
        );
        say("the renewal went to the controller, which leased the address again");
        Ok(counted)
    }

    fn since(&self, before: &Stats) -> Result<Counted> {
        Ok(self.server.stats()?.since(before))
    }

    fn expect_bound(&self) -> Result<()> {
        let state = self.server.lease_state(self.address)?;
        let state = state.with_context(|| format!("no lease of {} is listed", self.address))?;
        ensure!(state == "bound", "{} is {state}", self.address);
        Ok(())
    }

    /// Leaves daemon and client running, and prints how to use them.
    pub fn leave(self) {
        let list = self.server.command(&["leases", "list"]);
        let stats = self.server.command(&["stats"]);
        let watch = ["-n", "-v", "-i", CLIENT_INTERFACE, "port 67 or port 68"];
        let watch = self.net.client.command("tcpdump", watch);
        println!("The lab remains; as root:");
        println!("  leases:         {}", Line(&list));
        println!("  counters:       {}", Line(&stats));
        println!("  renew:          kill -USR1 {}", self.client.pid());
        println!("  watch the link: {}", Line(&watch));
        println!(
            "  store:          sqlite3 {}",
            self.server.store().display()
        );
        println!(
            "  maps:           ls -R {}",
            self.server.pin_dir().display()
        );
        println!("  remove all:     cargo xtask demo --clean");
        self.server.leave();
        self.client.leave();
    }
}

fn expect_one_renewal(counted: &Counted) -> Result<()> {
    ensure!(
        counted.of(Outcome::AckedRenewing) == 1 && counted.answered() == 1 && counted.slow() == 0,
        "expected one renewal answered by the kernel, but it counted: {counted}"
    );
    Ok(())
}

fn say(what: &str) {
    println!("   {what}");
}

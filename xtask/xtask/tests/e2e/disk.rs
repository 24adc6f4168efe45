//! The disk of the store is full for a while, during which clients arrive and renew.

use std::{
    collections::BTreeSet,
    fs,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use dhcp_common::outcome::Outcome;
use dhcproto::v4::MessageType;
use xtask_lab::{
    Lab, config,
    disk::Disk,
    raw::{RawClient, expect},
    server::Server,
    topology::{Direct, SERVER, SERVER_INTERFACE, client_mac},
    wait,
    wire::Path,
};

/// The kernel asks for a further horizon at the first renewal, and continues for one lease without
/// it.
const TIMES: &str = "lease-time = \"10s\"\nhorizon-leases = 1";
const KNOWN: u8 = 8;
const DISK_KIB: u32 = 16 * 1024;
/// Long enough for several failed attempts of the store.
const FULL_FOR: Duration = Duration::from_secs(4);
/// The longest pause between two attempts, the quiet time after it, and a margin.
const RECOVERY: Duration = Duration::from_secs(15);

struct Fleet {
    path: Path,
    known: Vec<(RawClient, Ipv4Addr)>,
}

impl Fleet {
    fn new(net: &Direct) -> Result<Self> {
        let known = (1..=KNOWN).map(|number| {
            let client = open(net, number)?;
            let address = client.lease()?.address();
            Ok((client, address))
        });
        Ok(Self {
            known: known.collect::<Result<_>>()?,
            // Each client has its own source address.
            path: Path::unicast(SERVER, SERVER, net.server.mac(SERVER_INTERFACE)?),
        })
    }

    /// Renews the lease of every known client once.
    fn renew(&self) -> Result<()> {
        for (client, address) in &self.known {
            let path = Path {
                source: *address,
                ..self.path
            };
            let ack = client.ask(&client.extend(*address), path)?;
            expect(&ack, MessageType::Ack)?;
            ensure!(ack.address() == *address);
        }
        Ok(())
    }
}

fn open(net: &Direct, number: u8) -> Result<RawClient> {
    Ok(RawClient::open(&net.client)?.with_mac(client_mac(number)))
}

fn start(lab: &Lab, net: &Direct, disk: &Disk) -> Result<Server> {
    let text = config::local(TIMES);
    let mut server = Server::new(lab, &net.server, &text)?;
    server.keep_store_at(disk.path("leases.db"));
    server.configure(&text)?;
    server.start_again()?;
    Ok(server)
}

fn lines(log: &str, with: &str) -> usize {
    log.lines().filter(|line| line.contains(with)).count()
}

/// New clients are not answered and obtain addresses afterwards; the kernel renews known clients'
/// leases all the time; the horizon follows when there is room again; and each is logged once.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c120_a_full_disk_stops_new_promises_and_nothing_else() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let disk = lab.disk(DISK_KIB)?;
        let mut server = start(lab, &net, &disk)?;
        let fleet = Fleet::new(&net)?;
        let (offered, late) = (open(&net, KNOWN + 1)?, open(&net, KNOWN + 2)?);
        let offer = offered.offer()?.address();
        let before = server.stats()?;

        disk.fill()?;
        let full = Instant::now();
        let mut renewals = 0;
        while full.elapsed() < FULL_FOR {
            fleet.renew()?;
            renewals += u64::from(KNOWN);
            offered.ask_in_vain(&offered.select(SERVER, offer), Path::BROADCAST)?;
            // A commit has just failed, so no OFFER keeps the client from other servers.
            late.ask_in_vain(&late.discover(), Path::BROADCAST)?;
        }
        let during = server.stats()?;
        let counted = during.since(&before);
        assert_eq!(counted.of(Outcome::AckedRenewing), renewals, "{counted}");
        assert!(during.store.failing_since.is_some(), "{during:?}");
        assert!(during.engine("store_failing") >= 1, "{during:?}");
        assert_eq!(during.engine("nak"), 0, "{during:?}");
        assert_eq!(during.engine("horizon_extended"), 0, "{during:?}");
        // Several attempts in four seconds, not one for each request.
        assert!((2..=8).contains(&during.store.failures), "{during:?}");

        disk.make_room()?;
        wait_horizons(&server)?;
        let addresses = [offered.lease()?.address(), late.lease()?.address()];
        wait::until("the outage to be over", RECOVERY, || {
            Ok(server.stats()?.store.failing_since.is_none().then_some(()))
        })?;
        fleet.renew()?;
        let counted = server.stats()?.since(&during);
        assert_eq!(
            counted.of(Outcome::AckedRenewing),
            u64::from(KNOWN),
            "{counted}"
        );
        let log = server.log()?;
        assert_eq!(lines(&log, "the store fails"), 1, "{log}");
        assert_eq!(lines(&log, "the store takes commits again"), 1, "{log}");
        assert_eq!(lines(&log, "ERROR"), 1, "{log}");

        let known = fleet.known.iter().map(|(_, address)| *address);
        let expected: BTreeSet<_> = known.chain(addresses).collect();
        assert_eq!(expected.len(), usize::from(KNOWN) + 2, "no address twice");
        // The store alone contains the same leases.
        server.kill();
        fs::remove_dir_all(server.pin_dir())?;
        server.start_again()?;
        let leases = server.leases()?;
        assert!(
            leases.iter().all(|lease| lease.state == "bound"),
            "{leases:?}"
        );
        let kept: BTreeSet<_> = leases.iter().map(|lease| lease.address).collect();
        assert_eq!(kept, expected);
        Ok(())
    })
}

/// Horizons follow without further requests of the clients.
fn wait_horizons(server: &Server) -> Result<()> {
    wait::until("the horizons to follow", RECOVERY, || {
        let extended = server.stats()?.engine("horizon_extended");
        Ok((extended >= u64::from(KNOWN)).then_some(()))
    })
}

/// The server needs no free space to start: known clients are served, and their horizons follow
/// when there is room.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c120_a_server_killed_and_started_on_a_full_disk_keeps_what_it_promised() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let disk = lab.disk(DISK_KIB)?;
        let mut server = start(lab, &net, &disk)?;
        let fleet = Fleet::new(&net)?;
        disk.fill()?;
        fleet.renew()?;
        server.kill();
        fleet.renew()?;
        server.start_again()?;
        fleet.renew()?;
        assert_eq!(server.stats()?.engine("horizon_extended"), 0);
        disk.make_room()?;
        wait_horizons(&server)?;
        fleet.renew()?;
        let stats = server.stats()?;
        assert_eq!(stats.engine("nak"), 0, "{stats:?}");
        let known = fleet.known.iter().map(|(_, address)| *address);
        let leases = server.leases()?;
        let kept = leases.iter().map(|lease| lease.address);
        assert!(kept.eq(known), "{leases:?}");
        Ok(())
    })
}

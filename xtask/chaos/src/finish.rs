//! The end: no more faults, and exact accounts of every client and every address.

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Result;
use xtask_lab::{raw::RawClient, wire::Path};

use super::{
    exchange::Client,
    fleet::{Fleet, Order},
    rule::Rule,
    scene::{self, GUARANTEE, LONGEST_LEASE_SECS, RESERVED, Scene, Variant},
    stage::{Stage, now},
};

/// The longest that a server may keep an address for a client that is gone: what it has on disk for it. Some
/// more is for clients that have to ask again.
const KEPT: Duration =
    Duration::from_secs((LONGEST_LEASE_SECS * (GUARANTEE.horizon_leases + 1) + 16) as u64);
const LOOK: Duration = Duration::from_millis(100);
/// Those that come last are switched on within this.
const SWITCHED_ON: Duration = Duration::from_secs(1);
/// Of the clients and addresses that something is wrong with, so many are named.
const MAX_NAMED: usize = 8;
/// Numbers of the fleets.
const FIRST: u8 = 1;
const LAST: u8 = 2;
/// Who comes when there is nothing left.
const LATE: Client = [2, 9, 0, 0, 0, 2];

/// Everybody who has a lease renews it, and who has none gets one.
///
/// # Errors
/// The clients failed.
pub fn expect_service(stage: &Stage, fleet: &Fleet, scene: Scene) -> Result<()> {
    let since = now();
    fleet.tell(Order::Ask)?;
    let all: BTreeSet<Client> = (0..scene.clients())
        .map(|number| scene::mac(FIRST, number))
        .collect();
    let served = || {
        stage
            .witness
            .ledger()
            .served(all.iter().copied(), since, now())
    };
    until(|| served().len() == all.len());
    let unserved: Vec<_> = all.difference(&served()).copied().collect();
    if !unserved.is_empty() {
        let named: Vec<_> = unserved.iter().take(MAX_NAMED).collect();
        let what = format!(
            "{} of {} clients got no lease within {KEPT:?}: {named:02x?}",
            unserved.len(),
            all.len()
        );
        stage
            .witness
            .ledger()
            .violate(Rule::EveryoneIsServed, now(), what);
    }
    Ok(())
}

/// All go, and as many as there are addresses come and get each of them, and nobody gets one more.
///
/// # Errors
/// The clients failed.
pub fn expect_all_addresses(
    stage: &mut Stage,
    fleet: Fleet,
    scene: Scene,
    seed: u64,
) -> Result<()> {
    stage.say("all clients go, half of them without a word");
    fleet.tell(Order::Leave)?;
    until(|| stage.witness.ledger().held(now()).is_empty());
    fleet.stop()?;

    let addresses: BTreeSet<Ipv4Addr> = scene.addresses().collect();
    stage.say(format_args!(
        "{} others come, one for each address",
        addresses.len()
    ));
    let link = stage.link()?;
    let full = scene.full();
    let fleet = Fleet::start(&stage.net.client, link, full, LAST, SWITCHED_ON, seed)?;
    let held = || -> BTreeSet<Ipv4Addr> {
        let held = stage.witness.ledger().held(now());
        held.into_keys().collect()
    };
    until(|| held().len() == addresses.len());
    let held = held();
    let lost: Vec<_> = addresses.difference(&held).collect();
    if !lost.is_empty() {
        let named: Vec<_> = lost.iter().take(MAX_NAMED).collect();
        let what = format!("{} addresses could not be leased: {named:?}", lost.len());
        violate(stage, what);
    }
    let foreign: Vec<_> = held.difference(&addresses).collect();
    if !foreign.is_empty() {
        violate(
            stage,
            format!("{foreign:?} are in no pool, and were leased"),
        );
    }
    expect_no_more(stage)?;
    fleet.stop()?;
    Ok(())
}

/// Who comes now gets nothing, but what is reserved for him.
fn expect_no_more(stage: &mut Stage) -> Result<()> {
    let late = RawClient::open(&stage.net.client)?.with_mac(LATE);
    if let Err(answered) = late.ask_in_vain(&late.discover(), Path::BROADCAST) {
        violate(stage, format!("every address is leased: {answered:#}"));
    }
    let (machine, address) = RESERVED;
    let has_reservation = true;
    let variant = Variant {
        has_reservation,
        ..Variant::default()
    };
    stage.reload(variant, None)?;
    let reserved = late.with_mac(machine).lease();
    match reserved {
        Ok(ack) if ack.address() == address => {}
        other => violate(
            stage,
            format!("{address} is reserved, and its machine got {other:?}"),
        ),
    }
    Ok(())
}

fn violate(stage: &Stage, what: String) {
    let mut accounts = stage.witness.ledger();
    accounts.violate(Rule::NothingIsLost, now(), what);
}

/// Looks until it is so, or all times are over.
fn until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() && begun.elapsed() < KEPT {
        sleep(LOOK);
    }
}

/// The first fleet: those who live through all of it.
///
/// # Errors
/// There is no such link.
pub fn first_fleet(stage: &Stage, scene: Scene, seed: u64) -> Result<Fleet> {
    let link = stage.link()?;
    Fleet::start(&stage.net.client, link, scene, FIRST, SWITCHED_ON, seed)
}

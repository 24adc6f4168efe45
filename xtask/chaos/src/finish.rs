//! The end of a run: no more faults, and exact accounts of every client and every address.

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

/// The longest time for which a server may keep an address for a client that has left: the time
/// that it has committed. The rest is for clients that have to ask again, on a busy machine.
const KEPT: Duration =
    Duration::from_secs((LONGEST_LEASE_SECS * (GUARANTEE.horizon_leases + 1) + 60) as u64);
const LOOK: Duration = Duration::from_millis(100);
/// Clients of the last fleet are switched on within this time.
const SWITCHED_ON: Duration = Duration::from_secs(1);
/// Number of affected clients or addresses that a violation names.
const MAX_NAMED: usize = 8;
/// Numbers of the fleets.
const FIRST: u8 = 1;
const LAST: u8 = 2;
/// A client that arrives when no address is free.
const LATE: Client = [2, 9, 0, 0, 0, 2];

/// Expects that every client with a lease renews it, and that every other client obtains one.
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
            "{} of {} clients obtained no lease within {KEPT:?}: {named:02x?}",
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

/// Switches all clients off, and expects that as many new clients as there are addresses lease all
/// of them, and that no further client obtains one.
///
/// # Errors
/// The clients failed.
pub fn expect_all_addresses(
    stage: &mut Stage,
    fleet: Fleet,
    scene: Scene,
    seed: u64,
) -> Result<()> {
    stage.say("all clients leave, half of them without a RELEASE");
    fleet.tell(Order::Leave)?;
    until(|| stage.witness.ledger().held(now()).is_empty());
    fleet.stop()?;

    let addresses: BTreeSet<Ipv4Addr> = scene.addresses().collect();
    stage.say(format_args!(
        "{} new clients start, one for each address",
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
        violate(stage, format!("{foreign:?} were leased and are in no pool"));
    }
    expect_no_more(stage)?;
    fleet.stop()?;
    Ok(())
}

/// Expects that a late client obtains only an address that is reserved for it.
fn expect_no_more(stage: &mut Stage) -> Result<()> {
    let late = RawClient::open(&stage.net.client)?.with_mac(LATE);
    if let Err(answered) = late.ask_in_vain(&late.discover(), Path::BROADCAST) {
        violate(
            stage,
            format!("all addresses are leased, but a client was answered: {answered:#}"),
        );
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
            format!("{address} is reserved, but its client was answered with {other:?}"),
        ),
    }
    Ok(())
}

fn violate(stage: &Stage, what: String) {
    let mut accounts = stage.witness.ledger();
    accounts.violate(Rule::NothingIsLost, now(), what);
}

/// Polls until the condition holds or the longest time has passed.
fn until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() && begun.elapsed() < KEPT {
        sleep(LOOK);
    }
}

/// Starts the first fleet, whose clients run through all faults.
///
/// # Errors
/// There is no such link.
pub fn first_fleet(stage: &Stage, scene: Scene, seed: u64) -> Result<Fleet> {
    let link = stage.link()?;
    Fleet::start(&stage.net.client, link, scene, FIRST, SWITCHED_ON, seed)
}

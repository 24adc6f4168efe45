//! One request in one state, processed by both paths, and by a program that must not answer.

use std::net::Ipv4Addr;

use dhcp_common::{
    abi::{CLOCK_LEAD_NS, Grant, META_SLOW_ONLY},
    fingerprint::is_covered,
    outcome::{Action, Outcome},
    wire::option,
};
use dhcp_model::Nanos;
use dhcp_store::wall_clock::boottime;
use proptest::prelude::*;

use self::{cast::World, networks::IFINDEX, sides::Sides};
use crate::fixtures::{
    cases::with_fast_path_off,
    host::{HostFrame, HostTables},
    program::{Program, XDP_REDIRECT, XDP_TX},
    request::RequestFrame,
    strategies::Actor,
};

pub mod cast;
pub mod networks;
pub mod requests;
pub mod sides;

/// Returns the same shape of request from another client: all options that the fingerprint covers.
fn shape_of(request: &RequestFrame, pioneer: &Actor) -> Vec<u8> {
    let covered = request
        .options
        .iter()
        .filter(|(code, _)| is_covered(*code))
        .cloned();
    let mut asked = cast::discover(pioneer);
    asked
        .options
        .retain(|(code, _)| *code != option::PARAMETER_LIST);
    asked.options.extend(covered);
    asked.frame()
}

/// Returns a controller at a time, which has been asked for this shape of request before.
pub fn informed(world: &World, now: Nanos, request: &RequestFrame) -> Sides {
    let mut sides = world.sides(now);
    for pioneer in &world.pioneers {
        sides.answers_to(&shape_of(request, pioneer));
    }
    sides
}

/// Returns what the fast path does with a request at a time, which must be what the controller
/// would have done. `octets` are the request's frame, possibly damaged.
///
/// # Errors
///
/// The two paths disagree.
pub fn agree(
    world: &World,
    now: Nanos,
    mut program: Option<&mut Program>,
    request: &RequestFrame,
    octets: &[u8],
) -> Result<Outcome, TestCaseError> {
    let mut sides = informed(world, now, request);
    // The engine goes first, because it publishes the answer to a new shape; nothing else changes.
    let mut tables = sides.tables.clone();
    let lease_views = sides.lease_views();
    let store = sides.store.clone();
    let answers = sides.answers_to(octets);
    tables.templates.clone_from(&sides.tables.templates);
    let is_unchanged = sides.lease_views() == lease_views && sides.store == store;

    let told_to_ask = tables.clone();
    let (outcome, frame) = run(&mut tables, program.as_deref_mut(), octets)?;
    ask_only(told_to_ask, program, octets, outcome)?;

    match (outcome.action(), outcome) {
        (Action::Transmit, _) => {
            prop_assert_eq!(answers, [frame], "{:?}: fast and slow", outcome);
            prop_assert_eq!(&sides.store, &store, "{:?}: it was durable", outcome);
            for (key, binding) in &tables.leases {
                let grant = tables.grants.borrow().get(&binding.slot).copied();
                let granted = grant.and_then(|grant| grant.granted_for(binding.epoch));
                if let Some(granted) = granted {
                    let horizon = store[&Ipv4Addr::from(binding.address)].horizon;
                    // A grant is recorded a little later than it ends, and so is one up to the
                    // horizon.
                    let latest =
                        Grant::unpack(Grant::pack(horizon.0, binding.epoch), binding.epoch);
                    prop_assert!(Some(granted) <= latest, "{:?} beyond the horizon", key);
                }
            }
            return Ok(outcome);
        }
        (Action::Drop, Outcome::Limited | Outcome::Unserved) => {
            return Err(TestCaseError::fail(format!("{outcome:?} in this state")));
        }
        (Action::Drop, _) | (Action::Pass, Outcome::BootReply) => {
            prop_assert_eq!(answers.len(), 0, "{:?}: silence", outcome);
            prop_assert!(is_unchanged, "{:?}: no state", outcome);
        }
        (Action::Pass | Action::Slow, _) => {}
    }
    prop_assert_eq!(frame, octets, "{:?}: untouched", outcome);
    Ok(outcome)
}

/// Runs the fast path on the host, and the loaded program if there is one; they must not differ.
fn run(
    tables: &mut HostTables,
    program: Option<&mut Program>,
    octets: &[u8],
) -> Result<(Outcome, Vec<u8>), TestCaseError> {
    let run = program.map(|program| {
        program.install(tables).expect("the maps hold the tables");
        let run = program.run(octets).expect("the kernel takes the frame");
        program.events();
        run
    });
    let host = |tables: &HostTables| {
        let mut frame = HostFrame(octets.to_vec());
        let outcome = tables.respond(&mut frame, IFINDEX).outcome;
        (outcome, frame)
    };
    // The program's time is that of the host or later, up to the end of its run and the lead of its
    // clock. A lease may expire in between.
    if let Some(run) = &run
        && host(&tables.clone()).0 != run.outcome
    {
        tables.now_ns = boottime().0 + CLOCK_LEAD_NS;
    }
    let (outcome, frame) = host(tables);
    if let Some(run) = run {
        prop_assert_eq!(run.outcome, outcome, "kernel and host");
        prop_assert_eq!(&run.frame, &frame.0, "kernel and host, {:?}", outcome);
        let is_sent = run.action == XDP_TX;
        prop_assert_eq!(is_sent, outcome.action() == Action::Transmit);
        let is_handed_on = run.action == XDP_REDIRECT;
        prop_assert_eq!(is_handed_on, outcome.action() == Action::Slow);
    }
    Ok((outcome, frame.0))
}

/// Checks the program with the fast path off: the controller gets every frame unchanged, except
/// broken and foreign ones, and would give the same answer as the fast path.
fn ask_only(
    mut tables: HostTables,
    program: Option<&mut Program>,
    octets: &[u8],
    outcome: Outcome,
) -> Result<(), TestCaseError> {
    if let Some(meta) = &mut tables.meta {
        meta.flags |= META_SLOW_ONLY;
    }
    let (asked, frame) = run(&mut tables, program, octets)?;
    prop_assert_eq!(asked, with_fast_path_off(outcome), "of {:?}", outcome);
    prop_assert_eq!(frame, octets, "{:?}: untouched", asked);
    Ok(())
}

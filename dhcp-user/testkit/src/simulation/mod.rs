//! Simulates the whole server: the real engine and the real program, with a simulated kernel,
//! clock, network and disk.
//!
//! One seed decides everything: the order of events, the faults, and the actions of clients. Start
//! with [`world`]; [`model`] has the invariants. The simulation reads no wall clock, starts no
//! thread, and does not depend on the order of a hash map.

mod client;
mod clock;
mod commits;
mod controller;
mod dice;
mod disk;
mod effects;
mod faults;
mod fence;
mod finish;
mod hostile;
mod hosts;
mod kernel;
mod model;
mod network;
mod program;
mod rival;
mod runs;
mod scene;
mod start;
mod trouble;
mod wire;
mod world;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    panic::{self, AssertUnwindSafe},
};

use self::world::World;

pub use self::{
    model::{Invariant, Violation},
    world::Sabotage,
};

/// Events that are reported of a world that failed.
const LAST_EVENTS: usize = 40;

/// The result of a world.
#[derive(Debug, Default)]
pub struct Report {
    pub steps: u64,
    pub violation: Option<Violation>,
    /// Counts of what happened, by name.
    pub tally: BTreeMap<&'static str, u64>,
    /// A line for each event, if requested.
    pub trace: Vec<String>,
}

impl Report {
    /// Adds the counts of another world.
    pub fn add(&mut self, other: Self) {
        self.steps += other.steps;
        for (what, count) in other.tally {
            *self.tally.entry(what).or_default() += count;
        }
    }
}

/// Returns a description of a violation: the events before it, and the command that reproduces it.
pub fn story(seed: u64, steps: u64, sabotage: Option<Sabotage>) -> String {
    let report = run(seed, steps, sabotage, true);
    let earlier = report.trace.len().saturating_sub(LAST_EVENTS);
    let mut story = report.trace[earlier..].join("\n");
    if let Some(violation) = &report.violation {
        let _ = write!(story, "\nseed {seed} violates {violation}");
    }
    let _ = write!(
        story,
        "\nagain: cargo xtask sim --seed {seed} --steps {steps}"
    );
    if let Some(sabotage) = sabotage {
        let _ = write!(story, " --sabotage {}", sabotage.label());
    }
    story
}

/// Plays the world of a seed for `steps` steps, and then to its end.
pub fn run(seed: u64, steps: u64, sabotage: Option<Sabotage>, traces: bool) -> Report {
    let mut world = World::new(seed, sabotage);
    world.trace = traces.then(Vec::new);
    let mut done = 0;
    let played = panic::catch_unwind(AssertUnwindSafe(|| {
        while done < steps && !world.model.is_violated() && world.step(u64::MAX) {
            done += 1;
        }
        if !world.model.is_violated() {
            world.finish();
        }
    }));
    if let Err(cause) = played {
        let cause = cause
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| cause.downcast_ref::<&str>().map(|&cause| cause.to_owned()));
        world.model.violate(Invariant::NoPanic, || {
            cause.unwrap_or_else(|| "a panic without words".to_owned())
        });
    }
    Report {
        steps: done,
        violation: world.model.take_violation(),
        tally: world.tally,
        trace: world.trace.unwrap_or_default(),
    }
}

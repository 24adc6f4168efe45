//! `cargo xtask chaos`: the daemon and thousands of clients on a real link, while it is killed, its
//! disk fills, its interface goes down and its configuration changes. A seed determines the events
//! and their order; their timing relative to frames depends on the machine.
//!
//! [`accounts`] of the messages on the link find violations; [`plan`] draws the events and
//! [`stage`] performs them; [`client`] and [`fleet`] are the clients; [`finish`] is the final
//! accounting.

use std::{fmt, time::Duration};

use anyhow::{Context as _, Result};
use xtask_lab::{
    Lab,
    command::{self, is_root},
    topology::CLIENT_INTERFACE,
};

pub mod accounts;
mod client;
mod client_record;
pub mod conditions;
mod exchange;
mod finish;
mod fleet;
mod machine;
pub mod plan;
pub mod rule;
pub mod scene;
pub mod stage;

use accounts::Counts;
use conditions::Moment;
use fleet::Order;
use rule::Violation;
use scene::Scene;
use stage::{Stage, Tally};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// How long faults are injected. Leasing before and accounting after them take up to a minute
    /// more.
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    time: Duration,
    /// Number of clients.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..=20_000))]
    clients: u32,
    /// Repeats the events of an earlier run [default: random].
    #[arg(long)]
    seed: Option<u64>,
    /// Skips setup and build.
    #[arg(long)]
    pub no_build: bool,
}

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Report {
    pub clients: u32,
    /// Start of the run, from which printed times count.
    pub began: Moment,
    pub counts: Counts,
    pub tally: Tally,
    /// Frames that the link dropped according to the kernel; clients retransmit.
    pub dropped: u64,
    pub violations: Vec<Violation>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counts, tally, .. } = self;
        write!(
            f,
            "{} clients, {} exchanges, {} kills, {} stops, {} full disks, {} link downs, {} reloads, \
             {} headless renewals, {} violations",
            self.clients,
            counts.exchanges,
            tally.kills,
            tally.stops,
            tally.disks_full,
            tally.links_down,
            tally.reloads,
            counts.headless,
            self.violations.len()
        )
    }
}

/// Runs the events and prints all violations; the last line is a summary. Returns whether there
/// were none. The daemon must have been built.
///
/// # Errors
/// The lab failed, or the server did not start.
pub fn run(options: &Options) -> Result<bool> {
    let seed = options.seed.unwrap_or_else(rand::random);
    if !is_root() {
        let time = humantime::format_duration(options.time).to_string();
        let (clients, seed) = (options.clients.to_string(), seed.to_string());
        let arguments = ["chaos", "--no-build", "--time", &time.replace(' ', "")];
        let arguments = arguments
            .into_iter()
            .chain(["--clients", &clients, "--seed", &seed]);
        command::run_again_as_root(arguments)?;
        return Ok(true);
    }
    let mut report = None;
    Lab::run(|lab| {
        report = Some(play(lab, options.time, options.clients, seed)?);
        Ok(())
    })?;
    let report = report.context("nothing was run")?;
    for violation in &report.violations {
        let at = violation.at.saturating_sub(report.began);
        println!("violation at {}: {violation}", plan::secs(at));
    }
    println!("chaos: seed {seed}: {report}");
    Ok(report.violations.is_empty())
}

/// Runs the events of a seed with a number of clients.
///
/// # Errors
/// The lab failed, or the server did not start.
pub fn play(lab: &Lab, time: Duration, clients: u32, seed: u64) -> Result<Report> {
    println!(
        "chaos: seed {seed}: it determines the events, their order and pauses; their timing \
         relative to frames depends on the machine"
    );
    let scene = Scene::new(clients);
    let mut stage = Stage::set(lab, scene)?;
    stage.say(format_args!("{clients} clients are switched on"));
    let fleet = finish::first_fleet(&stage, scene, seed)?;
    stage.wait(plan::LEASING);
    fleet.tell(Order::Wild)?;
    for step in plan::draw(seed, time) {
        stage.wait(step.pause);
        stage.play(step.event, &fleet)?;
    }
    fleet.tell(Order::Steady)?;
    stage.say("no more faults");
    stage.repair()?;
    stage.say("every client asks for its lease, or for a new one");
    finish::expect_service(&stage, &fleet, scene)?;
    finish::expect_all_addresses(&mut stage, fleet, scene, seed)?;
    // All owed answers are due by then.
    stage.wait(accounts::ANSWER * 2);
    stage.witness.ledger().pass(stage::now());
    report(stage, clients)
}

fn report(stage: Stage, clients: u32) -> Result<Report> {
    let tally = stage.tally();
    let dropped = stage.net.client.dropped(CLIENT_INTERFACE)?;
    stage.say(format_args!("the link dropped {dropped} frames"));
    let accounts = stage.witness.ledger();
    let report = Report {
        clients,
        began: stage.began(),
        counts: accounts.counts(),
        tally,
        dropped,
        violations: accounts.violations().to_vec(),
    };
    drop(accounts);
    stage.witness.stop()?;
    Ok(report)
}

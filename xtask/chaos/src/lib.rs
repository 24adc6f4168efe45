//! `cargo xtask chaos`: the daemon and thousands of clients on a real link, while it is killed, its disk filled, its
//! interface set down and its configuration changed. One seed says what is done and in which order; when exactly
//! it meets which frame is up to the machine.
//!
//! [`accounts`] are kept on the wire and say what was wrong; [`plan`] is what is done, [`stage`] does it;
//! [`client`] and [`fleet`] are the clients, [`finish`] the final accounting.

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
    /// For how long faults go on; leasing before and accounting after them take a minute more at most.
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    time: Duration,
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..=20_000))]
    clients: u32,
    /// Plays the events of an earlier run again; drawn where none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// Takes everything for set up and built.
    #[arg(long)]
    pub no_build: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    pub clients: u32,
    /// When the times that were told began.
    pub began: Moment,
    pub counts: Counts,
    pub tally: Tally,
    /// Frames that the link dropped, as the kernel counts them; clients ask again.
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

/// Plays it, and names what was wrong; the last line counts. Whether all was right. The daemon must have been built.
///
/// # Errors
/// There is no lab, or the server did not start when it was told to.
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
    let report = report.context("nothing was played")?;
    for violation in &report.violations {
        let at = violation.at.saturating_sub(report.began);
        println!("violation at {}: {violation}", plan::secs(at));
    }
    println!("chaos: seed {seed}: {report}");
    Ok(report.violations.is_empty())
}

/// Plays the events of a seed among so many clients.
///
/// # Errors
/// The lab failed, or the server did not start when it was told to.
pub fn play(lab: &Lab, time: Duration, clients: u32, seed: u64) -> Result<Report> {
    println!(
        "chaos: seed {seed}: it decides what is done, in which order and after which pauses; which frames that \
         meets is up to the machine"
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
    stage.say("every client asks for its lease, or for one");
    finish::expect_service(&stage, &fleet, scene)?;
    finish::expect_all_addresses(&mut stage, fleet, scene, seed)?;
    // Whatever is still owed is due by then.
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

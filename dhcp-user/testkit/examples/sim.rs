//! Plays worlds of the simulation, as many as are asked for: `cargo xtask sim`.

use std::{panic, process::ExitCode, time::Instant};

use clap::Parser;
use dhcp_testkit::simulation::{Report, Sabotage};

/// The whole server simulated: the real engine and program, and a kernel, clock, network and disk that fail.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim")]
struct Options {
    /// How many worlds to play.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// How many events happen in each before it comes to its end.
    #[arg(long, default_value_t = 2000)]
    steps: u64,
    /// Plays only this one, and prints everything that happens.
    #[arg(long)]
    seed: Option<u64>,
    /// Breaks something on purpose, which must be noticed: `fence-at-once`, for one.
    #[arg(long, value_parser = sabotage)]
    sabotage: Option<Sabotage>,
}

fn sabotage(label: &str) -> Result<Sabotage, String> {
    const ALL: [Sabotage; 9] = [
        Sabotage::FenceAtOnce,
        Sabotage::PromiseBeforeCommit,
        Sabotage::ForgetGrants,
        Sabotage::FreeUnrecorded,
        Sabotage::RecordNothing,
        Sabotage::StartAtOnce,
        Sabotage::OfferInUse,
        Sabotage::TrustTorn,
        Sabotage::DoubtIsFailure,
    ];
    ALL.into_iter()
        .find(|sabotage| sabotage.label() == label)
        .ok_or_else(|| format!("give one of {}", ALL.map(Sabotage::label).join(", ")))
}

fn main() -> ExitCode {
    // A panic is a violation like any other, and shown as one.
    panic::set_hook(Box::new(|_| {}));
    let options = Options::parse();
    match options.seed {
        Some(seed) => options.play_one(seed),
        None => options.play_all(),
    }
}

impl Options {
    fn play(&self, seed: u64, traces: bool) -> Report {
        dhcp_testkit::simulation::run(seed, self.steps, self.sabotage, traces)
    }

    fn play_one(&self, seed: u64) -> ExitCode {
        let report = self.play(seed, true);
        report.trace.iter().for_each(|line| println!("{line}"));
        if let Some(violation) = &report.violation {
            println!("seed {seed} violates {violation}");
        }
        conclude(1, report.steps, u64::from(report.violation.is_some()))
    }

    fn play_all(&self) -> ExitCode {
        let start = Instant::now();
        let mut all = Report::default();
        let mut violations = 0;
        for seed in (self.first..).take(self.seeds as usize) {
            let report = self.play(seed, false);
            if report.violation.is_some() {
                violations += 1;
                println!(
                    "{}\n",
                    dhcp_testkit::simulation::story(seed, self.steps, self.sabotage)
                );
            }
            all.add(report);
        }
        for (what, count) in &all.tally {
            println!("{count:>12} {what}");
        }
        println!("{:.1} s", start.elapsed().as_secs_f64());
        conclude(self.seeds, all.steps, violations)
    }
}

fn conclude(seeds: u64, steps: u64, violations: u64) -> ExitCode {
    println!("sim: {seeds} seeds, {steps} steps, {violations} violations");
    if violations == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

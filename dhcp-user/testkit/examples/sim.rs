//! Plays any number of worlds of the simulation: `cargo xtask sim`.

use std::{panic, process::ExitCode, time::Instant};

use clap::Parser;
use dhcp_testkit::simulation::{Report, Sabotage};

/// Simulates the whole server: the real engine and program, and a kernel, clock, network and disk
/// that fail.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim")]
struct Options {
    /// How many worlds to play.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// Seed of the first world.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// How many events happen in each world before it ends.
    #[arg(long, default_value_t = 2000)]
    steps: u64,
    /// Plays only the world of this seed, and prints everything that happens.
    #[arg(long)]
    seed: Option<u64>,
    /// Breaks something on purpose, which must be noticed, such as `fence-at-once`.
    #[arg(long, value_parser = sabotage)]
    sabotage: Option<Sabotage>,
    /// Prints what can be broken on purpose, one name a line, and plays nothing.
    #[arg(long)]
    list_sabotages: bool,
}

fn sabotage(label: &str) -> Result<Sabotage, String> {
    let mut all = Sabotage::ALL.iter().copied();
    all.find(|sabotage| sabotage.label() == label)
        .ok_or_else(|| {
            let labels: Vec<_> = Sabotage::ALL.iter().map(|one| one.label()).collect();
            format!("give one of {}", labels.join(", "))
        })
}

fn main() -> ExitCode {
    // A panic is reported as a violation like any other.
    panic::set_hook(Box::new(|_| {}));
    let options = Options::parse();
    if options.list_sabotages {
        let labels = Sabotage::ALL.iter().map(|sabotage| sabotage.label());
        labels.for_each(|label| println!("{label}"));
        return ExitCode::SUCCESS;
    }
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

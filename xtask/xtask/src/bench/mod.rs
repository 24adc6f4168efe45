//! `cargo xtask bench`: measures the code and the loaded program, and compares them with a
//! baseline.
//!
//! [`targets`] runs the programs of `benches/`: criterion's, and the one that runs the loaded
//! program by BPF_PROG_TEST_RUN. Each figure has a reference from the same run ([`measure`]), by
//! which it is compared with the stored [`baseline`] ([`verdict`]). docs/PERFORMANCE.md explains
//! the figures.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;
use xtask_compare::throughput;
use xtask_lab::workspace;

use crate::{setup, tools};

mod baseline;
mod criterion;
mod measure;
mod table;
mod targets;
mod verdict;

use baseline::{Baseline, Machine};
use measure::Measures;
use targets::{How, Target};
use verdict::Row;

/// A bench beyond the threshold is measured this many times more, and the lowest figure counts: a
/// single disturbance by other load or an unfavourable memory layout is not a change of the code.
const MORE_LOOKS: usize = 2;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    task: Option<Task>,

    /// Runs only benches whose names contain this.
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,

    /// Replaces the baseline by the new figures.
    #[arg(long)]
    save: bool,

    /// Compares with this file instead of benches/baseline.json.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// Allowed ratio to the baseline.
    #[arg(long, default_value = "1.25", value_parser = threshold)]
    threshold: f64,

    /// Measures less precisely, in a few seconds.
    #[arg(long)]
    quick: bool,

    /// Cargo profile of the build; figures of different profiles cannot be compared.
    #[arg(long, default_value = "bench")]
    profile: String,

    /// Writes the report as JSON, and nothing else, to stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Measures xdhcpd and other servers, in turns, and writes docs/PERFORMANCE.md.
    Compare(throughput::Options),
}

fn threshold(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(threshold) if threshold.is_finite() && threshold >= 1.0 => Ok(threshold),
        _ => Err("must be a number of at least 1, such as 1.25".to_owned()),
    }
}

/// The output of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    machine: &'a Machine,
    baseline_machine: Option<&'a Machine>,
    /// Whether the baseline is of this machine, so that ratios are meaningful.
    is_comparable: bool,
    threshold: f64,
    benches: &'a [Row],
    /// Names of the benches beyond the threshold.
    beyond: Vec<&'a str>,
}

/// Measures and compares. Fails at the end if a bench is beyond the threshold or a step failed.
pub fn run(options: &Options) -> ExitCode {
    let result = match &options.task {
        Some(Task::Compare(options)) => tools::throughput(options).map(|()| true),
        None => compare(options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether no bench is beyond the threshold.
fn compare(options: &Options) -> Result<bool> {
    if !options.json {
        setup::run(&setup::Options::for_building())?;
    }
    let kept = workspace::root().join(baseline::KEPT);
    let path = options.baseline.as_deref().unwrap_or(&kept);
    // Read first, so that a broken file is reported before minutes of measurement.
    let stored = Baseline::read(path)?;
    if stored.is_none() && options.baseline.is_some() && !options.save {
        bail!("{} does not exist: `--save` writes it", path.display());
    }
    let machine = Machine::here()?;
    let is_comparable = stored
        .as_ref()
        .is_some_and(|stored| stored.machine.is_comparable(&machine));
    let how = How {
        filter: options.filter.as_deref().unwrap_or_default(),
        is_quick: options.quick,
        profile: &options.profile,
        is_quiet: options.json,
    };
    let mut now = measures(how)?;
    if is_comparable && !options.save {
        for _ in 0..MORE_LOOKS {
            let rows = verdict::rows(&now, stored.as_ref(), options.threshold);
            for row in rows.iter().filter(|row| row.is_beyond) {
                let filter = row.name.as_str();
                verdict::keep_lower(&mut now, measures(How { filter, ..how })?);
            }
        }
    }

    let rows = verdict::rows(&now, stored.as_ref(), options.threshold);
    let beyond: Vec<&str> = rows
        .iter()
        .filter(|row| row.is_beyond && is_comparable)
        .map(|row| row.name.as_str())
        .collect();
    if options.json {
        let report = Report {
            machine: &machine,
            baseline_machine: stored.as_ref().map(|stored| &stored.machine),
            is_comparable,
            threshold: options.threshold,
            benches: &rows,
            beyond: beyond.clone(),
        };
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&rows, &machine, stored.as_ref(), path);
        for name in &beyond {
            println!(
                "slower than {} times the baseline: {name}",
                options.threshold
            );
        }
    }
    let is_good = beyond.is_empty();
    if options.save {
        Baseline::taking_in(stored, machine, now)?.write(path)?;
        if !options.json {
            println!("saved in {}", path.display());
        }
        return Ok(true);
    }
    Ok(is_good)
}

/// Runs all programs that have figures selected by the filter.
fn measures(how: How<'_>) -> Result<Measures> {
    let targets = Target::all(how)?;
    if targets
        .iter()
        .all(|target| target.chosen(how).next().is_none())
    {
        let names = targets.iter().flat_map(|target| &target.figures);
        let names: Vec<&str> = names.map(String::as_str).collect();
        bail!(
            "no bench's name contains `{}`; the benches are:\n  {}",
            how.filter,
            names.join("\n  ")
        );
    }
    let mut measures = Measures::new();
    for target in &targets {
        if target.chosen(how).next().is_none() {
            continue;
        }
        let measured = target.measure(how);
        let measured = measured.with_context(|| format!("cannot measure `{}`", target.name))?;
        for name in target.chosen(how) {
            ensure!(
                measured.contains_key(name),
                "`{}` has no result for {name}",
                target.name
            );
        }
        measures.extend(measured);
    }
    Ok(measures)
}

fn print(rows: &[Row], machine: &Machine, stored: Option<&Baseline>, path: &Path) {
    println!("{}", table::figures(rows));
    if let Some(program) = table::program(rows) {
        println!("\n{program}");
    }
    println!("\nmeasured on {}, Linux {}", machine.cpu, machine.kernel);
    match stored {
        None => println!(
            "there is no baseline {}: `--save` writes it",
            path.display()
        ),
        Some(Baseline { machine: its, .. }) if !its.is_comparable(machine) => println!(
            "the baseline belongs to another machine, so ratios do not count: {}, Linux {}",
            its.cpu, its.kernel
        ),
        Some(Baseline { machine: its, .. }) => {
            println!(
                "the baseline belongs to this processor, Linux {}",
                its.kernel
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_a_number_from_one_on() {
        assert_eq!(threshold("1.25"), Ok(1.25));
        for wrong in ["0.9", "-2", "inf", "NaN", "much"] {
            assert!(threshold(wrong).is_err(), "{wrong}");
        }
    }
}

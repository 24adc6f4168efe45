//! `cargo xtask demo`: the life of the daemon with real clients, and the kernel's counters at each
//! step.

use anyhow::{Context as _, Result};
use xtask_lab::{
    Lab,
    command::{self, is_root},
    remove_kept,
};

use crate::tools;

mod play;
mod report;

use play::Play;
use report::Report;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Leaves the lab running afterwards, and prints how to use it.
    #[arg(long, conflicts_with = "clean")]
    keep: bool,
    /// Only removes labs that were kept.
    #[arg(long)]
    clean: bool,
    /// Skips setup and build.
    #[arg(long)]
    no_build: bool,
}

/// Runs the demo.
///
/// # Errors
/// A step failed, or the lab could not be created.
pub fn run(options: &Options) -> Result<()> {
    if !options.clean && !options.no_build {
        tools::build_for_tests()?;
    }
    if !is_root() {
        let keep = options.keep.then_some("--keep");
        let clean = options.clean.then_some("--clean");
        let arguments = ["demo", "--no-build"].into_iter();
        return command::run_again_as_root(arguments.chain(keep).chain(clean));
    }
    if options.clean {
        println!("demo: {} labs removed", remove_kept()?);
        return Ok(());
    }
    let mut report = Report::default();
    let lab = Lab::new()?;
    let played = play(&lab, &mut report);
    println!("\n{report}");
    let play = played.inspect_err(|_| lab.print_logs())?;
    if options.keep {
        play.leave();
        lab.keep()?;
    }
    Ok(())
}

/// Runs all steps in order; each depends on the previous one.
fn play(lab: &Lab, report: &mut Report) -> Result<Play> {
    let mut play = None;
    report.step("a new client gets an address", || {
        let (started, counted) = Play::start(lab)?;
        play = Some(started);
        Ok(counted)
    })?;
    let mut play = play.context("nothing was started")?;
    for (title, step) in Play::STEPS {
        report.step(title, || step(&mut play))?;
    }
    Ok(play)
}

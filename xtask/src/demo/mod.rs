//! `cargo xtask demo`: the daemon's whole life, with real clients, and what the kernel counted beside
//! each step.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{
    command::{self, is_installed, is_root},
    lab::{self, Lab},
    setup, workspace,
};

mod play;
mod report;

use play::Play;
use report::Report;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Leaves the lab up afterwards, and says how to talk to it.
    #[arg(long, conflicts_with = "clean")]
    keep: bool,
    /// Only removes labs that were kept.
    #[arg(long)]
    clean: bool,
    /// Takes everything for set up and built.
    #[arg(long)]
    no_build: bool,
}

/// # Errors
/// A step failed, or the lab could not be made.
pub fn run(options: &Options) -> Result<()> {
    if !options.clean && !options.no_build {
        setup::run(&setup::Options::default())?;
        command::run(&mut workspace::cargo(["build"]))?;
    }
    if !is_root() {
        return through_sudo(options);
    }
    if options.clean {
        println!("demo: {} labs removed", lab::remove_kept()?);
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

/// Every step in its order; each stands on the one before.
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

/// What was built as a user is run as root.
fn through_sudo(options: &Options) -> Result<()> {
    if !is_installed("sudo") {
        bail!("the demo needs root, and sudo is not installed: run it as root");
    }
    let own = std::env::current_exe().context("cannot find the path of this executable")?;
    let mut again = Command::new("sudo");
    again.arg(own).args(["demo", "--no-build"]);
    again.args(options.keep.then_some("--keep"));
    again.args(options.clean.then_some("--clean"));
    command::run(&mut again)
}

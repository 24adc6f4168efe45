//! `cargo xtask sim`: the seeded simulation of the whole server, for any number of seeds.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use xtask_lab::{command::Line, workspace::cargo};

use crate::setup;

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub struct Options {
    /// `--seeds N`, `--steps M`, or `--seed S` to replay one; `--help` lists all.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds and runs the simulation; its last line counts seeds, steps and violations.
pub fn run(options: &Options) -> ExitCode {
    match play(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether there were no violations.
fn play(options: &Options) -> Result<bool> {
    setup::run(&setup::Options::for_building())?;
    let mut sim = cargo([
        "run",
        "--release",
        "--package=dhcp-testkit",
        "--example=sim",
        "--",
    ]);
    sim.args(&options.arguments);
    println!("$ {}", Line(&sim));
    let status = sim
        .status()
        .with_context(|| format!("cannot start `{}`", Line(&sim)))?;
    Ok(status.success())
}

//! `cargo xtask build`.

use anyhow::Result;
use xtask_lab::{command, workspace};

use crate::setup;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Arguments of `cargo build`, such as `--release`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Sets up for building and builds.
///
/// # Errors
/// Something is missing and could not be installed, or cargo failed.
pub fn run(options: &Options) -> Result<()> {
    setup::run(&setup::Options::for_building())?;
    command::run(workspace::cargo(["build"]).args(&options.arguments))
}

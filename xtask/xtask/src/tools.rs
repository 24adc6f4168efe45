//! The tools that are crates of their own: what they run is set up and built before, unless they are told not to.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use xtask_chaos as chaos;
use xtask_compare::{answers, throughput};
use xtask_lab::{
    command::{self, Line, command, privileged},
    workspace::{self, cargo},
};
use xtask_load::{cli as load, kernel};

use crate::setup;

/// Of `cargo xtask compare`.
#[derive(Debug, clap::Args)]
pub struct Compare {
    /// Takes everything for set up and built.
    #[arg(long)]
    no_build: bool,
}

/// Whether all was right.
///
/// # Errors
/// Something could not be built, or as [`chaos::run`].
pub fn chaos(options: &chaos::Options) -> Result<bool> {
    if !options.no_build {
        build_for_tests()?;
    }
    chaos::run(options)
}

/// # Errors
/// Something could not be built, or as [`answers::run`].
pub fn compare(options: &Compare) -> Result<()> {
    if !options.no_build {
        build_for_tests()?;
    }
    answers::run()
}

/// # Errors
/// Something could not be built, or as [`load::run`].
pub fn load(options: &load::Options) -> Result<()> {
    if options.no_build {
        return load::run(options);
    }
    // What it must not do is refused before anything is built.
    options.workload()?;
    let mut build = cargo(["build", "--release", "--package", "xtask"]);
    if options.iface.is_none() {
        build.args(["--package", "xdhcpd"]);
    }
    let mut builds = vec![build];
    if options.kernel {
        builds.push(kernel::build()?);
    }
    if !options.json {
        setup::run(&setup::Options::for_building())?;
    }
    for mut build in builds {
        eprintln!("$ {}", Line(&build));
        let status = build.status().context("cannot start cargo")?;
        ensure!(status.success(), "`{}` failed: {status}", Line(&build));
    }
    go_on_optimized("the load was not played")
}

/// Of `cargo xtask bench compare`.
///
/// # Errors
/// Something could not be built, or as [`throughput::run`].
pub fn throughput(options: &throughput::Options) -> Result<()> {
    if options.no_build {
        return throughput::run(options);
    }
    setup::run(&setup::Options::default())?;
    let build: Command = cargo(["build", "--release", "--package=xtask", "--package=xdhcpd"]);
    for mut build in [build, kernel::build()?] {
        command::run(&mut build)?;
    }
    go_on_optimized("nothing was compared")
}

/// Sets up for everything, and builds what tests run.
///
/// # Errors
/// Something is missing and could not be installed, or cargo failed.
pub fn build_for_tests() -> Result<()> {
    setup::run(&setup::Options::default())?;
    command::run(&mut cargo(["build"]))
}

/// Has this task gone on with as root by what was built with all optimization.
fn go_on_optimized(failure: &str) -> Result<()> {
    let built = workspace::metadata()?.target_directory.join("release");
    let mut again = command(built.join("xtask"), std::env::args_os().skip(1));
    let mut again = privileged({
        again.arg("--no-build");
        again
    });
    let status = again
        .status()
        .with_context(|| format!("cannot start `{}`", Line(&again)))?;
    ensure!(status.success(), "{failure}: {status}");
    Ok(())
}

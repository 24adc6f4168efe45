//! Front ends of the tools that are separate crates: they set up and build what a tool requires,
//! unless `--no-build` is given.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use xtask_chaos as chaos;
use xtask_clients as clients;
use xtask_compare::{answers, throughput};
use xtask_lab::{
    command::{self, Line, command, is_root, privileged},
    workspace::{self, cargo},
};
use xtask_load::{cli as load, kernel};

use crate::setup;

/// Options of `cargo xtask compare`.
#[derive(Debug, clap::Args)]
pub struct Compare {
    /// Skips setup and build.
    #[arg(long)]
    no_build: bool,
}

/// Options of `cargo xtask clients`.
#[derive(Debug, clap::Args)]
pub struct Clients {
    /// The clients to run, by name; all of them without a name.
    names: Vec<String>,

    /// Skips setup and build. Clients that are not installed are listed as skipped.
    #[arg(long)]
    no_build: bool,
}

/// Runs `cargo xtask clients`. Returns whether each client did what it should.
///
/// # Errors
/// Something could not be built, or as [`clients::run`].
pub fn clients(options: &Clients) -> Result<bool> {
    // A wrong name is reported before anything is built.
    for name in &options.names {
        clients::Kind::named(name)?;
    }
    if !options.no_build {
        build_for_tests()?;
    }
    if !is_root() {
        let names = options.names.iter().map(String::as_str);
        let arguments = ["clients", "--no-build"].into_iter().chain(names);
        return command::run_again_as_root(arguments).map(|()| true);
    }
    clients::run(&options.names)
}

/// Runs `cargo xtask chaos`. Returns whether there were no violations.
///
/// # Errors
/// Something could not be built, or as [`chaos::run`].
pub fn chaos(options: &chaos::Options) -> Result<bool> {
    if !options.no_build {
        build_for_tests()?;
    }
    chaos::run(options)
}

/// Runs `cargo xtask compare`.
///
/// # Errors
/// Something could not be built, or as [`answers::run`].
pub fn compare(options: &Compare) -> Result<()> {
    if !options.no_build {
        build_for_tests()?;
    }
    answers::run()
}

/// Runs `cargo xtask load`.
///
/// # Errors
/// Something could not be built, or as [`load::run`].
pub fn load(options: &load::Options) -> Result<()> {
    if options.no_build {
        return load::run(options);
    }
    // Invalid options are reported before anything is built.
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
    go_on_optimized("the load did not run")
}

/// Runs `cargo xtask bench compare`.
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
    go_on_optimized("the comparison did not run")
}

/// Sets up for testing, and builds what tests run.
///
/// # Errors
/// Something is missing and could not be installed, or cargo failed.
pub fn build_for_tests() -> Result<()> {
    setup::run(&setup::Options::default())?;
    command::run(&mut cargo(["build"]))
}

/// Runs this task again as root, with the executable that was built in release mode.
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

//! `cargo xtask test`: all checks and tests, with a summary on the last line.
//!
//! `--quick` runs what needs only the Rust toolchain ([`quick`]), `--all` adds what takes long
//! ([`long`]).

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result};
use xtask_lab::{
    command::{self, Line},
    workspace::{self, cargo},
};
use xtask_load::kernel;

use crate::setup;

mod long;
mod quick;
mod tally;

use tally::Tally;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Runs only tests whose names contain this, without checks of format and lints.
    filter: Option<String>,

    /// Runs what needs only the Rust toolchain: format, lints and tests of the crates that are
    /// built without the BPF toolchain. Installs nothing and needs no privileges.
    #[arg(long)]
    quick: bool,

    /// Also runs what takes long: 20,000 seeds of the simulation, each sabotage, chaos, fuzzing,
    /// and the tests of a million leases with full optimization.
    #[arg(long, conflicts_with_all = ["quick", "filter"])]
    all: bool,
}

/// Runs the tests. The last line counts them; a check or step that failed counts as one.
pub fn run(options: &Options) -> ExitCode {
    let mut tally = Tally::default();
    if let Err(error) = steps(options, &mut tally) {
        tally.step_failed(&format!("{error:#}"));
    }
    tally.print_failures();
    println!("{tally}");
    if tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn steps(options: &Options, tally: &mut Tally) -> Result<()> {
    let metadata = workspace::metadata()?;
    if options.quick {
        return quick::steps(&metadata, options.filter.as_deref(), tally);
    }
    setup::run(&setup::Options::default())?;
    if options.filter.is_none() {
        check(checks(&metadata), tally);
    }
    // The end-to-end tests run the daemon, which `cargo test` alone does not build.
    command::run(&mut cargo(["build", "--workspace"]))?;
    command::run(&mut kernel::build()?)?;

    let mut tests = cargo(["test", "--workspace", "--no-fail-fast"]);
    tests.arg("--").args(&options.filter);
    if command::as_root(&mut tests) {
        // Tests that require root are ignored by default.
        tests.arg("--include-ignored");
    } else {
        println!("test: neither root nor sudo: tests that require root are skipped");
    }
    count(&mut tests, tally)?;

    let has_benches = metadata
        .packages
        .iter()
        .flat_map(|package| &package.targets)
        .any(|target| target.kind.iter().any(|kind| kind == "bench"));
    if has_benches && options.filter.is_none() {
        // Without `--bench` among its arguments criterion runs each benchmark once.
        let mut benches = cargo(["test", "--workspace", "--no-fail-fast", "--bench", "*"]);
        command::as_root(&mut benches);
        count(&mut benches, tally)?;
    }
    if options.all {
        long::steps(tally)?;
    }
    Ok(())
}

/// Runs commands, each of which counts as a failure if it fails.
fn check(commands: impl IntoIterator<Item = Command>, tally: &mut Tally) {
    for mut check in commands {
        if let Err(error) = command::run(&mut check) {
            tally.step_failed(&format!("{error:#}"));
        }
    }
}

/// Returns the checks of format, lints for the host and the BPF target, and documentation links.
fn checks(metadata: &workspace::Metadata) -> [Command; 4] {
    let format = cargo(["fmt", "--all", "--check"]);
    let host = cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    let mut bpf = cargo([
        "clippy",
        "--package=dhcp-ebpf",
        "--package=dhcp-restore-ebpf",
        "--package=xtask-load-ebpf",
        "--features=dhcp-ebpf/program,dhcp-restore-ebpf/program,xtask-load-ebpf/program",
        "--bins",
        "--target=bpfel-unknown-none",
        "-Zbuild-std=core",
        "--release",
    ]);
    // A separate folder, because RUSTC_BOOTSTRAP makes cargo rebuild everything.
    bpf.arg("--target-dir")
        .arg(metadata.target_directory.join("bpf-clippy"))
        .args(["--", "-D", "warnings"])
        .env("RUSTC_BOOTSTRAP", "1");
    let mut doc = cargo([
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ]);
    doc.env(
        "RUSTDOCFLAGS",
        "-D warnings -A rustdoc::private_intra_doc_links",
    );
    [format, host, bpf, doc]
}

/// Runs test programs, shows their output and counts the results.
fn count(tests: &mut Command, tally: &mut Tally) -> Result<()> {
    println!("$ {}", Line(tests));
    let mut running = tests
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", Line(tests)))?;
    let failed_before = tally.failed;
    if let Some(output) = running.stdout.take() {
        // The output of a test may not be UTF-8.
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            tally.line(&line);
        }
    }
    let status = running.wait()?;
    if !status.success() && tally.failed == failed_before {
        // A test program did not compile, or ended before it could report.
        tally.step_failed(&format!("`{}` failed: {status}", Line(tests)));
    }
    Ok(())
}

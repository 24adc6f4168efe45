//! The tasks of this workspace, as listed by `cargo xtask help`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{bench, build, conformance, demo, fuzz, setup, sim, test, tools};
use xtask_chaos as chaos;
use xtask_load::cli as load;
use xtask_tune as tune;

/// Tasks of this workspace beyond `cargo build`. Every command that a task runs is printed.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what building and testing require, where it is missing.
    Setup(setup::Options),
    /// Sets up for building, then runs `cargo build` with these arguments.
    Build(build::Options),
    /// Demonstrates the daemon with real clients, in network namespaces: lease, renewal, crash,
    /// restart.
    Demo(demo::Options),
    /// Sets up, checks format and lints, builds, and runs all tests.
    Test(test::Options),
    /// Measures the code and the loaded program, and compares them with the stored baseline.
    Bench(bench::Options),
    /// Sends the same requests to several servers and writes their answers to docs/COMPARISON.md.
    Compare(tools::Compare),
    /// Simulates any number of clients and reports answers, latency and errors.
    Load(load::Options),
    /// Searches for inputs that crash the server or break an invariant.
    Fuzz(fuzz::Options),
    /// Runs the simulation of the whole server: `--seeds N`, or `--seed S` to replay one world.
    Sim(sim::Options),
    /// Runs real clients and network boot firmware against the server, and prints what each did.
    Clients(tools::Clients),
    /// Runs thousands of clients on a real link while the daemon is killed, its disk fills and its
    /// link goes down.
    Chaos(chaos::Options),
    /// Reports, applies and restores settings of an interface and its machine.
    Tune(tune::Options),
    /// Writes to docs/CONFORMANCE.md which tests cover which check.
    Conformance(conformance::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Setup(options) => setup::run(&options).map(|()| true),
        Task::Build(options) => build::run(&options).map(|()| true),
        Task::Demo(options) => demo::run(&options).map(|()| true),
        Task::Test(options) => return test::run(&options),
        Task::Bench(options) => return bench::run(&options),
        Task::Compare(options) => tools::compare(&options).map(|()| true),
        Task::Load(options) => tools::load(&options).map(|()| true),
        Task::Fuzz(options) => return fuzz::run(&options),
        Task::Sim(options) => return sim::run(&options),
        Task::Clients(options) => tools::clients(&options),
        Task::Chaos(options) => tools::chaos(&options),
        Task::Tune(options) => tune::run(&options).map(|()| true),
        Task::Conformance(options) => conformance::run(&options).map(|()| true),
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

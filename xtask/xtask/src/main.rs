//! The tasks of this workspace: `cargo xtask help` lists them.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{bench, build, conformance, demo, fuzz, setup, sim, test, tools};
use xtask_chaos as chaos;
use xtask_load::cli as load;
use xtask_tune as tune;

/// Everything that this workspace needs besides `cargo build`. Each command that a task runs is printed.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what building and testing need; what is there already is left alone.
    Setup(setup::Options),
    /// Sets up for building, then runs `cargo build` with these arguments.
    Build(build::Options),
    /// Plays the daemon's whole life with real clients, in network namespaces of its own.
    Demo(demo::Options),
    /// Sets up, checks format and lints, builds, and runs every test.
    Test(test::Options),
    /// Measures what the code and the loaded program cost, and compares it with what they did.
    Bench(bench::Options),
    /// Sends the same requests to other servers, and writes in docs/COMPARISON.md what came back.
    Compare(tools::Compare),
    /// Plays clients without number, and says what the server answered, how fast, and what was wrong.
    Load(load::Options),
    /// Looks for octets that the server does not stand, and says what it found.
    Fuzz(fuzz::Options),
    /// Plays the simulation of the whole server: `--seeds N`, or `--seed S` to see one world again.
    Sim(sim::Options),
    /// Plays thousands of clients on a real link while the daemon is killed, its disk full, its link down.
    Chaos(chaos::Options),
    /// Says how to set up an interface and its machine for the server, sets it, and puts it back.
    Tune(tune::Options),
    /// Writes in docs/CONFORMANCE.md which tests cover which check.
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

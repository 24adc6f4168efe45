//! What `cargo xtask test --all` adds: what takes long.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use xtask_lab::{
    command::{self, Line, command},
    workspace::cargo,
};

use super::{check, count, tally::Tally};

/// Worlds of the simulation.
const SEEDS: &str = "20000";
/// Worlds within which each deliberate defect must be noticed.
const NOTICED_WITHIN: &str = "1000";
/// The duration of the faults of chaos.
const CHAOS: &str = "10m";
/// For how long each fuzz target runs.
const FUZZING: &str = "5m";

pub(super) fn steps(tally: &mut Tally) -> Result<()> {
    check([sim(["--seeds", SEEDS])], tally);
    let sabotages = command::output(&mut sim(["--list-sabotages"]))?;
    let sabotages = String::from_utf8(sabotages.stdout)?;
    ensure!(!sabotages.is_empty(), "the simulation lists no sabotage");
    for sabotage in sabotages.lines() {
        is_noticed(sabotage, tally)?;
    }
    let mut million = cargo(["test", "--release", "--package=xdhcpd", "--test=million"]);
    million.args(["--", "--include-ignored"]);
    if command::as_root(&mut million) {
        count(&mut million, tally)?;
    }
    check(
        [
            task(["chaos", "--time", CHAOS]),
            task(["fuzz", "--time", FUZZING]),
        ],
        tally,
    );
    Ok(())
}

/// Plays worlds with something broken on purpose: the simulation has to fail.
fn is_noticed(sabotage: &str, tally: &mut Tally) -> Result<()> {
    let mut sim = sim(["--seeds", NOTICED_WITHIN]);
    sim.args(["--sabotage", sabotage]);
    println!("$ {}", Line(&sim));
    let output = command::output(&mut sim)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    println!("{last}");
    let violations = violations(last).with_context(|| format!("`{}` counted none", Line(&sim)))?;
    ensure!(
        output.status.success() == (violations == 0),
        "`{}` ended with {}",
        Line(&sim),
        output.status
    );
    if violations == 0 {
        tally.step_failed(&format!(
            "{sabotage} is not noticed in {NOTICED_WITHIN} worlds"
        ));
    } else {
        tally.step_passed();
    }
    Ok(())
}

/// Parses the last line of the simulation: `sim: 1000 seeds, 12345 steps, 0 violations`.
fn violations(line: &str) -> Option<u64> {
    let (_, count) = line.strip_suffix(" violations")?.rsplit_once(' ')?;
    count.parse().ok()
}

fn sim<const N: usize>(arguments: [&str; N]) -> Command {
    let mut sim = cargo([
        "run",
        "--release",
        "--package=dhcp-testkit",
        "--example=sim",
        "--",
    ]);
    sim.args(arguments);
    sim
}

/// Returns a command that runs another task of this program.
fn task<const N: usize>(arguments: [&str; N]) -> Command {
    let own = std::env::current_exe().unwrap_or_else(|_| "xtask".into());
    command(own, arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_are_read_from_the_last_line() {
        assert_eq!(
            violations("sim: 1000 seeds, 52 steps, 7 violations"),
            Some(7)
        );
        assert_eq!(
            violations("sim: 1000 seeds, 52 steps, 0 violations"),
            Some(0)
        );
        assert_eq!(violations("thread panicked"), None);
    }
}

//! `cargo xtask bench`: how fast it is.

use anyhow::Result;
use clap::Subcommand;

use crate::versus;

#[derive(Debug, Subcommand)]
pub enum Task {
    /// Measures xdhcpd beside other servers, in turns, and writes docs/PERFORMANCE.md.
    Compare(versus::Options),
}

/// # Errors
/// As the task's own.
pub fn run(task: &Task) -> Result<()> {
    match task {
        Task::Compare(options) => versus::run(options),
    }
}

//! cargo-fuzz, which builds the fuzz targets with libFuzzer's instrumentation.

use anyhow::Result;
use xtask_lab::command::{self, command};

use super::progress::{missing, there};

const VERSION: &str = "0.13.2";

/// Installs cargo-fuzz.
///
/// # Errors
/// It is missing and could not be installed.
pub fn ensure() -> Result<()> {
    let what = format!("cargo-fuzz {VERSION}");
    let installed = command::read(&mut command("cargo", ["fuzz", "--version"]));
    if installed.is_ok_and(|line| line.trim() == what) {
        there(&what);
        return Ok(());
    }
    missing(&what, "building it, which takes a minute");
    command::run(&mut command(
        "cargo",
        ["install", "cargo-fuzz", "--version", VERSION, "--locked"],
    ))
}

//! The Rust toolchain that `rust-toolchain.toml` pins.

use anyhow::{Result, bail};
use xtask_lab::{
    command::{self, command, is_installed},
    workspace,
};

use super::progress::{missing, there};

/// Describes what [`ensure`] will install.
pub(super) fn to_install() -> Result<Option<String>> {
    let pinned = workspace::pinned_toolchain()?;
    let is_there = version_in_use().is_ok_and(|version| version == pinned);
    let what =
        format!("Rust {pinned} with rustfmt and clippy, through rustup: about 200 MB to download");
    Ok((!is_there).then_some(what))
}

/// Installs the toolchain if necessary and returns its version.
pub(super) fn ensure() -> Result<String> {
    let pinned = workspace::pinned_toolchain()?;
    let what = format!("Rust {pinned}");
    if version_in_use().is_ok_and(|version| version == pinned) {
        there(&what);
        return Ok(pinned);
    }
    missing(&what, "installing it through rustup");
    if !is_installed("rustup") {
        bail!("rustc is not {pinned}, and rustup is not installed: see https://rustup.rs");
    }
    let components = "rustfmt,clippy";
    command::run(&mut command(
        "rustup",
        [
            "toolchain",
            "install",
            &pinned,
            "--profile=minimal",
            "--component",
            components,
        ],
    ))?;
    let version = version_in_use()?;
    if version != pinned {
        bail!(
            "rustc is still {version}, not {pinned}: is RUSTUP_TOOLCHAIN set, or another rustc first in PATH?"
        );
    }
    Ok(pinned)
}

fn version_in_use() -> Result<String> {
    let mut rustc = command("rustc", ["--version"]);
    // `cargo xtask` passes its toolchain on, which is the one that a plain `cargo build` uses.
    let line = command::read(rustc.current_dir(workspace::root()))?;
    let version = line.split_whitespace().nth(1).unwrap_or_default();
    Ok(version.to_owned())
}

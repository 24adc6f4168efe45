//! Paths and metadata of the workspace.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::command::{self, Line};

/// Returns the folder of the workspace's `Cargo.toml`.
pub fn root() -> &'static Path {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest_dir.ancestors().nth(2).unwrap_or(manifest_dir)
}

/// Returns a `cargo` command that runs in the workspace.
pub fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut cargo = command::command("cargo", arguments);
    if std::env::current_dir().is_ok_and(|dir| dir != root()) {
        cargo.current_dir(root());
    }
    cargo
}

/// Returns the channel that `rust-toolchain.toml` pins.
///
/// # Errors
/// The file does not exist or names no channel.
pub fn pinned_toolchain() -> Result<String> {
    #[derive(Deserialize)]
    struct File {
        toolchain: Toolchain,
    }
    #[derive(Deserialize)]
    struct Toolchain {
        channel: String,
    }
    let path = root().join("rust-toolchain.toml");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let file: File = toml::from_str(&text)
        .with_context(|| format!("{} names no toolchain.channel", path.display()))?;
    Ok(file.toolchain.channel)
}

/// The part of `cargo metadata` that is used here.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    pub target_directory: PathBuf,
    pub packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
pub struct Package {
    pub name: String,
    pub targets: Vec<Target>,
    /// Of every kind: for building, running and testing it.
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
}

/// A package that another one names.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    pub name: String,
}

#[derive(Debug, Deserialize)]
pub struct Target {
    pub name: String,
    pub kind: Vec<String>,
}

/// Reads the metadata of the workspace.
///
/// # Errors
/// Cargo cannot read it.
pub fn metadata() -> Result<Metadata> {
    let mut cargo = cargo(["metadata", "--no-deps", "--format-version=1", "--quiet"]);
    let json = command::read(&mut cargo)?;
    serde_json::from_str(&json)
        .with_context(|| format!("`{}` wrote unexpected output", Line(&cargo)))
}

/// Returns the daemon's executable, which is built beside the running one.
///
/// # Errors
/// It has not been built.
pub fn daemon() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot determine the path of this executable")?;
    let mut dir = own.parent().unwrap_or(Path::new("/"));
    // Test executables are one level deeper than programs.
    if dir.ends_with("deps") {
        dir = dir.parent().unwrap_or(dir);
    }
    let daemon = dir.join("xdhcpd");
    if !daemon.is_file() {
        bail!(
            "{} does not exist: run `cargo build` first",
            daemon.display()
        );
    }
    Ok(daemon)
}

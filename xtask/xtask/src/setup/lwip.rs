//! The sources of lwIP, which a client of the tests is compiled from.

use std::{env, fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use xtask_clients::lwip::{CRATE, VERSION, sources};
use xtask_lab::command::{self, command};

use super::progress::{missing, there};

/// Returns a description of what [`ensure()`] will fetch.
pub(super) fn to_install() -> Result<Option<String>> {
    let (folder, is_there) = sources()?;
    let what = format!(
        "the sources of lwIP, 2 MB to fetch and 5 MB in {}",
        folder.display()
    );
    Ok((!is_there).then_some(what))
}

/// Fetches the crate that holds the sources, and copies them.
///
/// # Errors
/// They are missing and could not be fetched.
pub(super) fn ensure() -> Result<()> {
    let what = "the sources of lwIP";
    let (folder, is_there) = sources()?;
    if is_there {
        there(what);
        return Ok(());
    }
    missing(what, &format!("fetching the crate {CRATE} {VERSION}"));
    // Cargo fetches and unpacks a crate to describe it, and verifies it.
    let name = format!("{CRATE}@{VERSION}");
    command::read(&mut command("cargo", ["info", "--quiet", &name]))?;
    let fetched = fetched()?.join("src");
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)
            .with_context(|| format!("cannot create {}", parent.display()))?;
    }
    let mut copy = command("cp", ["--recursive"]);
    command::run(copy.arg(fetched).arg(&folder))
}

/// Returns the folder into which cargo has unpacked the crate.
fn fetched() -> Result<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let registries = home.context("there is neither CARGO_HOME nor HOME")?;
    let registries = registries.join("registry/src");
    let entries = fs::read_dir(&registries)
        .with_context(|| format!("cannot read {}", registries.display()))?;
    let name = format!("{CRATE}-{VERSION}");
    let mut found = entries.filter_map(|entry| Some(entry.ok()?.path().join(&name)));
    let folder = found.find(|folder| folder.join("src").is_dir());
    let folder = folder.with_context(|| format!("cargo has not unpacked {name}"))?;
    ensure!(
        folder.join("src/core/ipv4/dhcp.c").is_file(),
        "{} has no DHCP client",
        folder.display()
    );
    Ok(folder)
}

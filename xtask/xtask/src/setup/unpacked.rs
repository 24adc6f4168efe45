//! Debian packages that are unpacked into a folder of the build, and not installed.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use xtask_clients::packages::{UNPACKED, folder};
use xtask_lab::command::{self, Line, command};

use super::{
    packages::{is_debian, is_package_installed, update_lists},
    progress::{missing, there},
};

const WHAT: &str = "clients and firmware that are unpacked, not installed";
/// The list of the packages that were unpacked into the folder.
const DONE: &str = "packages.txt";

/// Returns a description of the packages that [`ensure()`] will unpack.
pub(super) fn to_install() -> Result<Option<String>> {
    if !is_debian() || absent()?.is_empty() {
        return Ok(None);
    }
    let absent = absent()?;
    let size = archives(&absent)
        .and_then(|archives| size(&archives))
        .unwrap_or_else(|_| "of a size that apt tells when it has its lists".to_owned());
    Ok(Some(format!(
        "{} packages with what they need, {size}, unpacked into {}: {}",
        absent.len(),
        folder()?.display(),
        absent.join(", ")
    )))
}

/// Unpacks what is missing.
///
/// # Errors
/// A package cannot be fetched or unpacked.
pub(super) fn ensure() -> Result<()> {
    if !is_debian() {
        println!("setup: {WHAT}: install the packages of your system that provide:");
        for (package, usage) in UNPACKED {
            println!("setup:   {package} ({usage})");
        }
        return Ok(());
    }
    let absent = absent()?;
    if absent.is_empty() {
        there(WHAT);
        return Ok(());
    }
    missing(WHAT, &format!("unpacking {}", absent.join(", ")));
    let folder = folder()?;
    if unpack(&absent, &folder).is_err() {
        update_lists()?;
        unpack(&absent, &folder)?;
    }
    let list = folder.join(DONE);
    let mut done = fs::read_to_string(&list).unwrap_or_default();
    for package in absent {
        done += package;
        done.push('\n');
    }
    fs::write(&list, done).with_context(|| format!("cannot write {}", list.display()))
}

/// Returns the packages that are neither installed nor unpacked.
fn absent() -> Result<Vec<&'static str>> {
    let done = fs::read_to_string(folder()?.join(DONE)).unwrap_or_default();
    let packages = UNPACKED.into_iter().map(|(package, _)| package);
    let is_there = |package: &&str| {
        done.lines().any(|unpacked| unpacked == *package) || is_package_installed(package)
    };
    Ok(packages.filter(|package| !is_there(package)).collect())
}

/// Fetches and unpacks packages and all that they need and that the system does not have.
fn unpack(packages: &[&str], folder: &Path) -> Result<()> {
    let fetched = tempfile::tempdir().context("cannot create a temporary folder")?;
    let mut download = command("apt-get", ["download", "--quiet"]);
    command::run(
        download
            .args(archives(packages)?)
            .current_dir(fetched.path()),
    )?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for entry in fs::read_dir(fetched.path())? {
        let mut extract = command("dpkg-deb", ["--extract"]);
        command::read(extract.arg(entry?.path()).arg(folder))?;
    }
    Ok(())
}

/// Returns these packages and all that they need and that the system does not have, as
/// `name=version`.
fn archives(packages: &[&str]) -> Result<Vec<String>> {
    let simulated = read(
        command(
            "apt-get",
            ["install", "--simulate", "--no-install-recommends"],
        )
        .args(packages),
    )?;
    let archives = new(&simulated);
    ensure!(!archives.is_empty(), "apt would install nothing");
    Ok(archives)
}

/// Returns the packages that apt would install, without those that it would replace: the system's
/// versions of those are used.
fn new(simulated: &str) -> Vec<String> {
    let lines = simulated.lines().filter_map(|line| {
        // Inst libnl-3-200 (3.7.0-0.2+b1 Debian:12.15/oldstable [amd64])
        // Inst systemd [252.38-1~deb12u1] (252.39-1~deb12u2 Debian:12.15/oldstable [amd64])
        let mut words = line.strip_prefix("Inst ")?.split_whitespace();
        let name = words.next()?;
        let version = words.next()?.strip_prefix('(')?;
        Some(format!("{name}={version}"))
    });
    lines.collect()
}

/// Returns the sizes of packages, of the archives and unpacked.
fn size(archives: &[String]) -> Result<String> {
    let mut show = command("apt-cache", ["show", "--no-all-versions"]);
    let control = read(show.args(archives))?;
    let fields = sums(&control);
    let sum = |field| fields.get(field).copied().unwrap_or(0);
    Ok(format!(
        "{} MB to fetch and {} MB unpacked",
        sum("Size").div_ceil(1_000_000),
        sum("Installed-Size").div_ceil(1_000)
    ))
}

/// Returns the sums of the numeric fields of control files.
fn sums(control: &str) -> BTreeMap<&str, u64> {
    let mut sums = BTreeMap::new();
    for (field, value) in control.lines().filter_map(|line| line.split_once(": ")) {
        if let Ok(value) = value.parse::<u64>() {
            *sums.entry(field).or_default() += value;
        }
    }
    sums
}

/// Runs a command of apt, which translates what it says.
fn read(apt: &mut Command) -> Result<String> {
    apt.env("LC_ALL", "C");
    command::read(apt).with_context(|| format!("`{}`", Line(apt)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_has_is_not_fetched_again() {
        let simulated = "\
            Inst systemd [252.38-1~deb12u1] (252.39-1~deb12u2 Debian:12.15/oldstable [amd64]) []\n\
            Inst libnl-3-200 (3.7.0-0.2+b1 Debian:12.15/oldstable [amd64])\n\
            Conf libnl-3-200 (3.7.0-0.2+b1 Debian:12.15/oldstable [amd64])\n";
        assert_eq!(new(simulated), ["libnl-3-200=3.7.0-0.2+b1"]);
    }

    #[test]
    fn sizes_are_added() {
        let control = "Package: a\nInstalled-Size: 10\nSize: 5\n\nPackage: b\nSize: 7\n";
        let sums = sums(control);
        assert_eq!(sums.get("Size"), Some(&12));
        assert_eq!(sums.get("Installed-Size"), Some(&10));
    }
}

//! Where the files of a Debian package are: on the system, or in the folder into which `cargo xtask
//! setup` unpacks packages that it does not install.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use xtask_lab::{Namespace, workspace};

/// Folders of a package with shared libraries, in subfolders named after the architecture.
const LIBRARIES: [&str; 2] = ["usr/lib", "lib"];
/// The end of the names of those subfolders.
const ARCHITECTURE: &str = "-linux-gnu";

/// Returns the folder of unpacked packages.
///
/// # Errors
/// Cargo does not say where it builds.
pub(crate) fn unpacked() -> Result<PathBuf> {
    Ok(workspace::metadata()?.target_directory.join("packages"))
}

/// Returns where a file is that Debian places at `path`.
///
/// # Errors
/// Cargo does not say where it builds.
pub(crate) fn find(path: &str) -> Result<Option<PathBuf>> {
    if Path::new(path).exists() {
        return Ok(Some(path.into()));
    }
    let own = unpacked()?.join(path.trim_start_matches('/'));
    Ok(own.exists().then_some(own))
}

/// Returns where a file is that Debian places at `path`.
///
/// # Errors
/// It is not installed.
pub(crate) fn require(path: &str) -> Result<PathBuf> {
    let found = find(path)?;
    found.with_context(|| format!("{path} is not installed: run `cargo xtask setup`"))
}

/// Returns a command that runs a program in a namespace, with the libraries of unpacked packages
/// where the system has none.
///
/// # Errors
/// The program is not installed.
pub(crate) fn command<I>(namespace: &Namespace, program: &str, arguments: I) -> Result<Command>
where
    I: IntoIterator<Item: AsRef<std::ffi::OsStr>>,
{
    let program = require(program)?;
    let mut env = namespace.command("env", [libraries()?]);
    env.arg(program).args(arguments);
    Ok(env)
}

/// Returns the setting of the environment that makes programs find unpacked libraries.
///
/// # Errors
/// Cargo does not say where it builds.
pub(crate) fn libraries() -> Result<String> {
    let root = unpacked()?;
    let mut folders = Vec::new();
    for folder in LIBRARIES {
        // Nothing is unpacked where the system has all packages.
        for entry in fs::read_dir(root.join(folder)).into_iter().flatten() {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(ARCHITECTURE) {
                folders.push(path.display().to_string());
            }
        }
    }
    Ok(format!("LD_LIBRARY_PATH={}", folders.join(":")))
}

//! Programs that a distribution confines by path.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xtask_lab::{Lab, command};

/// Copies an installed program into the lab. A server that the distribution confines by its path,
/// for example with AppArmor, could not read the lab's files.
pub(super) fn unconfined(lab: &Lab, program: &str) -> Result<PathBuf> {
    let installed = command::find(program)
        .with_context(|| format!("{program} is not installed: run `cargo xtask setup`"))?;
    let copy = lab.dir().join(program);
    std::fs::copy(&installed, &copy)
        .with_context(|| format!("cannot copy {} into the lab", installed.display()))?;
    Ok(copy)
}

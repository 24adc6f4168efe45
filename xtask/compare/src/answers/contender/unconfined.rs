//! Programs that a distribution confines by their paths.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xtask_lab::{Lab, command};

/// A copy of a system's program in the lab. Where a distribution confines a server by its path, it may not read
/// a lab's files.
pub(super) fn unconfined(lab: &Lab, program: &str) -> Result<PathBuf> {
    let installed = command::find(program)
        .with_context(|| format!("{program} is not installed: run `cargo xtask setup`"))?;
    let copy = lab.dir().join(program);
    std::fs::copy(&installed, &copy)
        .with_context(|| format!("cannot copy {} into the lab", installed.display()))?;
    Ok(copy)
}

//! `cargo xtask conformance`: derives the last column of `docs/CONFORMANCE.md` from the tests.
//!
//! Each check has a number, and the name of a test begins with the numbers of the checks that it
//! covers. The last column of the page is written here, and a test checks that it is current.

mod check;
mod evidence;
mod page;

use anyhow::{Context as _, Result, bail};
pub use check::Check;
pub use evidence::{Evidence, of_source, of_workspace};
pub use page::{PAGE, Status, Verdict, hold};
use xtask_lab::workspace;

#[derive(Debug, clap::Args)]
pub struct Options {}

/// Checks the page against the tests of the workspace.
///
/// # Errors
/// A file cannot be read.
pub fn verdict() -> Result<Verdict> {
    let path = workspace::root().join(PAGE);
    let page = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hold(&page, &of_workspace(workspace::root())?))
}

/// Writes the column, and reports errors that a person must correct.
///
/// # Errors
/// A file cannot be read or written, or the page has such an error.
pub fn run(_: &Options) -> Result<()> {
    let path = workspace::root().join(PAGE);
    let before = verdict()?;
    for stale in &before.stale {
        println!("conformance: {stale}");
    }
    std::fs::write(&path, &before.page)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let count = |status| before.statuses.iter().filter(|s| **s == status).count();
    println!(
        "conformance: {} checks covered, {} in part, {} not yet, {} left out",
        count(Status::Covered),
        count(Status::Partly),
        count(Status::NotYet),
        count(Status::LeftOut)
    );
    if !before.wrong.is_empty() {
        bail!("{}", before.wrong.join("\n"));
    }
    Ok(())
}

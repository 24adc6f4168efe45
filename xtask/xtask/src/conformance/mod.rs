//! `cargo xtask conformance`: keeps `docs/CONFORMANCE.md` to what the tests show.
//!
//! Each check has a number, and a test carries the numbers of the checks that it shows at the front of
//! its name. The page's last column follows from that: it is written here and held to it by a test.

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

/// The page as it is, held to the tests of the workspace.
///
/// # Errors
/// A file cannot be read.
pub fn verdict() -> Result<Verdict> {
    let path = workspace::root().join(PAGE);
    let page = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hold(&page, &of_workspace(workspace::root())?))
}

/// Writes the column anew, and says what only a person can mend.
///
/// # Errors
/// A file cannot be read or written; or the page is not right even so.
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

//! x
use anyhow::Result;
#[derive(Debug, clap::Args)]
pub struct Options {}
pub fn run(_: &Options) -> Result<()> {
    Ok(())
}

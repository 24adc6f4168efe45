//! `cargo xtask setup`: what building and testing need, installed where it is missing.
//!
//! Every step looks first, and prints the commands by which it changes anything.

use anyhow::Result;

mod bpf_linker;
pub mod cargo_fuzz;
mod packages;
mod rust_src;
mod toolchain;

#[derive(Debug, Default, clap::Args)]
pub struct Options {
    /// Leaves out the system packages, which only the demo and the tests need.
    #[arg(long)]
    build_only: bool,
}

impl Options {
    pub const fn for_building() -> Self {
        Self { build_only: true }
    }
}

/// # Errors
/// Something is missing and could not be installed.
pub fn run(options: &Options) -> Result<()> {
    announce(options)?;
    let version = toolchain::ensure()?;
    rust_src::ensure(&version)?;
    bpf_linker::ensure()?;
    if options.build_only {
        return Ok(());
    }
    packages::ensure()
}

/// Says what is about to be installed, and how much it is, before anything is.
fn announce(options: &Options) -> Result<()> {
    let mut steps = vec![
        toolchain::to_install()?,
        rust_src::to_install()?,
        bpf_linker::to_install(),
    ];
    if !options.build_only {
        steps.push(packages::to_install());
    }
    let steps: Vec<String> = steps.into_iter().flatten().collect();
    if !steps.is_empty() {
        println!("setup: this will be installed:");
        for step in steps {
            println!("setup:   {step}");
        }
    }
    Ok(())
}

fn there(what: &str) {
    println!("setup: {what}: already there");
}

fn missing(what: &str, why: &str) {
    println!("setup: {what}: {why}");
}

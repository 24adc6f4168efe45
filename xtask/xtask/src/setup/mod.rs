//! `cargo xtask setup`: installs what building and testing require, where it is missing.
//!
//! Every step checks first, and prints the commands that change anything.

use anyhow::Result;

mod bpf_linker;
pub mod cargo_fuzz;
mod lwip;
mod packages;
mod progress;
mod rust_src;
mod toolchain;
mod unpacked;

#[derive(Debug, Default, clap::Args)]
pub struct Options {
    /// Skips the system packages, which only the demo and the tests require.
    #[arg(long)]
    build_only: bool,
}

impl Options {
    pub const fn for_building() -> Self {
        Self { build_only: true }
    }
}

/// Installs everything.
///
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
    packages::ensure()?;
    unpacked::ensure()?;
    lwip::ensure()
}

/// Prints what will be installed, and its size, before anything is.
fn announce(options: &Options) -> Result<()> {
    let mut steps = vec![
        toolchain::to_install()?,
        rust_src::to_install()?,
        bpf_linker::to_install(),
    ];
    if !options.build_only {
        steps.push(packages::to_install());
        steps.push(unpacked::to_install()?);
        steps.push(lwip::to_install()?);
    }
    let steps: Vec<String> = steps.into_iter().flatten().collect();
    if !steps.is_empty() {
        println!("setup: the following will be installed:");
        for step in steps {
            println!("setup:   {step}");
        }
    }
    Ok(())
}

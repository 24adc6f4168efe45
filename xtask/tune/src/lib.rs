//! `cargo xtask tune`: reports, applies and restores settings of an interface and its machine that
//! matter to the server.
//!
//! [`read`] takes readings, [`advice`] derives settings from them, [`table`] prints these, and
//! [`apply`] applies and restores them, through [`knob`]s.

use std::path::PathBuf;

use anyhow::{Result, bail};
use dhcp_common::defaults;
use nix::unistd::geteuid;
use serde::Serialize;

pub mod advice;
mod apply;
mod cpu_list;
mod journal;
mod knob;
mod procfs;
mod read;
pub mod readings;
mod table;

use advice::{Setting, advise};
use apply::Done;
use read::Host;
use readings::Readings;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The interface to be served.
    #[arg(long, value_name = "NAME")]
    iface: String,
    /// Applies the recommended settings, and records the previous values in a journal.
    #[arg(long, conflicts_with = "restore")]
    apply: bool,
    /// Restores the settings of the journal and removes it.
    #[arg(long)]
    restore: bool,
    /// Applies settings even to an interface that carries the default route.
    #[arg(long, requires = "apply")]
    yes: bool,
    /// Selects settings whose names begin with NAME; can be repeated.
    #[arg(long, value_name = "NAME", conflicts_with = "restore")]
    only: Vec<String>,
    /// The server's configuration.
    #[arg(long, value_name = "FILE", help = format!("The server's configuration [default: {}, if it exists]", defaults::CONFIG))]
    config: Option<PathBuf>,
    /// The journal [default: /var/lib/xdhcpd/tune-NAME.json].
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Prints JSON: readings and settings, or the result of each setting.
    #[arg(long)]
    json: bool,
}

/// Reports, applies or restores settings.
///
/// # Errors
/// There is no such interface, root or `--yes` is required, or the journal cannot be used.
pub fn run(options: &Options) -> Result<()> {
    let host = Host::open(&options.iface, options.config.as_deref())?;
    let is_wanted = |setting: &Setting| {
        let mut only = options.only.iter();
        options.only.is_empty() || only.any(|name| setting.name.starts_with(name))
    };
    if !options.apply && !options.restore {
        let readings = host.read()?;
        let settings = advise(&readings).into_iter().filter(is_wanted).collect();
        return show(options, readings, settings);
    }
    if !geteuid().is_root() {
        bail!("changing settings requires root: run this through sudo");
    }
    let journal = options.journal.clone();
    let journal = journal.unwrap_or_else(|| journal::default_path(&options.iface));
    let mut all = Vec::new();
    let each = |done: Done| {
        if options.json {
            all.push(done);
        } else {
            // Settings are applied even if the output is no longer read.
            let _ = table::say(&table::line(&done));
        }
    };
    let result = if options.restore {
        apply::restore(&host, &journal, each)
    } else {
        consent(options, &host.read()?)?;
        apply::apply(&host, &journal, is_wanted, each)
    };
    if options.json {
        table::say(&serde_json::to_string_pretty(&all)?)?;
    } else if options.apply && journal.exists() {
        let (iface, journal) = (&options.iface, journal.display());
        table::say(&format!(
            "the previous values are in {journal}; `cargo xtask tune --iface {iface} --restore` \
             restores them"
        ))?;
    }
    result
}

/// Drivers take a link down for a moment to change its rings or queues.
fn consent(options: &Options, readings: &Readings) -> Result<()> {
    if readings.link.has_default_route && !options.yes {
        bail!(
            "{} carries the default route: its link may go down for some seconds, and with it \
             your connection to this machine; use --yes to proceed",
            options.iface
        );
    }
    Ok(())
}

/// The output of `--json`.
#[derive(Debug, Serialize)]
struct Shown {
    settings: Vec<Setting>,
    readings: Readings,
}

fn show(options: &Options, readings: Readings, settings: Vec<Setting>) -> Result<()> {
    if options.json {
        let shown = Shown { settings, readings };
        return Ok(table::say(&serde_json::to_string_pretty(&shown)?)?);
    }
    let driver = readings.link.driver.as_deref();
    let head = format!(
        "{} ({}), Linux {}",
        readings.interface,
        driver.unwrap_or("unknown driver"),
        readings.kernel
    );
    Ok(table::say(&format!("{head}\n{}", table::text(&settings)))?)
}

//! `cargo xtask tune`: what of an interface and its machine matters to the server, what it should be, and why.
//!
//! [`read`] reads, [`advice`] makes of it what should be, [`table`] prints that, and [`apply`] sets it and puts it
//! back, through what each [`knob`] knows of itself.

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
    /// The interface that is served, or is to be.
    #[arg(long, value_name = "NAME")]
    iface: String,
    /// Sets what should be otherwise, and keeps what was there in a journal.
    #[arg(long, conflicts_with = "restore")]
    apply: bool,
    /// Puts back what the journal has, and removes it.
    #[arg(long)]
    restore: bool,
    /// Applies also to an interface that carries the default route.
    #[arg(long, requires = "apply")]
    yes: bool,
    /// Only settings whose names begin so; may be given several times.
    #[arg(long, value_name = "NAME", conflicts_with = "restore")]
    only: Vec<String>,
    /// The server's configuration.
    #[arg(long, value_name = "FILE", help = format!("The server's configuration [default: {}, if it is there]", defaults::CONFIG))]
    config: Option<PathBuf>,
    /// Where what was there is kept [default: /var/lib/xdhcpd/tune-NAME.json].
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Prints JSON: what was read and the settings, or what has become of each.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// There is no such interface, what is asked for needs root or `--yes`, or the journal is not to be had.
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
        bail!("setting something needs root: run this through sudo");
    }
    let journal = options.journal.clone();
    let journal = journal.unwrap_or_else(|| journal::default_path(&options.iface));
    let mut all = Vec::new();
    let each = |done: Done| {
        if options.json {
            all.push(done);
        } else {
            // What is being set goes on whether or not somebody still reads.
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
            "what was there is in {journal}; `cargo xtask tune --iface {iface} --restore` puts it back"
        ))?;
    }
    result
}

/// Drivers take a link down for a moment to change its rings or queues.
fn consent(options: &Options, readings: &Readings) -> Result<()> {
    if readings.link.has_default_route && !options.yes {
        bail!(
            "{} carries the default route: its link may go down for some seconds, and with it the connection by which you are here; --yes does it all the same",
            options.iface
        );
    }
    Ok(())
}

/// What `--json` prints of the table.
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
        driver.unwrap_or("no driver's name"),
        readings.kernel
    );
    Ok(table::say(&format!("{head}\n{}", table::text(&settings)))?)
}

//! The commands `backup`, `history` and `check --store`, which read the store directly.

use std::{
    io::Write,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use clap::Args;
use dhcp_common::defaults;
use dhcp_config::{Config, file};
use dhcp_model::hex::with_colons;
use dhcp_store::{
    backup,
    intervals::{Interval, Wanted},
    reader::Reader,
    wall_clock::{Sample, Utc},
};
use serde::Serialize;

use super::{arguments, failure::Failure, output};
use crate::store_audit::{self, Audit, Findings};

#[cfg(test)]
mod tests;

/// The options that select a store.
#[derive(Debug, Args)]
pub struct StoreFile {
    /// Configuration that names the store
    #[arg(long, value_name = "FILE", default_value = defaults::CONFIG)]
    config: PathBuf,
    /// Store to use instead of that of the configuration, such as a backup
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    store: Option<PathBuf>,
}

impl StoreFile {
    fn path(&self) -> Result<PathBuf, Failure> {
        match &self.store {
            Some(store) => Ok(store.clone()),
            None => Ok(file::server_of(&self.config)?.store),
        }
    }
}

/// Wraps an error whose message contains its cause.
fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::Run(anyhow::anyhow!("{error}"))
}

const HOW_TO_RESTORE: &str = "\
To restore a backup: stop xdhcpd, remove the store and the files beside it whose names end in
-wal and -shm, copy the backup to the name of the store, and start xdhcpd. Leases that are newer
than the backup are not in it: clients keep them when they renew, unless the address has been
leased to another client.";

/// `xdhcpd backup`
#[derive(Debug, Args)]
#[command(after_help = HOW_TO_RESTORE)]
pub struct Backup {
    /// File to write; it appears only when it is complete, on disk and verified
    file: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    store: StoreFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `xdhcpd history`
#[derive(Debug, Args)]
#[group(id = "whose", required = true, multiple = true, args = ["address", "client"])]
pub struct History {
    /// Show only leases of this address
    address: Option<Ipv4Addr>,
    /// Show only leases at this time: `2026-11-24T20:15:00Z`, with another offset, or `2h ago`
    #[arg(long, value_name = "TIME", value_parser = arguments::past_time, allow_hyphen_values = true)]
    at: Option<Utc>,
    /// Show only leases of this client: a hardware address or client identifier in hexadecimal
    #[arg(long, value_name = "OCTETS", value_parser = arguments::octets)]
    client: Option<arguments::Octets>,
    #[command(flatten)]
    store: StoreFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Backup {
    /// Writes the backup.
    pub fn execute(&self, out: &mut dyn Write) -> Result<(), Failure> {
        #[derive(Serialize)]
        struct Done<'a> {
            ok: bool,
            file: &'a Path,
            records: u64,
            past: u64,
            octets: u64,
        }
        let copied =
            backup::backup(&self.store.path()?, &self.file, self.force).map_err(refused)?;
        let backup::Copied {
            records,
            past,
            octets,
        } = copied;
        if self.json {
            let done = Done {
                ok: true,
                file: &self.file,
                records,
                past,
                octets,
            };
            return Ok(output::json(&done, out)?);
        }
        Ok(writeln!(
            out,
            "{}: {records} addresses and {past} past leases in {octets} octets, verified",
            self.file.display()
        )?)
    }
}

/// A row of a history.
#[derive(Debug, Serialize)]
struct IntervalRow {
    address: Ipv4Addr,
    /// RFC 3339.
    since: String,
    /// RFC 3339; `None` if the lease is active.
    until: Option<String>,
    hardware_type: u8,
    hardware_address: String,
    client_id: Option<String>,
    host_name: Option<String>,
    relay_info: Option<String>,
}

impl From<Interval> for IntervalRow {
    fn from(interval: Interval) -> Self {
        let origin = interval.origin;
        Self {
            address: interval.address,
            since: interval.since.to_string(),
            until: interval.until.map(|until| until.to_string()),
            hardware_type: origin.hardware.htype,
            hardware_address: with_colons(origin.hardware.octets()),
            client_id: origin.client_id.as_deref().map(with_colons),
            host_name: origin.host_name.map(String::from),
            relay_info: origin.relay_info.as_deref().map(with_colons),
        }
    }
}

impl History {
    /// Prints the history.
    pub fn execute(self, out: &mut dyn Write) -> Result<(), Failure> {
        let reader = Reader::open(&self.store.path()?).map_err(refused)?;
        let wanted = Wanted {
            address: self.address,
            at: self.at,
            client: self.client.map(|arguments::Octets(octets)| octets),
        };
        let rows = reader
            .intervals(&wanted, Sample::now().utc)
            .map_err(refused)?;
        let rows: Vec<_> = rows.into_iter().map(IntervalRow::from).collect();
        if self.json {
            return Ok(output::json(&rows, out)?);
        }
        if rows.is_empty() {
            return Ok(writeln!(out, "{}", nothing(&wanted))?);
        }
        let mut table = output::table(&[
            "ADDRESS",
            "SINCE",
            "UNTIL",
            "HARDWARE",
            "CLIENT ID",
            "HOST NAME",
            "RELAY INFO",
        ]);
        for row in rows {
            // Names come from the network; control characters must not reach the terminal.
            let host_name = row.host_name.as_deref().unwrap_or_default().escape_debug();
            table.add_row([
                row.address.to_string(),
                row.since,
                row.until.unwrap_or_else(|| "active".to_owned()),
                row.hardware_address,
                row.client_id.unwrap_or_default(),
                host_name.to_string(),
                row.relay_info.unwrap_or_default(),
            ]);
        }
        Ok(output::write(&table, out)?)
    }
}

fn nothing(wanted: &Wanted) -> String {
    let who = match (wanted.address, wanted.client.is_some()) {
        (Some(address), false) => format!("no client had {address}"),
        (Some(address), true) => format!("this client did not have {address}"),
        (None, _) => "this client had no address".to_owned(),
    };
    let when = wanted.at.map(|at| format!(" at {at}"));
    format!(
        "{who}{} within the stored history",
        when.unwrap_or_default()
    )
}

/// Executes `xdhcpd check --store`.
pub fn check(
    config: &Config,
    store: Option<&Path>,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let path = store.unwrap_or(&config.server.store);
    let audit = store_audit::audit(path, config, Sample::now().utc).map_err(refused)?;
    if json {
        output::json(&audit, out)?;
    } else {
        show(path, &audit, out)?;
    }
    if audit.ok {
        Ok(())
    } else {
        Err(Failure::Shown)
    }
}

fn show(path: &Path, audit: &Audit, out: &mut dyn Write) -> Result<(), Failure> {
    let verdict = match audit.problems.count {
        0 => "is valid".to_owned(),
        1 => "has 1 problem".to_owned(),
        count => format!("has {count} problems"),
    };
    writeln!(
        out,
        "{} {verdict}; schema {}.\n",
        path.display(),
        audit.schema
    )?;
    let mut table = output::table(&["RECORDS", "COUNT"]);
    for (state, count) in &audit.records {
        table.add_row([(*state).to_owned(), count.to_string()]);
    }
    table.add_row(["past leases".to_owned(), audit.past.to_string()]);
    output::numbers(&mut table, &[1]);
    output::write(&table, out)?;
    findings("PROBLEM", &audit.problems, out)?;
    findings("NOT IN THE CONFIGURATION", &audit.foreign, out)
}

fn findings(title: &str, findings: &Findings, out: &mut dyn Write) -> Result<(), Failure> {
    if findings.count == 0 {
        return Ok(());
    }
    let mut table = output::table(&["ADDRESS", title]);
    for finding in &findings.shown {
        let address = finding.address.map(|address| address.to_string());
        table.add_row([address.unwrap_or_default(), finding.message.clone()]);
    }
    writeln!(out)?;
    output::write(&table, out)?;
    let more = findings.count - findings.shown.len() as u64;
    if more > 0 {
        writeln!(out, "and {more} more")?;
    }
    Ok(())
}

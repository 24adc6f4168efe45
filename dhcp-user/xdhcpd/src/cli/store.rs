//! Commands that look at the store itself, with a running server or without one.

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

use super::{Failure, arguments, output};
use crate::store_audit::{self, Audit, Findings};

#[cfg(test)]
mod tests;

/// Which store.
#[derive(Debug, Args)]
pub struct StoreFile {
    /// The configuration that names the store.
    #[arg(long, value_name = "FILE", default_value = defaults::CONFIG)]
    config: PathBuf,
    /// A store by its own name, such as a backup.
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

/// These errors say what caused them.
fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::Run(anyhow::anyhow!("{error}"))
}

const HOW_TO_RESTORE: &str = "\
To put a backup in the store's place: stop xdhcpd, remove the store and the files beside it that end in -wal and -shm,
copy the backup to the store's name, and start xdhcpd. What was leased since the backup is not in it: clients keep such
leases when they renew, unless another has been given the address meanwhile.";

#[derive(Debug, Args)]
#[command(after_help = HOW_TO_RESTORE)]
pub struct Backup {
    /// Where the copy goes. It has this name only when it is whole, on disk, and has been read back.
    file: PathBuf,
    /// Replace a file that is there already.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    store: StoreFile,
    /// For programs.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(id = "whose", required = true, multiple = true, args = ["address", "client"])]
pub struct History {
    /// The address that is asked about.
    address: Option<Ipv4Addr>,
    /// Only who had it then: `2026-11-24T20:15:00Z`, with another offset, or `2h ago`.
    #[arg(long, value_name = "TIME", value_parser = arguments::past_time, allow_hyphen_values = true)]
    at: Option<Utc>,
    /// Only what this client had: a hardware address or a client identifier, in hexadecimal with or without colons.
    /// Without an address: all that it had.
    #[arg(long, value_name = "OCTETS", value_parser = arguments::octets)]
    client: Option<arguments::Octets>,
    #[command(flatten)]
    store: StoreFile,
    /// For programs.
    #[arg(long)]
    json: bool,
}

impl Backup {
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
            "{}: {records} addresses and {past} past leases in {octets} octets, read back",
            self.file.display()
        )?)
    }
}

/// One line of a history.
#[derive(Debug, Serialize)]
struct IntervalRow {
    address: Ipv4Addr,
    /// RFC 3339, as all times.
    since: String,
    /// `None` while it goes on.
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
            // What came from the network must not move the cursor of whoever looks at it.
            let host_name = row.host_name.as_deref().unwrap_or_default().escape_debug();
            table.add_row([
                row.address.to_string(),
                row.since,
                row.until.unwrap_or_else(|| "goes on".to_owned()),
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
        (Some(address), false) => format!("nobody had {address}"),
        (Some(address), true) => format!("this client did not have {address}"),
        (None, _) => "this client had no address".to_owned(),
    };
    let when = wanted.at.map(|at| format!(" at {at}"));
    format!(
        "{who}{}, as far as the store remembers",
        when.unwrap_or_default()
    )
}

/// `xdhcpd check --store`.
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
        0 => "is good".to_owned(),
        1 => "has a problem".to_owned(),
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
    findings("NOT OF THIS CONFIGURATION", &audit.foreign, out)
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

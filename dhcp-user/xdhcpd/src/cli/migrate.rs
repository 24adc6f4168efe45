//! The commands `import`, `convert` and `export`.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use dhcp_common::defaults;
use dhcp_config::{Config, Host, file};
use dhcp_control::Request;
use dhcp_migrate::{
    Source,
    convert::{Note, convert_file},
    export::{self, Format, Row},
    import::{self, Destination, Journal, Reason, Report},
    leases,
};
use dhcp_store::{
    Store as _, WallRecord,
    reader::Reader,
    sqlite::SqliteStore,
    wall_clock::{self, Sample, Wall},
};
use serde::Serialize;

use super::{
    config::{ConfigFile, load},
    failure::Failure,
    output,
    server::Server,
};
use crate::control::client::ClientError;

/// `xdhcpd import`
#[derive(Debug, Args)]
pub struct Import {
    /// Server that wrote the file
    #[arg(long, value_name = "SERVER")]
    from: Source,
    /// Lease file: `kea-leases4.csv`, `dnsmasq.leases` or `dhcpd.leases`
    file: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
    /// Show what would be imported, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write nothing if any entry would be skipped
    #[arg(long)]
    strict: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `xdhcpd convert`
#[derive(Debug, Args)]
pub struct Convert {
    /// Server that the configuration is for
    #[arg(long, value_name = "SERVER")]
    from: Source,
    /// Configuration: `kea-dhcp4.conf`, `dhcpd.conf` or `dnsmasq.conf`
    file: PathBuf,
    /// Print the result and the list as one JSON object
    #[arg(long)]
    json: bool,
}

/// `xdhcpd export`
#[derive(Debug, Args)]
pub struct Export {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "csv")]
    format: Format,
    /// Control socket of the server [default: from the configuration]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Configuration, which names the control socket, the store and the networks
    #[arg(long, value_name = "FILE", default_value = defaults::CONFIG)]
    config: PathBuf,
}

impl Import {
    /// Imports the leases and prints the report.
    pub fn execute(&self, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
        let config = load(&self.config.config)?;
        let host = crate::host::probe().map_err(|error| Failure::Run(error.into()))?;
        let mut journal = Journal::default();
        leases::read(self.from, &self.file, &mut |entry| journal.take(entry))
            .map_err(run_failed)?;
        let report = if self.dry_run {
            dry_run(&config, &host, journal)?
        } else {
            self.write(&config, &host, journal)?
        };
        let is_refused = self.strict && report.skipped_count() > 0;
        for remark in &report.named {
            writeln!(err, "{remark}")?;
        }
        for (position, address, why) in &report.moving {
            let (file, line) = (position.file.display(), position.line);
            writeln!(
                err,
                "{file}:{line}: {address}: its client gets another address when it renews: {why}"
            )?;
        }
        let done = Done {
            ok: !is_refused,
            is_dry_run: self.dry_run,
            report: &report,
        };
        if self.json {
            output::json(&done.summary(), out)?;
        } else {
            done.show(&self.file, out)?;
        }
        if is_refused {
            Err(Failure::Shown)
        } else {
            Ok(())
        }
    }

    fn write(&self, config: &Config, host: &Host, journal: Journal) -> Result<Report, Failure> {
        let store = SqliteStore::open(&config.server.store).map_err(run_failed)?;
        let mut store = store.keeping_history(config.server.history);
        let boot_id = wall_clock::boot_id().map_err(run_failed)?;
        let now = Sample::now();
        let wall = Wall::resume(&mut store, &boot_id, now).map_err(unreadable)?;
        let mut stored = Vec::new();
        store
            .load(&mut |record| stored.push(record))
            .map_err(unreadable)?;
        let plan = Destination::new(config, host, stored, &wall, now).plan(journal);
        if self.strict && plan.report.skipped_count() > 0 {
            return Ok(plan.report);
        }
        import::commit(&mut store, plan).map_err(run_failed)
    }
}

fn dry_run(config: &Config, host: &Host, journal: Journal) -> Result<Report, Failure> {
    let mut stored = Vec::new();
    if config.server.store.exists() {
        read(&config.server.store, |record| stored.push(record))?;
    }
    let now = Sample::now();
    let wall = Wall::for_display(now);
    Ok(Destination::new(config, host, stored, &wall, now)
        .plan(journal)
        .report)
}

/// Passes every record of a store to `each`. The store is only read and may be in use.
fn read(store: &Path, mut each: impl FnMut(WallRecord)) -> Result<(), Failure> {
    let mut wrong = None;
    let reader = Reader::open(store).map_err(run_failed)?;
    let all = reader.records(|address, record| match record {
        Ok(record) => each(record),
        Err(reason) => wrong = Some((address, reason)),
    });
    all.map_err(run_failed)?;
    match wrong {
        Some((address, reason)) => Err(run_failed(anyhow::anyhow!(
            "the record of {address} in the store cannot be read: {reason}"
        ))),
        None => Ok(()),
    }
}

fn run_failed(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Run(error.into())
}

fn unreadable(error: Box<dyn std::error::Error + Send + Sync>) -> Failure {
    Failure::Run(anyhow::Error::from_boxed(error).context("reading the store"))
}

/// The outcome of an import.
struct Done<'a> {
    ok: bool,
    is_dry_run: bool,
    report: &'a Report,
}

#[derive(Serialize)]
struct Summary<'a> {
    ok: bool,
    dry_run: bool,
    imported: u64,
    former: u64,
    quarantined: u64,
    unchanged: u64,
    nothing: u64,
    skipped: &'a BTreeMap<Reason, u64>,
    entries: Vec<SkippedEntry<'a>>,
    moving: Vec<MovingEntry<'a>>,
}

#[derive(Serialize)]
struct SkippedEntry<'a> {
    file: String,
    line: usize,
    address: Option<std::net::Ipv4Addr>,
    reason: Reason,
    message: &'a str,
}

#[derive(Serialize)]
struct MovingEntry<'a> {
    file: String,
    line: usize,
    address: std::net::Ipv4Addr,
    message: &'a str,
}

impl Done<'_> {
    fn summary(&self) -> Summary<'_> {
        let report = self.report;
        let named = report.named.iter().map(|remark| SkippedEntry {
            file: remark.position.file.display().to_string(),
            line: remark.position.line,
            address: remark.address,
            reason: remark.reason,
            message: &remark.why,
        });
        let moving = report
            .moving
            .iter()
            .map(|(position, address, why)| MovingEntry {
                file: position.file.display().to_string(),
                line: position.line,
                address: *address,
                message: why,
            });
        Summary {
            ok: self.ok,
            dry_run: self.is_dry_run,
            imported: report.imported,
            former: report.former,
            quarantined: report.quarantined,
            unchanged: report.unchanged,
            nothing: report.nothing,
            skipped: &report.skipped,
            entries: named.collect(),
            moving: moving.collect(),
        }
    }

    fn show(&self, file: &Path, out: &mut dyn Write) -> std::io::Result<()> {
        let report = self.report;
        let verdict = match (self.ok, self.is_dry_run) {
            (false, _) => "not imported: --strict allows no skipped entries",
            (true, true) => "would be imported",
            (true, false) => "imported",
        };
        writeln!(out, "{}: {verdict}", file.display())?;
        for (count, what) in [
            (report.imported, "active leases, with their remaining times"),
            (
                report.former,
                "ended leases; their clients get them again while they are free",
            ),
            (report.quarantined, "declined addresses, quarantined"),
            (report.unchanged, "already in the store"),
            (
                report.nothing,
                "without a lasting effect, such as addresses that were never leased",
            ),
            (
                report.moving_count,
                "of the active leases, whose clients get another address when they renew",
            ),
        ] {
            if count > 0 {
                writeln!(out, "{count:>8}  {what}")?;
            }
        }
        for (reason, count) in &report.skipped {
            writeln!(out, "{count:>8}  skipped: {}", reason.text())?;
        }
        let unnamed = report
            .skipped_count()
            .saturating_sub(report.named.len() as u64);
        if unnamed > 0 {
            writeln!(
                out,
                "Only the first {} skipped entries are listed.",
                report.named.len()
            )?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct ConvertSummary<'a> {
    ok: bool,
    toml: &'a str,
    notes: &'a [Note],
}

impl Convert {
    /// Prints the configuration to standard output and the notes to standard error.
    pub fn execute(&self, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
        let host = crate::host::probe().map_err(run_failed)?;
        let converted = convert_file(self.from, &self.file, &host).map_err(run_failed)?;
        if self.json {
            let summary = ConvertSummary {
                ok: converted.problems.is_none(),
                toml: &converted.toml,
                notes: &converted.notes,
            };
            output::json(&summary, out)?;
        } else {
            out.write_all(converted.toml.as_bytes())?;
            for note in &converted.notes {
                writeln!(err, "{note}")?;
            }
        }
        converted
            .problems
            .map_or(Ok(()), |problems| Err(problems.into()))
    }
}

impl Export {
    /// Exports from the running server, or from the store if no server is running.
    pub fn execute(self, out: &mut dyn Write) -> Result<(), Failure> {
        // Names of networks are optional: a configuration with problems still names socket and
        // store.
        let networks = Config::load(&self.config).map(|config| {
            let networks = config.networks.iter();
            networks
                .map(|network| (network.id, network.name.clone()))
                .collect()
        });
        let networks: HashMap<_, _> = networks.unwrap_or_default();
        let server = Server {
            config: self.socket.is_none().then(|| self.config.clone()),
            socket: self.socket,
            json: false,
        };
        let mut rows = Vec::new();
        match server.connect() {
            Ok(mut client) => {
                let all = Request::LeasesList {
                    address: None,
                    state: None,
                };
                client.list(&all, |lease| {
                    rows.push(super::export::row(lease, &networks))
                })?;
            }
            Err(Failure::Client(ClientError::NoServer(_))) if server.socket.is_none() => {
                let store = file::server_of(&self.config)?.store;
                read(&store, |record| {
                    rows.push(Row::of_record(&record, &networks))
                })?;
                rows.sort_unstable_by_key(|row| row.address);
            }
            Err(failure) => return Err(failure),
        }
        Ok(export::write(rows.into_iter(), self.format, out)?)
    }
}

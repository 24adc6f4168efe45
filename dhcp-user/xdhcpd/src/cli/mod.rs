//! The command line.
//!
//! Results go to standard output, as tables or with `--json` as JSON. Errors go to standard error.
//! [`exit`] has the exit codes.

use std::{
    ffi::OsString,
    io::{self, Write},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand, builder::PossibleValuesParser};
use dhcp_config::{Config, file};
use dhcp_control::Request;
use dhcp_engine::lease_table::LeaseState;

mod arguments;
mod config;
pub mod exit;
mod export;
mod failure;
mod migrate;
mod output;
mod server;
mod store;
#[cfg(test)]
mod tests;

use self::{
    config::{ConfigFile, check, load, refuse},
    failure::Failure,
    server::Server,
};

const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  failure; see standard error
  2  invalid command line
  3  no server is listening on the control socket";

/// The function that runs the server, with the path of its configuration and the configuration.
pub type Run = fn(&Path, Config) -> anyhow::Result<()>;

/// DHCPv4 server that answers known clients in the network driver
#[derive(Debug, Parser)]
#[command(name = "xdhcpd", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server in the foreground
    Run(ConfigFile),
    /// Check a configuration or a store, and show a summary or all problems
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// Check the store instead: that of the configuration, or FILE, such as a backup
        ///
        /// Shows damage, inconsistent records, and records that are not in the configuration. The
        /// store is only read, and the server may be running.
        #[arg(long, value_name = "FILE", num_args = 0..=1)]
        store: Option<Option<PathBuf>>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Apply the configuration file to the running server, unless it has problems
    Reload {
        /// Only show what would happen to the leases
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Detach the XDP program, which continues to answer after the server has stopped
    Detach(ConfigFile),
    /// List, delete or revoke leases
    #[command(subcommand)]
    Leases(Leases),
    /// List offers that no client has accepted yet, and addresses that are being probed
    #[command(subcommand)]
    Offers(Offers),
    /// Copy the store; the server may be running
    Backup(store::Backup),
    /// Show present and past leases of an address or a client; the server may be running
    History(store::History),
    /// Show the counters of the running server and of the kernel
    Stats(Server),
    /// Import the leases of another server; neither server may be running
    Import(migrate::Import),
    /// Convert the configuration of another server, and list what has no equivalent
    Convert(migrate::Convert),
    /// Export all leases as CSV or JSON
    Export(migrate::Export),
}

#[derive(Debug, Subcommand)]
enum Leases {
    /// List leases, and all other addresses that are not free
    List {
        /// Show only this address
        #[arg(long)]
        address: Option<Ipv4Addr>,
        /// Show only leases in this state
        #[arg(long, value_parser = PossibleValuesParser::new(listed_states()))]
        state: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Delete a lease; its client gets it again on request if the address is still free
    Delete {
        /// Address of the lease
        address: Ipv4Addr,
        #[command(flatten)]
        server: Server,
    },
    /// Revoke a lease; its client gets a NAK at its next renewal
    Revoke {
        /// Address of the lease
        address: Ipv4Addr,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Subcommand)]
enum Offers {
    /// List addresses that are held for clients that have not requested them yet
    List(Server),
}

fn listed_states() -> [&'static str; 6] {
    [
        LeaseState::Committing,
        LeaseState::Bound,
        LeaseState::Deleted,
        LeaseState::Revoked,
        LeaseState::Quarantined,
        LeaseState::Withdrawn,
    ]
    .map(LeaseState::label)
}

/// Parses and executes the command line; `run` runs the server.
pub fn main(run: Run) -> ExitCode {
    let code = execute(
        std::env::args_os(),
        run,
        &mut io::stdout(),
        &mut io::stderr(),
    );
    ExitCode::from(code)
}

fn execute(
    args: impl IntoIterator<Item = OsString>,
    run: Run,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(usage) => {
            let text = usage.render();
            let _ = match usage.use_stderr() {
                true => write!(err, "{text}"),
                false => write!(out, "{text}"),
            };
            return u8::try_from(usage.exit_code()).unwrap_or(exit::USAGE);
        }
    };
    match cli.command.execute(run, out, err) {
        Ok(()) => exit::OK,
        Err(failure) => failure.report(err),
    }
}

impl Command {
    fn execute(self, run: Run, out: &mut dyn Write, err: &mut dyn Write) -> Result<(), Failure> {
        match self {
            Self::Run(file) => {
                let path = std::path::absolute(&file.config)?;
                run(&path, load(&file.config)?).map_err(Failure::Run)
            }
            Self::Check {
                config,
                store: Some(file),
                json,
            } => match Config::load(&config.config) {
                Ok(config) => store::check(&config, file.as_deref(), json, out),
                Err(problems) => refuse(problems, json, out),
            },
            Self::Check { config, json, .. } => check(&config.config, json, out),
            Self::Reload { dry_run, server } => {
                let report = server.connect()?.reload(dry_run)?;
                if server.json {
                    return Ok(output::json(&report, out)?);
                }
                Ok(output::reload(&report, dry_run, out)?)
            }
            Self::Detach(file) => detach(&file.config, out),
            Self::Leases(Leases::List {
                address,
                state,
                server,
            }) => {
                let nothing = match (address, &state) {
                    (Some(address), None) => format!("no lease of {address}"),
                    (Some(address), Some(state)) => format!("no {state} lease of {address}"),
                    (None, Some(state)) => format!("no {state} leases"),
                    (None, None) => "no leases".to_owned(),
                };
                server.list(&Request::LeasesList { address, state }, &nothing, out)
            }
            Self::Leases(Leases::Delete { address, server }) => server.command(
                &Request::LeasesDelete { address },
                &format!("deleted the lease of {address}; its client gets it again on request if the address is still free"),
                out,
            ),
            Self::Leases(Leases::Revoke { address, server }) => server.command(
                &Request::LeasesRevoke { address },
                &format!("revoked the lease of {address}; its client gets a NAK when it renews"),
                out,
            ),
            Self::Offers(Offers::List(server)) => server.list(&Request::OffersList {}, "no offers", out),
            Self::Backup(backup) => backup.execute(out),
            Self::History(history) => history.execute(out),
            Self::Stats(server) => {
                let stats = server.connect()?.stats()?;
                if server.json {
                    return Ok(output::json(&stats, out)?);
                }
                Ok(output::stats(&stats, out)?)
            }
            Self::Import(import) => import.execute(out, err),
            Self::Convert(convert) => convert.execute(out, err),
            Self::Export(export) => export.execute(out),
        }
    }
}

fn detach(path: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let pin_dir = file::server_of(path)?.pin_dir;
    let interfaces =
        dhcp_datapath::detach_all(&pin_dir).map_err(|error| Failure::Run(error.into()))?;
    let noun = if interfaces == 1 {
        "interface"
    } else {
        "interfaces"
    };
    Ok(writeln!(
        out,
        "detached from {interfaces} {noun}; removed its pins from {}",
        pin_dir.display()
    )?)
}

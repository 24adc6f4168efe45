//! The command line.
//!
//! Results go to standard output, as tables for people or with `--json` for programs; what went wrong
//! goes to standard error, in words. [`exit`] has the exit codes.

use std::{
    ffi::OsString,
    io::{self, Write},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand, builder::PossibleValuesParser};
use dhcp_common::defaults;
use dhcp_config::{Config, Problem, Problems, file};
use dhcp_control::Request;
use dhcp_engine::live::LeaseState;

use crate::control::client::{Client, ClientError};

mod arguments;
mod export;
mod migrate;
mod output;
mod store;
#[cfg(test)]
mod tests;

/// How the command ended, for scripts.
pub mod exit {
    pub const OK: u8 = 0;
    /// The command was understood and refused, or it failed.
    pub const FAILED: u8 = 1;
    /// The command line is wrong; clap's own code for it.
    pub const USAGE: u8 = 2;
    /// There is no server to talk to.
    pub const NO_SERVER: u8 = 3;
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused or failed; standard error says why
  2  the command line is wrong
  3  no xdhcpd answers at the control socket";

/// The server itself: the path of its configuration, and what stands there.
pub type Run = fn(&Path, Config) -> anyhow::Result<()>;

/// A DHCPv4 server that answers known clients in the network driver.
#[derive(Debug, Parser)]
#[command(name = "xdhcpd", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve, in the foreground.
    Run(ConfigFile),
    /// Say what a configuration means, or all that is wrong with it; or with the store.
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// Look at the store that the configuration names, or at FILE, such as a backup, instead: whether it is whole,
        /// and what in it makes no sense or does not fit the configuration. Changes nothing, and may be done
        /// while the server runs.
        #[arg(long, value_name = "FILE", num_args = 0..=1)]
        store: Option<Option<PathBuf>>,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Have the running server read its configuration again; if anything is wrong with it, all goes on as it was.
    Reload {
        /// Only say what would become of the leases.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Take the program off every interface, where a stopped server has left it answering.
    Detach(ConfigFile),
    /// Show leases, and take them away.
    #[command(subcommand)]
    Leases(Leases),
    /// Show offers that no client has taken yet, and addresses that are probed before they are offered.
    #[command(subcommand)]
    Offers(Offers),
    /// Copy the store, while the server runs or not.
    Backup(store::Backup),
    /// Show who had an address and when, or what a client had; while the server runs or not.
    History(store::History),
    /// Show what the running server and its kernel part have counted.
    Stats(Server),
    /// Take over the leases of another server. Neither of the two may be running.
    Import(migrate::Import),
    /// Turn the configuration of another server into one of ours, with a list of what it lacks.
    Convert(migrate::Convert),
    /// Write all leases for other tools.
    Export(migrate::Export),
}

#[derive(Debug, Subcommand)]
enum Leases {
    /// Show every address that is leased or otherwise not free.
    List {
        /// Only this address.
        #[arg(long)]
        address: Option<Ipv4Addr>,
        /// Only leases in this state.
        #[arg(long, value_parser = PossibleValuesParser::new(listed_states()))]
        state: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Forget a lease: its client gets it again when it asks, if the address is still free.
    Delete {
        address: Ipv4Addr,
        #[command(flatten)]
        server: Server,
    },
    /// Forbid a lease: its client is told at its next renewal, and starts afresh.
    Revoke {
        address: Ipv4Addr,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Subcommand)]
enum Offers {
    /// Show every address that is held for a client which has not asked for it yet.
    List(Server),
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration, a TOML file.
    #[arg(long, value_name = "FILE", default_value = defaults::CONFIG)]
    config: PathBuf,
}

/// Which running server, and how its answer is shown.
#[derive(Debug, Args)]
struct Server {
    /// The control socket of the server [default: as the configuration says].
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The configuration of the server, for the path of its socket [default: /etc/xdhcpd/xdhcpd.toml].
    #[arg(long, value_name = "FILE", conflicts_with = "socket")]
    config: Option<PathBuf>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

fn listed_states() -> [&'static str; 6] {
    [
        LeaseState::Committing,
        LeaseState::Bound,
        LeaseState::Forgotten,
        LeaseState::Revoked,
        LeaseState::Quarantined,
        LeaseState::Withdrawn,
    ]
    .map(LeaseState::label)
}

/// Does what the command line says; `run` is the server itself.
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

#[derive(Debug)]
enum Failure {
    /// All is in the output already.
    Shown,
    Problems(Problems),
    Client(ClientError),
    Run(anyhow::Error),
    Output(io::Error),
}

impl Failure {
    fn report(self, err: &mut dyn Write) -> u8 {
        // There is nobody left to tell when standard error is gone too.
        let _ = match &self {
            Self::Shown => Ok(()),
            Self::Problems(problems) => writeln!(err, "{problems}"),
            Self::Client(error) => writeln!(err, "xdhcpd: {error}"),
            Self::Run(error) => writeln!(err, "xdhcpd: {error:#}"),
            // `xdhcpd leases list | head` has seen all that it wanted.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return exit::OK,
            Self::Output(error) => writeln!(err, "xdhcpd: cannot write the result: {error}"),
        };
        match self {
            Self::Client(ClientError::NoServer(_)) => exit::NO_SERVER,
            _ => exit::FAILED,
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Problems(problems)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
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
                &format!("deleted the lease of {address}; its client gets it again when it asks, if it is still free"),
                out,
            ),
            Self::Leases(Leases::Revoke { address, server }) => server.command(
                &Request::LeasesRevoke { address },
                &format!("revoked the lease of {address}; its client is told so when it renews"),
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

/// A configuration that holds on this host.
fn load(path: &Path) -> Result<Config, Problems> {
    let host = crate::host::probe().map_err(|error| {
        Problems(vec![Problem {
            file: path.into(),
            position: None,
            field: String::new(),
            value: None,
            message: format!("cannot be checked against this host's interfaces: {error}"),
        }])
    })?;
    Config::load_on(path, &host)
}

fn check(path: &Path, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    match load(path) {
        Ok(config) if json => Ok(output::json(&output::Summary::of(&config), out)?),
        Ok(config) => Ok(output::summary(path, &output::Summary::of(&config), out)?),
        Err(problems) => refuse(problems, json, out),
    }
}

fn refuse(problems: Problems, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    if !json {
        return Err(problems.into());
    }
    output::json(&output::Refusal::of(&problems), out)?;
    Err(Failure::Shown)
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
        "detached from {interfaces} {noun}; nothing is left in {}",
        pin_dir.display()
    )?)
}

impl Server {
    fn connect(&self) -> Result<Client, Failure> {
        let path = match (&self.socket, &self.config) {
            (Some(socket), _) => socket.clone(),
            (None, Some(config)) => file::server_of(config)?.control_socket,
            (None, None) if Path::new(defaults::CONFIG).exists() => {
                file::server_of(Path::new(defaults::CONFIG))?.control_socket
            }
            (None, None) => defaults::CONTROL_SOCKET.into(),
        };
        Ok(Client::connect(&path)?)
    }

    fn list(&self, request: &Request, nothing: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let mut rows = Vec::new();
        self.connect()?.list(request, |row| rows.push(row))?;
        if self.json {
            return Ok(output::json(&rows, out)?);
        }
        if rows.is_empty() {
            return Ok(writeln!(out, "{nothing}")?);
        }
        Ok(output::leases(&rows, out)?)
    }

    fn command(&self, request: &Request, done: &str, out: &mut dyn Write) -> Result<(), Failure> {
        self.connect()?.command(request)?;
        if self.json {
            return Ok(output::json(&serde_json::json!({ "ok": true }), out)?);
        }
        Ok(writeln!(out, "{done}")?)
    }
}

//! The daemon under test.

use std::{
    collections::BTreeMap,
    fmt, fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context as _, Result, bail, ensure};
use dhcp_common::{
    abi::map,
    outcome::{Action, Outcome},
};
use nix::sys::signal::Signal;
use serde::{Deserialize, de::DeserializeOwned};

use super::{Lab, Namespace, Process, operator::Operator, wait};
use crate::{
    command::{self, Line, command},
    workspace,
};

/// The daemon in a namespace, with store, socket and pins in its lab.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    namespace: Namespace,
    config: PathBuf,
    socket: PathBuf,
    pin_dir: PathBuf,
    store: PathBuf,
    fast_path: bool,
    process: Option<Process>,
}

/// A lease or an offer as the command line lists it, without the fields that no test reads.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Lease {
    pub address: Ipv4Addr,
    pub state: String,
}

/// Counters: of the kernel since the maps were created, of the controller since it started.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Stats {
    /// Packets by label of [`Outcome`].
    pub kernel: BTreeMap<String, u64>,
    /// Counters of the controller, by its own labels.
    #[serde(default)]
    pub engine: BTreeMap<String, u64>,
    #[serde(default)]
    pub store: StoreStats,
}

/// State of the store, without the fields that no test reads.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct StoreStats {
    pub failures: u64,
    pub refused: u64,
    pub failing_since: Option<String>,
}

impl Stats {
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.kernel.get(outcome.label()).copied().unwrap_or(0)
    }

    /// Returns the controller's counter with this label.
    pub fn engine(&self, label: &str) -> u64 {
        self.engine.get(label).copied().unwrap_or(0)
    }

    /// Returns the kernel's counts since `earlier`.
    pub fn since(&self, earlier: &Self) -> Counted {
        let counted = Outcome::ALL.iter().map(|outcome| {
            let packets = self.of(*outcome).saturating_sub(earlier.of(*outcome));
            (*outcome, packets)
        });
        Counted(counted.filter(|(_, packets)| *packets != 0).collect())
    }
}

/// Packets by outcome, without outcomes that did not occur.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted(Vec<(Outcome, u64)>);

impl Counted {
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.sum(|counted| counted == outcome)
    }

    /// Returns the number of requests answered by the kernel.
    pub fn answered(&self) -> u64 {
        self.sum(|counted| counted.action() == Action::Transmit)
    }

    /// Returns the number of requests for the controller: passed on over AF_XDP, or lost where
    /// nothing listened.
    pub fn slow(&self) -> u64 {
        self.sum(|counted| counted.action() == Action::Slow || counted == Outcome::Unserved)
    }

    fn sum(&self, wanted: impl Fn(Outcome) -> bool) -> u64 {
        let wanted = self.0.iter().filter(|(outcome, _)| wanted(*outcome));
        wanted.map(|(_, packets)| packets).sum()
    }
}

impl fmt::Display for Counted {
    /// Omits packets that the kernel passed on because they are not DHCP.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (outcome, packets) in &self.0 {
            if outcome.action() != Action::Pass {
                write!(f, "{separator}{} +{packets}", outcome.label())?;
                separator = ", ";
            }
        }
        if separator.is_empty() {
            f.write_str("nothing")?;
        }
        Ok(())
    }
}

impl Server {
    /// Starts the daemon and waits until it answers. `config` lacks only the section `[server]`.
    ///
    /// # Errors
    /// The daemon is not built or did not start.
    pub fn start(lab: &Lab, namespace: &Namespace, config: &str) -> Result<Self> {
        let mut server = Self::new(lab, namespace, config)?;
        server.start_again()?;
        Ok(server)
    }

    /// Configures the daemon without starting it.
    ///
    /// # Errors
    /// The daemon is not built.
    pub fn new(lab: &Lab, namespace: &Namespace, config: &str) -> Result<Self> {
        let server = Self {
            binary: workspace::daemon()?,
            namespace: namespace.clone(),
            config: namespace.path("xdhcpd.toml"),
            socket: namespace.path("control.sock"),
            pin_dir: lab.bpffs().join("xdhcpd"),
            store: namespace.path("leases.db"),
            fast_path: lab.has_fast_path(),
            process: None,
        };
        server.configure(config)?;
        Ok(server)
    }

    /// Moves the store, from the next configuration and start on.
    pub fn keep_store_at(&mut self, path: PathBuf) {
        self.store = path;
    }

    /// Returns the log of the running daemon so far.
    ///
    /// # Errors
    /// The daemon does not run, or its log cannot be read.
    pub fn log(&self) -> Result<String> {
        match &self.process {
            Some(process) => process.output(),
            None => bail!("xdhcpd is not running"),
        }
    }

    /// Writes another configuration, for the next start or reload.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn configure(&self, config: &str) -> Result<()> {
        // The Debug format of a path without control characters is a valid TOML string.
        let text = format!(
            "[server]\nstore = {:?}\ncontrol-socket = {:?}\npin-dir = {:?}\nfast-path = {}\n\n{config}",
            self.store, self.socket, self.pin_dir, self.fast_path
        );
        fs::write(&self.config, text)
            .with_context(|| format!("cannot write {}", self.config.display()))
    }

    /// Starts the daemon again and waits until it answers.
    ///
    /// # Errors
    /// It ended or does not answer in time.
    pub fn start_again(&mut self) -> Result<()> {
        let mut run = self.command_run();
        let mut process = Process::spawn(&self.namespace, "xdhcpd", &mut run)?;
        wait::until("xdhcpd to answer on its socket", wait::PATIENCE, || {
            if let Some(status) = process.ended()? {
                bail!("xdhcpd ended: {status}\n{}", process.output()?);
            }
            Ok(self.stats().ok())
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// Returns the command `xdhcpd run`, in the namespace.
    pub fn command_run(&self) -> Command {
        self.command_with_config("run")
    }

    /// Returns the command `xdhcpd check`, in the namespace.
    pub fn command_check(&self) -> Command {
        self.command_with_config("check")
    }

    /// Returns the command `xdhcpd detach`, in the namespace.
    pub fn command_detach(&self) -> Command {
        self.command_with_config("detach")
    }

    /// Returns the command `xdhcpd convert`, in the namespace.
    pub fn command_convert(&self, from: &str, file: &Path) -> Command {
        let arguments = ["convert", "--from", from];
        let mut command = self.namespace.command(&self.binary, arguments);
        command.arg(file);
        command
    }

    /// Returns the command `xdhcpd import`, in the namespace.
    pub fn command_import(&self, from: &str, file: &Path) -> Command {
        let mut command = self.command_with_config("import");
        command.args(["--from", from]).arg(file);
        command
    }

    /// Returns the command `xdhcpd export`, in the namespace.
    pub fn command_export(&self) -> Command {
        self.command_with_config("export")
    }

    fn command_with_config(&self, command: &str) -> Command {
        let mut command = self.namespace.command(&self.binary, [command, "--config"]);
        command.arg(&self.config);
        command
    }

    /// Runs a command that reads the configured store, and returns its output and status.
    ///
    /// # Errors
    /// It could not be started.
    pub fn look(&self, arguments: &[&str]) -> Result<Output> {
        let mut look = command(&self.binary, arguments);
        command::output(look.arg("--config").arg(&self.config))
    }

    /// Sends SIGKILL.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Sends SIGTERM and expects the daemon to exit successfully.
    ///
    /// # Errors
    /// It did not, or does not run.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else {
            bail!("xdhcpd is not running");
        };
        process.signal(Signal::SIGTERM)?;
        let status = process.wait(wait::PATIENCE)?;
        if !status.success() {
            bail!("xdhcpd ended with {status} on SIGTERM");
        }
        Ok(())
    }

    /// Sends SIGHUP, on which the daemon reloads its configuration.
    ///
    /// # Errors
    /// The daemon does not run.
    pub fn hang_up(&mut self) -> Result<()> {
        let Some(process) = &mut self.process else {
            bail!("xdhcpd is not running");
        };
        process.signal(Signal::SIGHUP)
    }

    /// Leaves the daemon running when the handle is dropped.
    pub fn leave(mut self) {
        if let Some(process) = self.process.take() {
            process.leave();
        }
    }

    /// Returns a command of the command line for this daemon.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut control = command(&self.binary, arguments);
        control.arg("--socket").arg(&self.socket);
        control
    }

    /// Runs a command of the command line, and returns its output and status.
    ///
    /// # Errors
    /// It could not be started.
    pub fn control(&self, arguments: &[&str]) -> Result<Output> {
        command::output(&mut self.command(arguments))
    }

    fn query<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T> {
        let mut query = self.command(arguments);
        let json = command::read(query.arg("--json"))?;
        serde_json::from_str(&json).with_context(|| format!("`{}` wrote {json}", Line(&query)))
    }

    /// Returns the daemon's counters.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub fn stats(&self) -> Result<Stats> {
        self.query(&["stats"])
    }

    /// Returns the daemon's leases.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub fn leases(&self) -> Result<Vec<Lease>> {
        self.query(&["leases", "list"])
    }

    /// Returns the daemon's offers.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub fn offers(&self) -> Result<Vec<Lease>> {
        self.query(&["offers", "list"])
    }

    /// Connects to the control socket.
    ///
    /// # Errors
    /// The daemon does not run.
    pub fn operator(&self) -> Result<Operator> {
        Operator::connect(&self.socket)
    }

    /// Returns the octets that the kernel has allocated for all maps of the running daemon.
    ///
    /// # Errors
    /// The daemon does not run.
    pub fn map_octets(&self) -> Result<u64> {
        let process = self.process.as_ref().context("xdhcpd is not running")?;
        let mut maps = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{}/fdinfo", process.pid()))? {
            // A descriptor may be closed meanwhile.
            let text = fs::read_to_string(entry?.path()).unwrap_or_default();
            let number = |name| {
                let value = text.lines().find_map(|line| line.strip_prefix(name))?;
                value.trim().parse::<u64>().ok()
            };
            if let (Some(id), Some(octets)) = (number("map_id:"), number("memlock:")) {
                maps.insert(id, octets);
            }
        }
        ensure!(!maps.is_empty(), "xdhcpd has no open map");
        Ok(maps.values().sum())
    }

    /// Returns the state of the lease of an address, in the daemon's words, if there is one.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub fn lease_state(&self, address: Ipv4Addr) -> Result<Option<String>> {
        let leases = self.leases()?;
        let lease = leases.into_iter().find(|lease| lease.address == address);
        Ok(lease.map(|lease| lease.state))
    }

    /// Deletes a lease.
    ///
    /// # Errors
    /// There is no such lease, or the daemon does not answer.
    pub fn delete(&self, address: Ipv4Addr) -> Result<()> {
        let address = address.to_string();
        command::read(&mut self.command(&["leases", "delete", &address])).map(drop)
    }

    /// Revokes a lease.
    ///
    /// # Errors
    /// There is no such lease, or the daemon does not answer.
    pub fn revoke(&self, address: Ipv4Addr) -> Result<()> {
        let address = address.to_string();
        command::read(&mut self.command(&["leases", "revoke", &address])).map(drop)
    }

    /// Returns the kernel's counters, read from the pinned map, so that no controller needs to run.
    ///
    /// # Errors
    /// There is no such pin.
    pub fn pinned_stats(&self) -> Result<Stats> {
        let mut dump = command("bpftool", ["--json", "map", "dump", "pinned"]);
        let json = command::read(dump.arg(self.pin_dir.join("current").join(map::OUTCOMES)))?;
        let counters: Vec<PerCpu> = serde_json::from_str(&json)
            .with_context(|| format!("`{}` wrote {json}", Line(&dump)))?;
        let kernel = Outcome::ALL.iter().zip(counters).map(|(outcome, counter)| {
            let packets = counter.values.iter().map(PerCpuValue::packets);
            (outcome.label().to_owned(), packets.sum())
        });
        Ok(Stats {
            kernel: kernel.collect(),
            ..Stats::default()
        })
    }

    pub fn config(&self) -> &Path {
        &self.config
    }

    pub fn store(&self) -> &Path {
        &self.store
    }

    pub fn pin_dir(&self) -> &Path {
        &self.pin_dir
    }
}

/// An element of a per-CPU map as `bpftool` prints it.
#[derive(Deserialize)]
struct PerCpu {
    values: Vec<PerCpuValue>,
}

#[derive(Deserialize)]
struct PerCpuValue {
    /// Octets as `0x…`.
    value: Vec<String>,
}

impl PerCpuValue {
    fn packets(&self) -> u64 {
        self.value.iter().rev().fold(0, |packets, octet| {
            let octet = octet.trim_start_matches("0x");
            packets << 8 | u64::from_str_radix(octet, 16).unwrap_or(0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_counters_of_all_cpus_from_bpftool() {
        let json = r#"[{"key":["0x00","0x00","0x00","0x00"],"values":[
            {"cpu":0,"value":["0x02","0x01","0x00","0x00","0x00","0x00","0x00","0x00"]},
            {"cpu":1,"value":["0x03","0x00","0x00","0x00","0x00","0x00","0x00","0x00"]}]}]"#;
        let counters: Vec<PerCpu> = serde_json::from_str(json).unwrap();
        let sums = counters.iter().map(|counter| {
            let packets = counter.values.iter().map(PerCpuValue::packets);
            packets.sum::<u64>()
        });
        assert_eq!(sums.collect::<Vec<_>>(), [258 + 3]);
    }
}

//! The daemon as a process.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    ops::Range,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use dhcp_config::file;
use dhcp_model::Nanos;
use dhcp_testkit::lab::Lab;
use serde_json::Value;

use super::store;

/// The last line that a start logs.
pub const RECONCILED: &str = "reconciled the kernel's map with the store";

pub struct Daemon {
    dir: tempfile::TempDir,
    config: PathBuf,
    child: Option<Child>,
}

fn config(lab: &Lab, dir: &std::path::Path, lease_time: &str) -> String {
    format!(
        "[server]\n\
         store = \"{dir}/leases.db\"\n\
         control-socket = \"{dir}/control.sock\"\n\
         pin-dir = \"{pins}\"\n\
         max-leases = 1001000\n\
         [[interface]]\n\
         name = \"srv\"\n\
         [[subnet]]\n\
         prefix = \"10.0.0.0/8\"\n\
         probe-time = \"0s\"\n\
         lease-time = \"{lease_time}\"\n\
         pools = [\"10.16.0.0-10.47.255.255\"]\n\
         options = {{ routers = [\"10.0.0.1\"] }}\n",
        dir = dir.display(),
        pins = lab.pin_dir().display(),
    )
}

impl Daemon {
    pub fn new(lab: &Lab, lease_time: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("xdhcpd.toml");
        fs::write(&file, config(lab, dir.path(), lease_time)).expect("a file");
        Self {
            dir,
            config: file,
            child: None,
        }
    }

    /// Writes the leases of clients; see [`store::fill`].
    pub fn fill(&self, clients: Range<u32>, times: impl FnMut(Nanos) -> (Nanos, Nanos)) {
        let text = fs::read_to_string(&self.config).expect("just written");
        let checked = file::parse(&self.config, &text, None).expect("a good configuration");
        let network = checked.networks[0].id;
        store::fill(&checked.server.store, network, clients, times);
    }

    fn xdhcpd(&self, arguments: &[&str]) -> Command {
        let mut xdhcpd = Command::new(env!("CARGO_BIN_EXE_xdhcpd"));
        xdhcpd.args(arguments).arg("--config").arg(&self.config);
        xdhcpd
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    pub fn start(&mut self) {
        let log = File::create(self.log()).expect("a file");
        let mut run = self.xdhcpd(&["run"]);
        run.stderr(Stdio::from(log));
        self.child = Some(run.spawn().expect("the daemon is built"));
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Removes everything that it left in the kernel.
    pub fn detach(&self) {
        let detached = self.xdhcpd(&["detach"]).stdout(Stdio::null()).status();
        assert!(detached.expect("it is built").success());
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Returns the octets of the process, now or at its peak, and of its maps in the kernel. Maps
    /// that the process has mapped are counted once.
    pub fn memory(&self, field: &str) -> u64 {
        let pid = self.pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let process = number(&status, field).expect("a process has it") * 1024;
        let process = process - mapped_maps(pid);
        let mut maps = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("it runs") {
            let text = fs::read_to_string(entry.expect("an entry").path()).unwrap_or_default();
            if let (Some(id), Some(octets)) = (number(&text, "map_id:"), number(&text, "memlock:"))
            {
                maps.insert(id, octets);
            }
        }
        assert!(maps.len() >= 9, "the maps of the program: {maps:?}");
        process + maps.values().sum::<u64>()
    }

    pub fn show_log(&self) {
        let log = fs::read_to_string(self.log()).expect("it has one");
        print!("{log}");
    }

    /// Returns a duration from its log.
    pub fn logged_time(&self, what: &str) -> Duration {
        let took = self.logged(what, "took");
        humantime::parse_duration(&took).expect("a time")
    }

    /// Returns whether the maps were adopted, how many entries they had, and how many were missing.
    pub fn reconciled(&self) -> [String; 3] {
        ["adopted", "published", "missing"].map(|field| self.logged(RECONCILED, field))
    }

    /// Returns a field of a line in its log.
    fn logged(&self, what: &str, field: &str) -> String {
        let log = fs::read_to_string(self.log()).expect("it has one");
        let line = log.lines().find(|line| line.contains(what));
        let line = line.unwrap_or_else(|| panic!("{what}: {log}"));
        let (_, value) = line.split_once(&format!("{field}=")).expect("a field");
        let value = value.split_whitespace().next();
        value.expect("a value").to_owned()
    }

    fn stats(&self) -> Value {
        let output = self.xdhcpd(&["stats", "--json"]).output();
        let output = output.expect("it is built").stdout;
        serde_json::from_slice(&output).expect("JSON")
    }

    /// Returns a counter of the engine.
    pub fn count(&self, counter: &str) -> u64 {
        self.stats()["engine"][counter].as_u64().unwrap_or_default()
    }

    /// Returns the number of commits, each of which waits for the disk.
    pub fn commits(&self) -> u64 {
        self.stats()["store"]["commits"].as_u64().expect("a number")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns the octets of maps that are part of the memory of a process.
fn mapped_maps(pid: u32) -> u64 {
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps")).expect("it runs");
    let mut is_map = false;
    let resident = smaps.lines().filter_map(|line| {
        // A mapping begins with its addresses.
        if line
            .split_once(' ')
            .is_some_and(|(word, _)| !word.ends_with(':'))
        {
            is_map = line.contains("bpf-map");
        }
        number(line, "Rss:").filter(|_| is_map)
    });
    resident.sum::<u64>() * 1024
}

fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

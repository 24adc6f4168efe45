//! Network namespaces with real DHCP clients, a relay agent and the daemon in them.
//!
//! A [`Lab`] owns namespaces, links, a bpffs and a folder, all under a random name, and touches
//! nothing else. [`topology`] lays out the networks, [`server`] runs the daemon, [`client`] and
//! [`raw`] are its clients. A lab removes everything when it ends in any way but SIGKILL; the next
//! lab removes the remains of a killed one.

use std::{
    fs::{self, File},
    panic,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    cleanup::Cleanup,
    command::{command, is_installed, is_root},
};

pub mod cleanup;
pub mod client;
pub mod command;
pub mod config;
pub mod disk;
pub mod dnsmasq;
pub mod ledger;
pub mod migration_source;
pub mod namespace;
pub mod napi;
pub mod operator;
pub mod perfdhcp;
pub mod process;
pub mod raw;
mod registry;
pub mod relay;
pub mod server;
pub mod topology;
pub mod wait;
pub mod wire;
pub mod witness;
pub mod workspace;
mod xdp_pass;

pub use namespace::Namespace;
pub use process::Process;
pub use registry::remove_kept;

/// Programs that a lab requires.
const PROGRAMS: [&str; 6] = ["ip", "nsenter", "unshare", "mount", "umount", "bpftool"];
/// Lines shown of each log when a step fails.
const LOG_TAIL: usize = 60;

#[derive(Debug)]
pub struct Lab {
    id: String,
    dir: PathBuf,
    /// Whether the daemons' XDP program may answer.
    has_fast_path: bool,
    /// Record of this lab, locked as long as the lab has an owner.
    record: File,
    /// `None` for a lab that is kept.
    cleanup: Option<Cleanup>,
}

impl Lab {
    /// Runs a function in a new lab. If it fails, the logs are shown.
    ///
    /// # Errors
    /// The lab cannot be set up, or the function failed.
    pub fn run(play: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        let lab = Self::new()?;
        play(&lab).inspect_err(|_| lab.print_logs())
    }

    /// Runs a function in two labs in parallel: in one the XDP program answers, in the other it
    /// passes everything on. Clients must not notice a difference.
    ///
    /// # Errors
    /// As [`Lab::run`], for either lab.
    pub fn run_in_both_modes(play: impl Fn(&Self) -> Result<()> + Sync) -> Result<()> {
        let run = |has_fast_path| {
            let mut lab = Self::new()?;
            lab.has_fast_path = has_fast_path;
            play(&lab).inspect_err(|_| lab.print_logs())
        };
        let (on, off) = thread::scope(|scope| {
            let off = scope.spawn(|| run(false));
            (run(true), off.join())
        });
        on.context("with the fast path")?;
        match off {
            Ok(off) => off.context("with the fast path off"),
            Err(cause) => {
                eprintln!("the fast path was off");
                panic::resume_unwind(cause)
            }
        }
    }

    /// Creates an empty lab and removes what labs without an owner have left.
    ///
    /// # Errors
    /// The user is not root, a program is missing, or the kernel refused.
    pub fn new() -> Result<Self> {
        if !is_root() {
            bail!("network namespaces and XDP require root: run this through sudo");
        }
        if let Some(program) = PROGRAMS.iter().find(|program| !is_installed(program)) {
            bail!("`{program}` is not installed: run `cargo xtask setup`");
        }
        let registry = registry::Registry::lock()?;
        registry.sweep();
        let id = format!("{:08x}", rand::random::<u32>());
        let dir = std::env::temp_dir().join(format!("xdhcpd-lab-{id}"));
        let record = registry.enter(&id, &dir)?;
        let cleanup = Cleanup::new({
            let (id, dir) = (id.clone(), dir.clone());
            move || registry::remove(&id, &dir)
        });
        let lab = Self {
            id,
            dir,
            has_fast_path: true,
            record,
            cleanup: Some(cleanup),
        };
        fs::create_dir(&lab.dir).with_context(|| format!("cannot create {}", lab.dir.display()))?;
        fs::create_dir(lab.bpffs())?;
        command::read(command("mount", ["-t", "bpf", "xdhcpd-lab"]).arg(lab.bpffs()))?;
        xdp_pass::load(&lab.xdp_pass())?;
        Ok(lab)
    }

    /// Returns whether the XDP program of the lab's daemons may answer, or only pass requests on.
    pub const fn has_fast_path(&self) -> bool {
        self.has_fast_path
    }

    /// Returns the folder that contains all files of the lab.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the lab's own bpffs, for pins.
    pub fn bpffs(&self) -> PathBuf {
        self.dir.join(registry::BPFFS)
    }

    /// Mounts a disk of a given size that can be filled without affecting anything else.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn disk(&self, kib: u32) -> Result<disk::Disk> {
        disk::Disk::mount(&self.dir.join(registry::DISK), kib)
    }

    fn xdp_pass(&self) -> PathBuf {
        self.bpffs().join("pass")
    }

    /// Adds a network namespace.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn namespace(&self, role: &str) -> Result<Namespace> {
        Namespace::add(registry::namespace_name(&self.id, role), &self.dir)
    }

    /// Connects two namespaces with a veth pair and sets both ends up.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn veth(&self, a: (&Namespace, &str), b: (&Namespace, &str)) -> Result<()> {
        let ((a, a_name), (b, b_name)) = (a, b);
        let (a_ns, b_ns) = (a.name(), b.name());
        command::read(&mut command(
            "ip",
            [
                "link", "add", a_name, "netns", a_ns, "type", "veth", "peer", "name", b_name,
                "netns", b_ns,
            ],
        ))?;
        for (namespace, name) in [(a, a_name), (b, b_name)] {
            namespace.ip(["link", "set", name, "up"])?;
            napi::receive_on_a_thread(namespace, name)?;
        }
        Ok(())
    }

    /// Lets a veth end receive what its peer sends by `XDP_TX`. The kernel delivers such frames
    /// only if the receiving end runs an XDP program too, even one that passes everything.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn receive_xdp(&self, namespace: &Namespace, interface: &str) -> Result<()> {
        let mut attach = namespace.command("ip", ["link", "set", "dev", interface]);
        attach.args(["xdpdrv", "pinned"]).arg(self.xdp_pass());
        command::read(&mut attach).map(drop)
    }

    /// Prints the end of every log.
    pub fn print_logs(&self) {
        let mut logs: Vec<PathBuf> = fs::read_dir(&self.dir)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect();
        logs.sort();
        for path in logs {
            let text = fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            let tail = lines.len().saturating_sub(LOG_TAIL);
            eprintln!("--- {}", path.display());
            for line in lines.iter().skip(tail) {
                eprintln!("{line}");
            }
        }
    }

    /// Leaves the lab as it is; [`remove_kept`] removes it.
    ///
    /// # Errors
    /// It cannot be marked as kept.
    pub fn keep(mut self) -> Result<()> {
        registry::mark_kept(&mut self.record, &self.dir)?;
        if let Some(cleanup) = self.cleanup.take() {
            cleanup.disarm();
        }
        Ok(())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_logs();
        }
    }
}

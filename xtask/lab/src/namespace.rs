//! A network namespace, and what is done inside it.

use std::{
    ffi::OsStr,
    fs::File,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use anyhow::{Context as _, Result, anyhow};
use nix::sched::{CloneFlags, setns};
use serde::Deserialize;

use crate::command::{self, command};

/// A handle; the namespace goes with its lab.
#[derive(Clone, Debug)]
pub struct Namespace {
    name: String,
    /// The lab's folder.
    dir: PathBuf,
}

impl Namespace {
    pub(super) fn add(name: String, dir: &Path) -> Result<Self> {
        command::read(&mut command("ip", ["netns", "add", &name]))?;
        let namespace = Self {
            name,
            dir: dir.to_owned(),
        };
        namespace.ip(["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// A path in the lab's folder that names this namespace too.
    pub fn path(&self, name: &str) -> PathBuf {
        let role = self.name.rsplit('-').next().unwrap_or(&self.name);
        self.dir.join(format!("{role}-{name}"))
    }

    fn handle(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// A command that runs in this namespace. `ip netns exec` would also give it another `/sys`, and
    /// hide what is mounted there.
    pub fn command<I>(&self, program: impl AsRef<OsStr>, arguments: I) -> Command
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let mut enter = command("nsenter", [format!("--net={}", self.handle().display())]);
        enter.arg("--").arg(program).args(arguments);
        enter
    }

    /// `ip` on this namespace.
    ///
    /// # Errors
    /// It failed; with what it said.
    pub fn ip<const N: usize>(&self, arguments: [&str; N]) -> Result<()> {
        let mut ip = command("ip", ["-n", &self.name]);
        command::read(ip.args(arguments)).map(drop)
    }

    /// # Errors
    /// The kernel refused.
    pub fn add_address(&self, interface: &str, address: Ipv4Addr, prefix_len: u8) -> Result<()> {
        let address = format!("{address}/{prefix_len}");
        self.ip(["address", "add", &address, "dev", interface])
    }

    /// # Errors
    /// There is no such interface.
    pub fn mac(&self, interface: &str) -> Result<[u8; 6]> {
        #[derive(Deserialize)]
        struct Link {
            address: String,
        }
        let arguments = ["-n", &self.name, "-json", "link", "show", "dev", interface];
        let json = command::read(&mut command("ip", arguments))?;
        let [link]: [Link; 1] = serde_json::from_str(&json)?;
        let mut mac = [0; 6];
        let mut octets = link.address.split(':');
        for octet in &mut mac {
            let text = octets.next().unwrap_or_default();
            *octet = u8::from_str_radix(text, 16)
                .with_context(|| format!("{interface} has the address {}", link.address))?;
        }
        Ok(mac)
    }

    /// Frames sent by an interface that the other end had no room for.
    ///
    /// # Errors
    /// There is no such interface.
    pub fn dropped(&self, interface: &str) -> Result<u64> {
        #[derive(Deserialize)]
        struct Link {
            stats64: Stats,
        }
        #[derive(Deserialize)]
        struct Stats {
            tx: Counters,
        }
        #[derive(Deserialize)]
        struct Counters {
            dropped: u64,
        }
        let arguments = ["-n", &self.name, "-json", "-s", "link", "show", interface];
        let json = command::read(&mut command("ip", arguments))?;
        let [link]: [Link; 1] = serde_json::from_str(&json)?;
        Ok(link.stats64.tx.dropped)
    }

    /// Sets what is below `/proc/sys/net/ipv4`.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn set_ipv4(&self, name: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys/net/ipv4").join(name);
        self.enter(|| {
            // Which file this is depends on the namespace of whoever opens it.
            std::fs::write(&path, value)
                .with_context(|| format!("cannot write {value} to {}", path.display()))
        })
    }

    /// Runs a closure inside, on a thread of its own.
    ///
    /// # Errors
    /// Those of the closure, or the namespace cannot be entered.
    pub fn enter<T: Send>(&self, inside: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let handle = File::open(self.handle())
            .with_context(|| format!("there is no namespace {}", self.name))?;
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                setns(&handle, CloneFlags::CLONE_NEWNET)?;
                inside()
            });
            thread
                .join()
                .unwrap_or_else(|_| Err(anyhow!("panicked inside {}", self.name)))
        })
    }
}

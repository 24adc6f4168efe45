//! A network namespace and operations inside it.

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

/// A handle of a namespace, which is removed with its lab.
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

    /// Returns a path in the lab's folder whose name contains that of this namespace.
    pub fn path(&self, name: &str) -> PathBuf {
        let role = self.name.rsplit('-').next().unwrap_or(&self.name);
        self.dir.join(format!("{role}-{name}"))
    }

    fn handle(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// Returns a command that runs in this namespace. `ip netns exec` would also replace `/sys` and
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

    /// Runs `ip` in this namespace.
    ///
    /// # Errors
    /// It failed; the error contains its output.
    pub fn ip<const N: usize>(&self, arguments: [&str; N]) -> Result<()> {
        let mut ip = command("ip", ["-n", &self.name]);
        command::read(ip.args(arguments)).map(drop)
    }

    /// Adds an address to an interface.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn add_address(&self, interface: &str, address: Ipv4Addr, prefix_len: u8) -> Result<()> {
        let address = format!("{address}/{prefix_len}");
        self.ip(["address", "add", &address, "dev", interface])
    }

    /// Returns the hardware address of an interface.
    ///
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

    /// Returns the number of frames sent by an interface that its peer had no room for.
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

    /// Sets a value below `/proc/sys/net/ipv4`.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn set_ipv4(&self, name: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys/net/ipv4").join(name);
        self.enter(|| {
            // The namespace of the process that opens the file determines which file this is.
            std::fs::write(&path, value)
                .with_context(|| format!("cannot write {value} to {}", path.display()))
        })
    }

    /// Runs a closure inside the namespace, on a new thread.
    ///
    /// # Errors
    /// The closure failed, or the namespace cannot be entered.
    pub fn enter<T: Send>(&self, inside: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let handle = File::open(self.handle())
            .with_context(|| format!("there is no network namespace {}", self.name))?;
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                setns(&handle, CloneFlags::CLONE_NEWNET)?;
                inside()
            });
            thread
                .join()
                .unwrap_or_else(|_| Err(anyhow!("panic in the network namespace {}", self.name)))
        })
    }
}

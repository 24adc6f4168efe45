//! dhcpcd, with its database and run folder mounted from the lab into its own mount namespace.

use std::fs;

use anyhow::Result;
use nix::sys::signal::Signal;

use super::{
    hook::Hook,
    running::{Client, Event},
};
use crate::{Namespace, Process, topology::CLIENT_INTERFACE};

#[derive(Debug)]
pub struct Dhcpcd {
    hook: Hook,
    process: Process,
}

/// `$1` is a folder in the lab, the other arguments are the command.
const ISOLATED: &str = r#"set -e
mkdir -p "$1/db" "$1/run" /var/lib/dhcpcd /run/dhcpcd
mount --bind "$1/db" /var/lib/dhcpcd
mount --bind "$1/run" /run/dhcpcd
mount -t sysfs -o ro sysfs /sys
shift
exec "$@"
"#;

impl Dhcpcd {
    /// Starts dhcpcd without address probing.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(namespace: &Namespace) -> Result<Self> {
        Self::start_with(namespace, "noarp\n")
    }

    /// Starts dhcpcd with ARP probing, which takes some seconds.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_probing(namespace: &Namespace) -> Result<Self> {
        Self::start_with(namespace, "")
    }

    fn start_with(namespace: &Namespace, settings: &str) -> Result<Self> {
        let hook = Hook::write(namespace, "dhcpcd", false)?;
        let config = namespace.path("dhcpcd.conf");
        let common = "ipv4only\nnoipv4ll\nnodelay\noption routers, domain_name_servers\n";
        fs::write(&config, format!("{common}{settings}"))?;
        let mut dhcpcd = namespace.command("unshare", ["--mount", "sh", "-c", ISOLATED, "sh"]);
        dhcpcd
            .arg(namespace.path("dhcpcd"))
            .args(["dhcpcd", "--nobackground", "--debug", "--config"])
            .arg(&config)
            .arg("--script")
            .arg(&hook.script)
            .arg(CLIENT_INTERFACE);
        Ok(Self {
            hook,
            process: Process::spawn(namespace, "dhcpcd", &mut dhcpcd)?,
        })
    }
}

impl Client for Dhcpcd {
    fn events(&self) -> Result<Vec<Event>> {
        self.hook.events()
    }

    fn requests(&self) -> Result<usize> {
        Ok(self.process.output()?.matches("sending REQUEST (").count())
    }

    /// Runs `dhcpcd --renew`.
    fn renew(&mut self) -> Result<()> {
        self.process.signal(Signal::SIGUSR1)
    }

    /// Runs `dhcpcd --release`.
    fn release(&mut self) -> Result<()> {
        self.process.signal(Signal::SIGALRM)
    }
}

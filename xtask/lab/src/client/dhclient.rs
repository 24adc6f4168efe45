//! ISC dhclient.

use std::{fs, net::Ipv4Addr, path::PathBuf, process::Command};

use anyhow::Result;

use super::{
    hook::Hook,
    running::{Client, Event},
};
use crate::{Namespace, Process, command, topology::CLIENT_INTERFACE};

#[derive(Debug)]
pub struct Dhclient {
    hook: Hook,
    namespace: Namespace,
    config: PathBuf,
    process: Process,
}

impl Dhclient {
    /// Starts dhclient.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(namespace: &Namespace) -> Result<Self> {
        Self::start_as(namespace, false)
    }

    /// Starts a client that refuses the first address it is given and declines it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_refusing_once(namespace: &Namespace) -> Result<Self> {
        Self::start_as(namespace, true)
    }

    fn start_as(namespace: &Namespace, refusing: bool) -> Result<Self> {
        let hook = Hook::write(namespace, "dhclient", true)?;
        if refusing {
            hook.refuse_once()?;
        }
        let config = namespace.path("dhclient.conf");
        let settings = "timeout 20;\nretry 1;\nreboot 2;\ninitial-interval 1;\nbackoff-cutoff 2;\n\
            request subnet-mask, broadcast-address, routers, domain-name-servers;\n";
        fs::write(&config, settings)?;
        let mut dhclient = command_line(namespace, &hook, &config);
        dhclient.args(["-d", CLIENT_INTERFACE]);
        let process = Process::spawn(namespace, "dhclient", &mut dhclient)?;
        Ok(Self {
            hook,
            namespace: namespace.clone(),
            config,
            process,
        })
    }
}

/// Returns a command with all options that keep dhclient away from the system's files.
fn command_line(namespace: &Namespace, hook: &Hook, config: &PathBuf) -> Command {
    let mut dhclient = namespace.command("dhclient", ["-4", "-v", "-cf"]);
    dhclient.arg(config).arg("-sf").arg(&hook.script);
    dhclient.arg("-lf").arg(leases(namespace));
    dhclient.arg("-pf").arg(namespace.path("dhclient.pid"));
    dhclient
}

fn leases(namespace: &Namespace) -> PathBuf {
    namespace.path("dhclient.leases")
}

impl Client for Dhclient {
    /// Returns whether dhclient has recorded the address. It runs the script first, which may
    /// refuse the address.
    fn has_recorded(&self, address: Ipv4Addr) -> Result<bool> {
        let text = fs::read_to_string(leases(&self.namespace)).unwrap_or_default();
        Ok(text.contains(&format!("fixed-address {address};")))
    }

    fn events(&self) -> Result<Vec<Event>> {
        self.hook.events()
    }

    /// Does nothing: dhclient renews at T1, and has no command to renew earlier.
    fn renew(&mut self) -> Result<()> {
        self.process.expect_running()
    }

    /// Starts a second dhclient, which ends this one and releases its lease.
    fn release(&mut self) -> Result<()> {
        let mut release = command_line(&self.namespace, &self.hook, &self.config);
        command::read(release.args(["-r", CLIENT_INTERFACE])).map(drop)
    }
}

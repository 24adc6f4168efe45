//! The servers that are compared.

use std::{fmt, path::PathBuf};

use anyhow::{Context as _, Result};
use xtask_lab::{Lab, Namespace, Process, command, server::Server, wait, workspace};

use super::{plan::Setting, player::Player};

mod dhcpd;
mod dnsmasq;
pub mod kea;
mod xdhcpd;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contender {
    Xdhcpd,
    Kea,
    Dnsmasq,
    Dhcpd,
}

/// A server while it runs.
#[derive(Debug)]
pub enum Running {
    Ours(Box<Server>),
    Other(Process),
}

impl Contender {
    /// In the order of the columns; ours first.
    pub const ALL: [Self; 4] = [Self::Xdhcpd, Self::Kea, Self::Dnsmasq, Self::Dhcpd];

    /// What it calls its version; `None` if it is not installed.
    ///
    /// # Errors
    /// It does not say.
    pub fn version(self) -> Result<Option<String>> {
        let program = match self {
            Self::Xdhcpd => Some(workspace::daemon()?),
            Self::Kea => command::find(kea::PROGRAM),
            Self::Dnsmasq => command::find(dnsmasq::PROGRAM),
            Self::Dhcpd => command::find(dhcpd::PROGRAM),
        };
        let Some(program) = program else {
            return Ok(None);
        };
        let flag = if self == Self::Kea { "-v" } else { "--version" };
        let output = command::output(&mut command::command(program, [flag]))?;
        // dhcpd says it on stderr.
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let version = said.split_whitespace().find_map(|word| {
            let start = word.find(|c: char| c.is_ascii_digit())?;
            word.get(start..)
        });
        let version =
            version.with_context(|| format!("{self} does not say its version: {said}"))?;
        Ok(Some(version.to_owned()))
    }

    /// Starts it in a namespace and waits until it serves.
    ///
    /// # Errors
    /// It does not.
    pub fn start(
        self,
        lab: &Lab,
        namespace: &Namespace,
        setting: Setting,
        player: &mut Player,
    ) -> Result<Running> {
        let config = match self {
            Self::Xdhcpd => xdhcpd::config(setting),
            Self::Kea => kea::config(setting, namespace),
            Self::Dnsmasq => dnsmasq::config(setting),
            Self::Dhcpd => dhcpd::config(setting),
        };
        self.start_with(lab, namespace, &config, || player.is_served())
    }

    /// The same with a configuration in its own language, for xdhcpd without the section `[server]`. It serves once
    /// `is_served` has something.
    ///
    /// # Errors
    /// It does not.
    pub fn start_with(
        self,
        lab: &Lab,
        namespace: &Namespace,
        config: &str,
        mut is_served: impl FnMut() -> Result<Option<()>>,
    ) -> Result<Running> {
        let mut running = match self {
            Self::Xdhcpd => Running::Ours(Box::new(Server::start(lab, namespace, config)?)),
            Self::Kea => Running::Other(kea::spawn(lab, namespace, config)?),
            Self::Dnsmasq => Running::Other(dnsmasq::spawn(namespace, config)?),
            Self::Dhcpd => Running::Other(dhcpd::spawn(lab, namespace, config)?),
        };
        wait::until(&format!("{self} to serve"), wait::PATIENCE, || {
            if let Running::Other(process) = &mut running {
                process.expect_running()?;
            }
            is_served()
        })?;
        Ok(running)
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xdhcpd => "xdhcpd",
            Self::Kea => "Kea",
            Self::Dnsmasq => "dnsmasq",
            Self::Dhcpd => "ISC dhcpd",
        })
    }
}

/// A copy of a system's program in the lab. Where a distribution confines a server by its path, it may not read
/// a lab's files.
fn unconfined(lab: &Lab, program: &str) -> Result<PathBuf> {
    let installed = command::find(program)
        .with_context(|| format!("{program} is not installed: run `cargo xtask setup`"))?;
    let copy = lab.dir().join(program);
    std::fs::copy(&installed, &copy)
        .with_context(|| format!("cannot copy {} into the lab", installed.display()))?;
    Ok(copy)
}

//! The servers that are compared.

use std::fmt;

use anyhow::{Context as _, Result};
use xtask_lab::{Lab, Namespace, Process, command, server::Server, wait, workspace};

use super::{plan::Setting, player::Player};

mod dhcpd;
mod dnsmasq;
pub mod kea;
mod unconfined;
mod xdhcpd;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contender {
    Xdhcpd,
    Kea,
    Dnsmasq,
    Dhcpd,
}

/// A running server.
#[derive(Debug)]
pub enum Running {
    Ours(Box<Server>),
    Other(Process),
}

impl Contender {
    /// All servers in the order of the columns, xdhcpd first.
    pub const ALL: [Self; 4] = [Self::Xdhcpd, Self::Kea, Self::Dnsmasq, Self::Dhcpd];

    /// Returns the server's version, or `None` if it is not installed.
    ///
    /// # Errors
    /// The server does not print it.
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
        // dhcpd prints it to stderr.
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let version = said.split_whitespace().find_map(|word| {
            let start = word.find(|c: char| c.is_ascii_digit())?;
            word.get(start..)
        });
        let version =
            version.with_context(|| format!("{self} does not print its version: {said}"))?;
        Ok(Some(version.to_owned()))
    }

    /// Starts the server in a namespace and waits until it serves.
    ///
    /// # Errors
    /// It does not serve.
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

    /// Starts the server with a configuration in its own format, for xdhcpd without the section
    /// `[server]`. It serves once `is_served` returns a value.
    ///
    /// # Errors
    /// It does not serve.
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

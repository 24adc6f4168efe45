//! The kinds of clients, and what each reports.

use std::{fmt, net::Ipv4Addr};

use anyhow::{Context as _, Result};
use xtask_lab::Lab;

use crate::{
    connman, dhclient, dhcpcd, installed, ipxe, lwip, network_manager, networkd, ovmf, smoltcp,
    u_boot, udhcpc, vpcs,
};

/// A client or firmware that people own.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name on the command line.
    pub name: &'static str,
    /// The Debian package or the crate that it comes from; empty for one that is built into this
    /// program.
    pub package: &'static str,
    /// The files that it requires, as Debian places them.
    pub needs: &'static [&'static str],
    /// Runs it against a new daemon. An error says which step was not reached.
    pub play: fn(&Lab) -> Result<Report>,
}

/// All kinds, those that take a moment first.
pub const KINDS: [Kind; 13] = [
    udhcpc::KIND,
    dhclient::KIND,
    dhcpcd::KIND,
    networkd::KIND,
    vpcs::KIND,
    smoltcp::KIND,
    lwip::KIND,
    network_manager::KIND,
    connman::KIND,
    ipxe::KIND,
    u_boot::KIND,
    ovmf::PXE,
    ovmf::HTTP,
];

/// What a client did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The address that it was given last.
    pub address: Option<Ipv4Addr>,
    /// How many times it extended its lease.
    pub renewed: usize,
    /// Whether it got an address again after an outage longer than its lease.
    pub outlived_outage: bool,
    /// The file that it fetched.
    pub fetched: Option<String>,
}

impl Kind {
    /// Returns the first required file that is not installed.
    ///
    /// # Errors
    /// Cargo does not say where it builds.
    pub fn missing(&self) -> Result<Option<&'static str>> {
        for path in self.needs {
            if installed::find(path)?.is_none() {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Returns the kind with this name.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<Self> {
        let kind = KINDS.into_iter().find(|kind| kind.name == name);
        kind.with_context(|| {
            let names = KINDS.map(|kind| kind.name).join(", ");
            format!("there is no client {name}; there are {names}")
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "got {address}")?,
            None => f.write_str("got no address")?,
        }
        match self.renewed {
            0 => {}
            1 => f.write_str(", renewed it once")?,
            times => write!(f, ", renewed it {times} times")?,
        }
        if self.outlived_outage {
            f.write_str(", got one again after an outage")?;
        }
        if let Some(file) = &self.fetched {
            write!(f, ", fetched {file}")?;
        }
        Ok(())
    }
}

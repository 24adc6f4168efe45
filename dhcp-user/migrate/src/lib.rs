//! Moving in from another server, and out again.
//!
//! [`leases`] reads what Kea, dnsmasq and ISC dhcpd have written of their leases, [`import`] decides which of them
//! become records of ours, [`convert`] turns the three configurations into ours, and [`export`] writes our leases
//! for other tools. Nothing here talks to a client: what is imported is served when the server starts.

pub mod convert;
pub mod export;
pub mod import;
pub mod leases;
mod lines;
mod looks;
mod statements;

use clap::ValueEnum;

/// A server that leases and configurations come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// ISC Kea.
    Kea,
    /// dnsmasq.
    Dnsmasq,
    /// ISC dhcpd.
    Isc,
}

impl Source {
    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kea => "Kea",
            Self::Dnsmasq => "dnsmasq",
            Self::Isc => "ISC dhcpd",
        }
    }
}

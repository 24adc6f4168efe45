//! The servers whose leases and configurations can be read.

use clap::ValueEnum;

/// A server whose leases and configurations can be read.
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
    /// Returns the name of the server.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kea => "Kea",
            Self::Dnsmasq => "dnsmasq",
            Self::Isc => "ISC dhcpd",
        }
    }
}

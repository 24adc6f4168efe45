//! The subjects of measurement: servers and workloads.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::answers::Contender;

/// The subject of a row: a server, or the reflector, which no server can outrun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Server {
    /// An XDP program that returns every frame.
    Reflector,
    Kept(Contender),
}

impl Server {
    pub const ALL: [Self; 5] = [
        Self::Reflector,
        Self::Kept(Contender::Xdhcpd),
        Self::Kept(Contender::Kea),
        Self::Kept(Contender::Dnsmasq),
        Self::Kept(Contender::Dhcpd),
    ];
    pub const XDHCPD: Self = Self::Kept(Contender::Xdhcpd);

    /// Returns the name in rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reflector => "reflector",
            Self::Kept(Contender::Xdhcpd) => "xdhcpd",
            Self::Kept(Contender::Kea) => "kea",
            Self::Kept(Contender::Dnsmasq) => "dnsmasq",
            Self::Kept(Contender::Dhcpd) => "isc-dhcp-server",
        }
    }

    /// Returns whether a workload can be measured with it.
    pub const fn can(self, scenario: Scenario) -> bool {
        match self {
            Self::Reflector => scenario.renews(),
            Self::Kept(Contender::Xdhcpd) => true,
            Self::Kept(_) => !scenario.is_ours(),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reflector => f.write_str("bare reflector"),
            Self::Kept(contender) => contender.fmt(f),
        }
    }
}

impl From<Server> for String {
    fn from(server: Server) -> Self {
        server.name().to_owned()
    }
}

impl TryFrom<String> for Server {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let server = Self::ALL.into_iter().find(|server| server.name() == name);
        server.ok_or_else(|| format!("there is no server {name:?}"))
    }
}

/// A workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// DISCOVER to ACK, of clients that the server does not know, at the highest rate.
    NewClients,
    /// DISCOVER to ACK, of clients that the server does not know, at half of that rate.
    NewClientsAtHalf,
    /// REQUEST to ACK, of clients that have leases, at the highest rate.
    Renewals,
    /// Renewals with the clients' end of the link on the server's processor.
    RenewalsOnOneProcessor,
    /// New clients with the same number of exchanges in flight for all servers, to compare
    /// latencies.
    NewClientsAtOneDepth,
    /// Renewals with the same number of exchanges in flight for all servers.
    RenewalsAtOneDepth,
    /// All clients that have leases, at the same time.
    Storm,
    /// Renewals among a million leases.
    RenewalsOfAMillion,
    /// A storm of a hundred thousand clients.
    StormOfManyClients,
    /// REQUEST to ACK during a million bogus DISCOVERs a second, and the effect on others.
    Flood,
}

impl Scenario {
    pub const ALL: [Self; 10] = [
        Self::NewClients,
        Self::NewClientsAtHalf,
        Self::Renewals,
        Self::RenewalsOnOneProcessor,
        Self::NewClientsAtOneDepth,
        Self::RenewalsAtOneDepth,
        Self::Storm,
        Self::RenewalsOfAMillion,
        Self::StormOfManyClients,
        Self::Flood,
    ];

    /// Returns whether known clients renew at the highest rate, directly from the server.
    pub const fn renews(self) -> bool {
        matches!(
            self,
            Self::Renewals
                | Self::RenewalsOnOneProcessor
                | Self::RenewalsAtOneDepth
                | Self::RenewalsOfAMillion
        )
    }

    /// Returns whether the next exchange begins when one ends.
    pub const fn is_closed(self) -> bool {
        self.renews() || matches!(self, Self::NewClients | Self::NewClientsAtOneDepth)
    }

    /// Returns whether the number of exchanges in flight is the same for all servers.
    pub const fn is_at_one_depth(self) -> bool {
        matches!(self, Self::NewClientsAtOneDepth | Self::RenewalsAtOneDepth)
    }

    /// Returns the workload whose result determines the size of this one.
    pub(super) const fn needs(self, server: Server) -> Option<Self> {
        match server {
            _ if matches!(self, Self::NewClientsAtHalf) => Some(Self::NewClients),
            // It also determines the number in flight.
            _ if matches!(
                self,
                Self::RenewalsOnOneProcessor | Self::RenewalsOfAMillion
            ) =>
            {
                Some(Self::Renewals)
            }
            Server::Kept(Contender::Kea | Contender::Dnsmasq | Contender::Dhcpd)
                if self.renews() =>
            {
                Some(Self::NewClients)
            }
            _ => None,
        }
    }

    /// Returns whether only xdhcpd runs it: other servers would take hours.
    pub const fn is_ours(self) -> bool {
        matches!(
            self,
            Self::RenewalsOnOneProcessor
                | Self::RenewalsOfAMillion
                | Self::StormOfManyClients
                | Self::Flood
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_known_by_their_names() {
        for server in Server::ALL {
            assert_eq!(Server::try_from(String::from(server)), Ok(server));
        }
        assert!(Server::try_from("bind".to_owned()).is_err());
    }
}

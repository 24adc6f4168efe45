//! What there is to be measured: servers, and what is played with them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::answers::Contender;

/// What a row is about: a server, or what none outruns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Server {
    /// An XDP program that sends every frame back.
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

    /// In rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reflector => "reflector",
            Self::Kept(Contender::Xdhcpd) => "xdhcpd",
            Self::Kept(Contender::Kea) => "kea",
            Self::Kept(Contender::Dnsmasq) => "dnsmasq",
            Self::Kept(Contender::Dhcpd) => "isc-dhcp-server",
        }
    }

    /// What can be measured with it.
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

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// DISCOVER to ACK, of clients that the server has never heard of; as fast as it goes.
    NewClients,
    /// The same at half of that rate.
    NewClientsAtHalf,
    /// REQUEST to ACK, of clients that have their leases; as fast as it goes.
    Renewals,
    /// The same, with the clients' end of the wire on the server's processor.
    RenewalsOnOneProcessor,
    /// New clients with the same number of exchanges under way for all servers: latencies to be compared.
    NewClientsAtOneDepth,
    /// Renewals, likewise.
    RenewalsAtOneDepth,
    /// All clients that have leases at once.
    Storm,
    /// Renewals among a million leases.
    RenewalsOfAMillion,
    /// A storm of a hundred thousand clients.
    StormOfManyClients,
    /// REQUEST to ACK amid a million bogus DISCOVERs a second, and what others notice of these.
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

    /// Whether known clients renew, of the server itself and as fast as it goes.
    pub const fn renews(self) -> bool {
        matches!(
            self,
            Self::Renewals
                | Self::RenewalsOnOneProcessor
                | Self::RenewalsAtOneDepth
                | Self::RenewalsOfAMillion
        )
    }

    /// Whether the next exchange begins when one ends.
    pub const fn is_closed(self) -> bool {
        self.renews() || matches!(self, Self::NewClients | Self::NewClientsAtOneDepth)
    }

    /// Whether as many exchanges are under way for one server as for another.
    pub const fn is_at_one_depth(self) -> bool {
        matches!(self, Self::NewClientsAtOneDepth | Self::RenewalsAtOneDepth)
    }

    /// What tells how much of this is played with a server.
    pub(super) const fn needs(self, server: Server) -> Option<Self> {
        match server {
            _ if matches!(self, Self::NewClientsAtHalf) => Some(Self::NewClients),
            // And with how many under way.
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

    /// Whether of the servers only xdhcpd is asked for it: others would take hours.
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

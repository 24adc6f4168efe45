//! The kinds of answers.

use std::net::Ipv4Addr;

use dhcp_common::wire::message_type;

use crate::{networks::Terms, request::Request};

/// An answer to a client, with the address that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Offer(Ipv4Addr),
    /// OFFER of no address, to a client that can do without IPv4 (RFC 8925 §3.3).
    Ipv6Only,
    Ack(Ipv4Addr),
    /// ACK to an INFORM: options, but no lease (RFC 2131 §4.3.5).
    Inform,
    Nak(NakReason),
    /// Reply to a BOOTP client (RFC 951, RFC 1534 §2).
    Bootp(Ipv4Addr),
}

/// Why a client must start again, option 56.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NakReason {
    /// The address does not belong to the client's network.
    WrongNetwork,
    /// The address is another client's, out of service, or not the one kept for this client.
    NotAvailable,
    /// An operator took the lease away.
    Revoked,
}

impl NakReason {
    pub const fn text(self) -> &'static str {
        match self {
            Self::WrongNetwork => "requested address is not on this network",
            Self::NotAvailable => "requested address is not available",
            Self::Revoked => "lease revoked",
        }
    }
}

impl Answer {
    /// Returns the value of option 53; `None` for BOOTP.
    pub const fn message_type(self) -> Option<u8> {
        match self {
            Self::Offer(_) | Self::Ipv6Only => Some(message_type::OFFER),
            Self::Ack(_) | Self::Inform => Some(message_type::ACK),
            Self::Nak(_) => Some(message_type::NAK),
            Self::Bootp(_) => None,
        }
    }

    /// Returns the address that the answer is about: the options are those of its subnet.
    pub const fn about(self, request: &Request) -> Ipv4Addr {
        match self {
            Self::Offer(address) | Self::Ack(address) | Self::Bootp(address) => address,
            Self::Inform => request.ciaddr,
            Self::Ipv6Only | Self::Nak(_) => Ipv4Addr::UNSPECIFIED,
        }
    }

    /// Returns `siaddr`, the next server to boot from. A NAK has none (RFC 2131 table 3); in BOOTP
    /// it is the server that answers unless another is configured (RFC 951 §3).
    pub fn siaddr(self, terms: &Terms) -> Ipv4Addr {
        let next_server = terms.boot.next_server.filter(|_| !self.is_nak());
        next_server.unwrap_or(match self {
            Self::Bootp(_) => terms.server_id,
            _ => Ipv4Addr::UNSPECIFIED,
        })
    }

    pub const fn is_nak(self) -> bool {
        matches!(self, Self::Nak(_))
    }

    pub const fn yiaddr(self) -> Ipv4Addr {
        match self {
            Self::Offer(address) | Self::Ack(address) | Self::Bootp(address) => address,
            Self::Ipv6Only | Self::Inform | Self::Nak(_) => Ipv4Addr::UNSPECIFIED,
        }
    }
}

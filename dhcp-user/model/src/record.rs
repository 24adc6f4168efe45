//! The record of one address: its client, its state and its times.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;

use crate::Nanos;

/// The state of an address that is not free, or that a client had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordState {
    /// Leased.
    Bound,
    /// Deleted by the operator; reserved for the client, which may still use it, until the horizon.
    Deleted,
    /// Revoked by the operator; the client gets a NAK.
    Revoked,
    /// Declined or found in use; not leased until the horizon.
    Quarantined,
    /// Free; the client that had it last gets it again if it asks in time.
    Former,
}

impl RecordState {
    /// Returns the word for tables and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Deleted => "deleted",
            Self::Revoked => "revoked",
            Self::Quarantined => "quarantined",
            Self::Former => "former",
        }
    }

    /// Returns whether the address may be leased to another client.
    pub const fn is_free(self) -> bool {
        matches!(self, Self::Former)
    }
}

/// The record of one address. Times are the engine's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<A = Ipv4Addr> {
    pub address: A,
    pub client: ClientKey,
    pub state: RecordState,
    pub origin: ClientOrigin,
    /// When the client got the address.
    pub since: Nanos,
    /// The end of the lease as far as the controller knew.
    pub expires: Nanos,
    /// The time until which the address is reserved for this client in any case.
    pub horizon: Nanos,
}

/// Where a client is attached and how it identified itself when it was last given its lease, as
/// reported by itself and its relay agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientOrigin {
    /// `htype` and `chaddr`.
    pub hardware: Hardware,
    /// Option 61 in full, for display.
    pub client_id: Option<Box<[u8]>>,
    /// Option 12, for display.
    pub host_name: Option<Box<str>>,
    /// Option 82.
    pub relay_info: Option<Box<[u8]>>,
}

/// A [`ClientOrigin`] whose parts are borrowed.
#[derive(Clone, Copy, Debug)]
pub struct ClientOriginRef<'a> {
    pub hardware: Hardware,
    pub client_id: Option<&'a [u8]>,
    pub host_name: Option<&'a str>,
    pub relay_info: Option<&'a [u8]>,
}

impl<'a> From<&'a ClientOrigin> for ClientOriginRef<'a> {
    fn from(origin: &'a ClientOrigin) -> Self {
        Self {
            hardware: origin.hardware,
            client_id: origin.client_id.as_deref(),
            host_name: origin.host_name.as_deref(),
            relay_info: origin.relay_info.as_deref(),
        }
    }
}

impl From<ClientOriginRef<'_>> for ClientOrigin {
    fn from(origin: ClientOriginRef<'_>) -> Self {
        Self {
            hardware: origin.hardware,
            client_id: origin.client_id.map(Into::into),
            host_name: origin.host_name.map(Into::into),
            relay_info: origin.relay_info.map(Into::into),
        }
    }
}

/// A hardware address with its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hardware {
    pub htype: u8,
    pub len: u8,
    pub chaddr: [u8; 16],
}

impl Hardware {
    /// Returns the octets of `chaddr` in use.
    pub fn octets(&self) -> &[u8] {
        self.chaddr
            .get(..usize::from(self.len))
            .unwrap_or(&self.chaddr)
    }
}

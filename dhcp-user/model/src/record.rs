//! What is known of one address: who holds it, in which state and until when.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;

use crate::Nanos;

/// Why an address is not free, or whose it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordState {
    /// Leased.
    Bound,
    /// Deleted by the operator; kept for the client, which may still use it, until the horizon.
    Deleted,
    /// Revoked by the operator; the client is told NAK.
    Revoked,
    /// Declined; out of service until the horizon.
    Quarantined,
    /// Free; the client that had it last is given it again if it asks in time.
    Former,
}

impl RecordState {
    /// The word in tables and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Deleted => "deleted",
            Self::Revoked => "revoked",
            Self::Quarantined => "quarantined",
            Self::Former => "former",
        }
    }

    /// Whether the address may be given to another client.
    pub const fn is_free(self) -> bool {
        matches!(self, Self::Former)
    }
}

/// What is known of one address. Times are the engine's.
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
    /// Until then the address is this client's, whatever happens.
    pub horizon: Nanos,
}

/// What a client last said of itself when it was given its lease, and its relay agent of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientOrigin {
    /// `htype` and `chaddr`.
    pub hardware: Hardware,
    /// Option 61 in full, for people.
    pub client_id: Option<Box<[u8]>>,
    /// Option 12, for people.
    pub host_name: Option<Box<str>>,
    /// Option 82.
    pub relay_info: Option<Box<[u8]>>,
}

/// An [`ClientOrigin`] in what somebody else holds.
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hardware {
    pub htype: u8,
    pub len: u8,
    pub chaddr: [u8; 16],
}

impl Hardware {
    /// The octets of `chaddr` in use.
    pub fn octets(&self) -> &[u8] {
        self.chaddr
            .get(..usize::from(self.len))
            .unwrap_or(&self.chaddr)
    }
}

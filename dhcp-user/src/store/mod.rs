//! What is durable: which address is whose, until when.
//!
//! [`Store`] is the small trait that a distributed store can also fulfil; [`sqlite`] is the one that
//! is there. [`committer`] groups changes into commits on a thread of its own, so that one `fsync`
//! serves all that has queued up while the last one ran. [`wall`] turns the engine's times into UTC.
//!
//! [`reader`] looks at a store without changing it, whether a server runs or not: for [`audit`], [`backup`] and
//! [`intervals`], who had which address and when.

use std::{net::Ipv4Addr, time::Duration};

use dhcp_common::abi::ClientKey;

use crate::clock::Nanos;

pub mod audit;
pub mod backup;
pub mod committer;
mod file;
mod history;
pub mod intervals;
mod outage;
pub mod reader;
pub mod sqlite;
mod stall;
#[cfg(test)]
pub(crate) mod tests;
pub mod wall;

/// How long it is kept who had which address, unless the configuration says otherwise.
pub const DEFAULT_HISTORY: Duration = Duration::from_secs(30 * 24 * 3600);

/// Why an address is not free, or whose it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordState {
    /// Leased.
    Bound,
    /// Deleted by the operator; kept for the client, which may still use it, until the horizon.
    Forgotten,
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
            Self::Forgotten => "deleted",
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
pub struct Record {
    pub address: Ipv4Addr,
    pub client: ClientKey,
    pub state: RecordState,
    pub origin: Origin,
    /// When the client got the address.
    pub since: Nanos,
    /// The end of the lease as far as the controller knew.
    pub expires: Nanos,
    /// Until then the address is this client's, whatever happens.
    pub horizon: Nanos,
}

/// What a client last said of itself when it was given its lease, and its relay agent of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// `htype` and `chaddr`.
    pub hardware: Hardware,
    /// Option 61 in full, for people.
    pub client_id: Option<Box<[u8]>>,
    /// Option 12, for people.
    pub host_name: Option<Box<str>>,
    /// Option 82.
    pub relay_info: Option<Box<[u8]>>,
}

/// An [`Origin`] in what somebody else holds.
#[derive(Clone, Copy, Debug)]
pub struct OriginRef<'a> {
    pub hardware: Hardware,
    pub client_id: Option<&'a [u8]>,
    pub host_name: Option<&'a str>,
    pub relay_info: Option<&'a [u8]>,
}

impl<'a> From<&'a Origin> for OriginRef<'a> {
    fn from(origin: &'a Origin) -> Self {
        Self {
            hardware: origin.hardware,
            client_id: origin.client_id.as_deref(),
            host_name: origin.host_name.as_deref(),
            relay_info: origin.relay_info.as_deref(),
        }
    }
}

impl From<OriginRef<'_>> for Origin {
    fn from(origin: OriginRef<'_>) -> Self {
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

/// One change of one address, applied only if the address is free or this client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Writes the record if the address has none, has one that is free, or one of the same client.
    Put(Box<Record>),
    /// Removes the record if it is this client's.
    Remove {
        address: Ipv4Addr,
        client: ClientKey,
    },
}

/// What became of one [`Change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    Done,
    /// The address is another client's. Nothing was changed.
    Conflict,
}

/// Names one `commit` of the engine, so that its result finds its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A commit that did not happen; nothing of it was applied, and it may be tried again.
#[derive(Debug, thiserror::Error)]
#[error("the store did not commit: {0}")]
pub struct CommitError(pub Box<dyn std::error::Error + Send + Sync>);

/// A [`Record`] with UTC in nanoseconds since 1970 instead of the engine's times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WallRecord {
    /// `since`, `expires` and `horizon` of it are not used.
    pub record: Record,
    pub since: wall::Utc,
    pub expires: wall::Utc,
    pub horizon: wall::Utc,
}

/// A change with UTC times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WallChange {
    Put(Box<WallRecord>),
    Remove {
        address: Ipv4Addr,
        client: ClientKey,
    },
}

/// A store of leases.
pub trait Store: Send {
    /// Applies all changes in one transaction that is on disk when this returns.
    ///
    /// # Errors
    /// None of the changes was applied.
    fn commit(&mut self, changes: &[WallChange]) -> Result<Vec<Applied>, CommitError>;

    /// Calls `each` with every record.
    ///
    /// # Errors
    /// The store could not be read; `each` may have been called.
    fn load(
        &mut self,
        each: &mut dyn FnMut(WallRecord),
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

    /// What [`Store::set_anchor`] wrote last.
    ///
    /// # Errors
    /// The store could not be read.
    fn anchor(&mut self) -> Result<Option<wall::Anchor>, Box<dyn std::error::Error + Send + Sync>>;

    /// Writes the anchor, and moves the times of all records by `shift_ns`, in one transaction.
    ///
    /// # Errors
    /// Nothing was changed.
    fn set_anchor(&mut self, anchor: &wall::Anchor, shift_ns: i64) -> Result<(), CommitError>;
}

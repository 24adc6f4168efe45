//! What is durable: which address is whose, until when.
//!
//! [`Store`] is the small trait that a distributed store can also fulfil; [`sqlite`] is the one that
//! is there. [`committer`] groups changes into commits on a thread of its own, so that one `fsync`
//! serves all that has queued up while the last one ran. [`wall_clock`] turns the engine's times into UTC.
//!
//! [`reader`] looks at a store without changing it, whether a server runs or not: for [`audit`], [`backup`] and
//! [`intervals`], who had which address and when.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;
use dhcp_model::{Applied, CommitError, Record};

pub mod backup;
pub mod committer;
mod file;
mod history;
pub mod intervals;
mod outage;
pub mod reader;
pub mod sqlite;
mod stall;
pub use file::SCHEMA_VERSION;

pub mod wall_clock;

/// A [`Record`] with UTC in nanoseconds since 1970 instead of the engine's times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WallRecord {
    /// `since`, `expires` and `horizon` of it are not used.
    pub record: Record,
    pub since: wall_clock::Utc,
    pub expires: wall_clock::Utc,
    pub horizon: wall_clock::Utc,
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
    /// None of the changes was applied, or it is not known whether they were; see [`CommitError`].
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
    fn anchor(
        &mut self,
    ) -> Result<Option<wall_clock::Anchor>, Box<dyn std::error::Error + Send + Sync>>;

    /// Writes the anchor, and moves the times of all records by `shift_ns`, in one transaction.
    ///
    /// # Errors
    /// Nothing was changed, or that is not known.
    fn set_anchor(&mut self, anchor: &wall_clock::Anchor, shift_ns: i64)
    -> Result<(), CommitError>;
}

//! The interface of a store, and the records that it holds.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;
use dhcp_model::{Address, Applied, Record, StoreError};

use crate::utc::{Anchor, Utc};

/// A [`Record`] with UTC in nanoseconds since 1970 instead of the engine's times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WallRecord<A = Ipv4Addr> {
    /// Its `since`, `expires` and `horizon` are not used.
    pub record: Record<A>,
    pub since: Utc,
    pub expires: Utc,
    pub horizon: Utc,
}

/// A [`dhcp_model::Change`] with UTC times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WallChange<A = Ipv4Addr> {
    Put(Box<WallRecord<A>>),
    Remove { address: A, client: ClientKey },
}

/// A store of leases.
///
/// Every change may be committed again after [`StoreError::Unknown`]: applying one twice has the
/// effect of applying it once, in the records and in the history.
pub trait Store<A: Address = Ipv4Addr>: Send {
    /// Applies all changes in one transaction that is on disk when this returns.
    ///
    /// # Errors
    /// None of the changes was applied, or it is not known whether they were; see [`StoreError`].
    fn commit(&mut self, changes: &[WallChange<A>]) -> Result<Vec<Applied>, StoreError>;

    /// Calls `each` with every record.
    ///
    /// # Errors
    /// The store cannot be read; `each` may have been called.
    fn load(&mut self, each: &mut dyn FnMut(WallRecord<A>)) -> Result<(), StoreError>;

    /// Returns the anchor that [`Store::set_anchor`] wrote last.
    ///
    /// # Errors
    /// The store cannot be read.
    fn anchor(&mut self) -> Result<Option<Anchor>, StoreError>;

    /// Writes the anchor and moves the times of all records by `shift_ns`, in one transaction.
    ///
    /// # Errors
    /// Nothing was changed, or it is not known whether both were. After the latter with a shift
    /// other than zero, read the anchor before writing it again.
    fn set_anchor(&mut self, anchor: &Anchor, shift_ns: i64) -> Result<(), StoreError>;
}

//! Changes of records, and their results.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;

use crate::Record;

/// A change of one address, applied only if the address is free or this client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<A = Ipv4Addr> {
    /// Writes the record if the address has none, has one that is free, or one of the same client.
    Put(Box<Record<A>>),
    /// Removes the record if it is this client's.
    Remove { address: A, client: ClientKey },
}

/// The result of one [`Change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    Done,
    /// The address is another client's. Nothing was changed.
    Conflict,
}

/// Identifies one commit of the engine, so that its result can be assigned to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// The cause of a store's error.
pub type StoreFault = Box<dyn std::error::Error + Send + Sync>;

/// The reason why a store did not carry out a request.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// None of the changes was applied. They may be committed again.
    #[error("the store did not commit: {0}")]
    NotApplied(StoreFault),
    /// The store may have applied the changes, or may still apply them. Nothing may be promised on
    /// either assumption. They may be committed again: a change that is applied twice has the
    /// effect of one.
    #[error("it is not known whether the store has committed: {0}")]
    Unknown(StoreFault),
    /// The store could not be read. Nothing was to be changed.
    #[error("{0}")]
    Unreadable(StoreFault),
}

impl StoreError {
    /// Returns the store's own error.
    pub const fn fault(&self) -> &StoreFault {
        match self {
            Self::NotApplied(fault) | Self::Unknown(fault) | Self::Unreadable(fault) => fault,
        }
    }

    /// Returns whether the changes may have been applied.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

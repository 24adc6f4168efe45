//! Changes of records, and what became of them.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;

use crate::Record;

/// One change of one address, applied only if the address is free or this client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<A = Ipv4Addr> {
    /// Writes the record if the address has none, has one that is free, or one of the same client.
    Put(Box<Record<A>>),
    /// Removes the record if it is this client's.
    Remove { address: A, client: ClientKey },
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

/// What an error of a store carries.
pub type StoreFault = Box<dyn std::error::Error + Send + Sync>;

/// A commit that is not known to have happened.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// None of the changes was applied, and the commit may be tried again.
    #[error("the store did not commit: {0}")]
    NotApplied(StoreFault),
    /// The store may have applied the changes, or may yet apply them. Nothing may be promised on either; changes may
    /// be committed again, for to apply one twice is to apply it once.
    #[error("it is not known whether the store has committed: {0}")]
    Unknown(StoreFault),
}

impl CommitError {
    /// Returns what the store says.
    pub const fn fault(&self) -> &StoreFault {
        match self {
            Self::NotApplied(fault) | Self::Unknown(fault) => fault,
        }
    }
}

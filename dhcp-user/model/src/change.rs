//! Changes of records, and what became of them.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;

use crate::Record;

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

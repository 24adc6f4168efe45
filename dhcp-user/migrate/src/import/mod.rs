//! Leases of another server as records of the store. They have the keys that the engine derives
//! from their clients' requests, so that these clients can renew.
//!
//! [`Journal`] keeps the last entry for each address. [`Destination::plan`] decides for each
//! whether it is imported, and why not. [`commit()`] writes the records. Records of other clients
//! are never overwritten, and a second import of the same file changes nothing.

mod commit;
mod journal;
mod plan;
mod report;

pub use self::{
    commit::commit,
    journal::Journal,
    plan::{Destination, Plan},
    report::{Reason, Remark, Report},
};

//! The words that the controller's parts share: times, records of leases and changes of them, and who a
//! client is. Plain data; no clock and no I/O.

mod address;
mod agent_ids;
mod change;
mod client_key;
pub mod defaults;
pub mod hex;
mod horizon;
mod lease_times;
mod nanos;
mod record;

pub use self::{
    address::Address,
    agent_ids::{AgentIds, split_suboption},
    change::{Applied, Change, CommitError, StoreFault, Ticket},
    client_key::client_key,
    horizon::horizon,
    lease_times::LeaseTimes,
    nanos::Nanos,
    record::{ClientOrigin, ClientOriginRef, Hardware, Record, RecordState},
};

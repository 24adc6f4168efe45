//! The types that the parts of the controller share: times, records of leases and their changes,
//! and the identity of clients. Plain data, without a clock and without I/O.

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
    change::{Applied, Change, StoreError, StoreFault, Ticket},
    client_key::client_key,
    horizon::horizon,
    lease_times::LeaseTimes,
    nanos::Nanos,
    record::{ClientOrigin, ClientOriginRef, Hardware, Record, RecordState},
};

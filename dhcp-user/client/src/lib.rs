//! The client of RFC 2131 §4.4, for everything in this repository that plays one: the simulation,
//! chaos and the load generator.
//!
//! Answers and times go in, messages and times come out. There is no I/O, no clock, no random
//! number and no allocation here: a time is in nanoseconds of any monotonic clock, and the caller
//! provides what is random. Start with [`Client`], which has the table of the states; [`Policy`]
//! holds what RFC 2131 leaves to the client.
//!
//! Frames, the layout of transaction ids, the choice among offers, and whatever a user of the
//! client wants are the caller's.
#![no_std]

mod client;
mod lease;
mod message;
mod policy;
#[cfg(test)]
mod tests;

pub use self::{
    client::{Client, State, Turn},
    lease::Lease,
    message::{Answer, Event, Ignored, Message, Reason, Sending, Step},
    policy::{Policy, Renewals},
};

/// Nanoseconds of a second.
pub const SEC_NS: u64 = 1_000_000_000;

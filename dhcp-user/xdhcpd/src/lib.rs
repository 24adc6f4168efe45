//! xdhcpd: the daemon and its command line, as a library for its binary and its tests.
//!
//! [`run`] wires the engine, the store and the datapath together; [`cli`] is the command line, which
//! talks to a running daemon through [`control`].

pub mod cli;
pub mod control;
mod host;
pub mod run;
pub mod store_audit;

//! The server xdhcpd and its command line, as a library for the executable and its tests.
//!
//! [`run`] connects engine, store and datapath; [`cli`] is the command line, which talks to a
//! running server through [`control`]. [`store_audit`] checks a store.

pub mod cli;
pub mod control;
mod host;
pub mod run;
pub mod store_audit;

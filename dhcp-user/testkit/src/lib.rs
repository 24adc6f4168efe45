//! What the tests of several crates share.
//!
//! [`world`] is the engine with a kernel, a store and clients made of plain data; [`agreement`] the engine and
//! the fast path side by side over the same state; [`simulation`] the whole server, with a clock, a network and
//! a disk that are simulated. [`lab`] gives a test network namespaces of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(missing_debug_implementations, reason = "nothing of it is ever shown")]

pub mod agreement;
pub mod alone;
pub mod calibration;
pub mod counts;
pub mod fixtures;
pub mod lab;
pub mod many;
pub mod restore;
pub mod sequence;
pub mod simulation;
pub mod stores;
pub mod world;

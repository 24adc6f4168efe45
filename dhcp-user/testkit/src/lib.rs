//! Test support that several crates share.
//!
//! [`world`] is the engine with a kernel, a store and clients made of plain data; [`agreement`] the
//! engine and the fast path side by side over the same state; [`simulation`] the whole server with
//! a simulated clock, network and disk. [`lab`] gives a test its own network namespaces;
//! [`version_before`] holds the store and maps that the previous version has written.
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
pub mod version_before;
pub mod world;

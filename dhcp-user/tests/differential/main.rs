//! The two paths against each other: the engine, and the fast path on the host and in the kernel, over
//! the same state.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agreement;
mod both;
mod cast;
mod fleet;
mod generated;
mod malformed;
mod networks;
mod options;
mod pitfalls;
#[path = "../support/restore.rs"]
mod restore;
mod shapes;
mod sides;
#[path = "../support/program.rs"]
mod support;

//! The two paths against each other: the engine, and the fast path on the host and in the kernel,
//! over the same state.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dhcp_datapath::OBJECT;
use dhcp_testkit::fixtures::program::Program;

mod both;
mod fleet;
mod generated;
mod malformed;
mod options;
mod pitfalls;
mod requests;
mod shapes;

/// Loads the program with room for some leases. It needs root.
fn program(leases: u32) -> Program {
    Program::load(OBJECT, leases).expect("the kernel takes the program")
}

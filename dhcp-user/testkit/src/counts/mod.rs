//! Counts the cost of work instead of timing it: a count does not depend on the load of the
//! machine.
//!
//! Times belong to `cargo xtask bench`.

mod allocations;
mod instructions;
mod syscalls;

pub use self::{
    allocations::{Counting, allocations},
    instructions::instructions,
    syscalls::syscalls,
};

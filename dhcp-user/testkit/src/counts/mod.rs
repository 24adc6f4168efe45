//! What work takes, counted instead of timed: a count is the same on a machine that others keep
//! busy.
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

//! What the benchmarks share.
//!
//! [`speed`] measures the loaded program, whose request the program of `restore-ebpf` restores before
//! each run; [`calibration`] and [`memory`] are measured beside the code.

pub mod calibration;
pub mod memory;
pub mod speed;

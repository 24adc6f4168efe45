//! Shared parts of the benchmarks.
//!
//! [`speed`] measures the loaded program, with the program of `restore-ebpf` restoring the request
//! before each run. [`calibration`] and [`memory`] measure what the figures are compared with.

pub mod calibration;
pub mod memory;
pub mod speed;

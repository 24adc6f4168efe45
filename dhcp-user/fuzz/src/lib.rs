//! What xdhcpd must stand, as functions of octets.
//!
//! Each of [`fast_path()`], [`engine()`], [`config()`] and [`control()`] takes whatever octets there are, makes of
//! them what its part of the server is fed with, and panics where something does not hold. A fuzzer looks
//! for octets by which one does (`cargo xtask fuzz`); `tests/replay.rs` shows them all that it has found
//! so far. Requests and sequences come from the strategies that the property tests draw from, see [`mod@draw`],
//! and what must hold is what those tests check.
#![allow(
    clippy::unwrap_used,
    reason = "what does not hold is found by panicking"
)]

mod config;
mod control;
mod draw;
mod engine;
mod fast_path;

pub use self::{config::config, control::control, engine::engine, fast_path::fast_path};

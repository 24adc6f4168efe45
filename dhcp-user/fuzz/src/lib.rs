//! Fuzz targets as functions of octets.
//!
//! Each of [`fast_path()`], [`engine()`], [`config()`] and [`control()`] takes any octets, turns
//! them into inputs of its part of the server, and panics if a check fails. A fuzzer searches for
//! octets that make a check fail (`cargo xtask fuzz`); `tests/replay.rs` runs everything that it
//! has
//! found so far. Requests and sequences come from the strategies of the property tests (see
//! [`mod@draw`]), and the checks are those of these tests.
#![allow(clippy::unwrap_used, reason = "a check that fails panics")]

mod config;
mod control;
mod draw;
mod engine;
mod fast_path;

pub use self::{config::config, control::control, engine::engine, fast_path::fast_path};

//! The store and what stands around it, on real files and with clocks that are told the time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backup;
mod committer;
mod files;
mod history;
mod reader;
mod sqlite;
mod wall_clock;

use dhcp_testkit::counts::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

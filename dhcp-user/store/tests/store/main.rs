//! The store and the modules around it, with real files and clocks that tests set.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod addresses;
mod backup;
mod committer;
mod files;
mod history;
mod reader;
mod sqlite;
mod unknown;
mod version_before;
mod wall_clock;

use dhcp_testkit::counts::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

//! The tasks of this workspace. Start at `main.rs`; the tools that are more than a task are crates of their own beside
//! this one ([`tools`]).

pub mod bench;
pub mod build;
pub mod conformance;
pub mod demo;
pub mod fuzz;
pub mod setup;
pub mod sim;
pub mod test;
pub mod tools;

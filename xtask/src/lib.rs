//! Start at `main.rs`.

pub mod build;
pub mod cleanup;
pub mod command;
pub mod setup;
pub mod test;
pub mod workspace;

//! The tasks of this workspace. Start at `main.rs`. Larger tools are separate crates, whose front
//! end is [`tools`].

pub mod bench;
pub mod build;
pub mod conformance;
pub mod demo;
pub mod fuzz;
pub mod setup;
pub mod sim;
pub mod test;
pub mod tools;

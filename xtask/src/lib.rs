//! Setup, demo and tests of xdhcpd, and the [`lab`] of network namespaces that the demo and the
//! end-to-end tests share. Start at `main.rs`.

pub mod bench;
pub mod build;
pub mod chaos;
pub mod cleanup;
pub mod command;
pub mod compare;
pub mod conformance;
pub mod demo;
pub mod fuzz;
pub mod lab;
pub mod load;
mod procfs;
pub mod setup;
pub mod sim;
pub mod test;
pub mod tune;
pub mod versus;
pub mod workspace;

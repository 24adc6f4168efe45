//! How an operator talks to a running controller: over a Unix socket, in lines of JSON.
//!
//! [`dhcp_control`] is what goes over it, [`server`] the controller's end, [`client`] the command line's.

pub mod client;
mod convert;
pub mod server;

pub use self::convert::{reload_report, store_stats};

#[cfg(test)]
pub(crate) mod tests;

//! Both ends of the control socket, over which the command line talks to a running controller in
//! lines of JSON.
//!
//! [`dhcp_control`] defines the messages; [`server`] is the end of the controller, [`client`] that
//! of the command line.

pub mod client;
mod convert;
pub mod server;

pub use self::convert::{reload_report, store_stats};

#[cfg(test)]
pub(crate) mod tests;

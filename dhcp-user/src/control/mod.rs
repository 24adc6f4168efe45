//! How an operator talks to a running controller: over a Unix socket, in lines of JSON.
//!
//! [`protocol`] is what goes over it, [`server`] the controller's end, [`client`] the command line's.

pub mod client;
pub mod protocol;
pub mod server;
#[cfg(test)]
pub(crate) mod tests;

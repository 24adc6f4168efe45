//! Policy: decisions about a message, a deadline or a command.
//!
//! Each file here reads the [`View`] and returns a decision, or the [`crate::Silence`] that says
//! why nothing is answered. None changes anything, and none calls another one.

pub mod bootp;
pub mod commands;
pub mod leasequery;
pub mod leases;
pub mod offers;
pub mod probes;
pub mod protocol;
pub mod proxy;
pub mod publication;
mod requester;
mod view;

pub use self::{requester::Requester, view::View};

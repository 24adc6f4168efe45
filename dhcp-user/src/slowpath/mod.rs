//! The controller's own way to the wire, for all that the program hands on.
//!
//! Frames come and go through AF_XDP sockets ([`xsk`]), with no part of the host's network stack
//! between; [`frame`] takes them apart and puts replies together as the program does.

pub mod frame;
pub mod xsk;

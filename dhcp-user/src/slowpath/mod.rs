//! The controller's own way to the wire, for all that the program hands on.
//!
//! Frames come and go through AF_XDP sockets ([`xsk`]), with no part of the host's network stack
//! between; [`frame`] takes them apart and puts replies together as the program does. Probes ([`probe`])
//! leave the same way; their answers, which the program passes to the host, are heard beside it ([`tap`]).

pub mod frame;
pub mod probe;
pub mod tap;
pub mod xsk;

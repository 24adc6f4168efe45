//! Frames as the controller reads and writes them, without I/O.
//!
//! [`mod@frame`] takes a frame apart down to its BOOTP message and puts replies together, octet for octet as the
//! XDP program does; [`probe`] builds probes of addresses and recognizes their answers.

pub mod frame;
pub mod probe;

//! Parses and builds the controller's frames, without I/O.
//!
//! [`mod@frame`] parses a frame down to its BOOTP message and builds replies, octet for octet as
//! the XDP program does; [`probe`] builds probes of addresses and recognizes their answers.

pub mod frame;
pub mod probe;

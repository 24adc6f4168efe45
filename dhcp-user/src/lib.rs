//! The controller of xdhcpd, as a library for its binary and its tests.

pub mod clock;
pub mod datapath;
pub mod slowpath;

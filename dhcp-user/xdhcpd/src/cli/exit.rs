//! Exit codes, for scripts.

/// Success.
pub const OK: u8 = 0;
/// The command was refused or failed.
pub const FAILED: u8 = 1;
/// The command line is invalid; the code that clap uses.
pub const USAGE: u8 = 2;
/// No server is listening on the control socket.
pub const NO_SERVER: u8 = 3;

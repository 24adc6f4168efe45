//! The executable `xdhcpd`. The server starts in [`xdhcpd::run::run`].

use std::process::ExitCode;

fn main() -> ExitCode {
    xdhcpd::cli::main(xdhcpd::run::run)
}

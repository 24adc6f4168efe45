//! xdhcpd, the daemon and its command line. What it does is in the library; the server itself begins at
//! [`xdhcpd::run::run`].

use std::process::ExitCode;

fn main() -> ExitCode {
    xdhcpd::cli::main(xdhcpd::run::run)
}

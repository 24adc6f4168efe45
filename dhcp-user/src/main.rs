//! xdhcpd, the daemon and its command line. What it does is in the library; the server itself begins at
//! [`dhcp_user::run::run`].

use std::process::ExitCode;

fn main() -> ExitCode {
    dhcp_user::cli::main(dhcp_user::run::run)
}

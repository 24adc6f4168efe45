//! Failures of commands.

use std::io::{self, Write};

use dhcp_config::Problems;

use super::exit;
use crate::control::client::ClientError;

/// The reason why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The output already contains the reason.
    Shown,
    Problems(Problems),
    Client(ClientError),
    Run(anyhow::Error),
    Output(io::Error),
}

impl Failure {
    /// Prints the reason, and returns the exit code.
    pub fn report(self, err: &mut dyn Write) -> u8 {
        // A failure to write to standard error cannot be reported.
        let _ = match &self {
            Self::Shown => Ok(()),
            Self::Problems(problems) => writeln!(err, "{problems}"),
            Self::Client(error) => writeln!(err, "xdhcpd: {error}"),
            Self::Run(error) => writeln!(err, "xdhcpd: {error:#}"),
            // `xdhcpd leases list | head` closes the pipe early.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return exit::OK,
            Self::Output(error) => writeln!(err, "xdhcpd: cannot write the result: {error}"),
        };
        match self {
            Self::Client(ClientError::NoServer(_)) => exit::NO_SERVER,
            _ => exit::FAILED,
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Problems(problems)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

//! A connection to the daemon's control socket, which avoids the time that starting a command
//! takes.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::Ipv4Addr,
    os::unix::net::UnixStream,
    path::Path,
};

use anyhow::{Context as _, Result, ensure};

use crate::wait;

#[derive(Debug)]
pub struct Operator {
    stream: BufReader<UnixStream>,
}

impl Operator {
    /// Connects to a control socket.
    ///
    /// # Errors
    /// Nothing listens there.
    pub fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket)
            .with_context(|| format!("cannot connect to {}", socket.display()))?;
        stream.set_read_timeout(Some(wait::PATIENCE))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Asks for the counters, and for the deletion of a lease that does not exist, which only the
    /// engine can answer.
    ///
    /// # Errors
    /// The daemon does not answer, or answers incorrectly.
    pub fn ask(&mut self, unleased: Ipv4Addr) -> Result<()> {
        self.expect(r#"{"request":"stats"}"#, r#""response":"stats""#)?;
        let delete = format!(r#"{{"request":"leases-delete","address":"{unleased}"}}"#);
        self.expect(&delete, r#""kind":"no-lease""#)
    }

    fn expect(&mut self, request: &str, right: &str) -> Result<()> {
        self.stream
            .get_mut()
            .write_all(format!("{request}\n").as_bytes())?;
        let mut answer = String::new();
        self.stream
            .read_line(&mut answer)
            .with_context(|| format!("no answer to {request}"))?;
        ensure!(
            answer.contains(right),
            "the answer to {request} is {answer}"
        );
        Ok(())
    }
}

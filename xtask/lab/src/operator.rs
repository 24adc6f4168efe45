//! Who talks to the daemon over its control socket, without the time that it takes to start a command.

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
    /// # Errors
    /// Nobody listens there.
    pub fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket)
            .with_context(|| format!("cannot connect to {}", socket.display()))?;
        stream.set_read_timeout(Some(wait::PATIENCE))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Asks for what has been counted, and for the end of a lease that nobody has: of that the engine knows, which
    /// has to come to it.
    ///
    /// # Errors
    /// It does not answer, or otherwise than is right.
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
            .with_context(|| format!("{request} was not answered"))?;
        ensure!(answer.contains(right), "{request} was answered by {answer}");
        Ok(())
    }
}

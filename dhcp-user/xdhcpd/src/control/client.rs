//! The client of the control socket.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use dhcp_control::{ErrorKind, LeaseRow, ReloadReport, Request, Response, Stats};

/// Longer than the timeouts of the server, so that its error messages arrive.
const TIMEOUT: Duration = Duration::from_secs(40);

/// The reason why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no server is listening on {}; start it with `systemctl start xdhcpd` or `xdhcpd run`, or name its socket with `--socket` or its configuration with `--config`", .0.display())]
    NoServer(PathBuf),
    #[error("permission denied on {}; run the command as root or as a member of the socket's group", .0.display())]
    NoPermission(PathBuf),
    #[error("lost the connection to {}: {error}", path.display())]
    Lost { path: PathBuf, error: io::Error },
    #[error("{message}")]
    Refused { kind: ErrorKind, message: String },
    #[error("unexpected answer from the server at {}; it may have another version", .0.display())]
    NotUnderstood(PathBuf),
}

/// A connection to a running controller.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    path: PathBuf,
}

impl Client {
    /// Connects to a control socket.
    ///
    /// # Errors
    /// No server is listening, or the permission is missing.
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let connect = || -> io::Result<UnixStream> {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            Ok(stream)
        };
        let path = path.to_owned();
        match connect() {
            Ok(stream) => Ok(Self {
                stream: BufReader::new(stream),
                path,
            }),
            Err(error) => Err(match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    ClientError::NoServer(path)
                }
                io::ErrorKind::PermissionDenied => ClientError::NoPermission(path),
                _ => ClientError::Lost { path, error },
            }),
        }
    }

    /// Sends a request to delete or revoke a lease.
    ///
    /// # Errors
    /// The server refused the request, or did not answer.
    pub fn command(&mut self, request: &Request) -> Result<(), ClientError> {
        self.send(request)?;
        match self.receive()? {
            Response::Done => Ok(()),
            _ => Err(self.not_understood()),
        }
    }

    /// Makes the server apply its configuration file, or with `dry_run` report the consequences.
    ///
    /// # Errors
    /// The server refused the configuration and has changed nothing, or did not answer.
    pub fn reload(&mut self, dry_run: bool) -> Result<ReloadReport, ClientError> {
        self.send(&Request::Reload { dry_run })?;
        match self.receive()? {
            Response::Reloaded(report) => Ok(report),
            _ => Err(self.not_understood()),
        }
    }

    /// Returns the counters of the server.
    ///
    /// # Errors
    /// The server did not answer.
    pub fn stats(&mut self) -> Result<Stats, ClientError> {
        self.send(&Request::Stats {})?;
        match self.receive()? {
            Response::Stats(stats) => Ok(*stats),
            _ => Err(self.not_understood()),
        }
    }

    /// Lists leases or offers, and passes each row to `each` as it arrives.
    ///
    /// # Errors
    /// The server did not answer, or the list is incomplete.
    pub fn list(
        &mut self,
        request: &Request,
        mut each: impl FnMut(LeaseRow),
    ) -> Result<(), ClientError> {
        self.send(request)?;
        let mut received = 0;
        loop {
            match self.receive()? {
                Response::Lease(row) => {
                    received += 1;
                    each(row);
                }
                Response::End { count } if count == received => return Ok(()),
                _ => return Err(self.not_understood()),
            }
        }
    }

    fn send(&mut self, request: &Request) -> Result<(), ClientError> {
        let mut line = serde_json::to_vec(request).map_err(|error| self.lost(error.into()))?;
        line.push(b'\n');
        let sent = self.stream.get_mut().write_all(&line);
        match sent {
            // A server with too many clients sends a message before it closes the connection.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(self.lost(error)),
            _ => Ok(()),
        }
    }

    fn receive(&mut self) -> Result<Response, ClientError> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line) {
            Ok(_) if line.ends_with(b"\n") => {}
            Ok(_) => return Err(self.lost(io::ErrorKind::UnexpectedEof.into())),
            Err(error) => return Err(self.lost(error)),
        }
        match serde_json::from_slice(&line) {
            Ok(Response::Error { kind, message }) => Err(ClientError::Refused { kind, message }),
            Ok(response) => Ok(response),
            Err(_) => Err(self.not_understood()),
        }
    }

    fn lost(&self, error: io::Error) -> ClientError {
        ClientError::Lost {
            path: self.path.clone(),
            error,
        }
    }

    fn not_understood(&self) -> ClientError {
        ClientError::NotUnderstood(self.path.clone())
    }
}

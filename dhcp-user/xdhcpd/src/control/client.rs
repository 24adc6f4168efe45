//! The command line's end of the control socket.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use dhcp_control::{ErrorKind, LeaseRow, ReloadReport, Request, Response, Stats};

/// Longer than the server takes at most for a command.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no xdhcpd answers at {}: is it running? Start it with `systemctl start xdhcpd` or `xdhcpd run`, or name its socket with `--socket` or its file with `--config`", .0.display())]
    NoServer(PathBuf),
    #[error("no permission to talk to the xdhcpd at {}; try again as root, or as a member of the socket's group", .0.display())]
    NoPermission(PathBuf),
    #[error("lost the xdhcpd at {}: {error}", path.display())]
    Lost { path: PathBuf, error: io::Error },
    #[error("{message}")]
    Refused { kind: ErrorKind, message: String },
    #[error("the xdhcpd at {} gave an answer that is not understood: is it of another version?", .0.display())]
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
    /// Nobody listens there, or not to us.
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

    /// Deletes or revokes a lease.
    ///
    /// # Errors
    /// It was not done, or no answer came.
    pub fn command(&mut self, request: &Request) -> Result<(), ClientError> {
        self.send(request)?;
        match self.receive()? {
            Response::Done => Ok(()),
            _ => Err(self.not_understood()),
        }
    }

    /// Has the server read its configuration again, or say what that would mean.
    ///
    /// # Errors
    /// It was refused and all is as it was, or no answer came.
    pub fn reload(&mut self, dry_run: bool) -> Result<ReloadReport, ClientError> {
        self.send(&Request::Reload { dry_run })?;
        match self.receive()? {
            Response::Reloaded(report) => Ok(report),
            _ => Err(self.not_understood()),
        }
    }

    /// # Errors
    /// No answer came.
    pub fn stats(&mut self) -> Result<Stats, ClientError> {
        self.send(&Request::Stats {})?;
        match self.receive()? {
            Response::Stats(stats) => Ok(*stats),
            _ => Err(self.not_understood()),
        }
    }

    /// Lists leases or offers, one by one as they come.
    ///
    /// # Errors
    /// The list is not whole.
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
            // A server that is full says so before it hangs up; that is worth reading.
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

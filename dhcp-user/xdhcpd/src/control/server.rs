//! The server of the control socket.
//!
//! Lists are read from the lease table, a few leases at a time, while the engine continues.
//! Commands that change a lease go to the engine, and are answered when the kernel can no longer
//! acknowledge it.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    net::Ipv4Addr,
    os::unix::{
        fs::{FileTypeExt, OpenOptionsExt, PermissionsExt},
        net::UnixListener as StdListener,
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use dhcp_control::{ErrorKind, LeaseRow, MAX_REQUEST, Request, Response, Stats};
use dhcp_engine::{
    Command, CommandOutcome, Preview,
    lease_table::{Lease, LeaseState, Leases},
};
use dhcp_model::Nanos;
use dhcp_model::hex::with_colons;
use dhcp_store::wall_clock::{Sample, WallClock};
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc, oneshot},
    time::timeout,
};

use super::convert;

/// The most clients at a time; the next one gets an error.
const MAX_CLIENTS: usize = 16;
/// The time after which an idle client is disconnected.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// The time after which a client is disconnected that does not read its answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest time for engine, store and fence together.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest time to read, check and apply the largest configuration.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause after a failed accept, such as for too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The number of leases between two writes.
const CHUNK: usize = 256;
const SOCKET_MODE: u32 = 0o660;

/// The queue of commands, each with the channel for its outcome.
pub type Commands = mpsc::Sender<(Command, oneshot::Sender<CommandOutcome>)>;

/// A request to reload, with the channel for its outcome.
#[derive(Debug)]
pub struct Reload {
    /// Reports the consequences, and changes nothing.
    pub is_preview: bool,
    pub answer: oneshot::Sender<Result<Preview, String>>,
}

/// The parts of the server that the control socket gives access to.
pub struct Control {
    pub leases: Arc<Leases>,
    pub commands: Commands,
    pub reloads: mpsc::Sender<Reload>,
    /// Returns the end that the kernel has granted for a slot and epoch.
    pub granted: Box<dyn Fn(u32, u16) -> Option<Nanos> + Send + Sync>,
    pub stats: Box<dyn Fn() -> Stats + Send + Sync>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("leases", &self.leases.len())
            .finish_non_exhaustive()
    }
}

/// The reason why the control socket cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("another xdhcpd is running and has the control socket {}; stop it first, or set another `server.control-socket`", .0.display())]
    InUse(PathBuf),
    #[error("{} is not a socket; move it, or set another `server.control-socket`", .0.display())]
    NotASocket(PathBuf),
    #[error("cannot create the control socket {}: {error}; its directory must be writable", path.display())]
    Io { path: PathBuf, error: io::Error },
}

/// The control socket, with its name and mode. It is removed on drop.
#[derive(Debug)]
pub struct Listener {
    listener: StdListener,
    path: PathBuf,
    /// A lock file beside the socket, which shows whether its server is running. The socket alone
    /// cannot show it without a race, because it remains when a server is killed.
    _lock: Flock<File>,
}

impl Listener {
    /// Creates the socket, and replaces that of a server that is no longer running.
    ///
    /// # Errors
    /// Another server is running, the path is not a socket, or the directory is not writable.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        let io_error = |error| BindError::Io {
            path: path.to_owned(),
            error,
        };
        let directory = path.parent().unwrap_or(Path::new("/"));
        // `/run` is empty after each boot.
        fs::create_dir_all(directory).map_err(io_error)?;
        let lock = lock(path)?;
        match fs::symlink_metadata(path) {
            Ok(metadata) if !metadata.file_type().is_socket() => {
                return Err(BindError::NotASocket(path.to_owned()));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(error)),
            _ => {}
        }
        // When the socket appears under its name, its mode is set and it is listening.
        let make = || {
            let private = tempfile::Builder::new()
                .prefix(".c")
                .tempdir_in(directory)?;
            let name = private.path().join("s");
            let listener = StdListener::bind(&name)?;
            fs::set_permissions(&name, Permissions::from_mode(SOCKET_MODE))?;
            listener.set_nonblocking(true)?;
            fs::rename(&name, path)?;
            Ok(listener)
        };
        Ok(Self {
            listener: make().map_err(io_error)?,
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Serves clients until it is dropped.
    ///
    /// # Errors
    /// The socket cannot be registered with the runtime.
    pub async fn serve(self, control: Arc<Control>) -> io::Result<()> {
        let listener = UnixListener::from_std(self.listener.try_clone()?)?;
        let places = Arc::new(Semaphore::new(MAX_CLIENTS));
        let mut clients = tokio::task::JoinSet::new();
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a client on the control socket");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            while clients.try_join_next().is_some() {}
            match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    let control = Arc::clone(&control);
                    clients.spawn(async move {
                        if let Err(error) = converse(stream, &control).await {
                            tracing::debug!(%error, "closed the connection to a client of the control socket");
                        }
                        drop(place);
                    });
                }
                Err(_) => refuse(stream),
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // A socket that remains is replaced at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

fn lock(path: &Path) -> Result<Flock<File>, BindError> {
    let io_error = |error| BindError::Io {
        path: path.to_owned(),
        error,
    };
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(name)
        .map_err(io_error)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => BindError::InUse(path.to_owned()),
        errno => io_error(errno.into()),
    })
}

/// Sends an error to a client that is one too many, if that does not block.
fn refuse(stream: UnixStream) {
    let line = line(&error(
        ErrorKind::Busy,
        format!("{MAX_CLIENTS} other clients are connected; try again later"),
    ));
    let _ = stream.try_write(&line);
}

fn error(kind: ErrorKind, message: impl Into<String>) -> Response {
    Response::Error {
        kind,
        message: message.into(),
    }
}

fn line(response: &Response) -> Vec<u8> {
    // Messages have plain fields and maps with string keys, whose serialization cannot fail.
    let mut line = serde_json::to_vec(response).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Answers the requests of a client until it closes the connection.
///
/// # Errors
/// The connection failed, or the client was idle or did not read its answers for too long.
pub async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    control: &Arc<Control>,
) -> io::Result<()> {
    let stream = BufReader::new(stream);
    Session { stream }.run(control).await
}

struct Session<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    async fn run(&mut self, control: &Arc<Control>) -> io::Result<()> {
        let mut request = Vec::new();
        loop {
            request.clear();
            let mut bounded = (&mut self.stream).take(MAX_REQUEST as u64);
            let read = bounded.read_until(b'\n', &mut request);
            if timeout(IDLE_TIMEOUT, read).await?? == 0 {
                return Ok(());
            }
            if !request.ends_with(b"\n") {
                let message = format!("a request is one line of at most {MAX_REQUEST} octets");
                return self.send(&error(ErrorKind::BadRequest, message)).await;
            }
            match serde_json::from_slice(&request) {
                Ok(request) => self.answer(request, control).await?,
                Err(reason) => {
                    let message = format!("invalid request: {reason}");
                    self.send(&error(ErrorKind::BadRequest, message)).await?;
                }
            }
        }
    }

    async fn answer(&mut self, request: Request, control: &Arc<Control>) -> io::Result<()> {
        let response = match request {
            Request::LeasesList { address, state } => {
                let wanted = Wanted::Leases { address, state };
                return self.list(control, wanted).await;
            }
            Request::OffersList {} => return self.list(control, Wanted::Offers).await,
            Request::LeasesDelete { address } => command(control, Command::Delete(address)).await,
            Request::LeasesRevoke { address } => command(control, Command::Revoke(address)).await,
            Request::Reload { dry_run } => reload(control, dry_run).await,
            Request::Stats {} => Response::Stats(Box::new(stats(control).await?)),
        };
        self.send(&response).await
    }

    async fn list(&mut self, control: &Arc<Control>, wanted: Wanted) -> io::Result<()> {
        let wanted = Arc::new(wanted);
        let (table, filter) = (Arc::clone(control), Arc::clone(&wanted));
        // Scanning a million leases on the thread of the controller would delay packets.
        let scan = tokio::task::spawn_blocking(move || filter.addresses(&table.leases));
        let addresses = scan.await.map_err(io::Error::other)?;
        let mut count = 0;
        for chunk in addresses.chunks(CHUNK) {
            let now = Sample::now();
            let wall = WallClock::for_display(now);
            let mut lines = Vec::new();
            for &address in chunk {
                // The table is not locked during a write, because the engine must not wait for a
                // client.
                let lease = control.leases.get(&address).map(|lease| lease.clone());
                if let Some(lease) = lease.filter(|lease| wanted.covers(address, lease)) {
                    count += 1;
                    let row = row(address, &lease, control, now.boottime, &wall);
                    lines.extend(line(&Response::Lease(row)));
                }
            }
            self.write(&lines).await?;
        }
        self.send(&Response::End { count }).await
    }

    async fn send(&mut self, response: &Response) -> io::Result<()> {
        self.write(&line(response)).await
    }

    async fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        timeout(WRITE_TIMEOUT, self.stream.get_mut().write_all(lines)).await?
    }
}

/// The filter of a list.
enum Wanted {
    Leases {
        address: Option<Ipv4Addr>,
        state: Option<String>,
    },
    Offers,
}

impl Wanted {
    fn covers(&self, at: Ipv4Addr, lease: &Lease) -> bool {
        match self {
            Self::Offers => lease.state.is_offer(),
            Self::Leases { address, state } => {
                !lease.state.is_offer()
                    && address.is_none_or(|address| address == at)
                    && state
                        .as_ref()
                        .is_none_or(|state| state == lease.state.label())
            }
        }
    }

    fn addresses(&self, leases: &Leases) -> Vec<Ipv4Addr> {
        if let Self::Leases {
            address: Some(address),
            ..
        } = self
        {
            return vec![*address];
        }
        let covered = leases
            .iter()
            .filter(|entry| self.covers(*entry.key(), entry));
        let mut addresses: Vec<_> = covered.map(|entry| *entry.key()).collect();
        addresses.sort_unstable();
        addresses
    }
}

/// Gathers the counters on another thread, because counting a million leases on the thread of the
/// controller would delay packets.
async fn stats(control: &Arc<Control>) -> io::Result<Stats> {
    let control = Arc::clone(control);
    let stats = tokio::task::spawn_blocking(move || (control.stats)());
    stats.await.map_err(io::Error::other)
}

async fn command(control: &Control, command: Command) -> Response {
    let (sender, receiver) = oneshot::channel();
    let outcome = async {
        control.commands.send((command, sender)).await.ok()?;
        receiver.await.ok()
    };
    let (Command::Delete(address) | Command::Revoke(address)) = command;
    match timeout(COMMAND_TIMEOUT, outcome).await {
        Ok(Some(CommandOutcome::Done)) => Response::Done,
        Ok(Some(CommandOutcome::NoLease)) => error(
            ErrorKind::NoLease,
            format!("there is no lease of {address}"),
        ),
        Ok(Some(CommandOutcome::StoreFailed)) => error(
            ErrorKind::StoreFailed,
            "the store failed and nothing has changed; see the server's log",
        ),
        Ok(None) => error(ErrorKind::Busy, "the server is stopping"),
        Err(_) => error(
            ErrorKind::Busy,
            format!(
                "no result within {COMMAND_TIMEOUT:?}; the command may still take effect, so list the lease again"
            ),
        ),
    }
}

async fn reload(control: &Control, is_preview: bool) -> Response {
    let (answer, answered) = oneshot::channel();
    let outcome = async {
        control
            .reloads
            .send(Reload { is_preview, answer })
            .await
            .ok()?;
        answered.await.ok()
    };
    match timeout(RELOAD_TIMEOUT, outcome).await {
        Ok(Some(Ok(preview))) => Response::Reloaded(convert::reload_report(preview)),
        Ok(Some(Err(reason))) => error(ErrorKind::NotReloaded, reason),
        Ok(None) => error(ErrorKind::Busy, "the server is stopping"),
        Err(_) => error(
            ErrorKind::Busy,
            format!("no result within {RELOAD_TIMEOUT:?}; see the server's log"),
        ),
    }
}

fn row(
    address: Ipv4Addr,
    lease: &Lease,
    control: &Control,
    now: Nanos,
    wall: &WallClock,
) -> LeaseRow {
    let granted = match lease.state {
        LeaseState::Bound | LeaseState::Deleted => (control.granted)(lease.slot, lease.epoch),
        _ => None,
    };
    let expires = granted.map_or(lease.expires, |granted| granted.max(lease.expires));
    let hardware = lease.holder.hardware();
    LeaseRow {
        address,
        state: lease.state.label().to_owned(),
        network: lease.holder.client().network(),
        hardware_type: hardware.htype,
        hardware_address: with_colons(hardware.octets()),
        client_id: lease.holder.client_id().map(with_colons),
        host_name: lease.holder.host_name().map(str::to_owned),
        relay_info: lease.holder.relay_info().map(with_colons),
        // Leases that began before this boot have time zero.
        since: (lease.since > Nanos::default()).then(|| wall.utc(lease.since).to_string()),
        expires: wall.utc(expires).to_string(),
        remaining_secs: (!expires.is_forever()).then(|| expires.since(now).as_secs()),
    }
}

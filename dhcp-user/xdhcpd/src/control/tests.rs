//! Client and server, connected by real sockets.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::Ipv4Addr,
    os::unix::{fs::PermissionsExt, net::UnixListener, net::UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, mpsc as std_mpsc},
    thread::{self, JoinHandle},
};

use dhcp_common::abi::ClientKey;
use dhcp_control::{ErrorKind, LeaseRow, MAX_REQUEST, Request, Response, Stats};
use dhcp_engine::{
    Command, CommandOutcome, Fates, Preview,
    lease_table::{Event, Held, Holder, LeaseState, LeaseTable, Leases, NewLease},
};
use dhcp_model::{ClientOrigin, Hardware, Nanos, RecordState};
use dhcp_store::wall_clock::boottime;
use tokio::sync::{mpsc, oneshot};

use super::{
    client::{Client, ClientError},
    server::{BindError, Control, Listener, Reload},
};

const HOUR: u64 = 3_600_000_000_000;

/// A server on a thread, whose engine has only the lease of 10.0.0.5 and whose store fails for
/// 10.0.0.66. It stops and removes its socket on drop.
pub struct TestServer {
    _directory: tempfile::TempDir,
    pub path: PathBuf,
    table: Mutex<LeaseTable>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Vec<Command>>>,
}

pub fn serve() -> TestServer {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let table = LeaseTable::new(1);
    let (stop, stopped) = oneshot::channel();
    let (ready, is_ready) = std_mpsc::channel();
    let (socket, leases) = (path.clone(), Arc::clone(table.leases()));
    let thread = thread::spawn(move || {
        let listener = Listener::bind(&socket).unwrap();
        ready.send(()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(run(listener, leases, stopped))
    });
    is_ready.recv().unwrap();
    TestServer {
        _directory: directory,
        path,
        table: Mutex::new(table),
        stop: Some(stop),
        thread: Some(thread),
    }
}

async fn run(
    listener: Listener,
    leases: Arc<Leases>,
    mut stopped: oneshot::Receiver<()>,
) -> Vec<Command> {
    let (commands, mut received) = mpsc::channel(1);
    let (reloads, mut asked) = mpsc::channel(1);
    let control = Control {
        leases,
        commands,
        reloads,
        // The kernel has extended only slot 7 of epoch 3.
        granted: Box::new(|slot, epoch| {
            ((slot, epoch) == (7, 3)).then(|| Nanos(boottime().0 + 2 * HOUR))
        }),
        stats: Box::new(stats),
    };
    let mut seen = Vec::new();
    let mut serving = std::pin::pin!(listener.serve(Arc::new(control)));
    loop {
        let (command, answer) = tokio::select! {
            command = received.recv() => command.unwrap(),
            reload = asked.recv() => {
                reloaded(reload.unwrap());
                continue;
            }
            result = &mut serving => panic!("{result:?}"),
            _ = &mut stopped => return seen,
        };
        seen.push(command);
        let outcome = match command {
            Command::Delete(address) | Command::Revoke(address) => match address.octets()[3] {
                5 => CommandOutcome::Done,
                66 => CommandOutcome::StoreFailed,
                _ => CommandOutcome::NoLease,
            },
        };
        answer.send(outcome).unwrap();
    }
}

/// Answers a preview with leases that end, and refuses a reload.
fn reloaded(reload: Reload) {
    let result = if reload.is_preview {
        let ended = Fates {
            count: 102,
            addresses: vec![Ipv4Addr::new(10, 0, 0, 5); 100],
        };
        Ok(Preview {
            untouched: 1,
            kept: 2,
            ended,
            ..Preview::default()
        })
    } else {
        Err("x.toml:1:1: wrong".to_owned())
    };
    reload.answer.send(result).unwrap();
}

pub fn stats() -> Stats {
    Stats {
        version: "1.2.3".to_owned(),
        uptime_secs: 90,
        kernel: [
            ("acked_renewing", 600),
            ("offered", 100),
            ("nak", 0),
            ("unknown_client", 60),
            ("no_template", 40),
            ("closed", 0),
            ("limited", 3),
            ("bad_op", 4),
            ("bad_hlen", 0),
            ("not_dhcp", 5000),
        ]
        .map(|(label, count)| (label.to_owned(), count))
        .into(),
        engine: [("offered".to_owned(), 60), ("acked".to_owned(), 0)].into(),
        kernel_share: Some(0.875),
        ..Stats::default()
    }
}

impl TestServer {
    pub fn connect(&self) -> Client {
        Client::connect(&self.path).unwrap()
    }

    /// Stops the server and returns the commands that its engine received.
    pub fn finish(mut self) -> Vec<Command> {
        self.stop.take();
        self.thread.take().unwrap().join().unwrap()
    }

    pub fn add(&self, number: u8, state: LeaseState, expires: Nanos) {
        let address = Ipv4Addr::new(10, 0, 0, number);
        self.add_at(address, number, state, (boottime(), expires));
    }

    /// Adds a lease of client `number` for an address, from one time to another.
    fn add_at(
        &self,
        address: Ipv4Addr,
        number: u8,
        state: LeaseState,
        (since, expires): (Nanos, Nanos),
    ) {
        let mut chaddr = [0; 16];
        chaddr[..6].copy_from_slice(&[2, 0, 0, 0, 0, number]);
        let client = ClientKey::hardware(9, 1, &chaddr[..6]).unwrap();
        let origin = ClientOrigin {
            hardware: Hardware {
                htype: 1,
                len: 6,
                chaddr,
            },
            client_id: (number == 5).then(|| [1, 0xab].into()),
            host_name: (number == 5).then(|| "prin\u{1b}ter".into()),
            relay_info: (number == 5).then(|| [1, 1, 7].into()),
        };
        let lease = NewLease {
            holder: Holder::new(&client, &origin),
            since,
            expires,
            durable_until: expires,
            is_current: true,
        };
        let event = match state {
            LeaseState::Bound => Event::Recorded(RecordState::Bound, lease),
            LeaseState::Revoked => Event::Recorded(RecordState::Revoked, lease),
            LeaseState::Quarantined => Event::Recorded(RecordState::Quarantined, lease),
            LeaseState::Offered => Event::Offer(lease),
            LeaseState::Probing => Event::Probe(lease),
            other => panic!("no test has {other:?}"),
        };
        let mut table = self.table.lock().unwrap();
        table.transition(address, event).unwrap();
        let held = table.held(address).unwrap();
        let published = Held {
            slot: number.into(),
            epoch: 3,
            ..held
        };
        table.adopt(address, &published);
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn list(server: &TestServer, request: &Request) -> Vec<LeaseRow> {
    let mut rows = Vec::new();
    server
        .connect()
        .list(request, |row| rows.push(row))
        .unwrap();
    rows
}

fn leases(address: Option<[u8; 4]>, state: Option<&str>) -> Request {
    Request::LeasesList {
        address: address.map(Ipv4Addr::from),
        state: state.map(str::to_owned),
    }
}

fn last_octets(rows: &[LeaseRow]) -> Vec<u8> {
    rows.iter().map(|row| row.address.octets()[3]).collect()
}

#[test]
fn leases_and_offers_are_listed_apart_in_order_and_filtered() {
    let server = serve();
    let expires = Nanos(boottime().0 + HOUR);
    for (number, state) in [
        (9, LeaseState::Bound),
        (5, LeaseState::Bound),
        (6, LeaseState::Offered),
        (7, LeaseState::Probing),
        (8, LeaseState::Quarantined),
    ] {
        server.add(number, state, expires);
    }
    assert_eq!(last_octets(&list(&server, &leases(None, None))), [5, 8, 9]);
    assert_eq!(
        last_octets(&list(&server, &leases(None, Some("bound")))),
        [5, 9]
    );
    assert_eq!(
        last_octets(&list(&server, &leases(Some([10, 0, 0, 8]), None))),
        [8]
    );
    for offer in [6, 7] {
        let wanted = leases(Some([10, 0, 0, offer]), None);
        assert_eq!(list(&server, &wanted), []);
    }
    assert_eq!(
        list(&server, &leases(Some([10, 0, 0, 8]), Some("bound"))),
        []
    );
    let offers = list(&server, &Request::OffersList {});
    let states = offers.iter().map(|offer| &*offer.state);
    assert_eq!(states.collect::<Vec<_>>(), ["offered", "probing"]);
}

#[test]
fn a_lease_that_is_older_than_the_boot_is_not_shown_as_of_then() {
    let server = serve();
    // Times before the boot come from the store as zero (`WallClock::nanos`).
    let address = Ipv4Addr::new(10, 0, 0, 5);
    server.add_at(address, 5, LeaseState::Bound, (Nanos(0), Nanos::FOREVER));
    server.add(7, LeaseState::Bound, Nanos::FOREVER);
    let rows = list(&server, &leases(None, None));
    let is_shown: Vec<_> = rows.iter().map(|row| row.since.is_some()).collect();
    assert_eq!(is_shown, [false, true]);
}

#[test]
fn a_lease_is_shown_until_when_the_kernel_has_granted_it() {
    let server = serve();
    let expires = Nanos(boottime().0 + HOUR);
    server.add(5, LeaseState::Bound, expires);
    server.add(7, LeaseState::Bound, expires);
    server.add(8, LeaseState::Bound, Nanos::FOREVER);
    server.add(9, LeaseState::Bound, Nanos(1));
    let rows = list(&server, &leases(None, None));
    let left: Vec<_> = rows.iter().map(|row| row.remaining_secs).collect();
    assert!((3590..3600).contains(&left[0].unwrap()), "{left:?}");
    assert!((7190..=7200).contains(&left[1].unwrap()), "{left:?}");
    assert_eq!(left[2..], [None, Some(0)]);
    assert_eq!(rows[2].expires, "infinite");
    let shown = humantime::parse_rfc3339(&rows[0].expires).unwrap();
    let off = shown
        .duration_since(std::time::SystemTime::now())
        .unwrap()
        .as_secs();
    assert!((3590..3600).contains(&off), "{off}");
    assert_eq!(rows[0].hardware_address, "02:00:00:00:00:05");
    assert_eq!(rows[0].client_id.as_deref(), Some("01:ab"));
    assert_eq!(rows[0].relay_info.as_deref(), Some("01:01:07"));
    assert_eq!((rows[0].network, rows[0].hardware_type), (9, 1));
}

#[test]
fn a_long_list_comes_whole() {
    let server = serve();
    for number in 0..10_000u32 {
        let address = Ipv4Addr::from(0x0b00_0000 + number);
        server.add_at(address, 1, LeaseState::Bound, (boottime(), Nanos::FOREVER));
    }
    let rows = list(&server, &leases(None, None));
    assert_eq!(rows.len(), 10_000);
    assert!(rows.is_sorted_by_key(|row| row.address));
}

#[test]
fn commands_reach_the_engine_and_their_outcome_the_client() {
    let server = serve();
    let address = |number| Ipv4Addr::new(10, 0, 0, number);
    let mut client = server.connect();
    let mut outcome = |request| client.command(&request).map_err(|error| error.to_string());
    assert_eq!(
        outcome(Request::LeasesDelete {
            address: address(5)
        }),
        Ok(())
    );
    assert_eq!(
        outcome(Request::LeasesRevoke {
            address: address(5)
        }),
        Ok(())
    );
    assert_eq!(
        outcome(Request::LeasesDelete {
            address: address(6)
        }),
        Err("there is no lease of 10.0.0.6".to_owned())
    );
    assert_eq!(
        outcome(Request::LeasesRevoke {
            address: address(66)
        }),
        Err("the store failed and nothing has changed; see the server's log".to_owned())
    );
    assert_eq!(
        server.finish(),
        [
            Command::Delete(address(5)),
            Command::Revoke(address(5)),
            Command::Delete(address(6)),
            Command::Revoke(address(66)),
        ]
    );
}

#[test]
fn stats_come_as_the_server_gave_them() {
    let server = serve();
    assert_eq!(server.connect().stats().unwrap(), stats());
}

/// Sends octets and reads one line.
fn raw(path: &Path, octets: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    // The server may close the connection before everything is sent.
    let _ = stream.write_all(octets);
    let mut line = String::new();
    let _ = BufReader::new(stream).read_line(&mut line);
    line
}

#[test]
fn the_wire_is_one_json_object_a_line() {
    let server = serve();
    assert_eq!(
        raw(
            &server.path,
            b"{\"request\":\"leases-delete\",\"address\":\"10.0.0.5\"}\n"
        ),
        "{\"response\":\"done\"}\n"
    );
    assert_eq!(
        raw(&server.path, b"{\"request\":\"leases-list\"}\n"),
        "{\"response\":\"end\",\"count\":0}\n"
    );
}

#[test]
fn what_is_no_request_is_answered_as_such() {
    let server = serve();
    for bad in [
        "\n",
        "hello\n",
        "{\"request\":\"reboot\"}\n",
        "{\"request\":\"leases-delete\",\"address\":\"10.0.0\"}\n",
        "{\"request\":\"offers-list\",\"colour\":1}\n",
        &"x".repeat(MAX_REQUEST),
    ] {
        let answer: Response = serde_json::from_str(&raw(&server.path, bad.as_bytes())).unwrap();
        let Response::Error { kind, .. } = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(kind, ErrorKind::BadRequest);
    }
    assert_eq!(server.connect().stats().unwrap(), stats());
}

#[test]
fn the_seventeenth_client_is_told_that_the_server_is_busy() {
    let server = serve();
    let mut clients: Vec<_> = (0..16).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.stats().unwrap();
    }
    let refused = server.connect().stats().unwrap_err();
    let ClientError::Refused { kind, message } = refused else {
        panic!("{refused}")
    };
    assert_eq!(kind, ErrorKind::Busy);
    assert_eq!(message, "16 other clients are connected; try again later");
    clients[0].stats().unwrap();
}

#[test]
fn the_socket_is_for_owner_and_group_and_goes_with_the_server() {
    let server = serve();
    let mode = fs::metadata(&server.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let path = server.path.clone();
    server.finish();
    assert!(matches!(
        Client::connect(&path),
        Err(ClientError::NoServer(_))
    ));
}

#[test]
fn a_dead_servers_socket_is_replaced_a_live_ones_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run/control.sock");
    fs::create_dir(directory.path().join("run")).unwrap();
    drop(UnixListener::bind(&path).unwrap());
    assert!(matches!(
        Client::connect(&path),
        Err(ClientError::NoServer(_))
    ));
    let listener = Listener::bind(&path).unwrap();
    let error = Listener::bind(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "another xdhcpd is running and has the control socket {}; stop it first, or set another `server.control-socket`",
            path.display()
        )
    );
    UnixStream::connect(&path).expect("the first one is still there");
    drop(listener);
    assert!(!path.exists());
    Listener::bind(&path).unwrap();
}

#[test]
fn what_is_not_a_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    fs::write(&path, "precious").unwrap();
    assert!(matches!(
        Listener::bind(&path),
        Err(BindError::NotASocket(_))
    ));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

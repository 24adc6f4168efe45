//! The control socket: any octets for what a client says.

use std::{
    io,
    sync::{Arc, LazyLock},
};

use dhcp_control::{ErrorKind, MAX_REQUEST, Response, Stats};
use dhcp_engine::{Command, CommandOutcome, Preview, lease_table::Leases};
use dhcp_testkit::world::{World, decline, discover, ip};
use tokio::{
    io::join,
    runtime::{Builder, Runtime},
    sync::mpsc,
};
use xdhcpd::control::server::{Control, Reload, converse};

/// Leases in most states.
static LEASES: LazyLock<Arc<Leases>> = LazyLock::new(|| {
    let mut world = World::new();
    let revoked = world.lease(1);
    let declined = world.lease(2);
    world.ask_all(&decline(2, declined));
    world.message(&discover(3));
    world.command(0, Command::Revoke(revoked));
    world.settle();
    world.leases
});

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
}

/// Answers a client that says these octets. Each of its lines gets one answer, which the client can read.
///
/// # Panics
/// Something did not hold.
pub fn control(octets: &[u8]) {
    let (commands, mut received) = mpsc::channel(1);
    let (reloads, mut asked) = mpsc::channel::<Reload>(1);
    let control = Arc::new(Control {
        leases: Arc::clone(&LEASES),
        commands,
        reloads,
        granted: Box::new(|_, _| None),
        stats: Box::new(Stats::default),
    });
    let mut answers = Vec::new();
    let ended = RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let engine = async {
                // A client that has gone waits no longer.
                loop {
                    tokio::select! {
                        Some((command, answer)) = received.recv() => {
                            let _ = answer.send(outcome_of(command));
                        }
                        Some(reload) = asked.recv() => {
                            let refused = Err("x.toml: wrong".to_owned());
                            let is_preview = reload.is_preview;
                            let result = is_preview.then(Preview::default).map_or(refused, Ok);
                            let _ = reload.answer.send(result);
                        }
                        else => return std::future::pending::<io::Result<()>>().await,
                    }
                }
            };
            tokio::select! {
                ended = converse(join(octets, &mut answers), &control) => ended,
                ended = engine => ended,
            }
        })
    });
    ended.expect("nothing stands in its way");
    check_answers(octets, &answers);
}

fn outcome_of(command: Command) -> CommandOutcome {
    let (Command::Delete(address) | Command::Revoke(address)) = command;
    if address == ip(10) {
        CommandOutcome::Done
    } else {
        CommandOutcome::NoLease
    }
}

fn check_answers(octets: &[u8], answers: &[u8]) {
    let mut ends = 0;
    let mut refusals = 0;
    let mut rows = 0;
    for line in answers.split_inclusive(|octet| *octet == b'\n') {
        match serde_json::from_slice::<Response>(line).expect("a response") {
            Response::Lease(_) => rows += 1,
            Response::End { count } => {
                assert_eq!(count, rows, "as many as were listed");
                rows = 0;
                ends += 1;
            }
            Response::Error {
                kind: ErrorKind::BadRequest,
                ..
            } => {
                refusals += 1;
                ends += 1;
            }
            Response::Done
            | Response::Reloaded(_)
            | Response::Stats(_)
            | Response::Error { .. } => ends += 1,
        }
    }
    assert_eq!(rows, 0, "a list has an end");
    // One that is too long, or not ended, is the last.
    let mut lines = octets.split_inclusive(|octet| *octet == b'\n');
    let whole = lines
        .by_ref()
        .take_while(|line| line.ends_with(b"\n") && line.len() <= MAX_REQUEST)
        .count();
    let is_cut = whole < octets.split_inclusive(|octet| *octet == b'\n').count();
    assert_eq!(ends, whole + usize::from(is_cut), "an answer to each line");
    assert!(refusals >= usize::from(is_cut));
}

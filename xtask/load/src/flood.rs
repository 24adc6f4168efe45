//! A flood of DISCOVERs from hardware addresses that are nobody's, and who minds it: clients in the kernel that renew
//! amid it, and at the same time clients in user space and an operator.

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use hdrhistogram::Histogram;
use xtask_lab::napi;

use super::{
    Exchange, Report, Workload, kernel,
    progress::Progress,
    report::{self, Latency},
    run::Run,
    socket::PacketSocket,
};

/// How often the operator asks.
const PERIOD: Duration = Duration::from_millis(100);
/// What an operator's question takes at most, in nanoseconds; longer ones are recorded as this.
const LONGEST_NS: u64 = 60_000_000_000;
const DIGITS: u8 = 3;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Flooded {
    /// Of the flood, and of the clients in the kernel.
    pub report: Report,
    /// Of each workload beside it.
    pub beside: Vec<Report>,
    /// From the operator's questions to the answers.
    pub asked: Latency,
}

/// Plays a flood at an interface of the namespace that the thread is in, and beside it what clients in user space do,
/// with leases from before where they renew. `ask` is an operator's question, answered when it returns.
///
/// # Errors
/// As [`super::play`], or an operator was not answered.
pub fn play(
    flood: &Workload,
    beside: &[Workload],
    ask: impl FnMut() -> Result<()> + Send,
    interface: &str,
) -> Result<Flooded> {
    let is_over = &AtomicBool::new(false);
    thread::scope(|scope| {
        let (ready, is_ready) = mpsc::channel();
        let mut starts: Vec<Sender<()>> = Vec::new();
        let mut start = || {
            let (start, started) = mpsc::channel();
            starts.push(start);
            started
        };
        let mut clients = Vec::new();
        for workload in beside {
            let (ready, started) = (ready.clone(), start());
            clients.push(scope.spawn(move || play_beside(workload, interface, &ready, &started)));
        }
        drop(ready);
        let started = start();
        let operator = scope.spawn(move || operate(ask, &started, is_over));

        let are_all_ready = is_ready.iter().take(beside.len()).count() == beside.len();
        let report = are_all_ready.then(|| {
            kernel::play_and_tell(flood, interface, &mut Progress::silent(), || {
                for start in &starts {
                    // Who has given up says why below.
                    let _ = start.send(());
                }
            })
        });
        // Whoever waits for the beginning of what has failed, waits no longer.
        drop(starts);
        is_over.store(true, Ordering::Relaxed);
        let panicked = |_| anyhow!("a thread beside the flood has panicked");
        let beside = clients
            .into_iter()
            .map(|client| client.join().map_err(panicked)?)
            .collect::<Result<Vec<Report>>>();
        let asked = operator.join().map_err(panicked)?;
        let report = match report {
            Some(report) => report?,
            // Their errors say more.
            None => return Err(beside.err().unwrap_or_else(|| anyhow!("nobody was ready"))),
        };
        Ok(Flooded {
            report,
            beside: beside?,
            asked: asked?,
        })
    })
}

fn play_beside(
    workload: &Workload,
    interface: &str,
    ready: &Sender<()>,
    started: &Receiver<()>,
) -> Result<Report> {
    // On the generator's processor: an end of a veth pair is served by who has sent to it first, and on another one the
    // flood would fill it before that one has its turn.
    let mut port = PacketSocket::open(interface)?;
    let mut run = Run::new(workload, &mut port)?;
    let mut progress = Progress::silent();
    if workload.exchange == Exchange::Renewals {
        run.prepare(&mut progress)?;
    }
    // Whoever waits for it is there for as long as this.
    let _ = ready.send(());
    started
        .recv()
        .map_err(|_| anyhow!("the flood has not begun"))?;
    run.play_prepared(&mut progress)
}

/// Asks from the beginning to the end, and says how long the answers took.
fn operate(
    mut ask: impl FnMut() -> Result<()>,
    started: &Receiver<()>,
    is_over: &AtomicBool,
) -> Result<Latency> {
    // The generator never sleeps.
    napi::run_on(napi::CPU)?;
    let mut histogram = Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)?;
    if started.recv().is_ok() {
        while !is_over.load(Ordering::Relaxed) {
            let asked = Instant::now();
            ask()?;
            let took = asked.elapsed();
            histogram.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(LONGEST_NS));
            thread::sleep(PERIOD.saturating_sub(took));
        }
    }
    Ok(report::latency(&histogram))
}

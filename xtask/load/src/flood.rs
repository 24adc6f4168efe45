//! A flood of DISCOVERs from random hardware addresses, and its effect on clients in the kernel
//! that renew, on clients in user space and on an operator, all at the same time.

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

/// Interval of the operator's requests.
const PERIOD: Duration = Duration::from_millis(100);
/// Longest latency of an operator's request in nanoseconds; longer ones are recorded as this.
const LONGEST_NS: u64 = 60_000_000_000;
const DIGITS: u8 = 3;

/// The result of a flood.
#[derive(Clone, Debug)]
pub struct Flooded {
    /// Report of the flood and of the clients in the kernel.
    pub report: Report,
    /// Reports of the concurrent workloads.
    pub beside: Vec<Report>,
    /// Latency of the operator's requests.
    pub asked: Latency,
}

/// Runs a flood at an interface of the thread's namespace, and concurrent workloads with clients in
/// user space, whose leases are obtained before where they renew. `ask` makes an operator's request
/// and returns when it is answered.
///
/// # Errors
/// As [`super::play`], or a request of the operator was not answered.
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
                    // A thread that has failed reports its error below.
                    let _ = start.send(());
                }
            })
        });
        // Threads that wait for the beginning must not wait after a failure.
        drop(starts);
        is_over.store(true, Ordering::Relaxed);
        let panicked = |_| anyhow!("a thread beside the flood panicked");
        let beside = clients
            .into_iter()
            .map(|client| client.join().map_err(panicked)?)
            .collect::<Result<Vec<Report>>>();
        let asked = operator.join().map_err(panicked)?;
        let report = match report {
            Some(report) => report?,
            // The errors of the threads say more.
            None => {
                return Err(beside
                    .err()
                    .unwrap_or_else(|| anyhow!("no thread was ready")));
            }
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
    // On the generator's processor: a veth end is served by the processor that sends to it first,
    // and on another one the flood would fill it before it is served.
    let mut port = PacketSocket::open(interface)?;
    let mut run = Run::new(workload, &mut port)?;
    let mut progress = Progress::silent();
    if workload.exchange == Exchange::Renewals {
        run.prepare(&mut progress)?;
    }
    // The receiver exists as long as this thread.
    let _ = ready.send(());
    started
        .recv()
        .map_err(|_| anyhow!("the flood did not begin"))?;
    run.play_prepared(&mut progress)
}

/// Makes requests from the beginning to the end, and returns their latencies.
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

//! Group commit: everything that was queued while the last `fsync` ran goes into the next
//! transaction.
//!
//! Tickets arrive in the groups in which the engine decided on them, and results go back in the
//! groups in which they were committed: each group wakes the other thread once.
//! [`Committer::submit`] never blocks the engine. At the queue's bound it refuses immediately,
//! through the same channel as every other result: the engine then promises nothing, and the client
//! asks again. It also refuses while the store fails ([`crate::outage`]) or does not answer
//! ([`crate::stall`]).
//!
//! A ticket that was not passed to the store is *not applied*; for one that was, and failed, the
//! store reports *not applied* or *unknown*. In either case nothing is promised.

use std::{
    collections::VecDeque,
    io,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use dhcp_model::{Address, Applied, Change, StoreError, Ticket};
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    interface::{Store, WallChange},
    outage::Outage,
    stall::Watch,
    utc::{Sample, Utc},
    wall_clock::WallClock,
};

/// Changes that go into one transaction, unless a single ticket has more: some ten milliseconds of
/// work.
const MAX_BATCH: usize = 4096;
/// Tickets that may wait. With more, the store would be seconds behind, and clients ask again
/// anyway.
const MAX_QUEUED: usize = 16_384;
/// How often the wall clock is checked while there is nothing to commit.
const TICK: Duration = Duration::from_secs(10);

const CONSEQUENCES: &str =
    "no new leases until it recovers; leases are renewed as far as they are on disk";

/// A ticket and its changes, to be committed together.
pub type TicketChanges<A = Ipv4Addr> = (Ticket, Vec<Change<A>>);
/// A ticket and the results of its changes.
pub type Committed = (Ticket, Result<Vec<Applied>, StoreError>);

/// Counters of the committer.
#[derive(Debug, Default)]
pub struct Counters {
    pub commits: AtomicU64,
    pub changes: AtomicU64,
    /// Transactions that failed, or whose result is unknown.
    pub failures: AtomicU64,
    /// Tickets refused because the queue was full, or the store had failed just before.
    pub refused: AtomicU64,
    pub last_ns: AtomicU64,
    pub max_ns: AtomicU64,
    health: Mutex<Health>,
}

impl Counters {
    /// Returns whether the store takes commits, and its last error.
    pub fn health(&self) -> Health {
        self.with_health(|health| health.clone())
    }

    fn failed(&self, at: Utc, error: &StoreError) {
        self.with_health(|health| {
            health.failing_since.get_or_insert(at);
            health.last_error = Some((at, error.to_string()));
        });
    }

    fn recovered(&self) {
        self.with_health(|health| health.failing_since = None);
    }

    fn with_health<T>(&self, look: impl FnOnce(&mut Health) -> T) -> T {
        look(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The health of the store, as shown to operators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Set while the store takes no commits, or has only just started to take them again.
    pub failing_since: Option<Utc>,
    /// The last error, and when it occurred.
    pub last_error: Option<(Utc, String)>,
}

/// An error of the store that several tickets share.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .0.fault())]
struct Shared(Arc<StoreError>);

impl Shared {
    /// Returns the error for one ticket. Only an error of the commit itself can be *unknown*.
    fn of_ticket(&self) -> StoreError {
        let fault = Box::new(self.clone());
        match *self.0 {
            StoreError::Unknown(_) => StoreError::Unknown(fault),
            StoreError::NotApplied(_) | StoreError::Unreadable(_) => StoreError::NotApplied(fault),
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{MAX_QUEUED} commits are already waiting for the disk")]
    QueueFull,
    #[error("the store has just failed and is paused until the next attempt")]
    Paused,
    #[error("the store has not answered for seconds")]
    Stalled,
    #[error("the committer has ended")]
    Ended,
}

/// Runs the thread that owns the store. Dropping it waits until everything submitted is committed.
#[derive(Debug)]
pub struct Committer<A = Ipv4Addr> {
    queue: Option<mpsc::Sender<Vec<TicketChanges<A>>>>,
    /// Tickets handed over and not yet taken into a transaction.
    waiting: Arc<AtomicUsize>,
    results: UnboundedSender<Vec<Committed>>,
    counters: Arc<Counters>,
    watch: Arc<Watch>,
    thread: Option<JoinHandle<()>>,
}

impl<A: Address> Committer<A> {
    /// Starts the thread. Results arrive in the order of the tickets, except for refused ones.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn spawn(
        store: Box<dyn Store<A>>,
        wall_clock: WallClock,
        clock: impl FnMut() -> Sample + Send + 'static,
        results: UnboundedSender<Vec<Committed>>,
    ) -> io::Result<Self> {
        let (queue, work) = mpsc::channel();
        let waiting = Arc::<AtomicUsize>::default();
        let counters = Arc::new(Counters::default());
        let watch = Arc::new(Watch::new(Instant::now()));
        let mut worker = Worker {
            store,
            wall_clock,
            clock,
            taken: VecDeque::new(),
            waiting: Arc::clone(&waiting),
            results: results.clone(),
            counters: Arc::clone(&counters),
            watch: Arc::clone(&watch),
            outage: None,
        };
        let thread = thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || worker.run(&work))?;
        Ok(Self {
            queue: Some(queue),
            waiting,
            results,
            counters,
            watch,
            thread: Some(thread),
        })
    }

    /// Hands over tickets; the changes of each are committed together. The results follow on the
    /// channel.
    pub fn submit(&self, mut work: Vec<TicketChanges<A>>) {
        if work.is_empty() {
            return;
        }
        if self.watch.is_stalled(Instant::now()) {
            self.report_stall();
            return self.refuse(work, Refused::Stalled);
        }
        let room = MAX_QUEUED.saturating_sub(self.waiting.load(Relaxed));
        let excess = work.split_off(room.min(work.len()));
        self.waiting.fetch_add(work.len(), Relaxed);
        let sent = match &self.queue {
            Some(queue) => queue.send(work).map_err(|unsent| unsent.0),
            None => Err(work),
        };
        if let Err(unsent) = sent {
            self.refuse(unsent, Refused::Ended);
        }
        self.refuse(excess, Refused::QueueFull);
    }

    fn refuse(&self, work: Vec<TicketChanges<A>>, why: Refused) {
        refuse(work, why, &self.counters, &self.results);
    }

    fn report_stall(&self) {
        if self.watch.is_to_be_reported() {
            let error = StoreError::NotApplied(Box::new(Refused::Stalled));
            self.counters.failed(Sample::now().utc, &error);
            tracing::error!(%error, "the store does not answer: {CONSEQUENCES}");
        }
    }

    /// Returns the counters, for the metrics.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }
}

impl<A> Drop for Committer<A> {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the committer has panicked");
        }
    }
}

fn refuse<A>(
    work: impl IntoIterator<Item = TicketChanges<A>>,
    why: Refused,
    counters: &Counters,
    results: &UnboundedSender<Vec<Committed>>,
) {
    let error = Shared(Arc::new(StoreError::NotApplied(Box::new(why))));
    let tickets = work.into_iter().map(|(ticket, _)| ticket);
    let refused = failures(tickets, &error);
    if !refused.is_empty() {
        counters.refused.fetch_add(refused.len() as u64, Relaxed);
        // The receiver is gone only while the controller shuts down.
        let _ = results.send(refused);
    }
}

fn failures(tickets: impl Iterator<Item = Ticket>, error: &Shared) -> Vec<Committed> {
    tickets
        .map(|ticket| (ticket, Err(error.of_ticket())))
        .collect()
}

struct Worker<A, C> {
    store: Box<dyn Store<A>>,
    wall_clock: WallClock,
    clock: C,
    /// Taken from the queue, and too many for the last transaction.
    taken: VecDeque<TicketChanges<A>>,
    waiting: Arc<AtomicUsize>,
    results: UnboundedSender<Vec<Committed>>,
    counters: Arc<Counters>,
    watch: Arc<Watch>,
    outage: Option<Outage>,
}

impl<A: Address, C: FnMut() -> Sample> Worker<A, C> {
    fn run(&mut self, queue: &mpsc::Receiver<Vec<TicketChanges<A>>>) {
        loop {
            self.check_outage();
            if self.taken.is_empty() {
                let now = Instant::now();
                let wait = self.outage.as_ref().map_or(TICK, |outage| outage.wait(now));
                match queue.recv_timeout(wait) {
                    Ok(work) => self.taken.extend(work),
                    Err(RecvTimeoutError::Timeout) => self.tick(),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            } else if self.is_paused() {
                self.refuse_all();
            } else {
                self.commit_batch(queue);
            }
        }
    }

    fn refuse_all(&mut self) {
        let refused = self.taken.len();
        self.waiting.fetch_sub(refused, Relaxed);
        let work = self.taken.drain(..);
        refuse(work, Refused::Paused, &self.counters, &self.results);
        if let Some(outage) = &mut self.outage {
            outage.refused(refused);
        }
    }

    fn commit_batch(&mut self, queue: &mpsc::Receiver<Vec<TicketChanges<A>>>) {
        let mut tickets = Vec::new();
        let mut changes = Vec::new();
        while changes.len() < MAX_BATCH {
            let Some((ticket, of_ticket)) = self.taken.pop_front() else {
                match queue.try_recv() {
                    Ok(work) => self.taken.extend(work),
                    Err(_) => break,
                }
                continue;
            };
            tickets.push((ticket, of_ticket.len()));
            changes.extend(of_ticket.into_iter().map(|change| self.wall_change(change)));
        }
        self.waiting.fetch_sub(tickets.len(), Relaxed);
        let start = Instant::now();
        let result = self.watched(|worker| {
            // If the anchor is not written, the changes are not passed to the store, so they are
            // not applied.
            worker.keep_anchor().map_err(|error| match error {
                StoreError::Unknown(fault) => StoreError::NotApplied(fault),
                error => error,
            })?;
            worker.store.commit(&changes)
        });
        let results = match result {
            Ok(applied) => {
                self.count(changes.len(), start.elapsed());
                self.succeeded();
                let mut applied = applied.into_iter();
                let result = |(ticket, len)| (ticket, Ok(applied.by_ref().take(len).collect()));
                tickets.into_iter().map(result).collect()
            }
            Err(error) => {
                self.failed(&error);
                let tickets = tickets.into_iter().map(|(ticket, _)| ticket);
                failures(tickets, &Shared(Arc::new(error)))
            }
        };
        let _ = self.results.send(results);
    }

    fn wall_change(&self, change: Change<A>) -> WallChange<A> {
        match change {
            Change::Put(record) => WallChange::Put(Box::new(self.wall_clock.wall_record(*record))),
            Change::Remove { address, client } => WallChange::Remove { address, client },
        }
    }

    /// Carries out a write, which may never return.
    fn watched<T>(&mut self, write: impl FnOnce(&mut Self) -> T) -> T {
        let start = Instant::now();
        self.watch.begin(start);
        let result = write(self);
        if self.watch.end() {
            tracing::warn!(took = ?start.elapsed(), "the store has answered");
            if self.outage.is_none() {
                self.counters.recovered();
            }
        }
        result
    }

    fn tick(&mut self) {
        if self.is_paused() {
            return;
        }
        if let Err(error) = self.watched(Self::keep_anchor) {
            self.failed(&error);
        }
    }

    /// Writes the anchor if the wall clock has stepped: the store must know of the step before
    /// anything is committed after it.
    fn keep_anchor(&mut self) -> Result<(), StoreError> {
        if let Some(anchor) = self.wall_clock.drifted((self.clock)()) {
            self.store.set_anchor(&anchor, 0)?;
            self.wall_clock.anchored(anchor);
        }
        Ok(())
    }

    fn is_paused(&self) -> bool {
        self.outage.as_ref().is_some_and(Outage::is_paused)
    }

    /// Tries the store when its pause is over, and reports when it has recovered.
    fn check_outage(&mut self) {
        let now = Instant::now();
        if self
            .outage
            .as_ref()
            .is_some_and(|outage| outage.is_due(now))
        {
            let anchor = self.wall_clock.anchor((self.clock)());
            match self.watched(|worker| worker.store.set_anchor(&anchor, 0)) {
                Ok(()) => {
                    self.wall_clock.anchored(anchor);
                    self.succeeded();
                }
                Err(error) => self.failed(&error),
            }
        }
        let ended = self.outage.as_ref().and_then(|outage| outage.ended(now));
        if let Some(ended) = ended {
            self.outage = None;
            self.counters.recovered();
            tracing::warn!(
                lasted = %humantime::format_duration(Duration::from_millis(
                    u64::try_from(ended.lasted.as_millis()).unwrap_or(u64::MAX)
                )),
                failures = ended.failures,
                refused = ended.refused,
                "the store takes commits again: all clients are served"
            );
        }
    }

    fn succeeded(&mut self) {
        if let Some(outage) = &mut self.outage {
            outage.succeeded(Instant::now());
        }
    }

    /// Begins or prolongs an outage. A commit that is unknown is a failure like any other: what is
    /// on disk shows when the same change is committed again.
    fn failed(&mut self, error: &StoreError) {
        let now = Instant::now();
        let utc = (self.clock)().utc;
        self.counters.failures.fetch_add(1, Relaxed);
        self.counters.failed(utc, error);
        match &mut self.outage {
            Some(outage) => outage.failed(now),
            None => {
                self.outage = Some(Outage::begin(now));
                tracing::error!(%error, "the store fails: {CONSEQUENCES}");
            }
        }
    }

    fn count(&self, changes: usize, took: Duration) {
        let counters = &self.counters;
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        counters.commits.fetch_add(1, Relaxed);
        counters.changes.fetch_add(changes as u64, Relaxed);
        counters.last_ns.store(ns, Relaxed);
        counters.max_ns.fetch_max(ns, Relaxed);
    }
}

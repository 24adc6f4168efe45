//! Group commit: whatever has queued up while the last `fsync` ran goes into the next transaction.
//!
//! [`Committer::submit`] never blocks the engine. At the queue's bound it refuses, at once and through
//! the same channel as every other result: the engine then promises nothing, and the client asks
//! again.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{self, RecvTimeoutError, SyncSender, TrySendError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::mpsc::UnboundedSender;

use super::{
    Applied, Change, CommitError, Store, Ticket, WallChange,
    wall::{Sample, Wall},
};

/// Changes that go into one transaction, unless a single ticket has more: some ten milliseconds of work.
const MAX_BATCH: usize = 4096;
/// Tickets that wait. At more, the store is seconds behind, and clients ask again anyway.
const MAX_QUEUED: usize = 16_384;
/// How often the wall clock is looked at while there is nothing to commit.
const TICK: Duration = Duration::from_secs(10);

/// A store that fails does so for every batch; its log gets one line in this time.
const LOG_PAUSE: Duration = Duration::from_secs(1);

/// A ticket and what became of its changes.
pub type Committed = (Ticket, Result<Vec<Applied>, CommitError>);

type Work = (Ticket, Vec<Change>);

/// What the committer has done so far.
#[derive(Debug, Default)]
pub struct Counters {
    pub commits: AtomicU64,
    pub changes: AtomicU64,
    /// Transactions that the store did not take.
    pub failures: AtomicU64,
    /// Tickets refused because the queue was full.
    pub refused: AtomicU64,
    pub last_ns: AtomicU64,
    pub max_ns: AtomicU64,
}

/// A commit of several tickets failed: what each of them is told.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .0.0)]
struct Shared(#[source] Arc<CommitError>);

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{MAX_QUEUED} commits are waiting for the disk already")]
    QueueFull,
    #[error("the committer has ended")]
    Ended,
}

/// The thread that owns the store. Dropping this waits until all that was submitted is committed.
#[derive(Debug)]
pub struct Committer {
    queue: Option<SyncSender<Work>>,
    results: UnboundedSender<Committed>,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    /// Starts the thread. Results come in the order of the tickets, but for those that are refused.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn spawn(
        store: Box<dyn Store>,
        wall: Wall,
        clock: impl FnMut() -> Sample + Send + 'static,
        results: UnboundedSender<Committed>,
    ) -> io::Result<Self> {
        let (queue, work) = mpsc::sync_channel(MAX_QUEUED);
        let counters = Arc::new(Counters::default());
        let mut worker = Worker {
            store,
            wall,
            clock,
            results: results.clone(),
            counters: Arc::clone(&counters),
            logged: None,
        };
        let thread = thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || worker.run(&work))?;
        Ok(Self {
            queue: Some(queue),
            results,
            counters,
            thread: Some(thread),
        })
    }

    /// Hands over changes to be committed together. The result follows on the channel.
    pub fn submit(&self, ticket: Ticket, changes: Vec<Change>) {
        let refused = match self
            .queue
            .as_ref()
            .map(|queue| queue.try_send((ticket, changes)))
        {
            Some(Ok(())) => return,
            Some(Err(TrySendError::Full(_))) => Refused::QueueFull,
            Some(Err(TrySendError::Disconnected(_))) | None => Refused::Ended,
        };
        self.counters.refused.fetch_add(1, Relaxed);
        // Nobody listens for results only when the controller is going down.
        let _ = self
            .results
            .send((ticket, Err(CommitError(Box::new(refused)))));
    }

    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the committer has panicked");
        }
    }
}

struct Worker<C> {
    store: Box<dyn Store>,
    wall: Wall,
    clock: C,
    results: UnboundedSender<Committed>,
    counters: Arc<Counters>,
    logged: Option<Instant>,
}

impl<C: FnMut() -> Sample> Worker<C> {
    fn run(&mut self, work: &mpsc::Receiver<Work>) {
        loop {
            match work.recv_timeout(TICK) {
                Ok(first) => self.commit_batch(first, work),
                Err(RecvTimeoutError::Timeout) => self.keep_anchor(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn commit_batch(&mut self, first: Work, work: &mpsc::Receiver<Work>) {
        self.keep_anchor();
        let mut tickets = Vec::new();
        let mut changes = Vec::new();
        let mut next = Some(first);
        while let Some((ticket, of_ticket)) = next {
            tickets.push((ticket, of_ticket.len()));
            changes.extend(of_ticket.into_iter().map(|change| self.wall_change(change)));
            next = (changes.len() < MAX_BATCH)
                .then(|| work.try_recv().ok())
                .flatten();
        }
        let start = Instant::now();
        let result = self.store.commit(&changes);
        self.count(changes.len(), start.elapsed(), result.is_ok());
        match result {
            Ok(applied) => {
                let mut applied = applied.into_iter();
                for (ticket, len) in tickets {
                    let _ = self
                        .results
                        .send((ticket, Ok(applied.by_ref().take(len).collect())));
                }
            }
            Err(error) => {
                self.log(&error);
                let error = Shared(Arc::new(error));
                for (ticket, _) in tickets {
                    let error = CommitError(Box::new(error.clone()));
                    let _ = self.results.send((ticket, Err(error)));
                }
            }
        }
    }

    fn wall_change(&self, change: Change) -> WallChange {
        match change {
            Change::Put(record) => WallChange::Put(Box::new(self.wall.wall_record(*record))),
            Change::Remove { address, client } => WallChange::Remove { address, client },
        }
    }

    /// A step of the wall clock must be known to the store before anything that is committed after it.
    fn keep_anchor(&mut self) {
        let Some(anchor) = self.wall.drifted((self.clock)()) else {
            return;
        };
        match self.store.set_anchor(&anchor, 0) {
            Ok(()) => self.wall.anchored(anchor),
            Err(error) => {
                tracing::error!(%error, "could not note the wall clock's step; will try again")
            }
        }
    }

    fn log(&mut self, error: &CommitError) {
        if self.logged.is_none_or(|at| at.elapsed() >= LOG_PAUSE) {
            self.logged = Some(Instant::now());
            let failures = self.counters.failures.load(Relaxed);
            tracing::error!(%error, failures, "clients that wait for this are not answered");
        }
    }

    fn count(&self, changes: usize, took: Duration, is_committed: bool) {
        let counters = &self.counters;
        if !is_committed {
            counters.failures.fetch_add(1, Relaxed);
            return;
        }
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        counters.commits.fetch_add(1, Relaxed);
        counters.changes.fetch_add(changes as u64, Relaxed);
        counters.last_ns.store(ns, Relaxed);
        counters.max_ns.fetch_max(ns, Relaxed);
    }
}

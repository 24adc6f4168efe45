//! Waits until no program run can hold a withdrawn entry any more.
//!
//! A program run that looked an entry up before it was deleted may still answer from it. XDP
//! programs run in RCU read-side critical sections (NAPI polls with bottom halves off, which counts
//! as one since Linux 5.0), so none of them outlasts a grace period. [`Barrier::wait`] waits for
//! one; it takes milliseconds for any number of entries, so a separate thread waits once for all
//! that were submitted meanwhile.
//!
//! `membarrier(MEMBARRIER_CMD_GLOBAL)` waits for a grace period too, but not with `nohz_full`,
//! which such machines use, and not on a single CPU, where a preemptible kernel needs the wait too.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use dhcp_engine::effect::FenceId;
use tokio::sync::mpsc;

use super::{bpf::MapOfMaps, error::DatapathError};

/// Pause before a wait that the kernel refused is tried again; nothing is freed meanwhile.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Waits for the end of program runs.
#[derive(Debug)]
pub struct Barrier(MapOfMaps);

impl Barrier {
    /// Makes the maps for the barrier and waits once.
    ///
    /// # Errors
    /// The kernel refused the maps or the wait.
    pub fn new() -> Result<Self, DatapathError> {
        let barrier = Self(MapOfMaps::create().map_err(DatapathError::Fence)?);
        barrier.wait().map_err(DatapathError::Fence)?;
        Ok(barrier)
    }

    /// Waits until every program run has ended that was under way when this was called.
    ///
    /// # Errors
    /// The kernel refused; some may still be under way.
    pub fn wait(&self) -> io::Result<()> {
        self.0.wait_for_programs()
    }
}

/// More withdrawn entries than there are slots: the caller has miscounted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} entries wait for the fence, no more than there are slots for")]
pub struct FenceFull(pub usize);

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<FenceId>,
    closed: bool,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Entries submitted and not yet received.
    outstanding: AtomicUsize,
}

impl Shared {
    /// Locks the queue. It is consistent after every step, even if another thread panics.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end to which withdrawn entries are submitted. Dropping it ends the thread.
#[derive(Debug)]
pub struct Fence {
    shared: Arc<Shared>,
    capacity: usize,
    thread: Option<JoinHandle<()>>,
}

/// The end from which they are received after the wait.
#[derive(Debug)]
pub struct Fenced {
    shared: Arc<Shared>,
    passed: mpsc::UnboundedReceiver<Vec<FenceId>>,
}

impl Fence {
    /// Starts the thread. `capacity` bounds the entries submitted and not yet received: the number
    /// of slots, since a slot has at most one withdrawn entry.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(barrier: Barrier, capacity: usize) -> Result<(Self, Fenced), DatapathError> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            changed: Condvar::new(),
            outstanding: AtomicUsize::new(0),
        });
        // Entries in the channel are part of `outstanding`, and so bounded.
        let (sender, passed) = mpsc::unbounded_channel();
        let thread = thread::Builder::new()
            .name("fence".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || serve(&barrier, &shared, &sender)
            })
            .map_err(DatapathError::Fence)?;
        let fence = Self {
            shared: Arc::clone(&shared),
            capacity,
            thread: Some(thread),
        };
        Ok((fence, Fenced { shared, passed }))
    }

    /// Submits entries that have been removed from the map. Never blocks.
    ///
    /// # Errors
    /// None of them was taken.
    pub fn submit(&self, entries: &[FenceId]) -> Result<(), FenceFull> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut queue = self.shared.lock();
        let outstanding = self.shared.outstanding.load(Ordering::Relaxed);
        if entries.len() > self.capacity.saturating_sub(outstanding) {
            return Err(FenceFull(outstanding));
        }
        self.shared
            .outstanding
            .fetch_add(entries.len(), Ordering::Relaxed);
        queue.waiting.extend_from_slice(entries);
        self.shared.changed.notify_one();
        Ok(())
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the fence's thread panicked");
        }
    }
}

impl Fenced {
    /// Returns the entries of one wait, or `None` when the [`Fence`] is gone.
    pub async fn recv(&mut self) -> Option<Vec<FenceId>> {
        let entries = self.passed.recv().await?;
        self.shared
            .outstanding
            .fetch_sub(entries.len(), Ordering::Relaxed);
        Some(entries)
    }
}

fn serve(barrier: &Barrier, shared: &Shared, passed: &mpsc::UnboundedSender<Vec<FenceId>>) {
    while let Some(entries) = next_batch(shared) {
        while let Err(error) = barrier.wait() {
            tracing::error!(
                %error,
                entries = entries.len(),
                "the fence cannot wait for running programs; their addresses stay taken"
            );
            if shared.lock().closed {
                return;
            }
            thread::sleep(RETRY_PAUSE);
        }
        if passed.send(entries).is_err() {
            return;
        }
    }
}

/// Waits for entries and returns all that are queued; `None` at the end.
fn next_batch(shared: &Shared) -> Option<Vec<FenceId>> {
    let mut queue = shared
        .changed
        .wait_while(shared.lock(), |queue| {
            queue.waiting.is_empty() && !queue.closed
        })
        .unwrap_or_else(PoisonError::into_inner);
    let waiting = std::mem::take(&mut queue.waiting);
    (!waiting.is_empty()).then_some(waiting)
}

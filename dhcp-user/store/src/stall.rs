//! Detects a store that does not answer: on a disk that hangs, a write does not fail but never
//! returns.
//!
//! The committer's thread waits for the write; the thread that submits checks how long it has been
//! waiting.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// How long one write may take until nothing more is handed over. It is longer than SQLite waits
/// for another program's lock, which is [`crate::file::BUSY_TIMEOUT`].
const PATIENCE: Duration = Duration::from_secs(6);
const IDLE: u64 = 0;

/// Watches one write at a time.
#[derive(Debug)]
pub(crate) struct Watch {
    base: Instant,
    /// Milliseconds after the base, plus one; [`IDLE`] while nothing is written.
    began: AtomicU64,
    is_reported: AtomicBool,
}

impl Watch {
    pub fn new(base: Instant) -> Self {
        Self {
            base,
            began: AtomicU64::new(IDLE),
            is_reported: AtomicBool::new(false),
        }
    }

    /// Notes that a write begins.
    pub fn begin(&self, now: Instant) {
        self.began.store(self.millis(now) + 1, Relaxed);
    }

    /// Notes that the write is over. Returns whether it had been reported as stalled.
    pub fn end(&self) -> bool {
        self.began.store(IDLE, Relaxed);
        self.is_reported.swap(false, Relaxed)
    }

    /// Returns whether the write has taken too long.
    pub fn is_stalled(&self, now: Instant) -> bool {
        let began = self.began.load(Relaxed);
        let waited = Duration::from_millis((self.millis(now) + 1).saturating_sub(began));
        began != IDLE && waited >= PATIENCE
    }

    /// Returns whether to report the stall now, which is once for each write.
    pub fn is_to_be_reported(&self) -> bool {
        !self.is_reported.swap(true, Relaxed)
    }

    fn millis(&self, now: Instant) -> u64 {
        let millis = now.saturating_duration_since(self.base).as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c120_a_write_that_takes_too_long_is_noticed_and_said_once() {
        assert!(PATIENCE > crate::file::BUSY_TIMEOUT);
        let base = Instant::now();
        let watch = Watch::new(base);
        let at = |secs| base + Duration::from_secs(secs);
        assert!(!watch.is_stalled(at(1000)), "nothing is written");
        watch.begin(at(1000));
        assert!(!watch.is_stalled(at(1005)));
        assert!(watch.is_stalled(at(1006)));
        assert!(watch.is_to_be_reported());
        assert!(!watch.is_to_be_reported());
        assert!(watch.end());
        assert!(!watch.is_stalled(at(2000)));
        watch.begin(at(2000));
        assert!(!watch.end(), "this one was quick");
    }
}

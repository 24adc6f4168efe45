//! Decides when a store that has failed is tried again, and which outages are reported.
//!
//! A full disk fails every commit, and clients keep asking. From the first failure on the store is
//! paused, for longer each time; tickets that arrive meanwhile are refused immediately. Then it is
//! tried with one small write, whether or not there is anything to commit. A full disk may take
//! small commits
//! and not large ones, so that an outage ends only when nothing has failed for [`CALM`]. The log
//! gets one line when an outage begins and one when it ends.

use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest time between the recovery of a disk and the attempt that notices it.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long commits have to succeed until the outage is over.
const CALM: Duration = Duration::from_secs(5);

/// Describes an outage that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// From the first failure to the first success after the last one.
    pub lasted: Duration,
    pub failures: u64,
    pub refused: u64,
}

/// Tracks one outage.
#[derive(Debug)]
pub(crate) struct Outage {
    began: Instant,
    pause: Duration,
    phase: Phase,
    failures: u64,
    refused: u64,
}

#[derive(Debug)]
enum Phase {
    /// Nothing is committed before this.
    Paused(Instant),
    /// Commits have succeeded since.
    Recovering(Instant),
}

impl Outage {
    /// Begins an outage with its first failure.
    pub fn begin(now: Instant) -> Self {
        Self {
            began: now,
            pause: FIRST_PAUSE,
            phase: Phase::Paused(now + FIRST_PAUSE),
            failures: 1,
            refused: 0,
        }
    }

    /// Notes another failure; the next pause is twice as long.
    pub fn failed(&mut self, now: Instant) {
        self.failures += 1;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.phase = Phase::Paused(now + self.pause);
    }

    /// Notes a write that succeeded.
    pub fn succeeded(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Paused(_)) {
            self.phase = Phase::Recovering(now);
        }
    }

    /// Counts tickets that were refused.
    pub fn refused(&mut self, tickets: usize) {
        self.refused += tickets as u64;
    }

    /// Returns whether commits are refused.
    pub fn is_paused(&self) -> bool {
        matches!(self.phase, Phase::Paused(_))
    }

    /// Returns whether the store is to be tried now.
    pub fn is_due(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Paused(until) if until <= now)
    }

    /// Returns what to report, once the outage is over.
    pub fn ended(&self, now: Instant) -> Option<Ended> {
        let Phase::Recovering(since) = self.phase else {
            return None;
        };
        (now.duration_since(since) >= CALM).then(|| Ended {
            lasted: since.duration_since(self.began),
            failures: self.failures,
            refused: self.refused,
        })
    }

    /// Returns how long it takes until [`Outage::is_due`] or [`Outage::ended`] changes.
    pub fn wait(&self, now: Instant) -> Duration {
        match self.phase {
            Phase::Paused(until) => until.saturating_duration_since(now),
            Phase::Recovering(since) => (since + CALM).saturating_duration_since(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn c120_a_failing_store_is_tried_less_and_less_often_but_never_given_up() {
        let start = Instant::now();
        let mut outage = Outage::begin(start);
        let mut now = start;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let pause = outage.wait(now);
            pauses.push(pause.as_millis());
            assert!(!outage.is_due(now + pause - millis(1)));
            now += pause;
            assert!(outage.is_due(now));
            outage.failed(now);
        }
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 5000, 5000, 5000]);
        assert_eq!(outage.ended(now + CALM * 10), None);
    }

    #[test]
    fn c120_an_outage_ends_when_nothing_has_failed_for_a_while() {
        let start = Instant::now();
        let at = |ms| start + millis(ms);
        let mut outage = Outage::begin(start);
        outage.refused(1);
        outage.succeeded(at(250));
        assert!(!outage.is_paused());
        // It took a small commit, but not the next one.
        outage.failed(at(1000));
        assert!(outage.is_paused());
        assert_eq!(
            outage.wait(at(1000)),
            millis(500),
            "the pause goes on growing"
        );
        outage.succeeded(at(1500));
        outage.succeeded(at(4000));
        assert_eq!(outage.wait(at(4000)), millis(2500));
        assert_eq!(outage.ended(at(6499)), None);
        let ended = Ended {
            lasted: millis(1500),
            failures: 2,
            refused: 1,
        };
        assert_eq!(outage.ended(at(6500)), Some(ended));
    }
}

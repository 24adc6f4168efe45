//! A progress line each second.

use std::io::{IsTerminal as _, Write as _, stderr};

use super::report::Counts;

const EVERY_NS: u64 = 1_000_000_000;

/// Prints progress to stderr if that is a terminal.
#[derive(Debug)]
pub struct Progress {
    is_shown: bool,
    stage: &'static str,
    next_ns: u64,
    last: Counts,
}

impl Progress {
    pub fn new() -> Self {
        Self {
            is_shown: stderr().is_terminal(),
            stage: "",
            next_ns: EVERY_NS,
            last: Counts::default(),
        }
    }

    /// Returns a progress that prints nothing.
    pub fn silent() -> Self {
        Self {
            is_shown: false,
            ..Self::new()
        }
    }

    /// Begins another stage, with counters reset.
    pub fn stage(&mut self, stage: &'static str) {
        self.stage = stage;
        self.next_ns = EVERY_NS;
        self.last = Counts::default();
    }

    /// Prints a line if a second has passed. To be called often.
    pub fn tick(&mut self, elapsed_ns: u64, counts: &Counts) {
        if !self.is_shown || elapsed_ns < self.next_ns {
            return;
        }
        self.next_ns = elapsed_ns - elapsed_ns % EVERY_NS + EVERY_NS;
        let a_second = |now: u64, before: u64| now.saturating_sub(before);
        // If stderr is closed, progress is not wanted.
        let _ = writeln!(
            stderr(),
            "load: {:>4} s {}: {} exchanges (+{}), {} frames sent (+{}), {} again, {} given up, {} wrong",
            elapsed_ns / EVERY_NS,
            self.stage,
            counts.completed,
            a_second(counts.completed, self.last.completed),
            counts.sent(),
            a_second(counts.sent(), self.last.sent()),
            counts.retransmissions,
            counts.given_up,
            counts.wrong(),
        );
        self.last = *counts;
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

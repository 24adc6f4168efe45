//! The clocks: true time, `CLOCK_BOOTTIME`, and the wall clock.

use dhcp_model::Nanos;
use dhcp_store::wall_clock::{Sample, Utc};

pub const US: u64 = 1_000;
pub const MS: u64 = 1_000 * US;
pub const SEC: u64 = 1_000 * MS;

/// `CLOCK_BOOTTIME` at the first moment of a boot at which any process runs.
const FIRST_NS: u64 = 5 * SEC;
const EPOCH_NS: i64 = 1_700_000_000 * SEC as i64;

#[derive(Debug)]
pub struct Clock {
    /// In nanoseconds since the beginning of the world; it only goes forward.
    pub now: u64,
    booted: u64,
    boots: u32,
    /// The error of the wall clock.
    step_ns: i64,
    /// The part of that error that survives a power cut.
    kept_step_ns: i64,
}

impl Clock {
    pub const fn new() -> Self {
        Self {
            now: 0,
            booted: 0,
            boots: 1,
            step_ns: 0,
            kept_step_ns: 0,
        }
    }

    pub const fn boottime(&self) -> Nanos {
        Nanos(self.now - self.booted + FIRST_NS)
    }

    /// Converts a time of this boot to true time.
    pub const fn of_boottime(&self, time: Nanos) -> u64 {
        time.0.saturating_add(self.booted).saturating_sub(FIRST_NS)
    }

    /// Converts true time to a time of this boot.
    pub const fn to_boottime(&self, time: u64) -> u64 {
        time - self.booted + FIRST_NS
    }

    pub const fn sample(&self) -> Sample {
        Sample {
            boottime: self.boottime(),
            utc: Utc(EPOCH_NS + self.now as i64 + self.step_ns),
        }
    }

    pub fn boot_id(&self) -> String {
        self.boots.to_string()
    }

    pub const fn boot(&mut self) {
        self.booted = self.now;
        self.boots += 1;
        self.step_ns = self.kept_step_ns;
    }

    pub const fn step_wall(&mut self, by_ns: i64) {
        self.step_ns += by_ns;
    }

    /// Notes that the controller has recorded the wall clock, so that this error survives a power
    /// cut. A step that it has not seen before a power cut cannot be distinguished from time that
    /// has passed (`dhcp-user/store/src/wall_clock.rs`), so no such step is simulated.
    pub const fn keep_wall(&mut self) {
        self.kept_step_ns = self.step_ns;
    }
}

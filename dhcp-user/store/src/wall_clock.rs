//! Conversion between the engine's times and UTC. Nothing else converts one to the other.
//!
//! The engine and the kernel use `CLOCK_BOOTTIME`, which starts again at every boot; the store
//! keeps UTC. Two rules keep a step of the wall clock from shortening a lease (RFC 2131 §3.3,
//! CONFORMANCE c109):
//!
//! - **One offset per boot.** The distance between the two clocks is sampled at the first start
//!   within a boot and kept in the store as the [`Anchor`]. Every later start within that boot
//!   reads it from there, so that a record has exactly the same time when it is read, even if the
//!   wall clock has stepped. `CLOCK_BOOTTIME` is slewed together with the wall clock, so a changed
//!   distance is always a step.
//! - **A step is corrected at the next boot.** While the controller runs, it writes to the anchor
//!   the time last seen and how far the wall clock has stepped since the offset was sampled
//!   ([`WallClock::drifted`], called before each commit and on every idle tick of the committer).
//!   The first start after a reboot moves all records by that drift, in the transaction that writes
//!   the new anchor: they then agree with the wall clock. A clock that starts before
//!   the time last seen (no battery, no NTP yet) is taken to be at that time; a later correction
//!   is a step like any other.
//!
//! Two cases remain: a step forward within the last moments before a crash that no commit or tick
//! has seen, and a clock that is wrong and ahead at the first start after a boot. Both end leases
//! early, and neither can be distinguished from time that has passed. Steps backwards only lengthen
//! leases.

use dhcp_model::{Address, Nanos, Record, StoreError};

use crate::interface::{Store, WallRecord};
pub use crate::utc::{Anchor, Sample, Utc, boot_id, boottime};

/// A drift below this is jitter from reading two clocks one after the other.
const MIN_STEP_NS: u64 = 10_000_000;
/// How often the time last seen is written while no clock steps: 10 minutes.
const MAX_AGE_NS: i64 = 600 * 1_000_000_000;

/// Converts times within one boot.
#[derive(Clone, Debug)]
pub struct WallClock {
    anchor: Anchor,
}

impl WallClock {
    /// Resumes the store's time. Call it once, before [`Store::load`], with [`boot_id`] and
    /// [`Sample::now`].
    ///
    /// # Errors
    /// The store cannot be read or written. If it is not known whether it was written, the next
    /// start finds out: records are moved together with the anchor that names this boot.
    pub fn resume<A: Address>(
        store: &mut (impl Store<A> + ?Sized),
        boot_id: &str,
        now: Sample,
    ) -> Result<Self, StoreError> {
        let (anchor, shift_ns) = match store.anchor()? {
            Some(anchor) if anchor.boot_id == boot_id => return Ok(Self { anchor }),
            Some(of_earlier_boot) => {
                let drift_ns = of_earlier_boot.drift_ns;
                let seen = of_earlier_boot.seen.shifted(drift_ns);
                (Anchor::first(boot_id, now, seen), drift_ns)
            }
            None => (Anchor::first(boot_id, now, now.utc), 0),
        };
        store.set_anchor(&anchor, shift_ns)?;
        Ok(Self { anchor })
    }

    /// Converts to UTC as the wall clock has it now, for display. The result is not stored.
    pub fn for_display(now: Sample) -> Self {
        Self {
            anchor: Anchor::first("", now, now.utc),
        }
    }

    /// Returns the anchor to write, if the wall clock has stepped since the last one was written or
    /// that one is old.
    pub fn drifted(&self, now: Sample) -> Option<Anchor> {
        let anchor = self.anchor(now);
        let has_stepped = anchor.drift_ns.abs_diff(self.anchor.drift_ns) >= MIN_STEP_NS;
        let is_old = anchor.seen.0.saturating_sub(self.anchor.seen.0) >= MAX_AGE_NS;
        (has_stepped || is_old).then_some(anchor)
    }

    /// Returns the anchor as of now.
    pub fn anchor(&self, now: Sample) -> Anchor {
        let seen = self.utc(now.boottime);
        Anchor {
            drift_ns: now.utc.0.saturating_sub(seen.0),
            seen,
            ..self.anchor.clone()
        }
    }

    /// Records that the store has the anchor which [`WallClock::drifted`] returned.
    pub fn anchored(&mut self, anchor: Anchor) {
        self.anchor = anchor;
    }

    /// Converts a time of the engine to UTC.
    pub fn utc(&self, time: Nanos) -> Utc {
        if time.is_forever() {
            return Utc::FOREVER;
        }
        let time = i64::try_from(time.0).unwrap_or(Utc::LAST);
        Utc(time).shifted(self.anchor.offset_ns)
    }

    /// Converts UTC to a time of the engine. Times before this boot become its beginning: they have
    /// passed, and nothing depends on how long ago.
    pub fn nanos(&self, utc: Utc) -> Nanos {
        if utc.is_forever() {
            return Nanos::FOREVER;
        }
        let time = utc.0.saturating_sub(self.anchor.offset_ns);
        Nanos(u64::try_from(time).unwrap_or(0))
    }

    /// Converts a stored record to the engine's times.
    pub fn record<A>(&self, stored: WallRecord<A>) -> Record<A> {
        Record {
            since: self.nanos(stored.since),
            expires: self.nanos(stored.expires),
            horizon: self.nanos(stored.horizon),
            ..stored.record
        }
    }

    /// Converts a record of the engine to UTC.
    pub fn wall_record<A>(&self, record: Record<A>) -> WallRecord<A> {
        WallRecord {
            since: self.utc(record.since),
            expires: self.utc(record.expires),
            horizon: self.utc(record.horizon),
            record,
        }
    }
}

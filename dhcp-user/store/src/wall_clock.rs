//! The engine's times and UTC: the one place where one becomes the other.
//!
//! The engine and the kernel count `CLOCK_BOOTTIME`, which starts again at every boot; the store keeps
//! UTC. Two rules keep a step of the wall clock from shortening a lease (RFC 2131 §3.3, CONFORMANCE
//! c109):
//!
//! - **One offset a boot.** The distance between the two clocks is sampled at the first start within a
//!   boot and kept in the store as the [`Anchor`]. Every other start within that boot takes it from
//!   there, so that a record comes back with exactly the time that went in, whatever the wall clock
//!   did meanwhile. `CLOCK_BOOTTIME` is slewed together with the wall clock: a changed distance is
//!   always a step.
//! - **A step is made up for at the next boot.** While the controller runs, it notes in the anchor the
//!   time last seen and how far the wall clock has stepped since the offset was sampled
//!   ([`Wall::drifted`], asked before each commit and on every idle tick of the committer). The first
//!   start after a reboot moves all records by that drift, in the transaction that writes the new
//!   anchor: they then say what the wall clock would have said. A clock that wakes up before the time
//!   last seen (no battery, no NTP yet) is taken to stand at that time, for time does not run
//!   backwards; once it is set right, that is a step like any other.
//!
//! What remains: a step forward within the last moments before a crash that no commit or tick has
//! seen, and a clock that is wrong and ahead at the first start after a boot. Both end leases early,
//! and neither can be told from time that has passed. Steps backwards only ever lengthen a lease.

use std::{fmt, fs, io, time::Duration, time::SystemTime};

use dhcp_common::abi::NS_PER_SEC;
use dhcp_model::{Nanos, Record};

use super::{Store, WallRecord};

/// A drift smaller than this is the jitter of reading two clocks one after the other.
const MIN_STEP_NS: u64 = 10_000_000;
/// How often the time last seen is noted while no clock steps: 10 minutes.
const MAX_AGE_NS: i64 = 600 * 1_000_000_000;
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Nanoseconds since 1970; [`Utc::FOREVER`] never comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utc(pub i64);

impl Utc {
    pub const FOREVER: Self = Self(i64::MAX);
    /// The last time that is not forever.
    const LAST: i64 = i64::MAX - 1;

    pub const fn is_forever(self) -> bool {
        self.0 == Self::FOREVER.0
    }

    /// This time moved by so much; forever stays.
    #[must_use]
    pub fn shifted(self, by_ns: i64) -> Self {
        if self.is_forever() {
            return self;
        }
        Self(self.0.saturating_add(by_ns).min(Self::LAST))
    }
}

/// RFC 3339, to the second; `infinite` for [`Utc::FOREVER`].
impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_forever() {
            return f.write_str("infinite");
        }
        let since_1970 = Duration::from_nanos(u64::try_from(self.0).unwrap_or(0));
        let time = SystemTime::UNIX_EPOCH + since_1970;
        humantime::format_rfc3339_seconds(time).fmt(f)
    }
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    pub boottime: Nanos,
    pub utc: Utc,
}

impl Sample {
    pub fn now() -> Self {
        Self {
            boottime: boottime(),
            utc: utc_now(),
        }
    }
}

/// Returns the time of `CLOCK_BOOTTIME`, by which the engine and the kernel's maps count.
pub fn boottime() -> Nanos {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME)
        .expect("Linux has CLOCK_BOOTTIME since 2.6.39");
    Nanos(time.tv_sec() as u64 * NS_PER_SEC + time.tv_nsec() as u64)
}

/// A word that differs from boot to boot.
///
/// # Errors
/// `/proc` is not mounted.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string(BOOT_ID)?.trim().to_owned())
}

fn utc_now() -> Utc {
    let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Utc(i64::try_from(since_1970.as_nanos()).unwrap_or(Utc::LAST))
}

/// What the store remembers of the clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    pub boot_id: String,
    /// Added to `CLOCK_BOOTTIME`, it gives the store's time within this boot.
    pub offset_ns: i64,
    /// How far the wall clock has stepped since the offset was sampled.
    pub drift_ns: i64,
    /// The store's time when this was written.
    pub seen: Utc,
}

impl Anchor {
    /// Of a boot whose first start this is. `seen` has certainly come already.
    fn first(boot_id: &str, now: Sample, seen: Utc) -> Self {
        let utc = now.utc.max(seen);
        let boottime = i64::try_from(now.boottime.0).unwrap_or(Utc::LAST);
        Self {
            boot_id: boot_id.to_owned(),
            offset_ns: utc.0.saturating_sub(boottime),
            drift_ns: now.utc.0.saturating_sub(utc.0),
            seen: utc,
        }
    }
}

/// The conversion within one boot.
#[derive(Clone, Debug)]
pub struct Wall {
    anchor: Anchor,
}

impl Wall {
    /// Takes up the store's time: to be called once, before [`Store::load`], with [`boot_id`] and
    /// [`Sample::now`].
    ///
    /// # Errors
    /// The store could not be read or written.
    pub fn resume(
        store: &mut dyn Store,
        boot_id: &str,
        now: Sample,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let (anchor, shift_ns) = match store.anchor()? {
            Some(anchor) if anchor.boot_id == boot_id => return Ok(Self { anchor }),
            Some(former) => {
                let seen = former.seen.shifted(former.drift_ns);
                (Anchor::first(boot_id, now, seen), former.drift_ns)
            }
            None => (Anchor::first(boot_id, now, now.utc), 0),
        };
        store.set_anchor(&anchor, shift_ns)?;
        Ok(Self { anchor })
    }

    /// UTC as the wall clock has it now, for people: what is shown is not what is stored.
    pub fn for_display(now: Sample) -> Self {
        Self {
            anchor: Anchor::first("", now, now.utc),
        }
    }

    /// The anchor that the store should have now, if the wall clock has stepped since the last one, or
    /// the last one is old.
    pub fn drifted(&self, now: Sample) -> Option<Anchor> {
        let anchor = self.anchor(now);
        let has_stepped = anchor.drift_ns.abs_diff(self.anchor.drift_ns) >= MIN_STEP_NS;
        let is_old = anchor.seen.0.saturating_sub(self.anchor.seen.0) >= MAX_AGE_NS;
        (has_stepped || is_old).then_some(anchor)
    }

    /// The anchor as it is now.
    pub fn anchor(&self, now: Sample) -> Anchor {
        let seen = self.utc(now.boottime);
        Anchor {
            drift_ns: now.utc.0.saturating_sub(seen.0),
            seen,
            ..self.anchor.clone()
        }
    }

    /// Notes that the store has what [`Wall::drifted`] gave.
    pub fn anchored(&mut self, anchor: Anchor) {
        self.anchor = anchor;
    }

    pub fn utc(&self, time: Nanos) -> Utc {
        if time.is_forever() {
            return Utc::FOREVER;
        }
        let time = i64::try_from(time.0).unwrap_or(Utc::LAST);
        Utc(time).shifted(self.anchor.offset_ns)
    }

    /// Times before this boot come back as its beginning: they have passed, and nothing asks by how much.
    pub fn nanos(&self, utc: Utc) -> Nanos {
        if utc.is_forever() {
            return Nanos::FOREVER;
        }
        let time = utc.0.saturating_sub(self.anchor.offset_ns);
        Nanos(u64::try_from(time).unwrap_or(0))
    }

    pub fn record(&self, stored: WallRecord) -> Record {
        Record {
            since: self.nanos(stored.since),
            expires: self.nanos(stored.expires),
            horizon: self.nanos(stored.horizon),
            ..stored.record
        }
    }

    pub fn wall_record(&self, record: Record) -> WallRecord {
        WallRecord {
            since: self.utc(record.since),
            expires: self.utc(record.expires),
            horizon: self.utc(record.horizon),
            record,
        }
    }
}

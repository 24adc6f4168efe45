//! UTC as the store keeps it, and the store's record of the clocks.

use std::{fmt, fs, io, time::Duration, time::SystemTime};

use dhcp_common::abi::NS_PER_SEC;
use dhcp_model::Nanos;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A point in time in nanoseconds since 1970; [`Utc::FOREVER`] is the end of an infinite lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utc(pub i64);

impl Utc {
    pub const FOREVER: Self = Self(i64::MAX);
    /// The last time before [`Utc::FOREVER`].
    pub(crate) const LAST: i64 = i64::MAX - 1;

    pub const fn is_forever(self) -> bool {
        self.0 == Self::FOREVER.0
    }

    /// Returns this time moved by `by_ns`; [`Utc::FOREVER`] stays.
    #[must_use]
    pub fn shifted(self, by_ns: i64) -> Self {
        if self.is_forever() {
            return self;
        }
        Self(self.0.saturating_add(by_ns).min(Self::LAST))
    }
}

/// Formats as RFC 3339 with seconds; `infinite` for [`Utc::FOREVER`].
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

/// Holds both clocks at one moment.
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

/// Returns the time of `CLOCK_BOOTTIME`, which the engine and the kernel's maps use.
pub fn boottime() -> Nanos {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME)
        .expect("Linux has CLOCK_BOOTTIME since 2.6.39");
    Nanos(time.tv_sec() as u64 * NS_PER_SEC + time.tv_nsec() as u64)
}

/// Returns a string that differs from boot to boot.
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

/// The store's record of the clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    pub boot_id: String,
    /// The store's time less `CLOCK_BOOTTIME`, within this boot.
    pub offset_ns: i64,
    /// How far the wall clock has stepped since the offset was sampled.
    pub drift_ns: i64,
    /// The store's time when this was written.
    pub seen: Utc,
}

impl Anchor {
    /// Returns the anchor for the first start within a boot. `seen` has certainly passed.
    pub(crate) fn first(boot_id: &str, now: Sample, seen: Utc) -> Self {
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

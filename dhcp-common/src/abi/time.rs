//! Times as the maps hold them, and the program's clock.

/// A time that never comes: an infinite lease (RFC 2131 §3.3).
pub const FOREVER_NS: u64 = u64::MAX;
pub const NS_PER_SEC: u64 = 1_000_000_000;

/// The largest lead of the program's time over the clock. It never lags, so the program extends no
/// lease that has ended and records no lease as ending before it does.
///
/// The program reads the clock once in a tick of the kernel's timer. A tick takes up to 10 ms
/// (`CONFIG_HZ`), and another CPU takes over when the one that counts them has missed five
/// (`MAX_STALLED_JIFFIES` in kernel/time/tick-sched.c).
pub const CLOCK_LEAD_NS: u64 = 100_000_000;

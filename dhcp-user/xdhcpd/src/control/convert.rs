//! Turns what the engine and the store report into the messages of the control interface.

use dhcp_control::{ReloadReport, StoreError, StoreStats};
use dhcp_engine::Preview;
use dhcp_store::committer::Counters;

/// Returns what a reload means for the leases.
pub fn reload_report(preview: Preview) -> ReloadReport {
    let Preview {
        untouched,
        kept,
        moved,
        ended,
    } = preview;
    ReloadReport {
        untouched,
        kept,
        moved: moved.count,
        moved_addresses: moved.addresses,
        ended: ended.count,
        ended_addresses: ended.addresses,
    }
}

/// Returns what the committer has counted, and how the store is.
pub fn store_stats(counters: &Counters) -> StoreStats {
    use std::sync::atomic::Ordering::Relaxed;
    let health = counters.health();
    StoreStats {
        commits: counters.commits.load(Relaxed),
        changes: counters.changes.load(Relaxed),
        failures: counters.failures.load(Relaxed),
        refused: counters.refused.load(Relaxed),
        last_commit_us: counters.last_ns.load(Relaxed) / 1000,
        max_commit_us: counters.max_ns.load(Relaxed) / 1000,
        failing_since: health.failing_since.map(|since| since.to_string()),
        last_error: health.last_error.map(|(at, message)| StoreError {
            at: at.to_string(),
            message,
        }),
    }
}

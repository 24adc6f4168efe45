//! Conversion of reports of the engine and the store to messages of the control interface.

use dhcp_control::{ReloadReport, StoreFailure, StoreStats};
use dhcp_engine::Preview;
use dhcp_store::committer::Counters;

/// Converts the consequences of a reload.
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

/// Converts the counters and the health of the store.
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
        last_error: health.last_error.map(|(at, message)| StoreFailure {
            at: at.to_string(),
            message,
        }),
    }
}

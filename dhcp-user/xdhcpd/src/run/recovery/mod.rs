//! Recovery of leases that only the kernel has, because the store was lost or replaced by an old
//! copy.
//!
//! They are committed again before anything is removed from the map, so that at every moment either
//! the store or the map has them, even if the controller is killed.

use std::time::Duration;

use anyhow::Context as _;
use dhcp_model::{Applied, CommitError, Record};
use dhcp_store::{Store, WallChange, wall_clock::Wall};

/// The most records in one transaction.
const MAX_BATCH: usize = 4096;
/// The number of attempts, one in each [`RETRY`], before the start fails. The program continues to
/// answer.
const TRIES: u32 = 60;
const RETRY: Duration = Duration::from_secs(1);

/// Commits lost records, and returns those that the store accepted. It refuses records whose
/// address it has for another client; the store takes precedence.
///
/// # Errors
/// All attempts failed.
pub async fn commit(
    store: &mut impl Store,
    wall: &Wall,
    mut lost: Vec<Record>,
) -> anyhow::Result<Vec<Record>> {
    if lost.is_empty() {
        return Ok(lost);
    }
    tracing::warn!(
        leases = lost.len(),
        "the kernel has leases that the store lacks; committing them again"
    );
    let mut is_taken = Vec::with_capacity(lost.len());
    for records in lost.chunks(MAX_BATCH) {
        let puts = records
            .iter()
            .map(|record| wall.wall_record(record.clone()));
        let puts: Vec<_> = puts.map(|put| WallChange::Put(Box::new(put))).collect();
        let applied = commit_or_retry(store, &puts)
            .await
            .context("committing leases that the store has lost")?;
        is_taken.extend(applied.into_iter().map(|applied| applied == Applied::Done));
    }
    let mut is_taken = is_taken.into_iter();
    lost.retain(|record| {
        let is_taken = is_taken.next().unwrap_or(false);
        if !is_taken {
            tracing::error!(address = %record.address, client = ?record.client, "the store has this address for another client");
        }
        is_taken
    });
    Ok(lost)
}

async fn commit_or_retry(
    store: &mut impl Store,
    changes: &[WallChange],
) -> Result<Vec<Applied>, CommitError> {
    let mut tries = 1;
    loop {
        match store.commit(changes) {
            Err(error) if tries < TRIES => {
                tracing::error!(%error, tries, "the store failed; until it recovers, only the kernel answers clients");
            }
            result => return result,
        }
        tries += 1;
        tokio::time::sleep(RETRY).await;
    }
}

#[cfg(test)]
mod tests;

//! Leases that the store has lost and the kernel's map has are committed again, before anything is taken out of
//! the map: whenever the controller is killed, one of both knows them.

use std::time::Duration;

use anyhow::Context as _;
use dhcp_model::{Applied, CommitError, Record};
use dhcp_store::{Store, WallChange, wall_clock::Wall};

/// Records that go into one transaction.
const MAX_BATCH: usize = 4096;
/// How long a store that fails is tried, once in each [`RETRY`]. Then the start fails; the program answers on.
const TRIES: u32 = 60;
const RETRY: Duration = Duration::from_secs(1);

/// Those that the store has taken. It refuses one whose address it holds for another client: the store is right.
///
/// # Errors
/// The store has failed each time.
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
        "the kernel has leases that the store does not know: they are committed again"
    );
    let mut is_taken = Vec::with_capacity(lost.len());
    for records in lost.chunks(MAX_BATCH) {
        let puts = records
            .iter()
            .map(|record| wall.wall_record(record.clone()));
        let puts: Vec<_> = puts.map(|put| WallChange::Put(Box::new(put))).collect();
        let applied = commit_or_retry(store, &puts)
            .await
            .context("committing what the kernel has and the store has lost")?;
        is_taken.extend(applied.into_iter().map(|applied| applied == Applied::Done));
    }
    let mut is_taken = is_taken.into_iter();
    lost.retain(|record| {
        let is_taken = is_taken.next().unwrap_or(false);
        if !is_taken {
            tracing::error!(address = %record.address, client = ?record.client, "the store holds this address for another client");
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
                tracing::error!(%error, tries, "nothing is served but by the kernel until the store takes it");
            }
            result => return result,
        }
        tries += 1;
        tokio::time::sleep(RETRY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhcp_model::{Nanos, RecordState};
    use dhcp_store::{
        WallRecord,
        sqlite::SqliteStore,
        wall_clock::{Anchor, Sample, Utc},
    };
    use dhcp_testkit::stores::{address, client, record};

    /// It fails so many times.
    struct Failing {
        store: SqliteStore,
        failures: u32,
    }

    type Broken = Box<dyn std::error::Error + Send + Sync>;

    impl Store for Failing {
        fn commit(&mut self, changes: &[WallChange]) -> Result<Vec<Applied>, CommitError> {
            if let Some(left) = self.failures.checked_sub(1) {
                self.failures = left;
                return Err(CommitError::NotApplied("no space left on device".into()));
            }
            self.store.commit(changes)
        }

        fn load(&mut self, each: &mut dyn FnMut(WallRecord)) -> Result<(), Broken> {
            self.store.load(each)
        }

        fn anchor(&mut self) -> Result<Option<Anchor>, Broken> {
            self.store.anchor()
        }

        fn set_anchor(&mut self, anchor: &Anchor, shift_ns: i64) -> Result<(), CommitError> {
            self.store.set_anchor(anchor, shift_ns)
        }
    }

    fn lost(number: u8, of: u8) -> Record {
        let expires = Nanos(2_000_000_000);
        Record {
            since: Nanos(1_000_000_000),
            expires,
            horizon: expires,
            ..record(address(number), client(of), RecordState::Bound).record
        }
    }

    fn play(failures: u32, lost: Vec<Record>) -> (anyhow::Result<Vec<Record>>, Vec<WallRecord>) {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("store")).unwrap();
        let mut store = Failing { store, failures };
        let sample = Sample {
            boottime: Nanos(1_000_000_000),
            utc: Utc(1_700_000_000_000_000_000),
        };
        let wall = Wall::resume(&mut store, "boot", sample).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let committed = runtime.block_on(commit(&mut store, &wall, lost));
        let mut stored = Vec::new();
        store.load(&mut |record| stored.push(record)).unwrap();
        (committed, stored)
    }

    #[test]
    fn a_store_that_fails_is_tried_again_until_it_has_all() {
        let (committed, stored) = play(1, vec![lost(1, 1), lost(2, 2)]);
        assert_eq!(committed.unwrap(), [lost(1, 1), lost(2, 2)]);
        let horizon = Utc(1_700_000_001_000_000_000);
        assert_eq!(stored.len(), 2);
        assert!(stored.iter().all(|stored| stored.horizon == horizon));
    }

    #[test]
    fn what_the_store_holds_for_another_client_is_left_to_it() {
        let (committed, stored) = play(0, vec![lost(1, 1), lost(1, 2)]);
        assert_eq!(committed.unwrap(), [lost(1, 1)]);
        assert_eq!(stored.len(), 1);
    }
}

//! A store that does not know whether it has committed, as a remote one may not: nothing is
//! promised, and committing the same changes again has the effect of committing them once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use dhcp_model::{Applied, Change, Record, RecordState, StoreError, Ticket};
use dhcp_store::{
    Store, WallChange, WallRecord,
    committer::{Committed, Committer},
    intervals::Wanted,
    reader::Reader,
    sqlite::SqliteStore,
    wall_clock::{Anchor, Sample, Utc, WallClock},
};
use dhcp_testkit::stores::*;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The message that is lost: the answer of the store, or the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    Answer,
    Request,
}

struct Doubtful {
    store: SqliteStore,
    lost: Lost,
    is_out: Arc<AtomicBool>,
}

impl Doubtful {
    fn run<T>(
        &mut self,
        write: impl FnOnce(&mut SqliteStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let is_out = self.is_out.load(Relaxed);
        let result = if is_out && self.lost == Lost::Request {
            None
        } else {
            Some(write(&mut self.store))
        };
        match result {
            Some(result) if !is_out => result,
            _ => Err(StoreError::Unknown("the connection is lost".into())),
        }
    }
}

impl Store for Doubtful {
    fn commit(&mut self, changes: &[WallChange]) -> Result<Vec<Applied>, StoreError> {
        self.run(|store| store.commit(changes))
    }

    fn load(&mut self, each: &mut dyn FnMut(WallRecord)) -> Result<(), StoreError> {
        self.store.load(each)
    }

    fn anchor(&mut self) -> Result<Option<Anchor>, StoreError> {
        self.store.anchor()
    }

    fn set_anchor(&mut self, anchor: &Anchor, shift_ns: i64) -> Result<(), StoreError> {
        self.run(|store| store.set_anchor(anchor, shift_ns))
    }
}

/// Returns a sample two hours after the boot.
fn clock() -> Sample {
    Sample {
        boottime: dhcp_model::Nanos(7200 * SEC as u64),
        utc: at_now(),
    }
}

struct Bench {
    directory: tempfile::TempDir,
    committer: Committer,
    results: UnboundedReceiver<Vec<Committed>>,
    is_out: Arc<AtomicBool>,
    wall_clock: WallClock,
    tickets: u64,
}

fn bench(lost: Lost) -> Bench {
    let (directory, store) = history_store(30);
    let is_out = Arc::<AtomicBool>::default();
    let mut store = Doubtful {
        store,
        lost,
        is_out: Arc::clone(&is_out),
    };
    let wall_clock = WallClock::resume(&mut store, "a", clock()).unwrap();
    let (results, receiver) = unbounded_channel();
    Bench {
        directory,
        committer: Committer::spawn(Box::new(store), wall_clock.clone(), clock, results).unwrap(),
        results: receiver,
        is_out,
        wall_clock,
        tickets: 0,
    }
}

impl Bench {
    fn commit(&mut self, change: &Change) -> Result<Vec<Applied>, StoreError> {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.committer.submit(vec![(ticket, vec![change.clone()])]);
        let mut group = self.results.blocking_recv().unwrap();
        let (of, result) = group.pop().unwrap();
        assert_eq!((of, group.len()), (ticket, 0));
        result
    }

    /// Commits while the connection is lost, and again until the store answers.
    fn commit_through_outage(&mut self, change: &Change) -> Vec<Applied> {
        self.is_out.store(true, Relaxed);
        let error = self.commit(change).unwrap_err();
        assert!(error.is_unknown(), "{error}");
        assert_eq!(
            error.to_string(),
            "it is not known whether the store has committed: the connection is lost"
        );
        // During the pause the store is not asked, so that nothing can have been applied.
        let refused = self.commit(change).unwrap_err();
        assert!(matches!(refused, StoreError::NotApplied(_)), "{refused}");
        let counters = self.committer.counters();
        assert!(counters.health().failing_since.is_some());
        self.is_out.store(false, Relaxed);
        loop {
            match self.commit(change) {
                Ok(applied) => return applied,
                Err(StoreError::NotApplied(_)) => std::thread::sleep(Duration::from_millis(20)),
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn record(&self, who: u8, state: RecordState, expires: i64) -> Record {
        self.wall_clock.record(lease(client(who), state, expires))
    }

    fn put(&self, who: u8, state: RecordState, expires: i64) -> Change {
        Change::Put(Box::new(self.record(who, state, expires)))
    }

    /// Returns client and end of each interval, in seconds from [`NOW`].
    fn intervals(&self) -> Vec<(u8, Option<i64>)> {
        let reader = Reader::open(&self.directory.path().join("leases.db")).unwrap();
        let intervals = reader.intervals(&Wanted::default(), at_now()).unwrap();
        let row = |interval: dhcp_store::intervals::Interval| {
            let until = interval.until.map(|until| until.0 / SEC - NOW);
            (interval.origin.hardware.chaddr[5], until)
        };
        intervals.into_iter().map(row).collect()
    }
}

#[test]
fn a_change_that_may_be_applied_is_committed_again_with_the_effect_of_once() {
    for lost in [Lost::Answer, Lost::Request] {
        let mut bench = bench(lost);
        let bound = bench.put(1, RecordState::Bound, NOW + 60);
        assert_eq!(bench.commit_through_outage(&bound), [Applied::Done]);
        assert_eq!(bench.intervals(), [(1, None)], "{lost:?}");
        let renewed = bench.put(1, RecordState::Bound, NOW + 120);
        assert_eq!(bench.commit_through_outage(&renewed), [Applied::Done]);
        assert_eq!(bench.intervals(), [(1, None)], "{lost:?}");
        // The same record again, and a second end, would add a row if they were not idempotent.
        let ended = bench.put(1, RecordState::Former, NOW - 5);
        assert_eq!(bench.commit_through_outage(&ended), [Applied::Done]);
        assert_eq!(bench.intervals(), [(1, Some(-5))], "{lost:?}");
        let remove = Change::Remove {
            address: address(5),
            client: client(1),
        };
        assert_eq!(bench.commit_through_outage(&remove), [Applied::Done]);
        assert_eq!(bench.intervals(), [(1, Some(-5))], "{lost:?}");
    }
}

#[test]
fn an_address_that_may_be_taken_is_another_clients_only_if_it_was() {
    for (lost, expected) in [
        (Lost::Answer, Applied::Conflict),
        (Lost::Request, Applied::Done),
    ] {
        let mut bench = bench(lost);
        bench.is_out.store(true, Relaxed);
        let first = bench.put(1, RecordState::Bound, NOW + 60);
        assert!(bench.commit(&first).unwrap_err().is_unknown());
        bench.is_out.store(false, Relaxed);
        let second = bench.put(2, RecordState::Bound, NOW + 60);
        let applied = loop {
            match bench.commit(&second) {
                Ok(applied) => break applied,
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        assert_eq!(applied, [expected], "{lost:?}");
    }
}

#[test]
fn changes_behind_an_anchor_of_which_nothing_is_known_are_not_applied() {
    let mut bench = bench(Lost::Answer);
    let (results, receiver) = unbounded_channel();
    let (_directory, store) = history_store(30);
    let mut store = Doubtful {
        store,
        lost: Lost::Answer,
        is_out: Arc::clone(&bench.is_out),
    };
    bench.is_out.store(false, Relaxed);
    let wall_clock = WallClock::resume(&mut store, "a", clock()).unwrap();
    // The wall clock steps, so that the anchor must be written first.
    let stepped = || Sample {
        utc: Utc(at_now().0 + 60 * SEC),
        ..clock()
    };
    bench.committer = Committer::spawn(Box::new(store), wall_clock, stepped, results).unwrap();
    bench.results = receiver;
    bench.is_out.store(true, Relaxed);
    let change = bench.put(1, RecordState::Bound, NOW + 60);
    let error = bench.commit(&change).unwrap_err();
    assert!(matches!(error, StoreError::NotApplied(_)), "{error}");
}

#[test]
fn times_move_once_when_it_is_not_known_whether_they_have_been_moved() {
    for lost in [Lost::Answer, Lost::Request] {
        let (_directory, mut store) = history_store(30);
        commit(&mut store, lease(client(1), RecordState::Bound, NOW));
        let drifted = Anchor {
            boot_id: "a".to_owned(),
            offset_ns: 0,
            drift_ns: 60 * SEC,
            seen: at_now(),
        };
        store.set_anchor(&drifted, 0).unwrap();
        let mut store = Doubtful {
            store,
            lost,
            is_out: Arc::new(AtomicBool::new(true)),
        };
        let error = WallClock::resume(&mut store, "b", clock()).unwrap_err();
        assert!(error.is_unknown(), "{error}");
        store.is_out.store(false, Relaxed);
        WallClock::resume(&mut store, "b", clock()).unwrap();
        let expires = all(&mut store).remove(0).expires;
        assert_eq!(expires, Utc((NOW + 60) * SEC), "{lost:?}");
    }
}

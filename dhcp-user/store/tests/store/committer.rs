//! Group commit, with a store whose commits wait for the test.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use dhcp_model::{Applied, Nanos, RecordState};
use dhcp_model::{Change, StoreError, Ticket};
use dhcp_store::{Store, WallChange, WallRecord, sqlite::SqliteStore, wall_clock::Utc};
use dhcp_store::{
    committer::{Committed, Committer},
    wall_clock::{Anchor, Sample, WallClock},
};
use dhcp_testkit::stores::*;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The longest that anything may take, on a machine that others keep busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Counts the changes of each commit; each one waits for its verdict.
struct Gated {
    verdicts: Receiver<bool>,
    commits: Arc<Mutex<Vec<usize>>>,
    started: mpsc::Sender<()>,
    anchors_fail: Arc<AtomicBool>,
    anchors: mpsc::Sender<()>,
}

impl Store for Gated {
    fn commit(&mut self, changes: &[WallChange]) -> Result<Vec<Applied>, StoreError> {
        self.commits.lock().unwrap().push(changes.len());
        self.started.send(()).unwrap();
        // After the last verdict every commit succeeds.
        if self.verdicts.recv().unwrap_or(true) {
            return Ok(vec![Applied::Done; changes.len()]);
        }
        Err(StoreError::NotApplied("no space left".into()))
    }

    fn load(&mut self, _each: &mut dyn FnMut(WallRecord)) -> Result<(), StoreError> {
        Ok(())
    }

    fn anchor(&mut self) -> Result<Option<Anchor>, StoreError> {
        Ok(None)
    }

    fn set_anchor(&mut self, _anchor: &Anchor, _shift_ns: i64) -> Result<(), StoreError> {
        if self.anchors_fail.load(Relaxed) {
            return Err(StoreError::NotApplied(
                "no space left for the anchor".into(),
            ));
        }
        // Most tests do not receive these.
        let _ = self.anchors.send(());
        Ok(())
    }
}

struct Bench {
    committer: Committer,
    results: Results,
    verdicts: mpsc::Sender<bool>,
    commits: Arc<Mutex<Vec<usize>>>,
    started: Receiver<()>,
    anchors_fail: Arc<AtomicBool>,
    anchors: Receiver<()>,
}

/// Returns results one by one.
struct Results {
    groups: UnboundedReceiver<Vec<Committed>>,
    group: VecDeque<Committed>,
}

impl Results {
    fn new(groups: UnboundedReceiver<Vec<Committed>>) -> Self {
        Self {
            groups,
            group: VecDeque::new(),
        }
    }

    fn next(&mut self) -> Option<Committed> {
        if self.group.is_empty() {
            self.group.extend(self.groups.blocking_recv()?);
        }
        self.group.pop_front()
    }
}

const NOW: Sample = Sample {
    boottime: Nanos(0),
    utc: Utc(7),
};

fn bench() -> Bench {
    bench_at(|| NOW)
}

fn bench_at(clock: fn() -> Sample) -> Bench {
    let (verdicts, given) = mpsc::channel();
    let (start, started) = mpsc::channel();
    let (anchor, anchors) = mpsc::channel();
    let anchors_fail = Arc::<AtomicBool>::default();
    let commits = Arc::<Mutex<Vec<usize>>>::default();
    let mut store = Gated {
        verdicts: given,
        commits: Arc::clone(&commits),
        started: start,
        anchors_fail: Arc::clone(&anchors_fail),
        anchors: anchor,
    };
    let wall = WallClock::resume(&mut store, "a", NOW).unwrap();
    anchors.recv().unwrap();
    let (results, receiver) = unbounded_channel();
    Bench {
        committer: Committer::spawn(Box::new(store), wall, clock, results).unwrap(),
        results: Results::new(receiver),
        verdicts,
        commits,
        started,
        anchors_fail,
        anchors,
    }
}

fn changes(count: usize) -> Vec<Change> {
    let remove = Change::Remove {
        address: address(5),
        client: client(1),
    };
    vec![remove; count]
}

fn next(results: &mut Results) -> (u64, Result<usize, String>) {
    let (Ticket(ticket), result) = results.next().expect("a result for each ticket");
    let result = result.map(|applied| applied.len());
    (ticket, result.map_err(|error| error.to_string()))
}

#[test]
fn what_queues_up_during_a_commit_goes_into_the_next() {
    let mut bench = bench();
    bench.committer.submit(vec![(Ticket(0), changes(1))]);
    bench.started.recv().unwrap();
    for ticket in 1..=10 {
        bench
            .committer
            .submit(vec![(Ticket(ticket), changes(ticket as usize))]);
    }
    bench.verdicts.send(true).unwrap();
    bench.verdicts.send(true).unwrap();
    assert_eq!(next(&mut bench.results), (0, Ok(1)));
    for ticket in 1..=10 {
        assert_eq!(next(&mut bench.results), (ticket, Ok(ticket as usize)));
    }
    assert_eq!(*bench.commits.lock().unwrap(), [1, 55]);
    let counters = bench.committer.counters();
    assert_eq!(counters.commits.load(Relaxed), 2);
    assert_eq!(counters.changes.load(Relaxed), 56);
    assert!(counters.max_ns.load(Relaxed) >= counters.last_ns.load(Relaxed));
}

#[test]
fn a_batch_is_bounded_but_no_ticket_is_torn() {
    let mut bench = bench();
    bench.committer.submit(vec![(Ticket(0), changes(1))]);
    bench.started.recv().unwrap();
    for (ticket, count) in [(1, 4095), (2, 5000), (3, 1)] {
        bench
            .committer
            .submit(vec![(Ticket(ticket), changes(count))]);
    }
    drop(bench.verdicts);
    for expected in [(0, 1), (1, 4095), (2, 5000), (3, 1)] {
        assert_eq!(next(&mut bench.results), (expected.0, Ok(expected.1)));
    }
    assert_eq!(*bench.commits.lock().unwrap(), [1, 9095, 1]);
}

#[test]
fn a_failure_is_told_to_every_ticket_of_its_batch_and_to_no_other() {
    let mut bench = bench();
    bench.committer.submit(vec![(Ticket(0), changes(1))]);
    bench.started.recv().unwrap();
    bench.committer.submit(vec![(Ticket(1), changes(1))]);
    bench.committer.submit(vec![(Ticket(2), changes(1))]);
    bench.verdicts.send(true).unwrap();
    bench.verdicts.send(false).unwrap();
    let error = "the store did not commit: no space left".to_owned();
    assert_eq!(next(&mut bench.results), (0, Ok(1)));
    assert_eq!(next(&mut bench.results), (1, Err(error.clone())));
    assert_eq!(next(&mut bench.results), (2, Err(error)));
    assert_eq!(bench.committer.counters().failures.load(Relaxed), 1);
}

#[test]
fn c120_a_failing_store_is_left_alone_and_found_well_again_though_nobody_asks() {
    let mut bench = bench();
    bench.anchors_fail.store(true, Relaxed);
    bench.verdicts.send(false).unwrap();
    bench.committer.submit(vec![(Ticket(0), changes(1))]);
    let error = "the store did not commit: no space left".to_owned();
    assert_eq!(next(&mut bench.results), (0, Err(error.clone())));
    // Refused without calling the store, which would wait for a verdict of the test.
    let refused =
        "the store did not commit: the store has just failed and is paused until the next attempt";
    for ticket in 1..=1000 {
        bench.committer.submit(vec![(Ticket(ticket), changes(1))]);
        assert_eq!(next(&mut bench.results), (ticket, Err(refused.to_owned())));
    }
    let counters = bench.committer.counters();
    let failing = counters.health();
    assert_eq!(failing.failing_since, Some(Utc(7)));
    assert_eq!(failing.last_error, Some((Utc(7), error)));
    assert_eq!(counters.refused.load(Relaxed), 1000);

    bench.anchors_fail.store(false, Relaxed);
    let tried = bench.anchors.recv_timeout(PATIENCE);
    assert_eq!(tried, Ok(()), "by itself");
    drop(bench.verdicts);
    let mut ticket = 1000;
    let committed = loop {
        ticket += 1;
        bench.committer.submit(vec![(Ticket(ticket), changes(1))]);
        let (_, result) = next(&mut bench.results);
        if result != Err(refused.to_owned()) {
            break result;
        }
    };
    assert_eq!(committed, Ok(1));
    assert_eq!(counters.commits.load(Relaxed), 1);
}

#[test]
fn c120_a_store_that_hangs_is_handed_nothing_more_until_it_answers() {
    let mut bench = bench();
    bench.committer.submit(vec![(Ticket(0), changes(1))]);
    bench.started.recv().unwrap();
    let counters = bench.committer.counters();
    let (start, mut queued) = (Instant::now(), 0);
    while counters.refused.load(Relaxed) == 0 {
        assert!(start.elapsed() < PATIENCE, "for ever");
        thread::sleep(Duration::from_millis(10));
        queued += 1;
        bench.committer.submit(vec![(Ticket(queued), changes(1))]);
    }
    let error = "the store did not commit: the store has not answered for seconds";
    assert_eq!(next(&mut bench.results), (queued, Err(error.to_owned())));
    assert!(counters.health().failing_since.is_some());
    // The store answers in the end: the changes passed to it before are committed.
    drop(bench.verdicts);
    for ticket in 0..queued {
        assert_eq!(next(&mut bench.results), (ticket, Ok(1)));
    }
    assert_eq!(counters.health().failing_since, None);
    bench.committer.submit(vec![(Ticket(queued), changes(1))]);
    assert_eq!(next(&mut bench.results), (queued, Ok(1)));
}

#[test]
fn why_a_commit_failed_is_told_once() {
    let mut bench = bench();
    bench.verdicts.send(false).unwrap();
    bench.committer.submit(vec![(Ticket(0), changes(1))]);
    let (_, result) = bench.results.next().unwrap();
    let error = anyhow::Error::from(result.unwrap_err());
    assert_eq!(
        format!("{error:#}"),
        "the store did not commit: no space left"
    );
}

#[test]
fn c109_nothing_is_committed_after_a_step_that_could_not_be_noted() {
    let mut bench = bench_at(|| Sample {
        boottime: Nanos(0),
        utc: Utc(3_600_000_000_000),
    });
    bench.anchors_fail.store(true, Relaxed);
    bench.committer.submit(vec![(Ticket(0), changes(1))]);
    let error = "the store did not commit: no space left for the anchor";
    assert_eq!(next(&mut bench.results), (0, Err(error.to_owned())));
    assert_eq!(*bench.commits.lock().unwrap(), [0; 0]);
}

#[test]
fn a_full_queue_refuses_at_once_and_loses_nothing_else() {
    let mut bench = bench();
    bench.committer.submit(vec![(Ticket(0), changes(1))]);
    bench.started.recv().unwrap();
    let tickets = |range: std::ops::RangeInclusive<u64>| range.map(|n| (Ticket(n), changes(1)));
    bench.committer.submit(tickets(1..=16_000).collect());
    bench.committer.submit(tickets(16_001..=16_385).collect());
    let error = "the store did not commit: 16384 commits are already waiting for the disk";
    assert_eq!(next(&mut bench.results), (16_385, Err(error.to_owned())));
    assert_eq!(bench.committer.counters().refused.load(Relaxed), 1);
    drop(bench.verdicts);
    for ticket in 0..=16_384 {
        assert_eq!(next(&mut bench.results), (ticket, Ok(1)));
    }
}

#[test]
fn dropping_it_commits_all_that_was_submitted() {
    let Bench {
        committer,
        mut results,
        verdicts,
        commits,
        started: _started,
        ..
    } = bench();
    for ticket in 0..100 {
        committer.submit(vec![(Ticket(ticket), changes(1))]);
    }
    drop(verdicts);
    drop(committer);
    assert_eq!(commits.lock().unwrap().iter().sum::<usize>(), 100);
    for ticket in 0..100 {
        assert_eq!(next(&mut results), (ticket, Ok(1)));
    }
    assert!(results.next().is_none());
}

#[test]
fn c109_a_step_is_noted_before_the_commit_that_follows_it() {
    let (directory, mut store) = store();
    let now = |secs: i64, utc: i64| Sample {
        boottime: Nanos(secs as u64 * 1_000_000_000),
        utc: Utc(utc * 1_000_000_000),
    };
    let wall = WallClock::resume(&mut store, "a", now(10, 1_000_000)).unwrap();
    let (sender, results) = unbounded_channel();
    let mut results = Results::new(results);
    let clock = move || now(20, 1_000_110);
    let committer = Committer::spawn(Box::new(store), wall, clock, sender).unwrap();
    let mut lease = record(address(5), client(1), RecordState::Bound).record;
    lease.expires = Nanos(3_620_000_000_000);
    committer.submit(vec![(Ticket(1), vec![Change::Put(Box::new(lease))])]);
    assert_eq!(next(&mut results), (1, Ok(1)));
    drop(committer);
    let mut store = SqliteStore::open(&directory.path().join("leases.db")).unwrap();
    assert_eq!(store.anchor().unwrap().unwrap().drift_ns, 100_000_000_000);
    // The boottime of the record was converted by the boot's one offset, not by the stepped clock.
    assert_eq!(all(&mut store)[0].expires, Utc(1_003_610_000_000_000));
}

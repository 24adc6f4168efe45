//! The cost of the history of leases, from commits with and without a history in pairs; and the
//! cost of loading all leases.
//!
//! `cargo bench -p dhcp-benches --bench store`; `TMPDIR=/dev/shm` excludes the disk. Each figure is
//! the time of a commit of 256 changes with a history; after it follows the ratio to the same
//! commit to a store without one, measured just before.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use dhcp_benches::calibration::calibration;
use dhcp_common::abi::ClientKey;
use dhcp_model::{
    Applied, ClientOrigin, Hardware, Nanos, Record, RecordState, defaults::DEFAULT_HISTORY,
};
use dhcp_store::{
    Store as _, WallChange, WallRecord,
    sqlite::SqliteStore,
    wall_clock::{Sample, Utc},
};

const CHANGES: u32 = 256;
const LEASES: u32 = 400 * CHANGES;
const HOUR_NS: i64 = 3_600_000_000_000;

struct Bench {
    directory: tempfile::TempDir,
    store: SqliteStore,
    spent: Duration,
}

impl Bench {
    /// Opens a store in which all addresses are leased.
    fn new(keep: Duration) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the store");
        let path = directory.path().join("leases.db");
        let store = SqliteStore::open(&path).expect("a new store");
        let mut bench = Self {
            directory,
            store: store.keeping_history(keep),
            spent: Duration::ZERO,
        };
        for first in (0..LEASES).step_by(CHANGES as usize) {
            bench.commit(&changes(first, RecordState::Bound, 0));
        }
        bench.spent = Duration::ZERO;
        bench
    }

    fn commit(&mut self, changes: &[WallChange]) -> Duration {
        let start = Instant::now();
        let applied = self.store.commit(changes).expect("room on the disk");
        let spent = start.elapsed();
        assert!(applied.iter().all(|applied| *applied == Applied::Done));
        self.spent += spent;
        spent
    }

    fn octets(&self) -> u64 {
        let path = self.directory.path().join("leases.db");
        path.metadata().map_or(0, |metadata| metadata.len())
    }
}

/// Returns changes of consecutive addresses from `first` on. The client of an address is the number
/// of its changes of client, `round`.
fn changes(first: u32, state: RecordState, round: u32) -> Vec<WallChange> {
    let now = Sample::now().utc;
    let change = |number: u32| {
        let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + number % LEASES);
        let mut chaddr = [0; 16];
        chaddr[2..6].copy_from_slice(&number.to_be_bytes());
        chaddr[..2].copy_from_slice(&(round as u16).to_be_bytes());
        let ahead = if state == RecordState::Bound {
            HOUR_NS
        } else {
            0
        };
        WallChange::Put(Box::new(WallRecord {
            record: Record {
                address,
                client: ClientKey::hardware(7, 1, &chaddr[..6]).expect("six octets"),
                state,
                origin: ClientOrigin {
                    hardware: Hardware {
                        htype: 1,
                        len: 6,
                        chaddr,
                    },
                    client_id: Some([&[1], &chaddr[..6]].concat().into()),
                    host_name: Some(format!("host-{number}").into()),
                    relay_info: Some([1, 4, 0, 0, 0, 7].into()),
                },
                since: Nanos(0),
                expires: Nanos(0),
                horizon: Nanos(0),
            },
            since: now.shifted(-HOUR_NS),
            expires: now.shifted(ahead),
            horizon: Utc(now.shifted(3 * ahead).0),
        }))
    };
    (first..first + CHANGES).map(change).collect()
}

fn store(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit of 256");
    for (name, ends) in [("renewals", false), ("ends and new clients", true)] {
        let mut pair = [Duration::ZERO, DEFAULT_HISTORY].map(Bench::new);
        let mut step = 0;
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let mut with = Duration::ZERO;
                for _ in 0..iterations {
                    step += 1;
                    let batch = batch(step, ends);
                    let [_, spent] = pair.each_mut().map(|bench| bench.commit(&batch));
                    with += spent;
                }
                with
            });
        });
        let [without, with] = pair;
        println!(
            "{name}: {:.2} times the time without a history, {:.2} times the octets on disk",
            with.spent.as_secs_f64() / without.spent.as_secs_f64(),
            with.octets() as f64 / without.octets() as f64
        );
    }
    group.finish();
}

/// Returns the changes of a step: addresses in turn or, with `ends`, ends of leases and then new
/// clients of the same addresses.
fn batch(step: u32, ends: bool) -> Vec<WallChange> {
    let batches = LEASES / CHANGES;
    let (turn, state) = match ends {
        false => (step, RecordState::Bound),
        true if step % 2 == 1 => (step / 2, RecordState::Former),
        true => (step / 2 - 1, RecordState::Bound),
    };
    let round = if ends { turn / batches } else { 0 };
    let is_new = ends && state == RecordState::Bound;
    changes(turn % batches * CHANGES, state, round + u32::from(is_new))
}

/// Measures reading all leases, as a start does.
fn load(criterion: &mut Criterion) {
    let mut bench = Bench::new(Duration::ZERO);
    let mut group = criterion.benchmark_group("store");
    group.sample_size(10);
    group.bench_function(format!("{LEASES} records loaded"), |bencher| {
        bencher.iter(|| {
            let mut count = 0;
            let loaded = bench.store.load(&mut |_| count += 1);
            loaded.expect("a good store");
            assert_eq!(count, LEASES);
        });
    });
    group.finish();
}

criterion_group!(benches, calibration, store, load);
criterion_main!(benches);

//! A fixed piece of work, measured with the benchmarks of each program.
//!
//! `cargo xtask bench` compares ratios to its time with the baseline, because nanoseconds differ
//! between machines and hours.

use std::hint::black_box;

use criterion::Criterion;

/// Octets of input, which fit into the cache of any core.
const LEN: usize = 4096;

/// Hashes octets in memory order with FNV-1a, one multiplication each.
fn work(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Measures the fixed piece of work.
pub fn calibration(criterion: &mut Criterion) {
    let octets = [0x5a; LEN];
    criterion.bench_function("calibration", |bencher| {
        bencher.iter(|| work(black_box(&octets)));
    });
}

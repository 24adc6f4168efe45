//! A fixed piece of work, measured beside the benches of a program: `cargo xtask bench` compares with the past
//! how often it fits into each of them, for nanoseconds differ from machine to machine and from hour to hour.

use std::hint::black_box;

use criterion::Criterion;

/// Octets that are gone through; they fit into the cache of any core.
const LEN: usize = 4096;

/// Sums with a product in each step, in the order in which memory lies: FNV-1a.
fn work(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

pub fn calibration(criterion: &mut Criterion) {
    let octets = [0x5a; LEN];
    criterion.bench_function("calibration", |bencher| {
        bencher.iter(|| work(black_box(&octets)));
    });
}

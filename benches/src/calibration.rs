//! A fixed piece of work, measured with the benchmarks of each program.
//!
//! `cargo xtask bench` compares ratios to its time with the baseline, because nanoseconds differ
//! between machines and hours.

use std::hint::black_box;

use criterion::Criterion;
use dhcp_testkit::calibration::{LEN, work};

/// Measures the fixed piece of work.
pub fn calibration(criterion: &mut Criterion) {
    let octets = [0x5a; LEN];
    criterion.bench_function("calibration", |bencher| {
        bencher.iter(|| work(black_box(&octets)));
    });
}

//! A fixed piece of work, measured beside the benches of a program: `cargo xtask bench` compares with the past
//! how often it fits into each of them, for nanoseconds differ from machine to machine and from hour to hour.

use std::hint::black_box;

use criterion::Criterion;
use dhcp_testkit::calibration::{LEN, work};

pub fn calibration(criterion: &mut Criterion) {
    let octets = [0x5a; LEN];
    criterion.bench_function("calibration", |bencher| {
        bencher.iter(|| work(black_box(&octets)));
    });
}

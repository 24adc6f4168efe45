//! The fast path on the host: parse, decide and reply, over vectors instead of the kernel's memory.
//!
//! `cargo bench -p dhcp-benches --bench fast_path`

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dhcp_benches::calibration::calibration;
use dhcp_common::{abi::BindingState, outcome::Outcome};
use dhcp_testkit::fixtures::{
    fleet::{discover, fleet, renewal, renewal_with_relay_info},
    host::HostFrame,
    world::IFINDEX,
};

const NOW_NS: u64 = 1_000_000_000_000;
const CLIENTS: u32 = 1000;

fn fast_path(criterion: &mut Criterion) {
    let tables = fleet(CLIENTS, BindingState::Bound, NOW_NS);
    let cases = [
        ("renewal", renewal(7), Outcome::AckedRenewing),
        (
            "renewal with option 82",
            renewal_with_relay_info(7),
            Outcome::AckedRenewing,
        ),
        ("discover", discover(7), Outcome::Offered),
        (
            "not dhcp",
            renewal(7).with(|r| r.destination_port = 53),
            Outcome::NotDhcp,
        ),
        ("unknown client", renewal(CLIENTS), Outcome::UnknownClient),
    ];
    let mut group = criterion.benchmark_group("fast path on the host");
    for (name, request, outcome) in cases {
        let frame = HostFrame(request.frame());
        assert_eq!(tables.respond(&mut frame.clone(), IFINDEX).outcome, outcome);
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || {
                    tables.buckets.borrow_mut().clear();
                    frame.clone()
                },
                |frame| black_box(tables.respond(frame, IFINDEX)),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, calibration, fast_path);
criterion_main!(benches);

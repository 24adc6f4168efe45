//! The kernel's table of leases, as the controller writes it and reads it after a start.
//!
//! `cargo bench -p dhcp-benches --bench datapath`, as root. Tests count the system calls of the
//! same operations.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use dhcp_benches::calibration::calibration;
use dhcp_common::{
    abi::{Binding, BindingState, ClientDigest, ClientKey, Limit},
    wire::Be32,
};
use dhcp_datapath::{Datapath, Options};
use dhcp_testkit::{fixtures::table::Table, lab, lab::Lab};

const LEASES: u32 = 100_000;
const PLENTY: Limit = Limit::per_second(1_000_000, 1_000_000);

fn open(lab: &Lab) -> Datapath {
    let options = Options {
        pin_dir: lab.pin_dir(),
        max_leases: LEASES,
        client_limit: PLENTY,
        relay_limit: PLENTY,
        unknown_limit: PLENTY,
        fast_path: true,
    };
    Datapath::open(&options).expect("the kernel takes the program")
}

fn entries(datapath: &Datapath) -> Vec<(ClientKey, Binding)> {
    let mut table = Table::new(LEASES, datapath.fingerprint_key);
    let clients = (0..LEASES).map(|client| {
        let key = ClientKey::client_id(1, &client.to_be_bytes()).expect("four octets fit");
        let digest = ClientDigest::new(&key, &datapath.fingerprint_key);
        let binding = Binding {
            seal: 0,
            address: Be32::new(0x0a00_0000 + client),
            slot: table.slot_for(&key),
            profile: 1,
            state: BindingState::Bound as u8,
            flags: 0,
            epoch: 1,
            hardware: 0,
            relay_info: 0,
            expires_ns: 1,
            durable_until_ns: 2,
        };
        let binding = binding.sealed_for(digest);
        table.put(&key, binding);
        (key, binding)
    });
    clients.collect()
}

/// Returns the time that `spend` takes in a lab with a map full of leases; zero without the
/// privileges to make one.
fn in_lab(spend: impl Fn(&mut Datapath, &[(ClientKey, Binding)]) -> Duration + Sync) -> Duration {
    let mut spent = Duration::ZERO;
    lab::run(|lab| {
        let mut datapath = open(lab);
        let entries = entries(&datapath);
        spent = spend(&mut datapath, &entries);
    });
    spent
}

fn publish(datapath: &mut Datapath, entries: &[(ClientKey, Binding)]) -> Duration {
    let begun = Instant::now();
    let entries = entries.iter().copied();
    datapath
        .maps
        .leases
        .publish(entries, |_, error| panic!("not published: {error}"));
    begun.elapsed()
}

fn leases(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("leases in the kernel");
    group.sample_size(10);
    group.bench_function("100000 published", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| in_lab(publish)).sum());
    });
    group.bench_function("100000 read", |bencher| {
        bencher.iter_custom(|times| {
            in_lab(|datapath, entries| {
                publish(datapath, entries);
                let begun = Instant::now();
                for _ in 0..times {
                    let leases = &datapath.maps.leases;
                    let mut count = 0;
                    leases.for_each(|binding| {
                        black_box(leases.client(binding.slot));
                        count += 1;
                    });
                    assert_eq!(count, LEASES);
                }
                begun.elapsed()
            })
        });
    });
    group.finish();
}

criterion_group!(benches, calibration, leases);
criterion_main!(benches);

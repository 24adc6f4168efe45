//! Costs with many subnets, reservations and leases: checking their file, serving one client, and a
//! reload that changes one subnet.
//!
//! `cargo bench -p dhcp-benches --bench scale`. Tests count the operations that must not grow; see
//! dhcp-user/engine/tests/scale.rs.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use dhcp_benches::calibration::calibration;
use dhcp_common::abi::{ClientKey, NS_PER_SEC};
use dhcp_engine::{Effect, Input, Networks};
use dhcp_model::{ClientOrigin, Nanos, Record, RecordState};
use dhcp_testkit::{
    many::{self, file, host, mac, read, subnet},
    restore::restore,
    world::Kernel,
};

const NOW: Nanos = Nanos(1_000 * NS_PER_SEC);
const SUBNETS: u32 = 1_000;
/// Reservations of each subnet.
const RESERVATIONS: u32 = 100;
const LEASES: u32 = 100;
const FEW: u32 = 10;

fn configuration(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("configuration");
    group.sample_size(10);
    let text = file(SUBNETS, RESERVATIONS);
    group.bench_function("100000 reservations checked", |bencher| {
        bencher.iter(|| black_box(read(&text)));
    });
    group.finish();
}

/// Measures one client with few and with many others: the ratio shows the cost of the others.
fn client(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("known client among reservations");
    for subnets in [FEW, SUBNETS] {
        let mut engine = many::engine(read(&file(subnets, RESERVATIONS)));
        let clients = many::clients(FEW, 10..10 + RESERVATIONS);
        let kernel = Kernel::default();
        let mut effects = Vec::new();
        let mut next = clients.iter().cycle();
        group.bench_function(
            BenchmarkId::from_parameter(subnets * RESERVATIONS),
            |bencher| {
                bencher.iter(|| {
                    let client = next.next().expect("a circle has no end");
                    let input = Input::Message {
                        ingress: &client.ingress,
                        payload: &client.payload,
                    };
                    engine.handle(input, NOW, &kernel, &mut effects);
                    for effect in effects.drain(..) {
                        if let Effect::Send { payload, .. } = effect {
                            engine.recycle(payload);
                        }
                    }
                });
            },
        );
    }
    group.finish();
}

fn reload(criterion: &mut Criterion) {
    const CHANGED: u32 = 7;
    let before = file(SUBNETS, 2);
    let changed = host(subnet(CHANGED), 1).to_string();
    let after = before.replacen(
        &format!("routers = [\"{changed}\"]"),
        &format!("routers = [\"{}\"]", host(subnet(CHANGED), 2)),
        1,
    );
    assert_ne!(before, after);
    let configs = [read(&before), read(&after)];
    let records = configs[0]
        .networks
        .iter()
        .zip(0..)
        .flat_map(|(network, n)| {
            (128..128 + LEASES).map(move |last| {
                let address = host(subnet(n), last);
                Record {
                    address,
                    client: ClientKey::hardware(network.id, 1, &mac(address)).expect("six octets"),
                    state: RecordState::Bound,
                    origin: ClientOrigin::default(),
                    since: NOW,
                    expires: NOW.plus_lease(3600),
                    horizon: NOW.plus_lease(3 * 3600),
                }
            })
        });
    let records: Vec<_> = records.collect();
    let mut engine = many::engine(read(&before));
    let kernel = Kernel::default();
    restore(&mut engine, records, [], NOW, &kernel);
    let mut turns = configs.iter().cycle().skip(1);
    let mut group = criterion.benchmark_group("reload");
    group.sample_size(10);
    group.bench_function("one of 1000 subnets, of 100000 leases", |bencher| {
        bencher.iter_batched(
            || {
                let config = turns.next().expect("a circle has no end");
                (config, Networks::new(config, many::links()))
            },
            |(config, networks)| {
                let mut effects = Vec::new();
                black_box(engine.preview(config, &networks));
                engine.reload(config, networks, NOW, &kernel, &mut effects);
                effects
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, calibration, configuration, client, reload);
criterion_main!(benches);

//! The controller's decisions: new clients, renewals on the slow path, and the pool at any fill.
//!
//! `cargo bench -p dhcp-benches --bench engine`

use std::{hint::black_box, net::Ipv4Addr};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use dhcp_benches::calibration::calibration;
use dhcp_common::wire::{CLIENT_PORT, MAC_BROADCAST, SERVER_PORT, message_type, option};
use dhcp_engine::{Effect, Engine, Ingress, Input, pool::Pool};
use dhcp_model::{Applied, Nanos};
use dhcp_testkit::alone::{self, IFINDEX, NoGrants, SERVER};
use dhcp_testkit::fixtures::{fleet, request::RequestFrame};

/// An engine whose commits succeed immediately.
struct Bench {
    engine: Engine,
    effects: Vec<Effect>,
    next_client: u32,
}

impl Bench {
    fn new(clients: u32) -> Self {
        let mut bench = Self {
            engine: alone::engine(1 << 24),
            effects: Vec::new(),
            next_client: 0,
        };
        for _ in 0..clients {
            bench.new_client();
        }
        bench
    }

    /// Leases an address to a new client: DISCOVER, OFFER, REQUEST, commit, ACK. Returns the
    /// address.
    fn new_client(&mut self) -> Ipv4Addr {
        let n = self.next_client;
        self.next_client += 1;
        let discover = RequestFrame::new(fleet::mac(n), message_type::DISCOVER);
        let offered = self.message(&discover).expect("an OFFER");
        let request = RequestFrame::new(fleet::mac(n), message_type::REQUEST)
            .address_option(option::SERVER_ID, SERVER)
            .address_option(option::REQUESTED_ADDRESS, offered);
        let leased = self.message(&request).expect("an ACK");
        assert_eq!(leased, offered);
        leased
    }

    /// Handles a message with all its effects. Returns `yiaddr` of the reply.
    fn message(&mut self, request: &RequestFrame) -> Option<Ipv4Addr> {
        let now = Nanos(1_000_000_000_000);
        let ingress = Ingress {
            ifindex: IFINDEX,
            tags: [None; 2],
            source_mac: request.source_mac,
            source: request.source,
            source_port: CLIENT_PORT,
            destination: request.destination,
            destination_port: SERVER_PORT,
        };
        let payload = request.payload();
        let mut effects = std::mem::take(&mut self.effects);
        let message = Input::Message {
            ingress: &ingress,
            payload: &payload,
        };
        self.engine.handle(message, now, &NoGrants, &mut effects);
        let mut yiaddr = None;
        let mut next = 0;
        while next < effects.len() {
            match &effects[next] {
                Effect::Commit { ticket, changes } => {
                    let committed = Input::Committed {
                        ticket: *ticket,
                        result: Ok(vec![Applied::Done; changes.len()]),
                    };
                    self.engine.handle(committed, now, &NoGrants, &mut effects);
                }
                Effect::Send { payload, .. } => {
                    yiaddr = payload[16..20]
                        .first_chunk::<4>()
                        .map(|a| Ipv4Addr::from(*a));
                }
                _ => {}
            }
            next += 1;
        }
        for effect in effects.drain(..) {
            if let Effect::Send { payload, .. } = effect {
                self.engine.recycle(payload);
            }
        }
        self.effects = effects;
        yiaddr
    }
}

fn engine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine");
    for leases in [1_000, 100_000] {
        let mut bench = Bench::new(leases);
        group.bench_function(BenchmarkId::new("new client", leases), |bencher| {
            bencher.iter(|| black_box(bench.new_client()));
        });
        let mut bench = Bench::new(leases);
        let mut n = 0;
        group.bench_function(BenchmarkId::new("renewal", leases), |bencher| {
            bencher.iter(|| {
                n = (n + 7919) % leases;
                // Addresses are leased in ascending order.
                let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 1, 0, 0)) + n);
                let renewal = RequestFrame::new(fleet::mac(n), message_type::REQUEST).with(|r| {
                    r.ciaddr = address;
                    r.source = address;
                    r.destination = SERVER;
                    r.destination_mac = MAC_BROADCAST;
                });
                assert_eq!(bench.message(&renewal), Some(address));
            });
        });
    }
    group.finish();
}

/// Measures taking an address and giving it back, which takes the same time at any fill.
fn pool(criterion: &mut Criterion) {
    const SIZE: u32 = 1 << 20;
    let first = u32::from(Ipv4Addr::new(10, 16, 0, 0));
    let range = (first.into(), (first + SIZE - 1).into());
    let mut group = criterion.benchmark_group("pool, take and give back");
    for percent in [0, 50, 99] {
        let mut pool = Pool::<Ipv4Addr>::new([range], []);
        for _ in 0..SIZE / 100 * percent {
            pool.take_any().expect("the pool is not empty yet");
        }
        group.bench_function(format!("{percent} % taken"), |bencher| {
            bencher.iter(|| {
                let address = pool.take_any().expect("an address was just given back");
                pool.give_back(black_box(address));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, calibration, engine, pool);
criterion_main!(benches);

//! Many leases that end or are extended at the same time: requests of other clients do not wait
//! until all of them are handled.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;
use dhcp_engine::{Counter, lease_table::LeaseState};
use dhcp_model::{ClientOrigin, Record, RecordState};
use dhcp_testkit::world::*;

/// The most changes without a waiting client that the store has at one time.
const MAX_BULK: usize = 256;
/// The most leases that are on their way to the pool at one time.
const MAX_ENDING: usize = 4096;

/// Returns a server that starts with `leases` leases from 10.0.0.10 on; the last one is of client
/// 1.
fn world(leases: u32, horizon_secs: u32) -> World {
    let mut subnet = subnet();
    subnet.prefix = "10.0.0.0/16".parse().expect("a prefix");
    subnet.pools[0].last = Ipv4Addr::new(10, 0, 255, 250);
    let mut world = World::with_config(config(vec![(NETWORK, subnet)]), leases + 100);
    for n in 0..leases {
        let address = Ipv4Addr::from(u32::from(ip(10)) + n);
        let now = world.now;
        let record = Record {
            address,
            client: match n {
                _ if n == leases - 1 => key(1),
                _ => ClientKey::client_id(NETWORK, &n.to_be_bytes()).expect("four octets fit"),
            },
            state: RecordState::Bound,
            origin: ClientOrigin::default(),
            since: now,
            expires: now.plus_lease(LEASE_SECS),
            horizon: now.plus_lease(horizon_secs),
        };
        world.store.insert(address, record);
    }
    world.restart();
    world
}

fn changes(world: &World) -> usize {
    world.commits.iter().map(|(_, changes)| changes.len()).sum()
}

/// Returns whether the engine's next deadline has been reached.
fn is_due(world: &World) -> bool {
    let deadline = world.engine.next_deadline();
    deadline.is_some_and(|deadline| deadline <= world.now)
}

#[test]
fn horizons_without_number_are_extended_some_hundreds_at_a_time() {
    const LEASES: u32 = 600;
    let mut world = world(LEASES, LEASE_SECS + 1);
    let mut sizes = Vec::new();
    while is_due(&world) || !world.commits.is_empty() {
        while is_due(&world) {
            world.timeout();
        }
        assert!(changes(&world) <= MAX_BULK);
        sizes.push(changes(&world));
        world.commit();
    }
    assert_eq!(sizes, [256, 256, 88]);
    assert_eq!(world.count(Counter::HorizonExtended), u64::from(LEASES));
}

#[test]
fn leases_without_number_end_a_few_at_a_time_and_none_is_forgotten() {
    const LEASES: u32 = 6_000;
    let mut world = world(LEASES, 3 * LEASE_SECS);
    world.settle();
    world.now = world.now.plus_lease(3 * LEASE_SECS);
    let withdrawn = |world: &World| {
        let all = world.leases.iter();
        all.filter(|lease| lease.state == LeaseState::Withdrawn)
            .count()
    };
    for _ in 0..20 {
        world.timeout();
    }
    assert!(!is_due(&world), "no more for now");
    assert_eq!(withdrawn(&world), MAX_ENDING);
    // The last of the leases whose ends were deferred is renewed.
    let last = Ipv4Addr::from(u32::from(ip(10)) + LEASES - 1);
    assert_eq!(world.leases.get(&last).unwrap().state, LeaseState::Bound);
    world.message(&renewing(1, last));

    while is_due(&world) || !world.commits.is_empty() || !world.fences.is_empty() {
        while is_due(&world) {
            world.timeout();
        }
        assert!(withdrawn(&world) <= MAX_ENDING + MAX_BULK);
        assert!(changes(&world) <= MAX_BULK + 1, "{}", changes(&world));
        for _ in 0..500 {
            if !world.fences.is_empty() {
                world.fence();
            }
        }
        if !world.commits.is_empty() {
            world.commit();
        }
    }
    assert_eq!(world.count(Counter::LeaseExpired), u64::from(LEASES) - 1);
    assert_eq!(world.leases.len(), 1);
    assert_eq!(world.leases.get(&last).unwrap().holder.client(), key(1));
}

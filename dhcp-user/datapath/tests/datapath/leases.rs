//! The hash table that the controller keeps in an array of the kernel.

use std::collections::BTreeMap;

use aya::maps::{Array, Map, MapData};
use dhcp_common::abi::{
    Binding, Bucket, Cell, ClientDigest, ClientKey, PROBES, WAYS, lease_buckets, lease_homes, map,
};
use dhcp_datapath::{Datapath, Options};
use dhcp_testkit::counts::syscalls;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::{Lab, entries, key, lab, options, publish, published};

fn with_leases(lab: &Lab, max_leases: u32) -> Datapath {
    let options = Options {
        max_leases,
        ..options(lab)
    };
    Datapath::open(&options).unwrap()
}

fn buckets(lab: &Lab) -> Array<MapData, Bucket> {
    let pin = lab.pin_dir().join("maps-1").join(map::LEASES);
    let data = MapData::from_pin(pin).unwrap();
    Map::Array(data).try_into().unwrap()
}

/// Returns the binding that the program finds for a client, and how many buckets it has read.
fn find(
    table: &Array<MapData, Bucket>,
    digest: ClientDigest,
    homes: u32,
) -> (Option<Binding>, u32) {
    let home = digest.home(homes);
    for index in home..home + PROBES {
        let cells = table.get(&index, 0).unwrap().cells;
        let found = cells.iter().find(|cell| Cell::is_of(cell.tag, digest));
        if found.is_some() || cells[0].tag & Cell::PASSED == 0 {
            return (found.map(|cell| cell.binding), index + 1 - home);
        }
    }
    (None, PROBES)
}

/// `cargo xtask bench` measures how long this takes.
#[test]
fn a_hundred_thousand_leases_are_published_in_few_calls_and_read_in_next_to_none() {
    const LEASES: u32 = 100_000;
    // The key is drawn, and in a table that is full to the last lease a client may have no room.
    const MAX_LEASES: u32 = LEASES + LEASES / 8;
    lab::run(|lab| {
        let mut datapath = with_leases(lab, MAX_LEASES);
        datapath.links.settle().unwrap();
        let mut expected = entries(MAX_LEASES, datapath.fingerprint_key, 0..LEASES);
        let publishing = syscalls(|| publish(&mut datapath.maps.leases, &expected));
        // A copy of this process has published them.
        drop(datapath);
        let mut datapath = with_leases(lab, MAX_LEASES);
        assert!(datapath.adopted);
        let leases = &mut datapath.maps.leases;
        let reading = syscalls(|| drop(published(leases)));
        println!("{LEASES} leases: {publishing} calls to publish them, {reading} to read them");
        assert!(publishing < u64::from(LEASES) / 100, "{publishing}");
        assert!(reading < 100, "{reading}");
        let mut found = published(leases);
        let by_address = |entry: &(ClientKey, Binding)| entry.1.address.get();
        found.sort_by_key(by_address);
        expected.sort_by_key(by_address);
        assert!(found == expected);

        leases.withdraw(&key(7)).unwrap();
        leases.withdraw(&key(7)).unwrap();
        let found = published(leases);
        assert_eq!(found.len(), LEASES as usize - 1);
        assert!(!found.iter().any(|(client, _)| *client == key(7)));
    });
}

#[test]
fn a_binding_stands_only_where_its_client_is_looked_for_and_nobody_elses_does() {
    lab::run(|lab| {
        let mut datapath = with_leases(lab, 1024);
        let fingerprint_key = datapath.fingerprint_key;
        let entries = entries(1024, fingerprint_key, 0..2);
        let [(first, binding), (second, other)] = entries[..] else {
            panic!("two clients");
        };
        let leases = &mut datapath.maps.leases;
        publish(leases, &[(first, binding)]);
        let in_slot = |slot, client, binding| {
            let digest = ClientDigest::new(&client, &fingerprint_key);
            Binding { slot, ..binding }.sealed_for(digest)
        };
        // Other bindings are published nevertheless.
        let beyond = lease_buckets(1024) * WAYS;
        let elsewhere = (binding.slot + 2 * PROBES * WAYS) % beyond;
        for slot in [u32::MAX, beyond, elsewhere] {
            let mut refused = Vec::new();
            let astray = in_slot(slot, first, binding);
            leases.publish([(first, astray), (second, other)], |client, error| {
                refused.push((client, error.to_string()));
            });
            let [(client, error)] = &refused[..] else {
                panic!("{refused:?}");
            };
            assert_eq!(*client, first);
            assert!(error.contains(&slot.to_string()), "{error}");
            leases.withdraw(&second).unwrap();
        }
        let taken = in_slot(binding.slot, second, other);
        let mut refused = 0;
        leases.publish([(second, taken)], |_, _| refused += 1);
        assert_eq!(refused, 1);
        assert_eq!(published(leases), [(first, binding)]);

        let moved = in_slot(binding.slot ^ 1, first, binding);
        publish(leases, &[(first, moved)]);
        let found = published(leases);
        assert_eq!(found.len(), 1, "of one client there is one");
        assert_eq!(found[0].1.slot, moved.slot);
    });
}

/// With as many entries as the map is made for, added and removed in any order, the program finds
/// each one, finds no client without one, and reads no bucket needlessly. A controller that takes
/// over continues from there.
#[test]
fn the_program_finds_who_is_there_whatever_has_come_and_gone() {
    const LEASES: u32 = 600;
    const CLIENTS: u32 = 2 * LEASES;
    const STEPS: usize = 6_000;
    lab::run(|lab| {
        let mut rng = StdRng::seed_from_u64(8);
        let mut datapath = with_leases(lab, LEASES);
        datapath.links.settle().unwrap();
        let fingerprint_key = datapath.fingerprint_key;
        let homes = lease_homes(LEASES);
        let digest = |client| ClientDigest::new(&key(client), &fingerprint_key);
        let mut present = BTreeMap::<u32, Binding>::new();
        for step in 0..STEPS {
            let client = rng.random_range(0..CLIENTS);
            let leases = &mut datapath.maps.leases;
            if present.remove(&client).is_some() {
                leases.withdraw(&key(client)).unwrap();
            } else if present.len() < LEASES as usize {
                let mut slots = digest(client).slots(homes);
                let is_free = |slot: &u32| present.values().all(|binding| binding.slot != *slot);
                let slot = slots.find(is_free).expect("there is room");
                let binding = crate::binding(client, slot).sealed_for(digest(client));
                publish(leases, &[(key(client), binding)]);
                present.insert(client, binding);
            }
            if step % 1_500 == 0 {
                drop(datapath);
                datapath = with_leases(lab, LEASES);
                assert!(datapath.adopted);
            }
        }
        let table = buckets(lab);
        let (mut looks, mut is_crowded) = (0, false);
        for client in 0..CLIENTS {
            let (found, looked_into) = find(&table, digest(client), homes);
            assert_eq!(found.as_ref(), present.get(&client), "{client}");
            looks += looked_into;
            is_crowded |= found.is_some() && looked_into > 1;
        }
        assert!(is_crowded, "some are not at home");
        assert!(looks < CLIENTS * 4, "{looks} buckets for {CLIENTS} clients");
        for client in 0..CLIENTS {
            datapath.maps.leases.withdraw(&key(client)).unwrap();
        }
        let is_empty = |bucket: &Bucket| *bucket == Bucket::default();
        assert!(buckets(lab).iter().all(|bucket| is_empty(&bucket.unwrap())));
    });
}

#[test]
fn an_entry_that_answers_nobody_is_gone_after_a_start() {
    lab::run(|lab| {
        let mut datapath = with_leases(lab, 1024);
        datapath.links.settle().unwrap();
        let entries = entries(1024, datapath.fingerprint_key, 0..4);
        publish(&mut datapath.maps.leases, &entries);
        let mut table = buckets(lab);
        let harm: [fn(&mut Cell); 3] = [
            |cell| cell.binding.seal ^= 1,
            |cell| cell.binding.expires_ns += 1,
            |cell| cell.tag ^= 1 << 40,
        ];
        for ((_, binding), harm) in entries.iter().zip(harm) {
            let index = binding.slot / WAYS;
            let mut bucket = table.get(&index, 0).unwrap();
            harm(&mut bucket.cells[(binding.slot % WAYS) as usize]);
            table.set(index, bucket, 0).unwrap();
        }
        drop(datapath);
        let datapath = with_leases(lab, 1024);
        assert!(datapath.adopted);
        assert_eq!(published(&datapath.maps.leases), entries[3..]);
    });
}

//! Counts the map lookups that the fast path makes for a frame.
//!
//! `cargo xtask bench` measures the time of the same frames in the loaded program.

use std::{cell::RefCell, collections::BTreeMap};

use dhcp_common::{
    abi::{
        Binding, BindingState, ClientDigest, ClientKey, Event, Grant, Link, LinkKey, Meta,
        NetworkRef, Template, TemplateKey, map,
    },
    outcome::Outcome,
    wire::Be32,
};
use dhcp_ebpf::{packet::Packet, respond::respond, tables::Tables};
use dhcp_testkit::fixtures::{
    fleet::{discover, fleet, renewal, renewal_with_fqdn, renewal_with_relay_info, stranger},
    host::{HostFrame, HostTables, scratch},
    request::RequestFrame,
    world::IFINDEX,
};

const NOW_NS: u64 = 1_000_000_000_000;
const CLIENTS: u32 = 100;

/// Tables that count how often each map is accessed.
struct Counted<'a> {
    tables: &'a HostTables,
    accesses: RefCell<BTreeMap<&'static str, u32>>,
}

impl Counted<'_> {
    fn count(&self, map: &'static str) -> &HostTables {
        *self.accesses.borrow_mut().entry(map).or_default() += 1;
        self.tables
    }
}

impl Tables for Counted<'_> {
    fn meta(&self) -> Option<&Meta> {
        self.count(map::META).meta()
    }

    fn link(&self, key: &LinkKey) -> Option<&Link> {
        self.count(map::LINKS).link(key)
    }

    fn relay(&self, address: Be32) -> Option<NetworkRef> {
        self.count(map::RELAYS).relay(address)
    }

    fn binding(&self, client: &ClientKey, digest: ClientDigest, meta: &Meta) -> Option<Binding> {
        self.count(map::LEASES).binding(client, digest, meta)
    }

    fn template(&self, key: &TemplateKey) -> Option<&Template> {
        self.count(map::TEMPLATES).template(key)
    }

    fn grant(&self, slot: u32) -> Option<Grant> {
        self.count(map::GRANTS).grant(slot)
    }

    fn swap_granted(&self, slot: u32, before: u64, word: u64) -> bool {
        self.count(map::GRANTS).swap_granted(slot, before, word)
    }

    fn swap_asked(&self, slot: u32, before: u64, word: u64) {
        self.count(map::GRANTS).swap_asked(slot, before, word);
    }

    fn set_asked(&self, slot: u32, word: u64) {
        self.count(map::GRANTS).set_asked(slot, word);
    }

    fn bucket(&self, source: u64) -> Option<u64> {
        self.count(map::LIMITS).bucket(source)
    }

    fn set_bucket(&self, source: u64, bucket: u64) {
        self.count(map::LIMITS).set_bucket(source, bucket);
    }

    fn notify(&self, event: &Event) -> bool {
        self.count(map::EVENTS).notify(event)
    }

    fn is_served(&self, slow_index: u32) -> bool {
        self.count(map::SLOW).is_served(slow_index)
    }

    fn now_ns(&self) -> u64 {
        self.count("clock").now_ns()
    }

    fn sum_options(&self, packet: &Packet, offset: usize, len: usize) -> u64 {
        self.count("sum of options")
            .sum_options(packet, offset, len)
    }
}

/// Returns the accesses of one run, in the order of their names.
fn accesses(
    tables: &HostTables,
    request: &RequestFrame,
    outcome: Outcome,
) -> Vec<(&'static str, u32)> {
    let counted = Counted {
        tables,
        accesses: RefCell::default(),
    };
    let mut frame = HostFrame(request.frame());
    let verdict = respond(&mut frame, IFINDEX, 0, &counted, &mut scratch());
    assert_eq!(verdict.outcome, outcome);
    counted.accesses.into_inner().into_iter().collect()
}

/// The grant is read to decide, read once more to record the promise, and written. The network of a
/// unicast renewal is that of its `ciaddr`.
const RENEWAL: [(&str, u32); 7] = [
    (map::GRANTS, 3),
    (map::LEASES, 1),
    (map::LINKS, 1),
    (map::META, 1),
    (map::RELAYS, 1),
    (map::TEMPLATES, 1),
    ("clock", 1),
];

#[test]
fn a_renewal_takes_one_lookup_in_each_map() {
    let tables = fleet(CLIENTS, BindingState::Bound, NOW_NS);
    let found = accesses(&tables, &renewal(7), Outcome::AckedRenewing);
    assert_eq!(found, RENEWAL);
}

#[test]
fn options_82_and_81_add_their_sums_to_a_renewal_and_no_lookup() {
    for request in [renewal_with_relay_info(7), renewal_with_fqdn(7)] {
        let tables = fleet(CLIENTS, BindingState::Bound, NOW_NS);
        let found = accesses(&tables, &request, Outcome::AckedRenewing);
        let (sums, lookups): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|(name, _)| *name == "sum of options");
        assert_eq!(sums, [("sum of options", 1)]);
        assert_eq!(lookups, RENEWAL);
    }
}

#[test]
fn an_offer_records_nothing() {
    let tables = fleet(CLIENTS, BindingState::Bound, NOW_NS);
    let found = accesses(&tables, &discover(7), Outcome::Offered);
    let expected = [
        (map::GRANTS, 1),
        (map::LEASES, 1),
        (map::LINKS, 1),
        (map::META, 1),
        (map::TEMPLATES, 1),
        ("clock", 1),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_unknown_client_takes_the_two_buckets_that_limit_it() {
    let tables = fleet(CLIENTS, BindingState::Bound, NOW_NS);
    let found = accesses(&tables, &stranger(7), Outcome::UnknownClient);
    let expected = [
        (map::LEASES, 1),
        (map::LIMITS, 4),
        (map::LINKS, 1),
        (map::META, 1),
        (map::RELAYS, 1),
        (map::SLOW, 1),
        ("clock", 2),
    ];
    assert_eq!(found, expected);
}

#[test]
fn other_traffic_takes_no_lookup() {
    let tables = fleet(CLIENTS, BindingState::Bound, NOW_NS);
    let other = renewal(7).with(|r| r.destination_port = 53);
    assert_eq!(accesses(&tables, &other, Outcome::NotDhcp), []);
}

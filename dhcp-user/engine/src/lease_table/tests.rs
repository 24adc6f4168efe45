//! The life of a lease as a whole, and of an address of each kind.

use std::net::{Ipv4Addr, Ipv6Addr};

use dhcp_common::abi::{ClientDigest, ClientKey, Grant};
use dhcp_model::{Address, ClientOrigin, Hardware, LeaseTimes, Nanos, RecordState, horizon};
use ipnet::Ipv6Net;
use smallvec::smallvec;

use super::*;
use crate::{
    journal::{Item, Journal, Purpose},
    pool::Pool,
    publisher::{Fence, Publisher},
};

const STATES: [LeaseState; 8] = [
    LeaseState::Probing,
    LeaseState::Offered,
    LeaseState::Committing,
    LeaseState::Bound,
    LeaseState::Deleted,
    LeaseState::Revoked,
    LeaseState::Quarantined,
    LeaseState::Withdrawn,
];

const TIMES: LeaseTimes = LeaseTimes {
    lease_secs: 600,
    renewal_secs: 300,
    rebinding_secs: 525,
    horizon_leases: 2,
    range: None,
};

fn client(n: u8) -> (ClientKey, ClientOrigin) {
    let mut chaddr = [0; 16];
    chaddr[..6].copy_from_slice(&[2, 0, 0, 0, 0, n]);
    let hardware = Hardware {
        htype: 1,
        len: 6,
        chaddr,
    };
    let origin = ClientOrigin {
        hardware,
        ..ClientOrigin::default()
    };
    let key = ClientKey::hardware(1, 1, &chaddr[..6]).expect("six octets fit");
    (key, origin)
}

fn holder(n: u8) -> Holder {
    let (key, origin) = client(n);
    Holder::new(&key, &origin)
}

fn new_lease(n: u8) -> NewLease {
    NewLease {
        holder: holder(n),
        since: Nanos(1),
        expires: Nanos(2),
        durable_until: Nanos::default(),
        is_current: true,
    }
}

fn binding(n: u8) -> RequestedBinding {
    RequestedBinding {
        holder: holder(n),
        at: Nanos(3),
        expires: Nanos(4),
        horizon: Nanos(5),
    }
}

/// Every event, with each reason or state that it can carry. The match ensures that a new event
/// does not compile until it is added here.
fn events() -> Vec<Event> {
    let at = Nanos(9);
    let first = Event::Offer(new_lease(1));
    let mut events = Vec::new();
    let mut next = Some(first);
    while let Some(event) = next {
        next = match &event {
            Event::Offer(_) => Some(Event::Probe(new_lease(1))),
            Event::Probe(_) => Some(Event::Recorded(RecordState::Bound, new_lease(1))),
            Event::Recorded(..) => Some(Event::NoAnswer),
            Event::NoAnswer => Some(Event::Lapse),
            Event::Lapse => Some(Event::InUse { until: at }),
            Event::InUse { .. } => Some(Event::Conflict { until: at }),
            Event::Conflict { .. } => Some(Event::Request(binding(1))),
            Event::Request(_) => Some(Event::Renew { expires: at }),
            Event::Renew { .. } => Some(Event::Committed { granted: at }),
            Event::Committed { .. } => Some(Event::NotCommitted),
            Event::NotCommitted => Some(Event::MaybeCommitted),
            Event::MaybeCommitted => Some(Event::End(EndReason::Expired)),
            Event::End(EndReason::Expired) => Some(Event::End(EndReason::Released)),
            Event::End(EndReason::Released) => Some(Event::End(EndReason::Removed)),
            Event::End(EndReason::Removed) => Some(Event::OfferAgain),
            Event::OfferAgain => Some(Event::OfferDeclined),
            Event::OfferDeclined => Some(Event::Fenced { granted: at }),
            Event::Fenced { .. } => Some(Event::Settle { now: at }),
            Event::Settle { .. } => Some(Event::Freed),
            Event::Freed => Some(Event::NotFreed),
            Event::NotFreed => Some(Event::SetAside),
            Event::SetAside => Some(Event::NotSetAside),
            Event::NotSetAside => Some(Event::Extended {
                horizon: at,
                granted: at,
            }),
            Event::Extended { .. } => Some(Event::NotExtended),
            Event::NotExtended => Some(Event::Delete),
            Event::Delete => Some(Event::Revoke),
            Event::Revoke => Some(Event::Ordered),
            Event::Ordered => Some(Event::NotOrdered(LeaseState::Bound)),
            Event::NotOrdered(LeaseState::Bound) => Some(Event::NotOrdered(LeaseState::Deleted)),
            Event::NotOrdered(LeaseState::Deleted) => Some(Event::NotOrdered(LeaseState::Revoked)),
            Event::NotOrdered(_) => Some(Event::MaybeOrdered),
            Event::MaybeOrdered => None,
        };
        events.push(event);
    }
    events
}

/// Every combination of the facts.
fn all_facts() -> Vec<Facts> {
    let mut all = Vec::new();
    for before in [None].into_iter().chain(STATES.map(Some)) {
        for has_time_left in [false, true] {
            for is_offered_again in [false, true] {
                all.push(Facts {
                    before,
                    has_time_left,
                    is_offered_again,
                });
            }
        }
    }
    all
}

/// Calls `each` for every step that can happen, with the state before.
fn steps(mut each: impl FnMut(Option<LeaseState>, &Event, Option<LeaseState>, &[Action])) {
    for event in events() {
        for state in [None].into_iter().chain(STATES.map(Some)) {
            for facts in all_facts() {
                if let Ok((next, actions)) = life(state, &event, facts) {
                    each(state, &event, next, actions);
                }
            }
        }
    }
}

#[test]
fn an_address_is_free_only_after_a_mere_offer_or_a_committed_end() {
    steps(|state, event, next, actions| {
        if state.is_some() && next.is_none() {
            assert!(
                matches!(
                    (state, event),
                    (
                        Some(LeaseState::Probing | LeaseState::Offered),
                        Event::Lapse
                    ) | (Some(LeaseState::Withdrawn), Event::Freed)
                ),
                "{state:?} {event:?}"
            );
            assert_eq!(actions.last(), Some(&Action::GiveBack), "{event:?}");
        } else {
            assert!(!actions.contains(&Action::GiveBack), "{event:?}");
        }
    });
}

#[test]
fn what_the_kernel_may_no_longer_answer_from_is_withdrawn() {
    use LeaseState as L;
    steps(|state, event, next, actions| {
        let was_published = matches!(state, Some(L::Offered | L::Bound | L::Revoked));
        let is_published = matches!(next, Some(L::Offered | L::Bound | L::Revoked));
        // The kernel repeats an OFFER while its lease is being committed; that promises nothing. A
        // command has withdrawn the entry before its result is known.
        let is_withdrawn_before = matches!(event, Event::NotOrdered(_));
        let is_being_committed = next == Some(L::Committing);
        if was_published && !is_published && !is_being_committed && !is_withdrawn_before {
            assert!(
                actions.contains(&Action::Withdraw),
                "{state:?} {event:?} {next:?}"
            );
        }
    });
}

#[test]
fn a_lease_is_bound_only_by_what_is_durable() {
    use LeaseState as L;
    steps(|state, event, next, _| {
        if state != Some(L::Bound) && next == Some(L::Bound) {
            let is_durable = matches!(
                event,
                Event::Committed { .. }
                    | Event::Recorded(..)
                    | Event::Settle { .. }
                    | Event::NotOrdered(_)
            );
            assert!(is_durable, "{state:?} {event:?}");
        }
    });
}

#[test]
fn what_ends_a_lease_forgets_what_was_in_progress() {
    use LeaseState as L;
    steps(|state, event, next, actions| {
        let is_in_progress = matches!(state, Some(L::Committing | L::Bound | L::Deleted));
        let is_set_aside = matches!(next, Some(L::Quarantined | L::Revoked | L::Withdrawn));
        let is_result = matches!(
            event,
            Event::NotCommitted | Event::MaybeCommitted | Event::NotOrdered(_)
        );
        if is_in_progress && is_set_aside && state != next && !is_result {
            assert!(
                actions.contains(&Action::DropPending),
                "{state:?} {event:?} {next:?}"
            );
        }
    });
}

#[test]
fn impossible_pairs_change_nothing() {
    for event in events() {
        let mut table = LeaseTable::<Ipv4Addr>::new(1);
        let address = Ipv4Addr::new(10, 0, 0, 1);
        if table.transition(address, event.clone()).is_err() {
            assert!(table.leases().is_empty(), "{event:?}");
        }
    }
}

/// From the pool to an offer, a lease, its end, and back to the pool, of any kind of address.
fn lives<A: Address>(first: A, last: A) {
    let mut pool = Pool::new([(first, last)], []);
    let mut table = LeaseTable::<A>::new(4);
    let mut journal = Journal::<A>::default();
    let mut publisher = Publisher::<A>::default();
    let (key, _) = client(1);
    let digest = ClientDigest::new(&key, &[7; _]);

    let address = pool.take_any().expect("it is full");
    assert_eq!(address, first);
    let offered = table.transition(address, Event::Offer(new_lease(1)));
    assert!(offered.is_ok_and(|offered| offered.actions.is_empty()));
    table.arm(address);
    assert_eq!(table.next_deadline(), Some(Nanos(2)));
    assert_eq!(table.current(&key).map(|(at, _)| at), Some(address));

    let expires = Nanos(3).plus_lease(TIMES.lease_secs);
    let horizon = horizon(expires, &TIMES);
    let requested = Event::Request(RequestedBinding {
        holder: holder(1),
        at: Nanos(3),
        expires,
        horizon,
    });
    let requested = table.transition(address, requested).expect("it is offered");
    assert_eq!(requested.actions, [Action::Disarm, Action::CommitBinding]);
    table.disarm(address);
    let record = table.requested_record(address).expect("it is requested");
    assert_eq!((record.address, record.horizon), (address, horizon));
    let purpose = Purpose::Bind;
    let ticket = journal.begin(smallvec![Item { address, purpose }]);
    let items = journal.finish(ticket).expect("it has begun");
    assert!(items.iter().all(|item| journal.close(item, ticket)));
    let granted = Nanos::default();
    let bound = table.transition(address, Event::Committed { granted });
    assert!(bound.is_ok());
    let held = table.held(address).expect("it is leased");
    assert_eq!(
        (held.state, held.durable_until),
        (LeaseState::Bound, horizon)
    );

    let slot = table.slot_for(address, &held, digest, |_| Grant::default());
    let (slot, epoch) = slot.expect("the map is empty");
    assert_eq!(table.owner_of_slot(slot), Some(address));
    table.arm(address);
    assert_eq!(table.pop_due(expires), Some(address));

    let ended = table.transition(address, Event::End(EndReason::Expired));
    let ended = ended.expect("it is bound");
    assert!(ended.actions.contains(&Action::Withdraw));
    assert!(ended.was.is_some_and(|was| was.is_published()));
    table.leave_slot(address, expires);
    let slot = Some(slot);
    let fence = publisher.withdraw(Fence {
        address,
        slot,
        epoch,
    });
    assert!(publisher.is_fencing(address));
    let passed = publisher.passed(fence);
    assert!(passed.is_some_and(|(fence, is_awaited)| fence.address == address && is_awaited));
    let settled = table.transition(address, Event::Settle { now: expires });
    assert!(settled.is_ok_and(|settled| settled.actions == [Action::CommitEnd]));
    let freed = table.transition(address, Event::Freed);
    assert!(freed.is_ok_and(|freed| freed.actions == [Action::GiveBack]));
    pool.give_back(address);

    assert!(table.leases().is_empty() && table.next_deadline().is_none());
    assert_eq!(pool.free(), pool.size());
    assert!(table.is_former(&key, address), "it is offered it again");
    assert_eq!(table.address_of(&key), Some(address));
    assert_eq!(table.leases().addresses_between(first, last), []);
}

#[test]
fn an_address_of_either_family_and_a_prefix_live_the_same_life() {
    lives(Ipv4Addr::new(10, 0, 0, 10), Ipv4Addr::new(10, 0, 0, 12));
    let v6 = |text: &str| text.parse::<Ipv6Addr>().expect("an address");
    lives(v6("2001:db8::10"), v6("2001:db8::ffff:ffff"));
    lives(
        v6("2001:db8::1"),
        v6("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    );
    let prefix = |text: &str| text.parse::<Ipv6Net>().expect("a prefix");
    lives(
        prefix("2001:db8:0:100::/56"),
        prefix("2001:db8:0:ff00::/56"),
    );
}

#[test]
fn addresses_of_a_range_are_found_among_few_and_among_many() {
    let net = |n: u128| Ipv6Addr::from_bits((0x2001_0db8 << 96) + n);
    let mut table = LeaseTable::<Ipv6Addr>::new(1);
    for n in 0..20 {
        let lease = NewLease {
            is_current: false,
            ..new_lease(n)
        };
        let offered = table.transition(net(u128::from(n)), Event::Offer(lease));
        assert!(offered.is_ok());
    }
    for (first, last, count) in [(0, 9, 10), (15, 40, 5), (5, 1 << 70, 15)] {
        let found = table.leases().addresses_between(net(first), net(last));
        assert_eq!(found.len(), count, "from {first} to {last}");
    }
}

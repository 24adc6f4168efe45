//! The fast path on the host, over vectors and hash maps.

use std::net::Ipv4Addr;

use dhcp_common::{
    abi::{BindingState, Grant, META_SLOW_ONLY, NS_PER_SEC},
    outcome::{Action, Outcome},
    wire::{message_type, option},
};
use dhcp_testkit::fixtures::{
    cases::{cases, with_fast_path_off},
    host::{HostFrame, HostTables},
    request::RequestFrame,
    world::{
        EPOCH, IFINDEX, LEASE_SECS, SERVER, SERVER_MAC, add_client, add_templates, address, mac,
        tables,
    },
};

const NOW: u64 = 1_000_000_000_000;
const LEASE_NS: u64 = LEASE_SECS as u64 * NS_PER_SEC;

#[test]
fn every_case_ends_as_it_should() {
    for case in cases(NOW) {
        let name = case.name;
        let mut frame = HostFrame(case.frame.clone());
        let verdict = case.tables.respond(&mut frame, IFINDEX);
        assert_eq!(verdict.outcome, case.outcome, "{name}");
        assert_eq!(
            case.reply.is_some(),
            case.outcome.action() == Action::Transmit,
            "{name}"
        );
        assert_eq!(frame.0, case.reply.unwrap_or(case.frame), "{name}");
        if verdict.outcome.action() == Action::Slow {
            assert_eq!(verdict.slow_index, 64, "{name}");
        }
        if let Some((slot, epoch)) = case.grants {
            let granted = case.tables.grants.borrow()[&slot].granted_for(epoch);
            assert_eq!(
                granted,
                Grant::unpack(Grant::pack(NOW + LEASE_NS, epoch), epoch),
                "{name}"
            );
        }
    }
}

#[test]
fn m30_with_the_fast_path_off_every_case_goes_to_the_controller_or_ends_as_it_does_with_it() {
    let mut handed_on = 0;
    for mut case in cases(NOW) {
        let name = case.name;
        if let Some(meta) = &mut case.tables.meta {
            meta.flags |= META_SLOW_ONLY;
        }
        let mut frame = HostFrame(case.frame.clone());
        let outcome = case.tables.respond(&mut frame, IFINDEX).outcome;
        assert_eq!(outcome, with_fast_path_off(case.outcome), "{name}");
        assert_eq!(frame.0, case.frame, "{name}");
        handed_on += u32::from(outcome == Outcome::SlowOnly);
    }
    assert!(handed_on >= 200, "{handed_on}");
}

fn renewal(n: u8) -> RequestFrame {
    RequestFrame::new(mac(n), message_type::REQUEST).with(|r| {
        r.ciaddr = address(n);
        r.source = address(n);
        r.destination = SERVER;
        r.destination_mac = SERVER_MAC;
    })
}

/// Returns the tables of a client with a lease of an hour and a horizon in three hours.
fn leased() -> HostTables {
    let mut tables = tables();
    add_client(&mut tables, 1, BindingState::Bound);
    add_templates(&mut tables, &renewal(1));
    tables
}

fn outcome_of(tables: &HostTables, request: &RequestFrame) -> Outcome {
    tables
        .respond(&mut HostFrame(request.frame()), IFINDEX)
        .outcome
}

#[test]
fn c062_renewals_go_on_to_the_horizon_and_ask_once_for_more() {
    let mut tables = leased();
    let start = tables.now_ns;
    // Half a lease apart: the horizon of three hours is near from the third on, and reached with
    // the fourth.
    let expected = [
        (1, Outcome::AckedRenewing, 0),
        (2, Outcome::AckedRenewing, 0),
        (3, Outcome::AckedRenewing, 1),
        (4, Outcome::AckedRenewing, 1),
        (5, Outcome::BeyondHorizon, 1),
    ];
    for (halves, outcome, events) in expected {
        tables.now_ns = start + halves * LEASE_NS / 2;
        assert_eq!(
            outcome_of(&tables, &renewal(1)),
            outcome,
            "after {halves} halves"
        );
        assert_eq!(
            tables.events.borrow().len(),
            events,
            "after {halves} halves"
        );
    }
    let event = tables.events.borrow()[0];
    assert_eq!((event.slot, event.epoch), (1, 3));
    assert_eq!(event.durable_until_ns, start + 3 * LEASE_NS);
    assert_eq!(event.granted_ns, start + 5 * LEASE_NS / 2);
}

#[test]
fn a_full_ring_is_asked_again() {
    let mut tables = leased();
    tables.now_ns += 3 * LEASE_NS / 2;
    // An earlier grant has extended the lease.
    tables.set_grant(1, tables.now_ns + 1);
    tables.ring_room.set(0);
    assert_eq!(outcome_of(&tables, &renewal(1)), Outcome::AckedRenewing);
    assert_eq!(tables.events.borrow().len(), 0);
    tables.ring_room.set(1);
    assert_eq!(outcome_of(&tables, &renewal(1)), Outcome::AckedRenewing);
    assert_eq!(tables.events.borrow().len(), 1);
}

#[test]
fn c062_a_run_that_another_cpu_overtakes_takes_back_nothing() {
    let tables = leased();
    let later = tables.now_ns + 2 * LEASE_NS;
    let grant = Grant {
        granted: Grant::pack(later, EPOCH),
        asked: 0,
    };
    tables.other_cpu.set(Some((1, grant)));
    assert_eq!(outcome_of(&tables, &renewal(1)), Outcome::AckedRenewing);
    assert_eq!(tables.grants.borrow()[&1], grant);
}

#[test]
fn c076_a_release_on_another_cpu_is_not_undone_by_a_run_that_asks_for_more() {
    // It comes before the run records its grant, which notices it if the granted time differs as
    // well.
    for noted_with_it in [1, NS_PER_SEC] {
        let mut tables = leased();
        tables.now_ns += 3 * LEASE_NS / 2;
        tables.set_grant(1, tables.now_ns + 1);
        let closed = Grant {
            granted: Grant::pack(tables.now_ns + noted_with_it, EPOCH),
            asked: Grant::pack(Grant::CLOSED, EPOCH),
        };
        tables.other_cpu.set(Some((1, closed)));
        assert_eq!(outcome_of(&tables, &renewal(1)), Outcome::AckedRenewing);
        assert!(tables.grants.borrow()[&1].is_closed(EPOCH));
        assert_eq!(outcome_of(&tables, &renewal(1)), Outcome::Closed);
    }
}

#[test]
fn c071_c076_release_and_decline_close_the_entry_before_the_controller_hears_of_them() {
    let release = RequestFrame::new(mac(1), message_type::RELEASE).with(|r| {
        r.ciaddr = address(1);
        r.destination = SERVER;
        r.destination_mac = SERVER_MAC;
    });
    let decline = RequestFrame::new(mac(1), message_type::DECLINE)
        .address_option(option::SERVER_ID, SERVER)
        .address_option(option::REQUESTED_ADDRESS, address(1));
    for ending in [
        release.clone(),
        release.clone().address_option(option::SERVER_ID, SERVER),
        decline.clone(),
        // lwIP names no server.
        RequestFrame::new(mac(1), message_type::DECLINE)
            .address_option(option::REQUESTED_ADDRESS, address(1)),
    ] {
        let tables = leased();
        assert_eq!(outcome_of(&tables, &renewal(1)), Outcome::AckedRenewing);
        assert_eq!(outcome_of(&tables, &ending), Outcome::MessageType);
        assert_eq!(outcome_of(&tables, &renewal(1)), Outcome::Closed);
    }

    let discover = RequestFrame::new(mac(1), message_type::DISCOVER);
    let mut tables = leased();
    add_client(&mut tables, 1, BindingState::Offered);
    assert_eq!(outcome_of(&tables, &discover), Outcome::Offered);
    assert_eq!(outcome_of(&tables, &decline), Outcome::MessageType);
    assert_eq!(outcome_of(&tables, &discover), Outcome::Closed);

    let other = Ipv4Addr::new(10, 0, 0, 3);
    let mut untaken = release.clone();
    untaken.ciaddr = address(9);
    let foreign = [
        untaken,
        release.address_option(option::SERVER_ID, other),
        RequestFrame::new(mac(1), message_type::DECLINE)
            .address_option(option::SERVER_ID, other)
            .address_option(option::REQUESTED_ADDRESS, address(1)),
        RequestFrame::new(mac(1), message_type::DECLINE)
            .address_option(option::REQUESTED_ADDRESS, address(9)),
    ];
    for ending in foreign {
        let tables = leased();
        assert_eq!(outcome_of(&tables, &ending), Outcome::MessageType);
        assert_eq!(outcome_of(&tables, &renewal(1)), Outcome::AckedRenewing);
    }
}

#[test]
fn a_source_is_limited_to_its_burst_and_the_fast_path_is_not() {
    let tables = leased();
    let stranger = RequestFrame::new(mac(50), message_type::DISCOVER);
    let outcomes: Vec<_> = (0..50).map(|_| outcome_of(&tables, &stranger)).collect();
    let admitted = outcomes
        .iter()
        .filter(|o| **o == Outcome::UnknownClient)
        .count();
    assert_eq!(admitted, 41, "the burst of forty and the one due");
    assert!(outcomes[41..].iter().all(|o| *o == Outcome::Limited));
    let another = RequestFrame::new(mac(51), message_type::DISCOVER);
    assert_eq!(outcome_of(&tables, &another), Outcome::UnknownClient);
    assert!((0..100).all(|_| outcome_of(&tables, &renewal(1)) == Outcome::AckedRenewing));
}

/// Returns a DISCOVER from the n-th forged hardware address.
fn bogus(n: u16) -> RequestFrame {
    let [a, b] = n.to_be_bytes();
    RequestFrame::new([2, 0xbb, 0, 0, a, b], message_type::DISCOVER)
}

#[test]
fn unknown_clients_share_a_limit_and_known_ones_go_past_it() {
    let tables = leased();
    let admitted = |from, to| {
        let outcomes = (from..to).map(|n| outcome_of(&tables, &bogus(n)));
        outcomes.filter(|o| *o == Outcome::UnknownClient).count()
    };
    assert_eq!(admitted(0, 2000), 501, "the burst of 500 and the one due");
    let inform = |n| RequestFrame::new(n, message_type::INFORM);
    assert_eq!(outcome_of(&tables, &inform(mac(50))), Outcome::Limited);
    // Requests that need the controller, from a client that has a lease.
    assert_eq!(outcome_of(&tables, &inform(mac(1))), Outcome::MessageType);
    let odd = renewal(1)
        .option(option::HOST_NAME, b"h")
        .option(60, b"shape");
    assert_eq!(outcome_of(&tables, &odd), Outcome::NoTemplate);
    assert_eq!(outcome_of(&tables, &renewal(1)), Outcome::AckedRenewing);
    // Clients behind relay agents share another bucket.
    let relayed = bogus(0).relayed(Ipv4Addr::new(10, 9, 0, 1), mac(250), (SERVER_MAC, SERVER));
    assert_eq!(outcome_of(&tables, &relayed), Outcome::UnknownClient);
}

#[test]
fn a_source_without_a_token_takes_none_of_those_that_unknown_clients_share() {
    let tables = leased();
    let in_a_loop = (0..5000).map(|_| outcome_of(&tables, &bogus(0)));
    assert_eq!(in_a_loop.filter(|o| *o != Outcome::Limited).count(), 41);
    let others = (1..1000).map(|n| outcome_of(&tables, &bogus(n)));
    assert_eq!(others.filter(|o| *o != Outcome::Limited).count(), 501 - 41);
}

#[test]
fn options_may_come_in_any_order() {
    let request = renewal(1)
        .option(60, b"vendor")
        .option(option::HOST_NAME, b"h")
        .option(57, &[2, 64]);
    let mut order: Vec<usize> = (0..request.options.len()).collect();
    let mut answered = 0;
    permutations(&mut order, 0, &mut |order| {
        let mut permuted = request.clone();
        permuted.options = order.iter().map(|&i| request.options[i].clone()).collect();
        let mut tables = leased();
        add_templates(&mut tables, &permuted);
        assert_eq!(
            outcome_of(&tables, &permuted),
            Outcome::AckedRenewing,
            "{order:?}"
        );
        answered += 1;
    });
    assert_eq!(answered, 120);
}

fn permutations(items: &mut Vec<usize>, from: usize, each: &mut impl FnMut(&[usize])) {
    if from == items.len() {
        return each(items);
    }
    for i in from..items.len() {
        items.swap(from, i);
        permutations(items, from + 1, each);
        items.swap(from, i);
    }
}

#[test]
fn c005_no_octet_beyond_the_datagram_is_ever_read_as_an_option() {
    // The same message, cut at every length, in a frame padded with its missing octets.
    let whole = renewal(1).with(|r| r.min_len = 0);
    let options = whole.payload().len() - 240;
    for cut in 1..options {
        let mut request = whole.clone();
        let payload = whole.payload();
        request.options.clear();
        request.after_options = payload[240..payload.len() - cut].to_vec();
        let tables = leased();
        let alone = tables
            .respond(&mut HostFrame(request.frame()), IFINDEX)
            .outcome;
        let mut frame = request.frame();
        frame.extend(&payload[payload.len() - cut..]);
        let before = frame.clone();
        let mut frame = HostFrame(frame);
        let outcome = tables.respond(&mut frame, IFINDEX).outcome;
        assert_eq!(outcome, alone, "cut by {cut}");
        // Only END is missing, or the options that follow the first one are.
        let expected = match cut {
            1 => Outcome::AckedRenewing,
            _ if cut == options - 3 => Outcome::NoTemplate,
            _ => Outcome::OptionOverrun,
        };
        assert_eq!(outcome, expected, "cut by {cut}");
        if expected != Outcome::AckedRenewing {
            assert_eq!(frame.0, before, "cut by {cut}");
        }
    }
}

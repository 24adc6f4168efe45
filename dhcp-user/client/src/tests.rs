//! One test for each transition of the table of [`Client`], and for the times.

use core::net::Ipv4Addr;

use dhcp_common::wire::message_type;

use crate::{
    Answer, Client, Event, Ignored, Lease, Message, Policy, Reason, Renewals, SEC_NS, Sending,
    State, Step, Turn,
};

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
const LEASE_SECS: u32 = 800;
/// The middle of the random variation.
const MIDDLE: u64 = 1 << 63;
const POLICY: Policy = Policy {
    discovers: Some(2),
    requests: 2,
    reboots: 2,
    ..Policy::RFC_2131
};

/// A client and the time; each step takes the next transaction id.
struct Test<const XIDS: usize = 1> {
    client: Client<XIDS>,
    policy: Policy,
    now_secs: u64,
    xid: u32,
}

impl Test {
    fn new() -> Self {
        Self::with_xids()
    }

    /// In SELECTING.
    fn selecting() -> Self {
        let mut test = Self::new();
        test.sends();
        test
    }

    /// In REQUESTING since 10 s.
    fn requesting() -> Self {
        let mut test = Self::selecting();
        test.now_secs = 10;
        let turn = test.turn();
        let accepted = test.client.accept((ADDRESS, SERVER), &test.policy, turn);
        assert!(accepted.is_some());
        test
    }

    /// In BOUND since 12 s, with a lease since 10 s.
    fn bound() -> Self {
        let mut test = Self::requesting();
        test.now_secs = 12;
        assert!(matches!(
            test.hears(message_type::ACK),
            Event::Acknowledged { .. }
        ));
        test
    }

    /// In REBOOTING at a time.
    fn rebooting(now_secs: u64) -> Self {
        let mut test = Self::bound();
        test.now_secs = now_secs;
        test.client.restart();
        test.sends();
        test
    }

    /// In RENEWING or REBINDING at a time.
    fn extending(now_secs: u64) -> Self {
        let mut test = Self::bound();
        test.now_secs = now_secs;
        test.sends();
        test
    }
}

impl<const XIDS: usize> Test<XIDS> {
    fn with_xids() -> Self {
        Self {
            client: Client::new(0),
            policy: POLICY,
            now_secs: 0,
            xid: 0,
        }
    }

    fn turn(&mut self) -> Turn {
        self.xid += 1;
        Turn {
            now_ns: self.now_secs * SEC_NS,
            xid: self.xid,
            random: MIDDLE,
        }
    }

    fn wakes(&mut self) -> Step {
        let turn = self.turn();
        self.client.wake(&self.policy, turn)
    }

    fn sends(&mut self) -> Sending {
        match self.wakes() {
            Step::Send(sending) => sending,
            step => panic!("nothing is sent: {step:?}"),
        }
    }

    fn answer(&self, kind: u8) -> Answer {
        Answer {
            kind,
            xid: self.client.last_xid(),
            address: ADDRESS,
            server: SERVER,
            lease_secs: LEASE_SECS,
        }
    }

    fn hears(&mut self, kind: u8) -> Event {
        let answer = self.answer(kind);
        self.client.hear(&answer)
    }

    /// Expects a state, and what the client does until it acts again.
    fn is(&self, state: State) {
        assert_eq!(self.client.state(), state);
    }
}

fn lease(since_secs: u64) -> Lease {
    Lease {
        address: ADDRESS,
        server: SERVER,
        since_ns: since_secs * SEC_NS,
        lease_secs: LEASE_SECS.try_into().unwrap(),
    }
}

#[test]
fn init_sends_discover_and_selects() {
    let mut test = Test::new();
    let sending = test.sends();
    test.is(State::Selecting);
    assert_eq!(sending.message, Message::Discover { hint: None });
    assert_eq!(sending.wakes_at_ns, 4 * SEC_NS);
}

#[test]
fn selecting_repeats_discover_in_the_same_transaction() {
    let mut test = Test::selecting();
    test.now_secs = 4;
    let sending = test.sends();
    test.is(State::Selecting);
    assert_eq!(sending.message, Message::Discover { hint: None });
    assert_eq!((sending.xid, sending.wakes_at_ns), (1, 12 * SEC_NS));
}

#[test]
fn selecting_without_an_answer_starts_again_or_goes_on_without_a_limit() {
    let mut test = Test::selecting();
    test.sends();
    assert_eq!(test.wakes(), Step::StartAgain(Reason::NoAnswer));
    test.is(State::Init);

    test = Test::selecting();
    test.policy.discovers = None;
    for _ in 0..1000 {
        test.sends();
    }
    test.is(State::Selecting);
}

#[test]
fn an_offer_in_selecting_is_the_callers_to_accept() {
    let mut test = Test::selecting();
    let (address, server) = (ADDRESS, SERVER);
    for _ in 0..2 {
        let offered = Event::Offered { address, server };
        assert_eq!(test.hears(message_type::OFFER), offered);
        test.is(State::Selecting);
    }
    test.now_secs = 3;
    let turn = test.turn();
    let sending = test.client.accept((address, server), &test.policy, turn);
    let sending = sending.unwrap();
    test.is(State::Requesting);
    assert_eq!(sending.message, Message::Select { address, server });
    // The transaction of the DISCOVER goes on (RFC 2131 §4.4.1), its delays begin again.
    assert_eq!((sending.xid, sending.wakes_at_ns), (1, 7 * SEC_NS));
}

#[test]
fn no_offer_is_accepted_outside_selecting() {
    for mut test in [
        Test::new(),
        Test::requesting(),
        Test::rebooting(20),
        Test::bound(),
    ] {
        let before = test.client.state();
        let turn = test.turn();
        let accepted = test.client.accept((ADDRESS, SERVER), &test.policy, turn);
        assert_eq!(accepted, None);
        test.is(before);
    }
}

#[test]
fn requesting_repeats_request() {
    let mut test = Test::requesting();
    test.now_secs = 14;
    let sending = test.sends();
    let (address, server) = (ADDRESS, SERVER);
    assert_eq!(sending.message, Message::Select { address, server });
    assert_eq!((sending.xid, sending.wakes_at_ns), (1, 22 * SEC_NS));
}

#[test]
fn requesting_without_an_answer_starts_again() {
    let mut test = Test::requesting();
    test.sends();
    assert_eq!(test.wakes(), Step::StartAgain(Reason::NoAnswer));
    test.is(State::Init);
}

#[test]
fn ack_in_requesting_binds_from_the_first_request() {
    let mut test = Test::requesting();
    test.now_secs = 14;
    test.sends();
    test.now_secs = 15;
    assert_eq!(
        test.hears(message_type::ACK),
        Event::Acknowledged {
            lease: lease(10),
            state: State::Requesting
        }
    );
    test.is(State::Bound);
}

#[test]
fn nak_in_requesting_starts_again() {
    let mut test = Test::requesting();
    assert_eq!(test.hears(message_type::NAK), Event::Refused);
    test.is(State::Init);
}

#[test]
fn restart_with_a_lease_asks_for_its_address_and_without_one_for_any() {
    let mut test = Test::bound();
    test.client.restart();
    test.is(State::InitReboot);
    test.now_secs = 20;
    let sending = test.sends();
    test.is(State::Rebooting);
    assert_eq!(sending.message, Message::Reboot { address: ADDRESS });
    assert_eq!((sending.xid, sending.wakes_at_ns), (3, 24 * SEC_NS));

    test = Test::requesting();
    test.client.restart();
    test.is(State::Init);
}

#[test]
fn rebooting_repeats_request() {
    let mut test = Test::rebooting(20);
    test.now_secs = 24;
    let sending = test.sends();
    assert_eq!(sending.message, Message::Reboot { address: ADDRESS });
    assert_eq!((sending.xid, sending.wakes_at_ns), (3, 32 * SEC_NS));
}

#[test]
fn rebooting_without_an_answer_continues_with_a_valid_lease() {
    let mut test = Test::rebooting(20);
    test.sends();
    assert_eq!(test.wakes(), Step::Continue(lease(10)));
    test.is(State::Bound);
    // What comes too late changes nothing.
    let late = test.hears(message_type::NAK);
    assert_eq!(late, Event::Ignored(Ignored::OtherState));
}

#[test]
fn rebooting_without_an_answer_and_without_a_valid_lease_starts_again() {
    let mut test = Test::rebooting(900);
    test.sends();
    assert_eq!(test.wakes(), Step::StartAgain(Reason::NoAnswer));
    test.is(State::Init);
    assert_eq!(test.client.lease(), None);
}

#[test]
fn ack_in_rebooting_binds_from_its_first_request() {
    let mut test = Test::rebooting(20);
    test.now_secs = 24;
    test.sends();
    assert_eq!(
        test.hears(message_type::ACK),
        Event::Acknowledged {
            lease: lease(20),
            state: State::Rebooting
        }
    );
    test.is(State::Bound);
}

#[test]
fn nak_in_rebooting_starts_again_without_the_lease() {
    let mut test = Test::rebooting(20);
    assert_eq!(test.hears(message_type::NAK), Event::Refused);
    test.is(State::Init);
    let sending = test.sends();
    assert_eq!(sending.message, Message::Discover { hint: None });
}

#[test]
fn bound_renews_before_t2_with_the_server_of_the_lease() {
    // Also before T1, if the caller wants it.
    for now_secs in [50, 410, 709] {
        let mut test = Test::bound();
        test.now_secs = now_secs;
        let sending = test.sends();
        test.is(State::Renewing);
        let (address, server) = (ADDRESS, SERVER);
        assert_eq!(sending.message, Message::Renew { address, server });
        assert_eq!(sending.xid, 3);
    }
}

#[test]
fn bound_rebinds_after_t2_with_all_servers() {
    for now_secs in [710, 809] {
        let mut test = Test::bound();
        test.now_secs = now_secs;
        let sending = test.sends();
        test.is(State::Rebinding);
        assert_eq!(sending.message, Message::Rebind { address: ADDRESS });
    }
}

#[test]
fn the_end_of_the_lease_is_init() {
    for mut test in [Test::bound(), Test::extending(410), Test::extending(710)] {
        test.now_secs = 810;
        assert_eq!(test.wakes(), Step::StartAgain(Reason::LeaseEnded));
        test.is(State::Init);
        assert_eq!(test.client.lease(), None);
    }
}

#[test]
fn renewing_repeats_after_half_of_the_rest_as_another_transaction() {
    let mut test = Test::bound();
    let mut times = [0; 6];
    let mut xids = 3..;
    test.now_secs = 410;
    for secs in &mut times {
        let sending = test.sends();
        assert_eq!(Some(sending.xid), xids.next());
        *secs = sending.wakes_at_ns / SEC_NS;
        test.now_secs = *secs;
    }
    // T2 is at 710 s. The rest is halved to no less than a minute, and not beyond T2.
    assert_eq!(times, [560, 635, 695, 710, 770, 810]);
    test.is(State::Rebinding);
}

#[test]
fn ack_in_renewing_binds_from_the_request_that_it_answers() {
    let mut test = Test::extending(410);
    test.now_secs = 560;
    test.sends();
    assert_eq!(
        test.hears(message_type::ACK),
        Event::Acknowledged {
            lease: lease(560),
            state: State::Renewing
        }
    );
    test.is(State::Bound);
}

#[test]
fn ack_in_rebinding_binds_to_the_server_that_has_answered() {
    let mut test = Test::extending(710);
    let server = Ipv4Addr::new(192, 0, 2, 2);
    let answer = Answer {
        server,
        ..test.answer(message_type::ACK)
    };
    let state = State::Rebinding;
    let lease = Lease {
        server,
        ..lease(710)
    };
    let event = test.client.hear(&answer);
    assert_eq!(event, Event::Acknowledged { lease, state });
    test.now_secs = 1200;
    let (address, message) = (ADDRESS, test.sends().message);
    assert_eq!(message, Message::Renew { address, server });
}

#[test]
fn nak_in_renewing_and_rebinding_starts_again_without_the_lease() {
    for mut test in [Test::extending(410), Test::extending(710)] {
        assert_eq!(test.hears(message_type::NAK), Event::Refused);
        test.is(State::Init);
        assert_eq!(test.client.lease(), None);
    }
}

#[test]
fn renewals_like_other_messages_are_given_up_in_bound() {
    let mut test = Test::bound();
    test.policy.renewals = Renewals::LikeOthers { attempts: 2 };
    test.now_secs = 20;
    for wakes_at_secs in [24, 28] {
        let sending = test.sends();
        assert_eq!(
            (sending.xid, sending.wakes_at_ns),
            (3, wakes_at_secs * SEC_NS)
        );
    }
    assert_eq!(test.wakes(), Step::Continue(lease(10)));
    test.is(State::Bound);
    assert_eq!(test.sends().wakes_at_ns, 24 * SEC_NS);
}

#[test]
fn answers_that_a_state_does_not_wait_for_are_ignored() {
    use message_type::{ACK, NAK, OFFER};
    let cases: [(Test, &[u8]); 5] = [
        (Test::selecting(), &[ACK, NAK]),
        (Test::requesting(), &[OFFER]),
        (Test::rebooting(20), &[OFFER]),
        (Test::extending(410), &[OFFER]),
        (Test::extending(710), &[OFFER]),
    ];
    for (mut test, kinds) in cases {
        let before = test.client.state();
        for kind in kinds.iter().chain(&[message_type::DISCOVER]) {
            let ignored = Ignored::OtherState;
            assert_eq!(test.client.expects(&test.answer(*kind)), Err(ignored));
            assert_eq!(test.hears(*kind), Event::Ignored(ignored), "{before:?}");
            test.is(before);
        }
    }
    // In INIT, INIT-REBOOT and BOUND no transaction is open.
    let mut rebooted = Test::bound();
    rebooted.client.restart();
    for mut test in [Test::new(), rebooted, Test::bound()] {
        for kind in [OFFER, ACK, NAK] {
            let ignored = Event::Ignored(Ignored::OtherTransaction);
            assert_eq!(test.hears(kind), ignored);
        }
    }
}

#[test]
fn answers_of_another_transaction_are_ignored() {
    let mut test = Test::selecting();
    for (kind, xid) in [(message_type::OFFER, 0), (message_type::OFFER, 2)] {
        let answer = Answer {
            xid,
            ..test.answer(kind)
        };
        let ignored = Ignored::OtherTransaction;
        assert_eq!(test.client.expects(&answer), Err(ignored));
        assert_eq!(test.client.hear(&answer), Event::Ignored(ignored));
    }
    test.is(State::Selecting);
}

#[test]
fn an_ack_without_a_lease_time_is_ignored() {
    let mut test = Test::extending(410);
    let answer = Answer {
        lease_secs: 0,
        ..test.answer(message_type::ACK)
    };
    let ignored = Event::Ignored(Ignored::NoLease);
    assert_eq!(test.client.hear(&answer), ignored);
    test.is(State::Renewing);
}

#[test]
fn with_several_ids_each_message_has_its_own_and_the_last_ones_are_awaited() {
    let mut test = Test::<2>::with_xids();
    test.policy.discovers = None;
    let xids = [(); 3].map(|()| test.sends().xid);
    assert_eq!(xids, [1, 2, 3]);
    let offer = test.answer(message_type::OFFER);
    let heard = [1, 2, 3].map(|xid| test.client.expects(&Answer { xid, ..offer }).is_ok());
    assert_eq!(heard, [false, true, true]);

    let turn = test.turn();
    let accepted = test.client.accept((ADDRESS, SERVER), &test.policy, turn);
    assert_eq!(accepted.unwrap().xid, 4);
    test.now_secs = 5;
    assert_eq!(test.sends().xid, 5);
    let ack = Answer {
        xid: 4,
        ..test.answer(message_type::ACK)
    };
    let state = State::Requesting;
    let lease = lease(0);
    let event = test.client.hear(&ack);
    assert_eq!(event, Event::Acknowledged { lease, state });
    // The answer to the other one comes after the transaction.
    test.now_secs = 410;
    test.sends();
    let ignored = Event::Ignored(Ignored::OtherTransaction);
    assert_eq!(test.client.hear(&Answer { xid: 5, ..ack }), ignored);
}

#[test]
fn release_gives_a_valid_lease_back() {
    let (address, server) = (ADDRESS, SERVER);
    let release = Some(Message::Release { address, server });
    for (mut test, expected) in [
        (Test::bound(), release),
        (Test::extending(410), release),
        (Test::requesting(), None),
    ] {
        assert_eq!(test.client.release(test.now_secs * SEC_NS), expected);
        test.is(State::Init);
        assert_eq!(test.client.lease(), None);
    }
    let mut test = Test::bound();
    assert_eq!(test.client.release(810 * SEC_NS), None);
    test.is(State::Init);
}

#[test]
fn decline_refuses_the_lease_of_bound_only() {
    let (address, server) = (ADDRESS, SERVER);
    let mut test = Test::bound();
    let decline = Message::Decline { address, server };
    assert_eq!(test.client.decline(), Some(decline));
    test.is(State::Init);
    assert_eq!(test.client.lease(), None);
    test = Test::extending(410);
    assert_eq!(test.client.decline(), None);
    test.is(State::Renewing);
}

#[test]
fn who_starts_again_asks_for_the_address_until_the_lease_ends() {
    for (now_secs, hint) in [(809, Some(ADDRESS)), (810, None)] {
        let mut test = Test::bound();
        test.client.start_again();
        test.is(State::Init);
        test.now_secs = now_secs;
        assert_eq!(test.sends().message, Message::Discover { hint });
    }
}

#[test]
fn delays_double_to_the_longest_and_vary_by_the_jitter() {
    let policy = Policy::RFC_2131;
    let secs = |earlier, random| policy.delay_ns(earlier, random) as f64 / SEC_NS as f64;
    let middles = [0, 1, 2, 3, 4, 5, 63, 64, 255].map(|earlier| secs(earlier, MIDDLE));
    assert_eq!(
        middles,
        [4.0, 8.0, 16.0, 32.0, 64.0, 64.0, 64.0, 64.0, 64.0]
    );
    assert_eq!(secs(0, 0), 3.0);
    assert_eq!(policy.delay_ns(0, u64::MAX), 5 * SEC_NS - 1);
}

#[test]
fn a_scale_shortens_delays_and_not_the_floor_of_renewals() {
    let policy = Policy::RFC_2131.scaled(0.125);
    assert_eq!(policy.delay_ns(0, 0), SEC_NS * 3 / 8);
    assert_eq!(policy.delay_ns(9, MIDDLE), 8 * SEC_NS);
    assert_eq!(policy.renewals, Policy::RFC_2131.renewals);
}

#[test]
fn times_of_a_lease_count_from_its_request_and_an_infinite_one_has_none() {
    let lease = lease(10);
    let times = [lease.renewal_ns(), lease.rebinding_ns(), lease.until_ns()];
    assert_eq!(times.map(|ns| ns / SEC_NS), [410, 710, 810]);
    assert!(lease.is_valid(810 * SEC_NS - 1) && !lease.is_valid(810 * SEC_NS));

    let infinite = Lease {
        lease_secs: u32::MAX.try_into().unwrap(),
        ..lease
    };
    assert_eq!(infinite.renewal_ns(), u64::MAX);
    assert!(infinite.is_valid(u64::MAX - 1));
    let longest = Lease {
        lease_secs: (u32::MAX - 1).try_into().unwrap(),
        since_ns: u64::MAX - 1,
        ..lease
    };
    assert_eq!(longest.until_ns(), u64::MAX);
}

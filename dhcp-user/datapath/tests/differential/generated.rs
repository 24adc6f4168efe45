//! Generated requests, processed by both paths in the same state.

use std::{cell::RefCell, collections::BTreeMap};

use dhcp_common::{
    outcome::{Action, Outcome},
    wire::option,
};
use dhcp_store::wall_clock::boottime;
use dhcp_testkit::agreement::{
    agree,
    cast::{self, Past, World},
};
use dhcp_testkit::fixtures::{program::Program, request::RequestFrame, strategies::requests};
use proptest::{prelude::*, test_runner::TestRunner};

use crate::program;

const CASES: u32 = 2048;

/// Counts outcomes, and the kinds of the requests that were answered.
#[derive(Default)]
struct Tally(BTreeMap<&'static str, u32>);

impl Tally {
    fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    fn outcome(&mut self, request: &RequestFrame, outcome: Outcome) {
        self.count(outcome.label());
        let has = |wanted| request.options.iter().any(|(code, _)| *code == wanted);
        if outcome == Outcome::NoTemplate && has(option::RAPID_COMMIT) {
            self.count("rapid commit");
        }
        let lists = |wanted: u8| {
            let mut lists = request.options.iter();
            lists.any(|(code, list)| *code == option::PARAMETER_LIST && list.contains(&wanted))
        };
        if outcome == Outcome::NoTemplate && lists(option::V6_ONLY_PREFERRED) {
            self.count("option 108 in a DISCOVER");
        }
        if outcome.action() != Action::Transmit {
            return;
        }
        let tags: Vec<_> = request.tags.iter().map(|[_, tci]| tci & 0xfff).collect();
        self.count(match *tags {
            [] => "untagged",
            [0] => "priority tag",
            [_] => "802.1Q",
            _ => "QinQ",
        });
        if request.destination == std::net::Ipv4Addr::new(10, 0, 0, 255) {
            self.count("directed broadcast");
        }
        if request.after_options.is_empty() {
            self.count("no END");
        }
        let is_trusted = *tags == [100] || !request.giaddr.is_unspecified();
        if has(option::RELAY_INFO) && !is_trusted {
            self.count("direct, and option 82 is not trusted");
        }
        self.count(
            match (request.giaddr.is_unspecified(), has(option::RELAY_INFO)) {
                (true, false) => "direct",
                (true, true) => "direct with option 82",
                (false, false) => "relayed",
                (false, true) => "relayed with option 82",
            },
        );
        for (code, what) in [
            (option::CLIENT_ID, "client identifier"),
            (option::MAX_MESSAGE_SIZE, "option 57"),
            (option::LEASE_TIME, "option 51"),
            (option::RAPID_COMMIT, "option 80"),
            (option::FQDN, "option 81"),
            (93, "firmware"),
            (option::PAD, "pads between options"),
        ] {
            if has(code) {
                self.count(what);
            }
        }
    }

    /// Checks that there were enough answers to compare.
    #[track_caller]
    fn at_least(&self, minimum: &[(&str, u32)]) {
        let short: Vec<_> = minimum
            .iter()
            .filter(|(what, least)| self.0.get(*what).copied().unwrap_or(0) < *least)
            .collect();
        assert!(short.is_empty(), "fewer than {short:?}: {:?}", self.0);
    }
}

/// Checks one request in one state, on all sides.
fn check(
    world: &World,
    program: Option<&mut Program>,
    request: &RequestFrame,
    tally: &mut Tally,
) -> Result<(), TestCaseError> {
    let outcome = agree(world, boottime(), program, request, &request.frame())?;
    tally.outcome(request, outcome);
    Ok(())
}

/// Minimum counts of each kind, well below those of any run.
const LEAST: [(&str, u32); 39] = [
    ("offered", 60),
    ("acked_selecting", 30),
    ("acked_rebooting", 30),
    ("acked_renewing", 30),
    ("acked_rebinding", 30),
    ("nak", 30),
    ("not_selected", 20),
    ("unknown_client", 50),
    ("offer_pending", 30),
    ("expired", 10),
    ("beyond_horizon", 10),
    ("address_mismatch", 2),
    ("other_origin", 20),
    ("revoked_client", 10),
    ("split_option", 10),
    ("bad_message_type", 5),
    ("short_datagram", 10),
    ("option_overrun", 10),
    ("empty_option", 2),
    ("short_client_id", 1),
    ("no END", 20),
    ("directed broadcast", 10),
    ("direct, and option 82 is not trusted", 5),
    ("untagged", 100),
    ("priority tag", 1),
    ("802.1Q", 80),
    ("QinQ", 1),
    ("direct", 100),
    ("direct with option 82", 2),
    ("relayed", 50),
    ("relayed with option 82", 2),
    ("client identifier", 100),
    ("option 57", 80),
    ("option 80", 5),
    ("option 81", 40),
    ("rapid commit", 2),
    ("option 108 in a DISCOVER", 1),
    ("firmware", 20),
    ("pads between options", 10),
];

fn throw(program: Option<Program>) {
    let world = World::new(cast::now());
    let program = RefCell::new(program);
    let tally = RefCell::new(Tally::default());
    let mut config = ProptestConfig::with_source_file(file!());
    config.cases = config.cases.max(CASES);
    let result = TestRunner::new(config).run(&requests(&world.cast()), |request| {
        let mut program = program.borrow_mut();
        check(&world, program.as_mut(), &request, &mut tally.borrow_mut())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    tally.borrow().at_least(&LEAST);
}

/// Options that are not part of the fingerprint may come in any number.
#[test]
fn c011_as_many_options_as_the_program_takes_are_not_too_many_for_the_engine() {
    let world = World::new(cast::now());
    let bound = world.of(Past::Bound).next().expect("there is one");
    let mut tally = Tally::default();
    for more in 90..260 {
        let mut request = cast::discover(bound);
        let name = (option::HOST_NAME, Vec::new());
        request.options.extend(vec![name; more]);
        check(&world, None, &request, &mut tally).unwrap();
    }
    tally.at_least(&[("offered", 50), ("many_options", 50)]);
}

#[test]
fn c117_m30_what_the_fast_path_answers_the_engine_would_have_sent() {
    throw(None);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c117_m30_what_the_kernel_answers_the_engine_would_have_sent() {
    throw(Some(program(1024)));
}

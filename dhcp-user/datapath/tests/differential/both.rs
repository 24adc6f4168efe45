//! Checks that both paths must pass, run with the loaded program and with the controller.

use std::net::Ipv4Addr;

use dhcp_common::{
    abi::META_SLOW_ONLY,
    outcome::{Action, Outcome},
    wire::{message_type, option},
};
use dhcp_config::{Config, OptionValue, Subnet};
use dhcp_engine::Counter;
use dhcp_store::wall_clock::boottime;
use dhcp_testkit::agreement::{
    cast::{self, actor, kind, stranger, yiaddr},
    networks::{self, LEASE_SECS, PRINTER, THIRD},
    sides::Sides,
};
use dhcp_testkit::fixtures::{
    program::Program,
    request::RequestFrame,
    strategies::Actor,
    world::{RELAY, SERVER},
};

use crate::{
    options::{listing, options_of},
    program,
};

const ROUTES: u8 = 121;
const MS_ROUTES: u8 = 249;
const CAPTIVE_PORTAL: u8 = 114;
const VENDOR_OPTIONS: u8 = 43;

/// A controller that has no clients yet, and the program.
struct Both {
    sides: Sides,
    program: Program,
}

impl Both {
    fn new(config: &Config) -> Self {
        Self {
            sides: Sides::new(config, boottime()),
            program: program(config.server.max_leases),
        }
    }

    /// Starts with a change to the subnet of the direct link.
    fn with_subnet(change: impl FnOnce(&mut Subnet)) -> Self {
        let mut config = networks::config();
        change(&mut config.networks[0].subnets[0]);
        Self::new(&config)
    }

    fn lease(&mut self, mut actor: Actor) -> Actor {
        self.sides.lease(&mut actor);
        actor
    }

    /// Returns the only answer to a request: of the controller, as if the fast path were off, and
    /// of the kernel if it answers.
    fn ask(&mut self, request: &RequestFrame, expected: Outcome) -> Vec<u8> {
        self.sides.sleep_to(boottime());
        let octets = request.frame();
        let flags = self.sides.tables.meta.as_ref().unwrap().flags;
        let mut run = |sides: &mut Sides, flags| {
            sides.tables.meta.as_mut().unwrap().flags = flags;
            sides.kernel(&mut self.program, &octets)
        };
        let off = run(&mut self.sides, flags | META_SLOW_ONLY);
        let before = run(&mut self.sides, flags);
        let mut answers = self.sides.answers_to(&octets);
        assert_eq!(answers.len(), 1, "one answer to {request:?}");
        let after = run(&mut self.sides, flags);
        if expected.action() == Action::Transmit {
            assert_eq!(off.outcome, Outcome::SlowOnly);
            assert_eq!(off.frame, octets, "untouched with the fast path off");
            assert_eq!(after.outcome, expected);
            assert_eq!(answers, std::slice::from_ref(&after.frame), "{request:?}");
        } else {
            assert_eq!(before.outcome, expected);
            assert_eq!(before.frame, octets, "untouched");
        }
        answers.remove(0)
    }
}

/// Returns all values of a code in a reply.
fn values(actor: &Actor, reply: &[u8], code: u8) -> Vec<Vec<u8>> {
    let options = options_of(actor, reply).into_iter();
    options
        .filter(|(other, _)| *other == code)
        .map(|(_, value)| value)
        .collect()
}

fn value(code: u8, data: &[u8]) -> OptionValue {
    OptionValue {
        code,
        data: data.to_vec(),
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c022_a_subnet_that_the_client_selects_is_the_controllers() {
    let mut both = Both::new(&networks::config());
    let selected = Ipv4Addr::new(10, 9, 0, 0).octets();
    let client = actor(1, None, None, Some(100));
    let discover = cast::discover(&client).option(option::SUBNET_SELECTION, &selected);
    let offer = both.ask(&discover, Outcome::SubnetSelection);
    assert_eq!(kind(&client, &offer), message_type::OFFER);
    assert_eq!(yiaddr(&client, &offer).octets()[..2], [10, 9]);
    assert_eq!(
        values(&client, &offer, option::SUBNET_SELECTION),
        [selected]
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c053_another_clients_address_is_told_nak() {
    let mut both = Both::new(&networks::config());
    let (one, two) = (both.lease(stranger(1)), both.lease(stranger(2)));
    let wants = |actor: &Actor| Actor {
        address: two.address,
        ..actor.clone()
    };
    for request in [
        cast::selecting(&wants(&one)),
        cast::rebooting(&wants(&one)),
        cast::renewing(&wants(&one)),
    ] {
        let reply = both.ask(&request, Outcome::AddressMismatch);
        assert_eq!(kind(&one, &reply), message_type::NAK);
    }
    let nobody = stranger(3);
    let reply = both.ask(&cast::rebooting(&wants(&nobody)), Outcome::UnknownClient);
    assert_eq!(kind(&nobody, &reply), message_type::NAK);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c098_a_long_value_is_split_in_the_kernels_answer_too() {
    let long: Vec<u8> = (0..270u16).map(|i| i as u8).collect();
    let mut both = Both::with_subnet(|subnet| {
        subnet
            .options
            .retain(|option| option.code != VENDOR_OPTIONS);
        subnet.options.push(value(VENDOR_OPTIONS, &long));
    });
    let client = both.lease(stranger(1));
    let request = listing(cast::rebooting(&client), &[VENDOR_OPTIONS])
        .option(option::MAX_MESSAGE_SIZE, &1500u16.to_be_bytes());
    let ack = both.ask(&request, Outcome::AckedRebooting);
    let instances = values(&client, &ack, VENDOR_OPTIONS);
    let lens: Vec<_> = instances.iter().map(Vec::len).collect();
    assert_eq!(lens, [255, 15]);
    assert_eq!(instances.concat(), long);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c104_relay_information_that_does_not_fit_is_left_out_by_the_controller() {
    let mut both = Both::new(&networks::config());
    let client = Actor {
        relay_info: Some([&[1, 251][..], &[7; 251]].concat()),
        ..actor(1, Some(vec![1; 32]), Some(RELAY), None)
    };
    let client = both.lease(client);
    let ack = both.ask(&cast::rebooting(&client), Outcome::ReplyTooLarge);
    assert_eq!(kind(&client, &ack), message_type::ACK);
    assert!(values(&client, &ack, option::RELAY_INFO).is_empty());
    let counters = both.sides.engine.counters();
    assert!(counters.get(Counter::RelayInfoLeftOut) > 0);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c107_the_kernel_grants_the_time_that_the_client_asks_for_within_the_limits() {
    let mut both = Both::new(&networks::config());
    let client = both.lease(stranger(1));
    for (wish, granted) in [
        (LEASE_SECS / 4, LEASE_SECS / 4),
        (1, LEASE_SECS / 4),
        (LEASE_SECS * 2, LEASE_SECS * 2),
        (u32::MAX, LEASE_SECS * 2),
    ] {
        let request = cast::renewing(&client).option(option::LEASE_TIME, &wish.to_be_bytes());
        let ack = both.ask(&request, Outcome::AckedRenewing);
        let expected = [granted.to_be_bytes()];
        assert_eq!(
            values(&client, &ack, option::LEASE_TIME),
            expected,
            "{wish}"
        );
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c110_m28_rapid_commit_is_the_controllers_and_means_nothing_elsewhere() {
    let mut both = Both::new(&networks::config());
    let rapid = |request: RequestFrame| request.option(option::RAPID_COMMIT, &[]);
    let mut client = actor(1, None, Some(RELAY), None);
    let ack = both.ask(&rapid(cast::discover(&client)), Outcome::UnknownClient);
    assert_eq!(kind(&client, &ack), message_type::ACK);
    assert_eq!(values(&client, &ack, option::RAPID_COMMIT), [[0u8; 0]]);
    client.address = yiaddr(&client, &ack);
    let again = both.ask(&rapid(cast::discover(&client)), Outcome::NoTemplate);
    assert_eq!(again, ack);
    for (request, outcome) in [
        (rapid(cast::rebooting(&client)), Outcome::AckedRebooting),
        (cast::discover(&client), Outcome::Offered),
    ] {
        let reply = both.ask(&request, outcome);
        assert!(values(&client, &reply, option::RAPID_COMMIT).is_empty());
    }
    // On a link where it is not enabled.
    let direct = both.lease(stranger(2));
    let offer = both.ask(&rapid(cast::discover(&direct)), Outcome::Offered);
    assert_eq!(kind(&direct, &offer), message_type::OFFER);
    assert!(values(&direct, &offer, option::RAPID_COMMIT).is_empty());
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn m08_the_kernel_names_the_address_of_ours_that_the_client_reaches() {
    let mut both = Both::new(&networks::config());
    for (client, server) in [
        (stranger(1), SERVER),
        (actor(2, None, None, Some(300)), THIRD),
        (actor(3, None, Some(RELAY), None), SERVER),
    ] {
        let client = both.lease(client);
        let ack = both.ask(&cast::rebooting(&client), Outcome::AckedRebooting);
        assert_eq!(
            values(&client, &ack, option::SERVER_ID),
            [server.octets()],
            "{client:?}"
        );
        let ip = 14 + 4 * client.tags.len();
        assert_eq!(ack[ip + 12..ip + 16], server.octets());
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn m09_a_reserved_address_is_offered_by_the_kernel_and_to_nobody_else() {
    let mut both = Both::new(&networks::config());
    let printer = both.lease(stranger(PRINTER));
    assert_eq!(printer.address, Ipv4Addr::new(10, 0, 0, 50));
    let offer = both.ask(&cast::discover(&printer), Outcome::Offered);
    assert_eq!(yiaddr(&printer, &offer), printer.address);
    let other = both.lease(stranger(1));
    let thief = Actor {
        address: Ipv4Addr::new(10, 0, 0, 51),
        ..other.clone()
    };
    let reply = both.ask(&cast::selecting(&thief), Outcome::AddressMismatch);
    assert_eq!(kind(&thief, &reply), message_type::NAK);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn m22_m25_what_is_only_sent_as_listed_or_configured() {
    const PORTAL: &[u8] = b"https://portal.example/api";
    let mut both = Both::with_subnet(|subnet| subnet.options.push(value(CAPTIVE_PORTAL, PORTAL)));
    let client = both.lease(stranger(1));
    let mut codes = |list: &[u8]| {
        let request = listing(cast::rebooting(&client), list);
        let ack = both.ask(&request, Outcome::AckedRebooting);
        let codes: Vec<_> = options_of(&client, &ack)
            .into_iter()
            .map(|(code, _)| code)
            .filter(|code| [ROUTES, MS_ROUTES, CAPTIVE_PORTAL].contains(code))
            .collect();
        (codes, values(&client, &ack, CAPTIVE_PORTAL))
    };
    assert_eq!(codes(&[MS_ROUTES]).0, [MS_ROUTES]);
    assert_eq!(codes(&[ROUTES]).0, [ROUTES]);
    assert!(codes(&[1, 3]).0.is_empty());
    assert_eq!(
        codes(&[CAPTIVE_PORTAL]),
        (vec![CAPTIVE_PORTAL], vec![PORTAL.to_vec()])
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c111_c112_who_lists_it_hears_from_the_kernel_that_ipv6_will_do_and_gets_no_address_for_it() {
    let mut both = Both::new(&networks::config());
    let list = [1, 3, option::V6_ONLY_PREFERRED];
    let client = actor(1, None, Some(RELAY), None);
    let offer = both.ask(
        &listing(cast::discover(&client), &list),
        Outcome::UnknownClient,
    );
    assert_eq!(kind(&client, &offer), message_type::OFFER);
    assert_eq!(yiaddr(&client, &offer), Ipv4Addr::UNSPECIFIED);
    assert!(both.sides.leases.is_empty(), "nothing is held for it");
    let waits = |reply: &[u8]| values(&client, reply, option::V6_ONLY_PREFERRED);
    assert_eq!(waits(&offer), [[0; 4]]);

    let client = both.lease(client.clone());
    let request = listing(cast::rebooting(&client), &list);
    let ack = both.ask(&request, Outcome::AckedRebooting);
    assert_eq!(waits(&ack), [[0; 4]]);
    let ack = both.ask(&cast::rebooting(&client), Outcome::AckedRebooting);
    assert!(waits(&ack).is_empty(), "not to who does not list it");
    // The kernel sends no such OFFER: to a client without a lease it would offer no address.
    let offer = both.ask(
        &listing(cast::discover(&client), &list),
        Outcome::NoTemplate,
    );
    assert_eq!(yiaddr(&client, &offer), client.address);
    // On other links option 108 is not sent.
    let direct = both.lease(stranger(2));
    let request = listing(cast::rebooting(&direct), &list);
    let ack = both.ask(&request, Outcome::AckedRebooting);
    assert!(values(&direct, &ack, option::V6_ONLY_PREFERRED).is_empty());
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c092_c093_c094_who_lists_all_options_gets_what_fits_in_its_order() {
    const FIRST: u8 = 160;
    let mut both = Both::with_subnet(|subnet| {
        subnet.options = (FIRST..FIRST + 60)
            .map(|code| value(code, &[code; 8]))
            .collect();
    });
    let client = both.lease(stranger(1));
    // From the last to the first, so that the order is the client's and not the file's.
    let list: Vec<u8> = (1..=255).rev().collect();
    let ack = both.ask(
        &listing(cast::rebooting(&client), &list),
        Outcome::AckedRebooting,
    );
    let ip_len = ack.len() - 14;
    assert!(ip_len <= 576, "{ip_len}");
    let codes: Vec<_> = options_of(&client, &ack)
        .into_iter()
        .map(|(code, _)| code)
        .filter(|code| (FIRST..FIRST + 60).contains(code))
        .collect();
    assert!(codes.len() > 20, "as many as there is room for: {codes:?}");
    let expected: Vec<u8> = (FIRST..FIRST + 60).rev().take(codes.len()).collect();
    assert_eq!(codes, expected);
}

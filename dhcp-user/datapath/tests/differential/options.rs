//! The options that the kernel sends, which are those of the controller.

use dhcp_common::{
    outcome::Action,
    wire::{message_type, option},
};
use dhcp_store::wall_clock::boottime;
use dhcp_testkit::agreement::{
    cast::{self, Past, World},
    networks::LEASE_SECS,
};
use dhcp_testkit::fixtures::{request::RequestFrame, strategies::Actor};

use crate::program;

const ROUTES: u8 = 121;

/// Returns codes and values of a reply to an actor, in the order sent.
pub fn options_of(actor: &Actor, reply: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut rest = &reply[14 + 4 * actor.tags.len() + 28 + 240..];
    let mut options = Vec::new();
    while rest[0] != option::END {
        let (option, after) = rest.split_at(2 + usize::from(rest[1]));
        options.push((option[0], option[2..].to_vec()));
        rest = after;
    }
    options
}

/// Returns the requests of an untagged client with a lease in each state.
fn requests(bound: &Actor, list: &[u8]) -> [RequestFrame; 4] {
    [
        cast::discover(bound),
        cast::selecting(bound),
        cast::rebooting(bound),
        cast::renewing(bound),
    ]
    .map(|request| listing(request, list))
}

/// Returns a request with another parameter list.
pub fn listing(request: RequestFrame, list: &[u8]) -> RequestFrame {
    request.with(|r| {
        let wanted = r
            .options
            .iter_mut()
            .find(|(code, _)| *code == option::PARAMETER_LIST);
        wanted.unwrap().1 = list.to_vec();
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c031_c045_c093_c094_c095_c096_c100_c106_the_kernel_sends_what_was_asked_for() {
    let world = World::new(cast::now());
    let mut program = program(1024);
    let mut sides = world.sides(boottime());
    let bound = world
        .of(Past::Bound)
        .find(|a| a.giaddr.is_none() && a.tags.is_empty() && a.client_id.is_none())
        .unwrap();
    let cases: [(&[u8], &[u8]); 5] = [
        (&[6, 3, 1], &[6, 1, 3]),
        (&[15, 42, 15, 1, 99], &[15, 42, 1]),
        (
            &[42, 50, 51, 53, 54, 55, 57, 58, 59, 61, 82, 0, 255],
            &[1, 42],
        ),
        (&[3, 33, ROUTES, 6], &[1, ROUTES, 6]),
        (&[], &[1]),
    ];
    for (list, expected) in cases {
        let mut told = Vec::new();
        for request in requests(bound, list) {
            let octets = request.frame();
            let answers = sides.answers_to(&octets);
            let run = sides.kernel(&mut program, &octets);
            assert_eq!(run.outcome.action(), Action::Transmit, "{:?}", run.outcome);
            assert_eq!(answers, std::slice::from_ref(&run.frame), "{list:?}");
            let options = options_of(bound, &run.frame);
            let codes: Vec<_> = options.iter().map(|(code, _)| *code).collect();
            assert_eq!(
                codes,
                [&[53, 54, 51, 58, 59], expected].concat(),
                "{list:?}"
            );
            told.push(options);
        }
        let [offer, acks @ ..] = &*told else {
            unreachable!("of four requests")
        };
        assert_eq!(offer[0].1, [message_type::OFFER]);
        assert_eq!(offer[1].1, bound.server.octets());
        for (at, secs) in [
            (2, LEASE_SECS),
            (3, LEASE_SECS / 2),
            (4, LEASE_SECS / 8 * 7),
        ] {
            assert_eq!(offer[at].1, secs.to_be_bytes());
        }
        for ack in acks {
            assert_eq!(ack[0].1, [message_type::ACK]);
            assert_eq!(ack[1..], offer[1..], "{list:?}");
        }
    }
}

//! Defects of other fast paths, one test each.

use std::{net::Ipv4Addr, thread, time::Duration};

use dhcp_common::{
    checksum,
    outcome::{Action, Outcome},
    wire::{message_type, option},
};
use dhcp_engine::{Command, CommandOutcome, lease_table::LeaseState};
use dhcp_model::Nanos;
use dhcp_store::wall_clock::boottime;
use dhcp_testkit::agreement::{
    cast::{self, Past, World, kind, stranger, yiaddr},
    networks::{self, LEASE_SECS},
    sides::Sides,
};
use dhcp_testkit::fixtures::{
    cases::cases,
    malformed::malformed,
    program::{PASS, Program, XDP_TX},
    request::{RequestFrame, UdpChecksum},
    strategies::Actor,
    world::{OTHER_SERVER, SECOND, mac},
};

use crate::program;

fn world() -> (World, Program, Nanos) {
    let now = cast::now();
    (World::new(now), program(1024), now)
}

/// Asks the kernel, and the controller if the kernel passes the request on.
fn ask_both(sides: &mut Sides, program: &mut Program, request: &RequestFrame) -> Vec<Vec<u8>> {
    let octets = request.frame();
    let run = sides.kernel(program, &octets);
    match run.outcome.action() {
        Action::Transmit => vec![run.frame],
        Action::Slow => sides.answers_to(&octets),
        Action::Pass | Action::Drop => Vec::new(),
    }
}

fn renewal_of(actor: &Actor, address: Ipv4Addr) -> RequestFrame {
    cast::renewing(actor).with(|r| {
        r.ciaddr = address;
        r.source = address;
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c063_c109_boot_clock_is_not_compared_with_unix_time() {
    let (world, mut program, _) = world();
    let mut sides = world.sides(boottime());
    for expired in world.of(Past::Expired) {
        let run = sides.kernel(&mut program, &cast::renewing(expired).frame());
        assert_eq!(run.outcome, Outcome::Expired);
    }

    // To the tick: a client that is offered its lease, just before the lease ends and just after.
    let mut client = stranger(1);
    let start = cast::ago(cast::now(), 100);
    let mut sides = Sides::new(&networks::config(), start);
    sides.lease(&mut client);
    let discover = cast::discover(&client).frame();
    for binding in sides.tables.leases.values_mut() {
        binding.expires_ns = boottime().plus(Duration::from_millis(300)).0;
    }
    let keys: Vec<_> = sides.tables.leases.keys().copied().collect();
    for key in keys {
        let binding = sides.tables.leases[&key];
        sides.tables.publish(key, binding);
    }
    let expires = Nanos(sides.tables.leases.values().next().unwrap().expires_ns);
    let run = sides.kernel(&mut program, &discover);
    assert!(boottime() < expires, "the machine is too slow to tell");
    assert_eq!(run.outcome, Outcome::Offered);
    while boottime() <= expires {
        thread::sleep(expires.since(boottime()) + Duration::from_millis(1));
    }
    let run = sides.kernel(&mut program, &discover);
    assert_eq!(run.outcome, Outcome::Expired);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c039_c049_c054_server_id_requested_address_and_ciaddr_are_checked() {
    let (world, mut program, now) = world();
    for bound in world.of(Past::Bound) {
        let mut sides = world.sides(now);
        let mut neither = |request: &RequestFrame| {
            let replies = ask_both(&mut sides, &mut program, request);
            let acked = replies
                .iter()
                .any(|reply| kind(bound, reply) == message_type::ACK);
            assert!(!acked, "{request:?}");
        };
        let last = |mut request: RequestFrame, value: Ipv4Addr| {
            request.options.last_mut().unwrap().1 = value.octets().to_vec();
            request
        };
        // On the same network, and free.
        let [a, b, c, _] = bound.address.octets();
        let elsewhere = Ipv4Addr::new(a, b, c, 188);
        neither(&last(cast::selecting(bound), OTHER_SERVER));
        neither(&last(cast::rebooting(bound), elsewhere));
        neither(&renewal_of(bound, elsewhere));
        let mut other_address = cast::selecting(bound);
        for (code, value) in &mut other_address.options {
            if *code == option::REQUESTED_ADDRESS {
                *value = elsewhere.octets().to_vec();
            }
        }
        neither(&other_address);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c054_a_renewal_is_acknowledged_for_the_clients_own_address_only() {
    let (world, mut program, now) = world();
    let clients: Vec<_> = world
        .of(Past::Bound)
        .filter(|client| client.giaddr.is_none() && client.tags.is_empty())
        .collect();
    assert!(clients.len() > 2);
    for client in &clients {
        for address in clients.iter().map(|other| other.address) {
            let mut sides = world.sides(now);
            let replies = ask_both(&mut sides, &mut program, &renewal_of(client, address));
            let expected = if address == client.address {
                message_type::ACK
            } else {
                message_type::NAK
            };
            assert_eq!(replies.len(), 1);
            assert_eq!(kind(client, &replies[0]), expected, "{client:?}: {address}");
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c037_c091_a_frame_that_is_handed_on_is_as_it_was() {
    let mut program = program(1024);
    let mut handed_on = 0;
    for case in cases(boottime().0) {
        if case.outcome.action() == Action::Transmit {
            continue;
        }
        program.install(&case.tables).unwrap();
        let run = program.run(&case.frame).unwrap();
        assert!(run.frame == case.frame, "{}", case.name);
        handed_on += 1;
    }
    assert!(handed_on >= 70, "{handed_on}");

    // The last possible refusal: the reply would be too large for the client, found after all other
    // checks.
    let world = World::new(cast::now());
    let mut sides = world.sides(boottime());
    let relayed = world.of(Past::Bound).find(|a| a.giaddr.is_some()).unwrap();
    let mut bound = Actor {
        mac: mac(240),
        relay_info: Some([&[1, 250][..], &[7; 250]].concat()),
        ..relayed.clone()
    };
    sides.lease(&mut bound);
    let long = cast::discover(&bound).with(|r| r.options[1].1 = vec![1, 3, 43, 119]);
    let replies = sides.answers_to(&long.frame());
    assert_eq!(replies.len(), 1);
    let run = sides.kernel(&mut program, &long.frame());
    assert_eq!(run.outcome, Outcome::ReplyTooLarge);
    assert_eq!(run.frame, long.frame());
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn options_are_found_by_walking_not_at_fixed_offsets() {
    let (world, mut program, now) = world();
    let mut sides = world.sides(now);
    let bound = world.of(Past::Bound).next().unwrap();
    let mut wolf = vec![option::MESSAGE_TYPE, 1, message_type::REQUEST];
    wolf.extend([option::REQUESTED_ADDRESS, 4]);
    wolf.extend(bound.address.octets());
    wolf.push(option::END);
    for shift in 0..24 {
        for at in 0..=2 {
            let name = [&vec![b'a'; shift][..], &wolf].concat();
            let mut request = cast::discover(bound);
            request.options.insert(at, (option::HOST_NAME, name));
            let replies = sides.answers_to(&request.frame());
            let run = sides.kernel(&mut program, &request.frame());
            assert_eq!(
                run.outcome,
                Outcome::Offered,
                "{shift} octets before, at {at}"
            );
            assert_eq!(replies, [run.frame]);
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c004_c083_c089_no_fragments_no_ip_options_no_wrong_checksums_and_nothing_of_the_request_in_replies()
 {
    let (world, mut program, now) = world();
    let bound = world.of(Past::Bound).next().unwrap();
    let mut sides = world.sides(now);
    for case in malformed(bound.mac) {
        let run = sides.kernel(&mut program, &case.frame);
        assert_ne!(run.action, XDP_TX, "{}", case.name);
        assert_eq!(run.frame, case.frame, "{}", case.name);
    }

    const MARK: u8 = 0xe7;
    for len in 0..40 {
        for udp_checksum in [UdpChecksum::Right, UdpChecksum::Zero, UdpChecksum::Partial] {
            let request = cast::renewing(bound)
                .option(option::HOST_NAME, &vec![MARK; len])
                .with(|r| {
                    r.udp_checksum = udp_checksum;
                    r.sname = [MARK; 64];
                    r.file = [MARK; 128];
                    r.after_options.extend([MARK; 60]);
                    r.trailer = vec![MARK; len];
                });
            let run = sides.kernel(&mut program, &request.frame());
            assert_eq!(run.outcome, Outcome::AckedRenewing);
            assert!(
                !run.frame.contains(&MARK),
                "of a request with {len} octets more"
            );
            let (ip, udp) = (&run.frame[14..34], &run.frame[34..]);
            assert_eq!(checksum::finish(checksum::sum(ip)), 0);
            assert_ne!(udp[6..8], [0, 0], "not computed");
            let pseudo_header =
                checksum::sum(&ip[12..20]) + checksum::sum(&[0, 17]) + checksum::sum(&udp[4..6]);
            assert_eq!(checksum::finish(pseudo_header + checksum::sum(udp)), 0);
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c062_c118_what_the_kernel_acknowledged_the_controller_does_not_give_away() {
    let mut program = program(1024);
    let now = cast::now();
    let mut sides = Sides::new(&networks::config(), cast::ago(now, 80));
    let (mut client, mut other) = (stranger(1), stranger(2));
    sides.lease(&mut client);
    sides.sleep_to(now);
    let commits = sides.commits;
    let run = sides.kernel(&mut program, &cast::renewing(&client).frame());
    assert_eq!(run.outcome, Outcome::AckedRenewing);
    assert_eq!(sides.commits, commits, "the controller has not heard of it");

    // The lease is over as far as the controller knows, but the kernel has promised the client
    // more.
    sides.pass(Duration::from_secs(u64::from(LEASE_SECS / 2)));
    assert_eq!(sides.state(client.address), Some(LeaseState::Bound));
    let wish = cast::discover(&other).address_option(option::REQUESTED_ADDRESS, client.address);
    other.address = yiaddr(&other, &sides.one_answer(&wish));
    assert_ne!(other.address, client.address);
    let taken = cast::rebooting(&other).with(|r| {
        r.options.last_mut().unwrap().1 = client.address.octets().to_vec();
    });
    for reply in sides.answers_to(&taken.frame()) {
        assert_eq!(kind(&other, &reply), message_type::NAK);
    }
    // To the second.
    sides.pass_to(now.plus_lease(LEASE_SECS));
    assert_eq!(sides.state(client.address), Some(LeaseState::Bound));
    sides.pass(Duration::from_secs(5));
    assert_eq!(sides.state(client.address), None);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c061_a_deleted_lease_leaves_no_entry_that_answers() {
    let (world, mut program, now) = world();
    let mut ended = 0;
    for bound in world.of(Past::Bound) {
        for ending in [Command::Delete, Command::Revoke] {
            let mut sides = world.sides(now);
            assert_eq!(sides.command(ending(bound.address)), CommandOutcome::Done);
            // Each identity that the client may have, by each way on which it may come.
            let anonymous = Actor {
                client_id: None,
                ..bound.clone()
            };
            let moved = Actor {
                giaddr: None,
                tags: Vec::new(),
                ..bound.clone()
            };
            for actor in [bound, &anonymous, &moved] {
                for request in [
                    cast::selecting(actor),
                    cast::rebooting(actor),
                    cast::renewing(actor),
                    cast::renewing(actor).with(|r| r.destination = SECOND),
                    renewal_of(actor, bound.address).with(|r| r.destination = Ipv4Addr::BROADCAST),
                ] {
                    let run = sides.kernel(&mut program, &request.frame());
                    let is_ack = run.action == XDP_TX && run.outcome != Outcome::NakSent;
                    assert!(!is_ack, "{:?} to {request:?}", run.outcome);
                    ended += 1;
                }
            }
            let entries = sides.tables.leases.values();
            let left = entries
                .filter(|binding| Ipv4Addr::from(binding.address) == bound.address)
                .count();
            assert_eq!(
                left,
                usize::from(sides.state(bound.address) == Some(LeaseState::Revoked))
            );
        }
    }
    assert!(ended >= 300, "{ended}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_frame_that_was_answered_is_not_measured_again() {
    let (world, mut program, now) = world();
    let mut sides = world.sides(now);
    let bound = world.of(Past::Bound).next().unwrap();
    let renewal = cast::renewing(bound).frame();
    let first = sides.kernel(&mut program, &renewal);
    assert_eq!(first.outcome, Outcome::AckedRenewing);
    // The kernel repeats the run over the frame that the program has left, which is no longer a
    // request.
    let second = sides.kernel(&mut program, &first.frame);
    assert_eq!(second.outcome, Outcome::NotDhcp);
    let name = dhcp_common::abi::PROGRAM;
    assert!(program.time(name, &renewal, 100).is_err());
    assert!(program.time(name, &first.frame, 100).is_ok());
    assert!(program.time(PASS, &renewal, 100).is_ok());
}

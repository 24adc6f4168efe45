//! The loaded program, over the same frames and tables as the fast path's host tests.

use dhcp_common::{
    abi::{BindingState, CLOCK_LEAD_NS, ClientKey, Grant, META_SLOW_ONLY, WAYS, lease_homes},
    outcome::{Action, Outcome},
};
use dhcp_datapath::OBJECT;
use dhcp_model::Nanos;
use dhcp_store::wall_clock::boottime;
use dhcp_testkit::fixtures::{
    cases::{cases, with_fast_path_off},
    fleet::{fleet, renewal, stranger},
    program::{XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX},
    world::{LEASE_SECS, digest},
};

#[test]
#[ignore = "needs root: cargo xtask test"]
fn every_case_ends_in_the_kernel_as_it_does_on_the_host() {
    let mut program = program(1024);
    let now = boottime();
    for case in cases(now.0) {
        let name = case.name;
        program.install(&case.tables).expect(name);
        let run = program.run(&case.frame).expect(name);
        assert_eq!(run.outcome, case.outcome, "{name}");
        assert_eq!(run.action, verdict(case.outcome.action()), "{name}");
        assert!(
            run.frame == case.reply.unwrap_or(case.frame),
            "{name}: another frame"
        );
        if let Some((slot, epoch)) = case.grants {
            let granted = program.grant(slot).expect(name).granted_for(epoch);
            let granted = Nanos(granted.expect("an ACK is noted"));
            assert!(granted >= now.plus_lease(LEASE_SECS), "{name}");
            let latest = boottime().plus_lease(LEASE_SECS).0 + CLOCK_LEAD_NS;
            let latest = Nanos(Grant::pack(latest, 0));
            assert!(granted <= latest, "{name}");
        }
    }
}

/// As many leases as the maps are made for: some are behind their home.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn everyone_in_a_full_table_is_found_and_nobody_else() {
    const LEASES: u32 = 600;
    let mut program = program(LEASES);
    let tables = fleet(LEASES, BindingState::Bound, boottime().0);
    program.install(&tables).expect("there is room");
    for n in 0..LEASES {
        let run = program.run(&renewal(n).frame()).expect("it runs");
        assert_eq!(run.outcome, Outcome::AckedRenewing, "{n}");
        let run = program.run(&stranger(n).frame()).expect("it runs");
        assert_eq!(run.outcome, Outcome::UnknownClient, "{n}");
    }
    let home =
        |slot: u32, client: &ClientKey| slot / WAYS == digest(client).home(lease_homes(LEASES));
    let mut leases = tables.leases.iter();
    assert!(
        leases.any(|(client, binding)| !home(binding.slot, client)),
        "nobody had to look further"
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn m30_with_the_fast_path_off_the_kernel_answers_no_case_and_hands_on_what_it_would_have_answered()
{
    let mut program = program(1024);
    for mut case in cases(boottime().0) {
        let name = case.name;
        if let Some(meta) = &mut case.tables.meta {
            meta.flags |= META_SLOW_ONLY;
        }
        program.install(&case.tables).expect(name);
        let run = program.run(&case.frame).expect(name);
        let expected = with_fast_path_off(case.outcome);
        assert_eq!(run.outcome, expected, "{name}");
        assert_eq!(run.action, verdict(expected.action()), "{name}");
        assert!(run.frame == case.frame, "{name}: another frame");
    }
}

const fn verdict(action: Action) -> u32 {
    match action {
        Action::Pass => XDP_PASS,
        Action::Transmit => XDP_TX,
        Action::Slow => XDP_REDIRECT,
        Action::Drop => XDP_DROP,
    }
}

/// The verifier's limit is a million; the rest is left for further features of DHCPv4.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_verifier_looks_at_no_more_than_200_000_instructions() {
    let mut program = program(16);
    let verified = program.verified_instructions().expect("the kernel says");
    let verified = verified.expect("known since Linux 5.16");
    println!("{verified} instructions");
    assert!(verified <= 200_000, "{verified}");
}

/// Loads the program with room for some leases. It needs root.
fn program(leases: u32) -> dhcp_testkit::fixtures::program::Program {
    dhcp_testkit::fixtures::program::Program::load(OBJECT, leases)
        .expect("the kernel takes the program")
}

//! Runs the seeded simulation as ordinary tests: thousands of worlds, and the proof that it notices
//! defects. `cargo xtask sim` plays any number.

use std::{num::NonZero, thread};

use dhcp_testkit::simulation::{Report, Sabotage, run, story};

const SEEDS: u64 = 4000;
/// Events in each world before it ends.
const STEPS: u64 = 1000;
/// The number of worlds within which every sabotage must be noticed.
const NOTICED_WITHIN: u64 = 1000;
/// Events that must occur in these worlds; otherwise they prove nothing about them.
const EXPECTED: [&str; 32] = [
    "acknowledged by the controller",
    "acknowledged by the kernel",
    "addresses found in use",
    "answers compared",
    "answers to probes of no use",
    "coincidences",
    "commits",
    "commits failed",
    "commits in doubt",
    "commits refused",
    "configurations changed",
    "crashes",
    "deleted",
    "fences that waited for a run",
    "frames that found the queue full",
    "hostile messages",
    "interruptions",
    "leases recorded again",
    "offered by the controller",
    "offered by the kernel",
    "power cuts",
    "probes",
    "publishing failed",
    "refused by the controller",
    "refused by the kernel",
    "revoked",
    "starts that waited for a run",
    "steps of the wall clock",
    "stores lost",
    "storms",
    "torn copies",
    "withdrawing failed",
];

/// Plays some worlds and reports the first one that fails.
fn play(seeds: impl Iterator<Item = u64>) -> Report {
    let mut all = Report::default();
    for seed in seeds {
        let report = run(seed, STEPS, None, false);
        assert!(report.violation.is_none(), "{}", story(seed, STEPS, None));
        all.add(report);
    }
    all
}

/// Plays the worlds that `cargo xtask test --quick` runs.
#[test]
fn c118_c120_the_first_worlds_give_no_address_twice_break_no_promise_and_lose_no_address() {
    let all = play(0..100);
    assert!(all.tally.get("commits").is_some_and(|commits| *commits > 0));
}

#[test]
fn c118_c120_no_address_is_given_twice_or_lost_and_no_promise_broken_in_thousands_of_worlds() {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let all = thread::scope(|scope| {
        let running: Vec<_> = (0..threads as u64)
            .map(|first| scope.spawn(move || play((first..SEEDS).step_by(threads))))
            .collect();
        let mut all = Report::default();
        for thread in running {
            match thread.join() {
                Ok(report) => all.add(report),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    for what in EXPECTED {
        let count = all.tally.get(what).copied().unwrap_or(0);
        assert!(count > 0, "{what}: never");
    }
}

#[test]
fn one_seed_decides_everything() {
    for seed in 0..20 {
        let [one, other] = [(); 2].map(|()| run(seed, STEPS, None, true));
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert!(one.trace.len() > 100, "seed {seed}");
    }
}

fn is_noticed(sabotage: Sabotage) {
    let noticed = (0..NOTICED_WITHIN).any(|seed| {
        let report = run(seed, STEPS, Some(sabotage), false);
        report.violation.is_some()
    });
    assert!(noticed, "{sabotage:?}");
}

#[test]
fn c118_a_fence_that_does_not_wait_is_noticed() {
    is_noticed(Sabotage::FenceAtOnce);
}

#[test]
fn c046_a_promise_before_its_commit_is_noticed() {
    is_noticed(Sabotage::PromiseBeforeCommit);
}

#[test]
fn c120_a_start_that_forgets_what_the_kernel_granted_is_noticed() {
    is_noticed(Sabotage::ForgetGrants);
}

#[test]
fn c120_a_start_that_frees_leases_which_only_the_kernel_knows_is_noticed() {
    is_noticed(Sabotage::FreeUnrecorded);
}

#[test]
fn c120_a_start_that_keeps_such_leases_only_in_memory_is_noticed() {
    is_noticed(Sabotage::RecordNothing);
}

#[test]
fn c118_a_start_that_does_not_wait_for_runs_of_before_is_noticed() {
    is_noticed(Sabotage::StartAtOnce);
}

#[test]
fn c030_an_address_that_is_offered_although_a_host_has_answered_for_it_is_noticed() {
    is_noticed(Sabotage::OfferInUse);
}

#[test]
fn a_program_that_believes_torn_copies_is_noticed() {
    is_noticed(Sabotage::TrustTorn);
}

#[test]
fn c120_a_commit_in_doubt_that_is_taken_for_a_failed_one_is_noticed() {
    is_noticed(Sabotage::DoubtIsFailure);
}

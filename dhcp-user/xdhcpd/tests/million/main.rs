//! A controller with a million leases: the time until it answers after a start, its memory, and the
//! effect on clients when half of the leases end at once or very many are renewed near their
//! horizons.
//!
//! `cargo test --release -p xdhcpd --test million -- --ignored --nocapture` prints the figures;
//! `cargo xtask bench --filter million` compares them with the baseline.

#![allow(clippy::unwrap_used)]

mod client;
mod daemon;
mod figures;
mod store;

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use dhcp_testkit::fixtures::fleet;
use dhcp_testkit::lab::{self, Lab};

use self::{client::Wire, daemon::Daemon};

const LEASES: u32 = 1_000_000;
/// The most octets a lease, of the process and the kernel's maps together.
const MEMORY: u64 = 500;
/// The longest time that anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);
/// Entries that a controller that is killed may leave behind their records: horizons are extended
/// 256 at a time, and published after their commit.
const IN_FLIGHT: u32 = 1024;

/// Runs one test at a time, because each of them measures.
fn alone(test: impl FnOnce(&Lab) + Send) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    lab::run(|lab| {
        lab.veth("srv", "cli");
        lab::ip("address add 10.0.0.1/8 dev srv");
        test(lab);
    });
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_start_with_a_million_leases() {
    alone(|lab| {
        let mut daemon = Daemon::new(lab, "1h");
        daemon.fill(0..LEASES, |now| {
            (now.plus_lease(3600), now.plus_lease(3 * 3600))
        });
        let mut wire = Wire::open();

        let (mut known, mut new, mut peak, mut resident) =
            (Duration::MAX, Duration::MAX, u64::MAX, u64::MAX);
        for attempt in 0..attempts() {
            daemon.detach();
            let began = Instant::now();
            daemon.start();
            assert_eq!(wire.discover(LEASES / 2), fleet::address(LEASES / 2));
            known = known.min(began.elapsed());
            assert!(wire.discover(LEASES + attempt) >= fleet::address(LEASES));
            new = new.min(began.elapsed());
            daemon.show_log();
            let [adopted, published, missing] = daemon.reconciled();
            assert_eq!((&*adopted, &*published), ("false", "0"), "all was detached");
            assert_eq!(missing, LEASES.to_string());
            peak = peak.min(daemon.memory("VmHWM:") / u64::from(LEASES));
            resident = resident.min(daemon.memory("VmRSS:") / u64::from(LEASES));
            daemon.kill();
        }
        println!(
            "{LEASES} leases, as after a reboot: a known client is answered after {known:?}, a new one after {new:?}; \
             {resident} octets a lease with the kernel's maps, {peak} at most"
        );
        figures::note("a known client is answered", known);
        figures::note("a new client is answered", new);
        assert!(peak <= MEMORY, "{peak} octets a lease");

        let mut adoption = Duration::MAX;
        for attempt in 0..attempts() {
            daemon.start();
            assert!(wire.discover(LEASES + 100 + attempt) >= fleet::address(LEASES));
            // All leases are still there, and none is written again but those whose horizons were
            // being extended when the controller was killed.
            let [adopted, published, missing] = daemon.reconciled();
            assert_eq!(adopted, "true");
            let missing: u32 = missing.parse().expect("a number");
            assert!(missing <= IN_FLIGHT, "{missing}");
            let published: u32 = published.parse().expect("a number");
            assert!((LEASES..LEASES + 100).contains(&published), "{published}");
            adoption = adoption.min(daemon.logged_time(daemon::RECONCILED));
            peak = peak.max(daemon.memory("VmHWM:") / u64::from(LEASES));
            daemon.kill();
        }
        println!(
            "killed and started again: its maps are adopted in {adoption:?}, {peak} octets a lease at most"
        );
        figures::note("maps are adopted", adoption);
        assert!(peak <= MEMORY, "{peak} octets a lease");
    });
}

/// Returns how often to start the daemon: where times are measured, the best of several counts,
/// because others use the machine.
fn attempts() -> u32 {
    if figures::are_wanted() { 3 } else { 1 }
}

/// When leases end, and within which time. Until then they are written and the daemon starts, which
/// extends their horizons, because it does not know what they were granted.
const ENDING_AFTER: Duration = Duration::from_secs(120);
const ENDING_WITHIN: Duration = Duration::from_secs(10);
/// The pause between two clients.
const PAUSE: Duration = Duration::from_millis(10);

#[test]
#[ignore = "needs root: cargo xtask test"]
fn half_a_million_leases_end_and_no_new_client_waits_for_it() {
    /// The least number of new clients that get an address between the first end and the last.
    const SERVED: usize = 20;
    const ENDING: u32 = LEASES / 2;
    alone(|lab| {
        let mut daemon = Daemon::new(lab, "1h");
        let mut written = 0;
        daemon.fill(0..ENDING, |now| {
            written += 1;
            let end = now.plus(ENDING_AFTER + ENDING_WITHIN * written / ENDING);
            (end, end)
        });
        daemon.start();
        let mut wire = Wire::open();
        let mut next = LEASES;
        let mut lease = || {
            next += 1;
            let began = Instant::now();
            wire.lease(next);
            let took = began.elapsed();
            thread::sleep(PAUSE);
            took
        };
        lease();
        settled(&daemon);
        let quiet: Vec<_> = (0..if figures::are_wanted() { 500 } else { 10 })
            .map(|_| lease())
            .collect();
        let deadline = Instant::now() + ENDING_AFTER + PATIENCE;
        let mut busy = Vec::new();
        loop {
            let before = daemon.count("lease_expired");
            let took: Vec<_> = (0..5).map(|_| lease()).collect();
            if before == u64::from(ENDING) {
                break;
            }
            if before > 0 {
                busy.extend(took);
            }
            assert!(Instant::now() < deadline, "{before} have ended");
        }
        let served = busy.len();
        let [quiet, busy] = [quiet, busy].map(percentile_99);
        println!(
            "{ENDING} leases end: a new client has its address after {busy:?} (99th percentile of {served}), and after \
             {quiet:?} while nothing ends"
        );
        figures::note("a new client has its address while leases end", busy);
        // If clients had to wait for all ends, only the first ones would be served in this time.
        assert!(served >= SERVED, "{served}");
    });
}

fn percentile_99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let index = (times.len() * 99).div_ceil(100).saturating_sub(1);
    times.get(index).copied().expect("there was a client")
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_hundred_thousand_renewals_near_their_horizons_take_few_syncs() {
    const RENEWED: u32 = 100_000;
    const SYNCS: u64 = 500;
    const LEASE_SECS: u32 = 45;
    alone(|lab| {
        let mut daemon = Daemon::new(lab, &format!("{LEASE_SECS}s"));
        daemon.fill(0..RENEWED, |now| {
            let end = now.plus_lease(2 * LEASE_SECS);
            (end, end)
        });
        daemon.start();
        let mut wire = Wire::open();
        wire.lease(RENEWED + 1);
        // The grants of these leases are unknown, so a start extends all horizons.
        let (extended, commits) = settled(&daemon);
        println!("a start extends {extended} horizons with {commits} commits");
        assert!(extended >= u64::from(RENEWED) && commits <= SYNCS);

        // Clients renew until the kernel has asked for further horizons of all of them. It asks for
        // those that are near, which on a busy machine are not all of them in one round.
        for round in 1.. {
            assert!(round < 10, "the kernel does not ask");
            thread::sleep(Duration::from_secs(u64::from(LEASE_SECS) / 3));
            let began = Instant::now();
            wire.renew(0..RENEWED);
            let sent = began.elapsed();
            let (now, syncs) = settled(&daemon);
            let (extended, syncs) = (now - extended, syncs - commits);
            println!(
                "{RENEWED} renewals in {sent:?}: {extended} horizons are extended with {syncs} commits so far"
            );
            assert!(syncs <= SYNCS, "{syncs}");
            if extended >= u64::from(RENEWED) * 9 / 10 {
                break;
            }
        }
    });
}

/// Waits until the numbers of extended horizons and of commits are stable, and returns them.
fn settled(daemon: &Daemon) -> (u64, u64) {
    let (mut before, mut alike) = ((0, 0), 0);
    loop {
        let now = (daemon.count("horizon_extended"), daemon.commits());
        alike = if now == before { alike + 1 } else { 0 };
        // A busy machine may keep the daemon from its work for a while.
        if alike == 4 {
            return now;
        }
        before = now;
        thread::sleep(Duration::from_millis(500));
    }
}

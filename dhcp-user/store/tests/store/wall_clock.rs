//! c109: the effect of steps of the wall clock and of reboots on a lease.

use dhcp_model::{Nanos, RecordState};
use dhcp_store::wall_clock::{Sample, WallClock};
use dhcp_store::{Store, WallChange, sqlite::SqliteStore, wall_clock::Utc};
use dhcp_testkit::stores::*;
use proptest::prelude::*;

const SEC: i64 = 1_000_000_000;
const NOW: i64 = 1_800_000_000 * SEC;

fn sample(boottime_secs: i64, utc_ns: i64) -> Sample {
    Sample {
        boottime: Nanos((boottime_secs * SEC) as u64),
        utc: Utc(utc_ns),
    }
}

fn secs(secs: i64) -> Nanos {
    Nanos((secs * SEC) as u64)
}

/// Commits a lease that ends at this time.
fn lease(store: &mut SqliteStore, wall: &WallClock, expires: Nanos) {
    let mut lease = record(address(5), client(1), RecordState::Bound).record;
    lease.expires = expires;
    lease.horizon = Nanos::FOREVER;
    let change = WallChange::Put(Box::new(wall.wall_record(lease)));
    store.commit(&[change]).unwrap();
}

fn expires(store: &mut SqliteStore, wall: &WallClock) -> Nanos {
    let record = wall.record(all(store).remove(0));
    assert_eq!(
        record.horizon,
        Nanos::FOREVER,
        "c108: infinity stays infinite"
    );
    record.expires
}

/// Records the drift, as the committer does before each commit.
fn look(store: &mut SqliteStore, wall: &mut WallClock, now: Sample) -> bool {
    let anchor = wall.drifted(now);
    if let Some(anchor) = &anchor {
        store.set_anchor(anchor, 0).unwrap();
        wall.anchored(anchor.clone());
    }
    anchor.is_some()
}

#[test]
fn a_step_within_a_boot_changes_nothing() {
    for step in [-86_400 * SEC, -SEC, SEC, 86_400 * SEC] {
        let (_directory, mut store) = store();
        let wall = WallClock::resume(&mut store, "a", sample(100, NOW)).unwrap();
        lease(&mut store, &wall, secs(3700));
        let wall = WallClock::resume(&mut store, "a", sample(200, NOW + 100 * SEC + step)).unwrap();
        assert_eq!(expires(&mut store, &wall), secs(3700), "step {step}");
    }
}

#[test]
fn a_reboot_counts_the_time_that_the_machine_was_down() {
    let (_directory, mut store) = store();
    let wall = WallClock::resume(&mut store, "a", sample(100, NOW)).unwrap();
    lease(&mut store, &wall, secs(3700));
    // 60 seconds later the machine has been up for 20 again: 3540 of 3600 seconds are left.
    let wall = WallClock::resume(&mut store, "b", sample(20, NOW + 60 * SEC)).unwrap();
    assert_eq!(expires(&mut store, &wall), secs(20 + 3540));
    // An hour later nothing is left.
    let wall = WallClock::resume(&mut store, "c", sample(20, NOW + 3700 * SEC)).unwrap();
    assert_eq!(expires(&mut store, &wall), Nanos(0));
}

#[test]
fn a_step_is_made_up_for_at_the_next_boot_and_only_once() {
    for step in [-86_400 * SEC, -SEC, SEC, 86_400 * SEC] {
        let (_directory, mut store) = store();
        let mut wall = WallClock::resume(&mut store, "a", sample(100, NOW)).unwrap();
        lease(&mut store, &wall, secs(3700));
        assert!(look(
            &mut store,
            &mut wall,
            sample(200, NOW + 100 * SEC + step)
        ));
        assert!(!look(
            &mut store,
            &mut wall,
            sample(300, NOW + 200 * SEC + step)
        ));
        let mut wall =
            WallClock::resume(&mut store, "b", sample(20, NOW + 300 * SEC + step)).unwrap();
        assert_eq!(expires(&mut store, &wall), secs(20 + 3300), "step {step}");
        assert!(!look(
            &mut store,
            &mut wall,
            sample(30, NOW + 310 * SEC + step)
        ));
        let wall = WallClock::resume(&mut store, "c", sample(5, NOW + 400 * SEC + step)).unwrap();
        assert_eq!(expires(&mut store, &wall), secs(5 + 3200), "step {step}");
    }
}

#[test]
fn a_clock_without_battery_neither_ends_a_lease_nor_keeps_it_for_decades() {
    let (_directory, mut store) = store();
    let wall = WallClock::resume(&mut store, "a", sample(100, NOW)).unwrap();
    lease(&mut store, &wall, secs(3700));
    // The clock starts in 1970: at least nothing has been lost.
    let mut wall = WallClock::resume(&mut store, "b", sample(10, 10 * SEC)).unwrap();
    assert_eq!(expires(&mut store, &wall), secs(10 + 3600));
    // NTP sets it, and the machine reboots: 1000 seconds have passed in all.
    look(&mut store, &mut wall, sample(40, NOW + 900 * SEC));
    let wall = WallClock::resume(&mut store, "c", sample(10, NOW + 1000 * SEC)).unwrap();
    let left = expires(&mut store, &wall);
    assert!(left >= secs(10 + 2600), "shortened to {left:?}");
    assert!(left <= secs(10 + 3600), "lengthened to {left:?}");
}

#[test]
fn the_time_last_seen_is_noted_though_no_clock_steps() {
    let (_directory, mut store) = store();
    let mut wall = WallClock::resume(&mut store, "a", sample(0, NOW)).unwrap();
    assert!(!look(&mut store, &mut wall, sample(599, NOW + 599 * SEC)));
    assert!(look(&mut store, &mut wall, sample(600, NOW + 600 * SEC)));
    assert_eq!(store.anchor().unwrap().unwrap().seen, Utc(NOW + 600 * SEC));
}

#[test]
fn times_are_shown_in_utc_and_infinity_as_a_word() {
    let wall = WallClock::for_display(sample(100, NOW));
    assert_eq!(wall.utc(secs(160)).to_string(), "2027-01-15T08:01:00Z");
    assert_eq!(wall.utc(Nanos::FOREVER).to_string(), "infinite");
    assert_eq!(Utc(i64::MIN).to_string(), "1970-01-01T00:00:00Z");
}

proptest! {
    #[test]
    fn times_of_this_boot_come_back_exactly(boottime in 0u64..1 << 60, offset in -(1i64 << 61)..1 << 61) {
        let (_directory, mut store) = store();
        let wall = WallClock::resume(&mut store, "a", Sample { boottime: Nanos(0), utc: Utc(offset) }).unwrap();
        prop_assert_eq!(wall.nanos(wall.utc(Nanos(boottime))), Nanos(boottime));
        prop_assert_eq!(wall.nanos(wall.utc(Nanos::FOREVER)), Nanos::FOREVER);
    }

    /// No steps shorten a lease, provided that each is seen before the next reboot.
    #[test]
    fn no_steps_and_reboots_shorten_a_lease(
        events in prop::collection::vec((1i64..500, -100_000i64..100_000, any::<bool>()), 1..12),
    ) {
        let (_directory, mut store) = store();
        let (mut passed, mut step, mut booted) = (0, 0, 0);
        let mut wall = WallClock::resume(&mut store, "boot 0", sample(0, NOW)).unwrap();
        lease(&mut store, &wall, secs(100_000));
        for (number, (after, stepped, reboots)) in events.into_iter().enumerate() {
            passed += after;
            if reboots {
                booted = passed;
                let boot_id = format!("boot {}", number + 1);
                let now = sample(0, NOW + (passed + step) * SEC);
                wall = WallClock::resume(&mut store, &boot_id, now).unwrap();
            } else {
                step += stepped;
                look(&mut store, &mut wall, sample(passed - booted, NOW + (passed + step) * SEC));
            }
            prop_assert_eq!(expires(&mut store, &wall), secs(100_000 - booted));
        }
    }
}

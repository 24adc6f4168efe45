//! A flood of DISCOVERs from random hardware addresses, a fifth of what `cargo xtask bench compare`
//! sends.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use dhcp_common::{abi::Limit, defaults::UNKNOWN_LIMIT, outcome::Outcome};
use xtask_compare::throughput::{flood, plan::Flood};
use xtask_lab::Lab;
use xtask_load::site::Site;

use crate::SOON;

const FLOOD: Flood = Flood {
    per_second: 200_000,
    renewing: 500,
    renewals: 5000,
    firmware: 50,
    firmware_renewals: 100,
    new_clients: 20,
    time: Duration::from_secs(1),
};

/// Returns the most requests of unknown clients that the program passes on in a time.
fn most_admitted(seconds: f64) -> f64 {
    let Limit {
        interval_ns,
        burst_ns,
    } = UNKNOWN_LIMIT;
    (seconds * 1e9 + burst_ns as f64) / interval_ns as f64 + 1.0
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_flood_takes_nothing_from_clients_that_have_leases_and_little_of_an_operators_time()
-> Result<()> {
    let _crowd = crate::crowd();
    Lab::run(|lab| {
        let site = Site::new(lab)?;
        let server = flood::start(lab, &site)?;
        let before = server.stats()?;
        let begun = Instant::now();
        let run = flood::play(&site, &server, &FLOOD, 1)?;
        let lasted = begun.elapsed();
        let during = run.during_flood.context("there was no flood")?;
        // How many of each there are in a second is for `cargo xtask bench compare`.
        assert!(run.per_s > 0.0 && run.loss == 0.0, "{run:?}");
        let by_controller = during.by_controller;
        assert!(by_controller.begun > 0.0, "{run:?}");
        assert_eq!(by_controller.completed, by_controller.begun, "{run:?}");
        assert!(during.asked_p99_us < SOON.as_secs_f64() * 1e6, "{run:?}");
        // New clients were tried; chance decides which of them get through.
        assert!(during.new_clients.begun > 0.0, "{run:?}");

        let counted = server.stats()?.since(&before);
        // The flood lasts no longer than this, however slow the machine is.
        let flooded = lasted.as_secs_f64();
        // Leases obtained before the flood.
        let others = f64::from(FLOOD.renewing + FLOOD.firmware);
        let admitted = counted.of(Outcome::UnknownClient) as f64;
        assert!(admitted < most_admitted(flooded) + others, "{counted}");
        let limited = counted.of(Outcome::Limited) as f64;
        assert!(limited > admitted, "most of a flood is refused: {counted}");
        Ok(())
    })
}

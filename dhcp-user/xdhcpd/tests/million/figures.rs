//! The figures that `cargo xtask bench` reads: nanoseconds, each with those of the calibration.

use std::{
    fs::OpenOptions,
    hint::black_box,
    io::Write as _,
    time::{Duration, Instant},
};

use dhcp_testkit::calibration::{LEN, work};

/// Names the file to which figures are appended, a line each.
const FILE: &str = "XDHCPD_FIGURES";

pub fn are_wanted() -> bool {
    std::env::var_os(FILE).is_some()
}

pub fn note(name: &str, time: Duration) {
    let Some(path) = std::env::var_os(FILE) else {
        return;
    };
    let figure = serde_json::json!({
        "name": format!("million/{name}"),
        "ns": time.as_secs_f64() * 1e9,
        "beside_ns": calibration_ns(),
    });
    let file = OpenOptions::new().create(true).append(true).open(path);
    writeln!(file.expect("a file"), "{figure}").expect("room for a line");
}

/// Returns the least of many measurements: other users of the machine only add time.
fn calibration_ns() -> f64 {
    const ROUNDS: u32 = 100;
    let octets = [0x5a; LEN];
    let round = || {
        let begun = Instant::now();
        for _ in 0..ROUNDS {
            black_box(work(black_box(&octets)));
        }
        begun.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
    };
    (0..ROUNDS).map(|_| round()).fold(f64::MAX, f64::min)
}

//! `cargo xtask bench` with a small bench: what determines its exit status.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

/// The quickest bench, which requires no privileges.
const BENCH: &str = "pool, take and give back/0 % taken";

/// Runs the bench, built with the profile of tests.
fn bench(baseline: &Path, arguments: &[&str]) -> Result<Output> {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_xtask"));
    bench
        .args(["bench", "--json", "--quick", "--profile=dev", "--baseline"])
        .arg(baseline)
        .args(arguments);
    Ok(bench.output()?)
}

fn report(output: &Output) -> Result<Value> {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("no report; the error output is: {said}"))
}

/// Changes a figure or the machine in the file.
fn doctored(baseline: &Path, pointer: &str, value: Value) -> Result<()> {
    let mut file: Value = serde_json::from_slice(&fs::read(baseline)?)?;
    *file
        .pointer_mut(pointer)
        .context("the file has another structure")? = value;
    Ok(fs::write(baseline, file.to_string())?)
}

#[test]
fn a_bench_past_the_threshold_fails_and_is_named_unless_the_machine_is_another() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let baseline = dir.path().join("baseline.json");
    let filter = ["--filter", BENCH];

    let absent = bench(&baseline, &filter)?;
    let said = String::from_utf8_lossy(&absent.stderr);
    ensure!(
        !absent.status.success() && said.contains("does not exist"),
        "{said}"
    );

    let saved = bench(&baseline, &[&filter[..], &["--save"]].concat())?;
    ensure!(saved.status.success(), "{saved:?}");
    ensure!(
        report(&saved)?["benches"][0]["baseline"].is_null(),
        "{saved:?}"
    );

    // Nothing takes a hundred times as long, under any load of the machine.
    let same = bench(&baseline, &[&filter[..], &["--threshold=100"]].concat())?;
    ensure!(same.status.success(), "{same:?}");
    let ratio = report(&same)?["benches"][0]["ratio"].as_f64();
    ensure!(ratio.is_some_and(|ratio| ratio > 0.01), "{same:?}");

    // In a JSON pointer a slash of a name is written `~1`.
    let ns = format!("/benches/{}/ns", BENCH.replace('/', "~1"));
    doctored(&baseline, &ns, json!(0.001))?;
    let slower = bench(&baseline, &filter)?;
    ensure!(slower.status.code() == Some(1), "{slower:?}");
    ensure!(report(&slower)?["beyond"] == json!([BENCH]), "{slower:?}");

    doctored(&baseline, "/machine/cpu", json!("another"))?;
    let elsewhere = bench(&baseline, &filter)?;
    ensure!(elsewhere.status.success(), "{elsewhere:?}");
    let report = report(&elsewhere)?;
    ensure!(
        report["is_comparable"] == json!(false) && report["beyond"] == json!([]),
        "{report}"
    );
    ensure!(
        report["baseline_machine"]["cpu"] == json!("another"),
        "{report}"
    );
    Ok(())
}

#[test]
fn a_filter_that_matches_nothing_lists_what_there_is() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let baseline = dir.path().join("baseline.json");
    let output = bench(&baseline, &["--save", "--filter", "no such bench"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "{said}");
    ensure!(
        said.contains("contains `no such bench`") && said.contains(BENCH),
        "{said}"
    );
    ensure!(said.contains("program/ack/1000000/cold"), "{said}");
    ensure!(!baseline.exists(), "nothing was measured");
    Ok(())
}

//! Runs each target over everything that the fuzzer has found for it.
//!
//! `corpus/` holds inputs that together reach all code reached so far, `regressions/` those that
//! made a check fail: the fuzzer writes them there, and they stay.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs, panic,
    path::{Path, PathBuf},
};

/// Largest number of inputs for one target.
const MAX_FILES: usize = 400;
/// Largest size of all inputs, since everyone who clones the repository gets them.
const MAX_OCTETS: usize = 1 << 20;

/// Files and their contents.
fn kept(folder: &str, target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The directory may be missing: not every target has regressions.
    let entries = fs::read_dir(root.join(folder).join(target));
    let entries = entries.into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

fn replay(target: &str, show: fn(&[u8])) {
    let corpus = kept("corpus", target);
    assert!(!corpus.is_empty(), "nothing is kept for {target}");
    assert!(corpus.len() <= MAX_FILES, "{} files", corpus.len());
    for (path, input) in kept("regressions", target).into_iter().chain(corpus) {
        let shown = panic::catch_unwind(|| show(&input));
        assert!(shown.is_ok(), "{}", path.display());
    }
}

#[test]
fn what_is_kept_is_small() {
    let targets = ["fast_path", "engine", "config", "control"];
    let inputs = targets.iter().flat_map(|target| kept("corpus", target));
    let octets: usize = inputs.map(|(_, input)| input.len()).sum();
    assert!(
        octets <= MAX_OCTETS,
        "{octets} octets: cargo xtask fuzz --keep"
    );
}

#[test]
fn c117_the_fast_path_stands_all_that_was_found() {
    replay("fast_path", dhcp_fuzz::fast_path);
}

#[test]
fn c118_the_engine_stands_all_that_was_found() {
    replay("engine", dhcp_fuzz::engine);
}

#[test]
fn the_configuration_stands_all_that_was_found() {
    replay("config", dhcp_fuzz::config);
}

#[test]
fn the_control_socket_stands_all_that_was_found() {
    replay("control", dhcp_fuzz::control);
}

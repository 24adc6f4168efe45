//! What setup prints of each step.

pub(super) fn there(what: &str) {
    println!("setup: {what}: already there");
}

pub(super) fn missing(what: &str, why: &str) {
    println!("setup: {what}: {why}");
}

//! Progress messages of setup.

pub(super) fn there(what: &str) {
    println!("setup: {what}: already installed");
}

pub(super) fn missing(what: &str, why: &str) {
    println!("setup: {what}: {why}");
}

//! The daemon with real clients and a real relay agent, over the wire.
//!
//! Each test has a lab of its own, so that they run side by side, and all but those of the program itself
//! a second one, in which the program may answer nothing (m30). They need root, and the daemon built:
//! `cargo xtask test` sees to both.

mod chaos;
mod clients;
mod decline;
mod deleted;
mod disk;
mod fleet;
mod flood;
mod horizon;
mod leasequery;
mod load;
mod mistaken;
mod moving_in;
mod offers;
mod ports;
mod probing;
mod reboot;
mod refused;
mod relay;
mod reload;
mod restart;
mod store;
mod throughput;
mod tune;
mod upgrade;

use std::{
    net::Ipv4Addr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result};
use dhcp_common::outcome::Outcome;
use xtask_lab::{
    Lab,
    server::{Counted, Server},
    wait,
};

/// Kept by tests with thousands of clients, one at a time: an end of a veth pair drops what comes while 256 frames
/// wait for a processor that others have.
fn crowd() -> MutexGuard<'static, ()> {
    static CROWD: Mutex<()> = Mutex::new(());
    CROWD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Longer than anything takes that the daemon does at once, on a machine that others keep busy.
const SOON: Duration = wait::PATIENCE;

/// A server that is not there: clients choose it all the same.
const OTHER_SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 9);

/// That the kernel has answered so many requests with each outcome, and has handed on none; with the fast
/// path off, that it has handed on as many, and has answered none.
#[track_caller]
fn expect_by_kernel(lab: &Lab, counted: &Counted, answers: &[(Outcome, u64)]) {
    let requests: u64 = answers.iter().map(|(_, times)| times).sum();
    if lab.has_fast_path() {
        for (outcome, times) in answers {
            assert_eq!(counted.of(*outcome), *times, "{counted}");
        }
        assert_eq!(counted.answered(), requests, "{counted}");
        assert_eq!(counted.slow(), 0, "AF_XDP was used: {counted}");
    } else {
        assert_eq!(counted.of(Outcome::SlowOnly), requests, "{counted}");
        assert_eq!(counted.slow(), requests, "{counted}");
        assert_eq!(counted.answered(), 0, "{counted}");
    }
}

/// Waits until the lease of an address is in a state, or, with `None`, until there is none.
fn wait_state(server: &Server, address: Ipv4Addr, state: Option<&str>) -> Result<()> {
    let what = format!("{address} to be {}", state.unwrap_or("free"));
    wait::until(&what, SOON, || {
        Ok((server.lease_state(address)?.as_deref() == state).then_some(()))
    })
    .with_context(|| format!("the leases are {:?}", server.leases()))
}

/// Waits until the controller has counted so much under a label.
fn wait_engine(server: &Server, label: &str, times: u64) -> Result<()> {
    wait::until(&format!("{label} to be {times}"), SOON, || {
        Ok((server.stats()?.engine(label) == times).then_some(()))
    })
    .with_context(|| format!("the counters are {:?}", server.stats()))
}

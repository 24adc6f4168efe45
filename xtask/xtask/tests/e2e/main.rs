//! The daemon with real clients and a real relay agent, over a real link.
//!
//! Each test has its own lab, so that tests run in parallel. Except for tests of the XDP program
//! itself each runs in a second lab as well, in which the program answers nothing (m30). The tests
//! require root and a built daemon, which `cargo xtask test` provides.

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
mod proxy;
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

/// Held by tests with thousands of clients, so that one runs at a time: a veth end drops frames
/// while 256 wait for a processor that others use.
fn crowd() -> MutexGuard<'static, ()> {
    static CROWD: Mutex<()> = Mutex::new(());
    CROWD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Longer than the daemon takes for any immediate action, also on a busy machine.
const SOON: Duration = wait::PATIENCE;

/// A server that does not exist, but that clients choose.
const OTHER_SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 9);

/// Expects that the kernel has answered a number of requests with each outcome and passed on none;
/// with the fast path off, that it has passed on as many and answered none.
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

/// Waits until the lease of an address has a state, or with `None` until there is none.
fn wait_state(server: &Server, address: Ipv4Addr, state: Option<&str>) -> Result<()> {
    let what = format!("{address} to be {}", state.unwrap_or("free"));
    wait::until(&what, SOON, || {
        Ok((server.lease_state(address)?.as_deref() == state).then_some(()))
    })
    .with_context(|| format!("the leases are {:?}", server.leases()))
}

/// Waits until a counter of the controller has a value.
fn wait_engine(server: &Server, label: &str, times: u64) -> Result<()> {
    wait::until(&format!("{label} to be {times}"), SOON, || {
        Ok((server.stats()?.engine(label) == times).then_some(()))
    })
    .with_context(|| format!("the counters are {:?}", server.stats()))
}

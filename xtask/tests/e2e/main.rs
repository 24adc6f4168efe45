//! The daemon with real clients and a real relay agent, over the wire.
//!
//! Each test has a lab of its own, so that they run side by side. They need root, and the daemon built:
//! `cargo xtask test` sees to both.

mod clients;
mod decline;
mod deleted;
mod fleet;
mod horizon;
mod leasequery;
mod mistaken;
mod offers;
mod ports;
mod probing;
mod reboot;
mod refused;
mod relay;
mod restart;

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context as _, Result};
use xtask::lab::{server::Server, wait};

/// Longer than anything takes that the daemon does at once.
const SOON: Duration = Duration::from_secs(5);

/// A server that is not there: clients choose it all the same.
const OTHER_SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 9);

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

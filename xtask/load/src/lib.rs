//! `cargo xtask load`: simulates any number of DHCP clients and measures a server.
//!
//! A [`Workload`] goes in, a [`Report`] comes out. [`run`] runs the workload with clients in user
//! space that verify every answer ([`fleet`]), over a [`run::Transport`] such as a packet socket
//! ([`socket`]). [`kernel`] runs it with clients in the kernel, which are faster than any server.
//! Frames are built once ([`template`]) and filled in for each client. [`cli`] is the command line,
//! and rejects invalid requests.

pub mod answer;
pub mod arp;
pub mod cli;
pub mod fleet;
pub mod flood;
pub mod holders;
pub mod kernel;
pub mod population;
pub mod progress;
pub mod report;
pub mod run;
pub mod shape;
pub mod site;
pub mod socket;
pub mod template;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod wheel;
pub mod workload;

use std::net::UdpSocket;

use anyhow::Result;
use dhcp_common::wire::SERVER_PORT;
pub use report::Report;
pub use workload::{Drive, Engine, Exchange, Limits, Relay, Timing, Workload};

use self::{progress::Progress, run::Run, socket::PacketSocket};

/// Runs a workload at an interface of the thread's namespace.
///
/// # Errors
/// The workload is invalid, no server answers, or the kernel refuses.
pub fn play(workload: &Workload, interface: &str, progress: &mut Progress) -> Result<Report> {
    workload.check()?;
    if workload.engine == Engine::Kernel {
        return kernel::play(workload, interface, progress);
    }
    // Otherwise the kernel would send the server ICMP port unreachable. Binding fails where the
    // address is not this host's or a real relay agent listens, and in neither case is it needed.
    let _listening = workload
        .relay
        .as_ref()
        .and_then(|relay| UdpSocket::bind((relay.address, SERVER_PORT)).ok());
    let mut socket = PacketSocket::open(interface)?;
    Run::new(workload, &mut socket)?.play(progress)
}

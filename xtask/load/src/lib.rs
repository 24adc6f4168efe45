//! `cargo xtask load`: clients without number, to see what a server stands.
//!
//! A [`Workload`] goes in, a [`Report`] comes out. [`run`] plays the first with clients in user space that verify what
//! they are told ([`fleet`]), over a [`run::Transport`]: a packet socket ([`socket`]); or with clients in the kernel
//! ([`kernel`]), which outrun any server. Frames are built once ([`template`])
//! and filled for each client. [`cli`] is the command line in front of it, and refuses what it should not be told.

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

/// Plays a workload at an interface of the namespace that the thread is in.
///
/// # Errors
/// The workload is not right, no server answers, or the kernel refuses.
pub fn play(workload: &Workload, interface: &str, progress: &mut Progress) -> Result<Report> {
    workload.check()?;
    if workload.engine == Engine::Kernel {
        return kernel::play(workload, interface, progress);
    }
    // The kernel would tell the server that nobody listens there. Where the address is not this host's, it says nothing,
    // and where a real relay agent listens, neither.
    let _listening = workload
        .relay
        .as_ref()
        .and_then(|relay| UdpSocket::bind((relay.address, SERVER_PORT)).ok());
    let mut socket = PacketSocket::open(interface)?;
    Run::new(workload, &mut socket)?.play(progress)
}

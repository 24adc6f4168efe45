//! Control over the processor on which, and the time at which, a veth end receives frames.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

use super::Namespace;
use crate::command::{self, command};

/// Processor of all receiving threads, and of clients that they must not preempt.
pub const CPU: usize = 0;

/// Makes a veth end receive on its own thread, on [`CPU`].
///
/// Otherwise the XDP program at the other end runs inside the sender's system call, and its answer
/// arrives before that call returns. That is faster than any physical link, and too fast for
/// udhcpc, which sends renewals through a second socket: until that is closed, a microsecond later,
/// it takes the answer away.
pub fn receive_on_a_thread(namespace: &Namespace, interface: &str) -> Result<()> {
    // A veth end has a NAPI context only with an XDP program or with GRO.
    command::read(&mut namespace.command("ethtool", ["-K", interface, "gro", "on"]))?;
    start_thread(namespace, interface, CPU).map(drop)
}

/// Makes a veth end receive on its own thread on a processor other than [`CPU`].
///
/// # Errors
/// The kernel refused, or did not end the existing thread.
pub fn receive_elsewhere(namespace: &Namespace, interface: &str, cpu: usize) -> Result<()> {
    set_threaded(namespace, interface, false)?;
    let threads = start_thread(namespace, interface, cpu)?;
    ensure!(
        threads != 0,
        "no receiving thread of {interface} was restarted; this requires Linux 6.17 or later"
    );
    Ok(())
}

/// Restricts the calling thread to one processor.
///
/// # Errors
/// There is no such processor.
pub fn run_on(cpu: usize) -> Result<()> {
    sched_setaffinity(Pid::from_raw(0), &only(cpu)?)
        .with_context(|| format!("cannot run on processor {cpu}"))
}

fn only(cpu: usize) -> Result<CpuSet> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    Ok(set)
}

/// Starts receiving threads and returns how many new ones there are.
fn start_thread(namespace: &Namespace, interface: &str, cpu: usize) -> Result<usize> {
    let before = threads()?;
    set_threaded(namespace, interface, true)?;
    let set = only(cpu)?;
    let after = threads()?;
    let started = after.difference(&before);
    Ok(started
        // A thread of another lab may have ended meanwhile.
        .filter(|thread| sched_setaffinity(**thread, &set).is_ok())
        .count())
}

/// Makes a veth end receive inside the sender's system call again. A veth end queues 256 frames for
/// a thread that waits for a processor, and drops any more; a sender with a single socket loses
/// none this way.
///
/// # Errors
/// The kernel refused.
pub fn receive_at_once(namespace: &Namespace, interface: &str) -> Result<()> {
    set_threaded(namespace, interface, false)
}

fn set_threaded(namespace: &Namespace, interface: &str, is_threaded: bool) -> Result<()> {
    let value = u8::from(is_threaded);
    let set = format!("echo {value} > /sys/class/net/{interface}/threaded");
    // `ip netns exec` gives the shell the `/sys` of the namespace.
    let arguments = ["netns", "exec", namespace.name(), "sh", "-c", &set];
    command::read(&mut command("ip", arguments)).map(drop)
}

/// Returns the kernel's receiving threads.
fn threads() -> Result<BTreeSet<Pid>> {
    let mut threads = BTreeSet::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if comm.starts_with("napi/") {
            threads.insert(Pid::from_raw(pid));
        }
    }
    Ok(threads)
}

//! Where the frames of a veth end are received.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

use super::Namespace;
use crate::command::{self, command};

/// The processor of all receiving threads, and of clients that must not be overtaken.
pub const CPU: usize = 0;

/// Has a veth end receive on a thread of its own, on [`CPU`].
///
/// Otherwise the other end's XDP program runs inside the sender's system call, and its answer is there
/// before that returns. That is faster than any wire, and too fast for udhcpc, which sends renewals by
/// a second socket: until that is closed, a microsecond later, it takes the answer away.
pub fn receive_on_a_thread(namespace: &Namespace, interface: &str) -> Result<()> {
    // What receives at all, a NAPI context, veth has only with a program or with GRO.
    command::read(&mut namespace.command("ethtool", ["-K", interface, "gro", "on"]))?;
    start_thread(namespace, interface, CPU).map(drop)
}

/// Has it receive on a thread of its own on another processor than [`CPU`].
///
/// # Errors
/// The kernel refused, or did not end the thread that there was.
pub fn receive_elsewhere(namespace: &Namespace, interface: &str, cpu: usize) -> Result<()> {
    set_threaded(namespace, interface, false)?;
    let threads = start_thread(namespace, interface, cpu)?;
    ensure!(
        threads != 0,
        "no receiving thread of {interface} was started anew; Linux 6.17 and later do"
    );
    Ok(())
}

/// Has the calling thread run on one processor only.
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

/// How many threads there are now that were not there before.
fn start_thread(namespace: &Namespace, interface: &str, cpu: usize) -> Result<usize> {
    let before = threads()?;
    set_threaded(namespace, interface, true)?;
    let set = only(cpu)?;
    let after = threads()?;
    let started = after.difference(&before);
    Ok(started
        // One of another lab may have gone meanwhile.
        .filter(|thread| sched_setaffinity(**thread, &set).is_ok())
        .count())
}

/// Has a veth end receive inside the sender's system call again. An end holds 256 frames for a thread that waits for
/// a processor, and drops what comes then; whoever sends from one socket only is better off without.
///
/// # Errors
/// The kernel refused.
pub fn receive_at_once(namespace: &Namespace, interface: &str) -> Result<()> {
    set_threaded(namespace, interface, false)
}

fn set_threaded(namespace: &Namespace, interface: &str, is_threaded: bool) -> Result<()> {
    let value = u8::from(is_threaded);
    let set = format!("echo {value} > /sys/class/net/{interface}/threaded");
    // This gives the shell the `/sys` of the namespace.
    let arguments = ["netns", "exec", namespace.name(), "sh", "-c", &set];
    command::read(&mut command("ip", arguments)).map(drop)
}

/// The kernel's receiving threads.
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

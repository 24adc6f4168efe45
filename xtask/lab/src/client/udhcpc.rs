//! BusyBox udhcpc.

use anyhow::Result;
use nix::sys::signal::Signal;

use super::{
    hook::Hook,
    running::{Client, Event},
};
use crate::{Namespace, Process, napi, topology::CLIENT_INTERFACE};

#[derive(Debug)]
pub struct Udhcpc {
    hook: Hook,
    process: Process,
}

impl Udhcpc {
    /// Starts udhcpc.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(namespace: &Namespace) -> Result<Self> {
        Self::start_with(namespace, &[])
    }

    /// Starts udhcpc with additional options; `-a` probes the address by ARP.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_with(namespace: &Namespace, options: &[&str]) -> Result<Self> {
        let hook = Hook::write(namespace, "udhcpc", true)?;
        // Short retry times: a lab has no congestion to avoid.
        let arguments = [
            "-f",
            "-i",
            CLIENT_INTERFACE,
            "-t",
            "20",
            "-T",
            "1",
            "-A",
            "1",
        ];
        // The client must not be preempted by the threads that carry its renewal and the answer,
        // see `napi`.
        let cpu = napi::CPU.to_string();
        let undisturbed = [
            "--reset-on-fork",
            "-f",
            "1",
            "taskset",
            "-c",
            &cpu,
            "udhcpc",
        ];
        let mut udhcpc = namespace.command("chrt", undisturbed.into_iter().chain(arguments));
        udhcpc.args(options).arg("-s").arg(&hook.script);
        Ok(Self {
            hook,
            process: Process::spawn(namespace, "udhcpc", &mut udhcpc)?,
        })
    }

    /// Leaves the client running when the handle is dropped.
    pub fn leave(self) {
        self.process.leave();
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

impl Client for Udhcpc {
    fn events(&self) -> Result<Vec<Event>> {
        let mut events = self.hook.events()?;
        // udhcpc reports this once before it has had any address.
        if events.first() == Some(&Event::Lost) {
            events.remove(0);
        }
        Ok(events)
    }

    fn renew(&mut self) -> Result<()> {
        self.process.signal(Signal::SIGUSR1)
    }

    fn release(&mut self) -> Result<()> {
        self.process.signal(Signal::SIGUSR2)
    }
}

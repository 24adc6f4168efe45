//! dnsmasq as another DHCP server on a link.

use std::net::Ipv4Addr;

use anyhow::Result;

use super::{Namespace, Process};

#[derive(Debug)]
pub struct Dnsmasq {
    process: Process,
}

impl Dnsmasq {
    /// Starts dnsmasq with a range of addresses and a T1 that is short enough for a test to wait
    /// for.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(
        namespace: &Namespace,
        interface: &str,
        (first, last): (Ipv4Addr, Ipv4Addr),
    ) -> Result<Self> {
        let range = format!("--dhcp-range={first},{last},255.255.255.0,2m");
        let mut dnsmasq = namespace.command(
            "dnsmasq",
            [
                "--no-daemon",
                "--conf-file=/dev/null",
                "--port=0",
                "--no-ping",
                "--dhcp-option=option:T1,4",
                &range,
            ],
        );
        let leases = namespace.path("dnsmasq.leases");
        dnsmasq
            .arg(format!("--interface={interface}"))
            .arg(format!("--dhcp-leasefile={}", leases.display()));
        Ok(Self {
            process: Process::spawn(namespace, "dnsmasq", &mut dnsmasq)?,
        })
    }

    /// Returns its log so far: a line for each message.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn output(&self) -> Result<String> {
        self.process.output()
    }
}

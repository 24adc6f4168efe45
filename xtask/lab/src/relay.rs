//! Relay agents between clients and server: ISC dhcrelay and dnsmasq.

use anyhow::Result;

use super::{
    Namespace, Process,
    topology::{GATEWAY, RELAY_TO_CLIENTS, RELAY_TO_SERVER, SERVER},
};

#[derive(Debug)]
pub struct Relay {
    _process: Process,
}

impl Relay {
    /// Starts dhcrelay. With `option_82` it adds relay agent information.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(namespace: &Namespace, option_82: bool) -> Result<Self> {
        let mut dhcrelay = namespace.command("dhcrelay", ["-4", "-d"]);
        dhcrelay.args(option_82.then_some("-a"));
        dhcrelay.args(["-id", RELAY_TO_CLIENTS, "-iu", RELAY_TO_SERVER]);
        dhcrelay.arg("-pf").arg(namespace.path("dhcrelay.pid"));
        dhcrelay.arg(SERVER.to_string());
        Ok(Self {
            _process: Process::spawn(namespace, "dhcrelay", &mut dhcrelay)?,
        })
    }

    /// Starts dnsmasq, which relays without option 82.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_dnsmasq(namespace: &Namespace) -> Result<Self> {
        let relay = format!("--dhcp-relay={GATEWAY},{SERVER}");
        let mut dnsmasq = namespace.command(
            "dnsmasq",
            [
                "--no-daemon",
                "--conf-file=/dev/null",
                "--port=0",
                "--log-dhcp",
                &relay,
            ],
        );
        Ok(Self {
            _process: Process::spawn(namespace, "dnsmasq", &mut dnsmasq)?,
        })
    }
}

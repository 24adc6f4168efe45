//! A D-Bus daemon of the lab, for clients that do not run without one.

use std::fs;

use anyhow::Result;
use xtask_lab::{Namespace, Process, wait};

/// A private system bus; everything may own and call anything on it.
#[derive(Debug)]
pub(crate) struct Bus {
    address: String,
    process: Process,
}

impl Bus {
    pub(crate) const PROGRAM: &str = "/usr/bin/dbus-daemon";

    /// Starts a bus with its socket in the lab's folder, and waits until it listens.
    ///
    /// # Errors
    /// It did not start.
    pub(crate) fn start(namespace: &Namespace) -> Result<Self> {
        let socket = namespace.path("bus");
        let config = namespace.path("bus.conf");
        let address = format!("unix:path={}", socket.display());
        let text = format!(
            "<busconfig><type>system</type><listen>{address}</listen>\
             <auth>EXTERNAL</auth><policy context=\"default\"><allow user=\"*\"/>\
             <allow own=\"*\"/><allow eavesdrop=\"true\"/>\
             <allow send_destination=\"*\" eavesdrop=\"true\"/></policy></busconfig>\n"
        );
        fs::write(&config, text)?;
        let mut daemon = namespace.command(Self::PROGRAM, ["--nofork", "--nopidfile"]);
        daemon.arg(format!("--config-file={}", config.display()));
        let mut process = Process::spawn(namespace, "bus", &mut daemon)?;
        wait::until("the bus to listen", wait::PATIENCE, || {
            process.expect_running()?;
            Ok(socket.exists().then_some(()))
        })?;
        Ok(Self { address, process })
    }

    /// Returns the setting of the environment that makes programs use this bus.
    ///
    /// # Errors
    /// The bus has ended.
    pub(crate) fn setting(&mut self) -> Result<String> {
        self.process.expect_running()?;
        Ok(format!("DBUS_SYSTEM_BUS_ADDRESS={}", self.address))
    }
}

//! DHCP servers to migrate from, each with its own configuration and lease file.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;

use super::{
    Namespace, Process,
    topology::{SERVER, SERVER_INTERFACE},
    wait,
};

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Dnsmasq,
    Kea,
    Dhcpd,
}

impl Kind {
    pub const fn program(self) -> &'static str {
        match self {
            Self::Dnsmasq => "dnsmasq",
            Self::Kea => "kea-dhcp4",
            Self::Dhcpd => "dhcpd",
        }
    }

    /// Returns the name that `xdhcpd import` and `convert` use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dnsmasq => "dnsmasq",
            Self::Kea => "kea",
            Self::Dhcpd => "isc",
        }
    }
}

/// A running server that serves 10.77.0.100 to 10.77.0.199.
#[derive(Debug)]
pub struct MigrationSource {
    kind: Kind,
    process: Process,
    pub config: PathBuf,
    pub leases: PathBuf,
}

impl MigrationSource {
    /// Writes the server's configuration, starts it, and waits until it serves.
    ///
    /// # Errors
    /// It ended, or is not ready in time.
    pub fn start(kind: Kind, namespace: &Namespace) -> Result<Self> {
        let config = namespace.path(&format!("{}.conf", kind.name()));
        let leases = namespace.path(&format!("{}.leases", kind.name()));
        let file = leases.display();
        let (text, ready) = match kind {
            Kind::Dnsmasq => (
                format!(
                    "port=0\nno-ping\ninterface={SERVER_INTERFACE}\ndhcp-authoritative\ndhcp-leasefile={file}\n\
                     dhcp-range=10.77.0.100,10.77.0.199,255.255.255.0,1h\ndhcp-option=option:dns-server,{SERVER}\n"
                ),
                "DHCP, IP range",
            ),
            Kind::Kea => (
                format!(
                    r#"{{ "Dhcp4": {{ # as it is after the installation
                    "interfaces-config": {{ "interfaces": ["{SERVER_INTERFACE}"] }},
                    "lease-database": {{ "type": "memfile", "name": "{file}", "lfc-interval": 0 }},
                    "valid-lifetime": 3600, "authoritative": true,
                    "option-data": [ {{ "name": "routers", "data": "{SERVER}" }} ],
                    "subnet4": [ {{ "id": 1, "subnet": "10.77.0.0/24", "pools": [ {{ "pool": "10.77.0.100 - 10.77.0.199" }} ] }} ],
                    "loggers": [ {{ "name": "kea-dhcp4", "severity": "INFO", "output_options": [ {{ "output": "stderr" }} ] }} ] }} }}"#
                ),
                "DHCP4_STARTED",
            ),
            Kind::Dhcpd => (
                format!(
                    "authoritative;\ndefault-lease-time 3600;\nping-check off;\nddns-update-style none;\n\
                     subnet 10.77.0.0 netmask 255.255.255.0 {{\n  range 10.77.0.100 10.77.0.199;\n  option routers {SERVER};\n}}\n"
                ),
                "Server starting service.",
            ),
        };
        fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
        let mut command = namespace.command(kind.program(), [""; 0]);
        match kind {
            Kind::Dnsmasq => {
                command.args(["--keep-in-foreground", "--log-facility=-", "--user=root"]);
                command.arg(format!("--conf-file={}", config.display()));
                command.arg(format!(
                    "--pid-file={}",
                    namespace.path("dnsmasq.pid").display()
                ));
            }
            Kind::Kea => {
                let dir = config.parent().unwrap_or(&config);
                command
                    .env("KEA_PIDFILE_DIR", dir)
                    .env("KEA_LOCKFILE_DIR", dir);
                command.arg("-c").arg(&config);
            }
            Kind::Dhcpd => {
                fs::write(&leases, "")?;
                command
                    .args(["-4", "-f", "-d", "-user", "root", "-group", "root", "-cf"])
                    .arg(&config);
                command.arg("-lf").arg(&leases);
                command.arg("-pf").arg(namespace.path("dhcpd.pid"));
                command.arg(SERVER_INTERFACE);
            }
        }
        let mut process = Process::spawn(namespace, kind.program(), &mut command)?;
        wait::until(
            &format!("{} to serve", kind.program()),
            wait::PATIENCE,
            || {
                if let Some(status) = process.ended()? {
                    bail!("{} ended: {status}\n{}", kind.program(), process.output()?);
                }
                Ok(process.output()?.contains(ready).then_some(()))
            },
        )?;
        Ok(Self {
            kind,
            process,
            config,
            leases,
        })
    }

    /// Stops the server as an init system does.
    ///
    /// # Errors
    /// It does not end.
    pub fn stop(&mut self) -> Result<()> {
        self.process.signal(Signal::SIGTERM)?;
        self.process.wait(wait::PATIENCE).map(drop)
    }

    pub const fn kind(&self) -> Kind {
        self.kind
    }
}

//! Machines under QEMU that boot over the network, and the servers that their files come from.

use std::{fs, net::Ipv4Addr, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use xtask_lab::{
    Lab, Namespace, Process, config,
    topology::{CLIENT_INTERFACE, SERVER, SERVER_INTERFACE},
    wait,
};

use crate::{Report, installed, scene::Scene};

/// The longest time until firmware has fetched its file. It is interpreted, on a machine that does
/// other work as well.
const LONGEST: Duration = Duration::from_secs(900);

/// The file that every machine boots, with the beginning of an EFI program.
pub(crate) const FILE: &str = "boot.img";
const CONTENT: &[u8] = &{
    let mut content = [0; 4096];
    content[0] = b'M';
    content[1] = b'Z';
    content
};

const TAP: &str = "tap0";
const MAC: &str = "02:00:00:00:01:01";

/// A machine: the emulator, and its arguments apart from network, processor and console.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The emulator's path on Debian.
    pub(crate) emulator: &'static str,
    pub(crate) arguments: Vec<String>,
    /// The network card, without its network.
    pub(crate) card: &'static str,
}

/// How a machine fetches its file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    Tftp,
    Http,
}

impl Protocol {
    /// Returns what the section of the subnet says about booting.
    fn settings(self) -> String {
        match self {
            Self::Tftp => format!("next-server = \"{SERVER}\"\nboot-file = \"{FILE}\"\n"),
            Self::Http => format!(
                "\n[[class]]\nname = \"http\"\nwhen = {{ vendor-class = \"HTTPClient*\" }}\n\
                 boot-file = \"http://{SERVER}/{FILE}\"\n"
            ),
        }
    }

    /// Starts the server of the file.
    fn serve(self, namespace: &Namespace, folder: &PathBuf) -> Result<Process> {
        match self {
            Self::Tftp => {
                let arguments = [
                    "--no-daemon",
                    "--conf-file=/dev/null",
                    "--port=0",
                    "--user=root",
                    "--enable-tftp",
                ];
                let mut dnsmasq = namespace.command("dnsmasq", arguments);
                dnsmasq
                    .arg(format!("--interface={SERVER_INTERFACE}"))
                    .arg(format!("--tftp-root={}", folder.display()));
                Process::spawn(namespace, "tftp", &mut dnsmasq)
            }
            Self::Http => {
                let arguments = ["httpd", "-f", "-vv", "-p", &format!("{SERVER}:80"), "-h"];
                let mut httpd = namespace.command("busybox", arguments);
                Process::spawn(namespace, "http", httpd.arg(folder))
            }
        }
    }

    /// Returns the client that has fetched the file, by the log of the server.
    fn fetched_by(self, log: &str) -> Option<Ipv4Addr> {
        match self {
            // dnsmasq-tftp: sent /…/boot.img to 10.77.0.100
            Self::Tftp => log.lines().find_map(|line| {
                let (file, client) = line.split_once("sent ")?.1.split_once(" to ")?;
                file.ends_with(FILE).then(|| client.trim().parse().ok())?
            }),
            // 10.77.0.100:1027: url:/boot.img
            // 10.77.0.100:1027: response:200
            // The firmware asks for the size by HEAD first, and the log does not tell them apart.
            Self::Http => {
                let mut answered = log.lines().filter_map(|line| {
                    let client = line.strip_suffix(": response:200")?;
                    let address = client.rsplit_once(':')?.0;
                    address.trim_matches(['[', ']']).parse().ok()
                });
                answered.nth(1)
            }
        }
    }
}

/// Boots a machine, and waits until it has fetched its file.
///
/// # Errors
/// It has not within [`LONGEST`], or it ended.
pub(crate) fn boot(lab: &Lab, protocol: Protocol, machine: &Machine) -> Result<Report> {
    let config = config::local("lease-time = \"1h\"") + &protocol.settings();
    let scene = Scene::with_config(lab, &config)?;
    let folder = lab.dir().join("files");
    fs::create_dir(&folder)?;
    fs::write(folder.join(FILE), CONTENT)?;
    let files = protocol.serve(scene.server_side(), &folder)?;
    add_tap(&scene.client)?;
    let mut machine = machine.start(&scene.client)?;
    let address = wait::until("the machine to fetch its file", LONGEST, || {
        machine.expect_running()?;
        Ok(protocol.fetched_by(&files.output()?))
    })
    .with_context(|| format!("the counters are {:?}", scene.server.stats()))?;
    let state = scene.server.lease_state(address)?;
    anyhow::ensure!(
        state.as_deref() == Some("bound"),
        "{address} fetched the file, and its lease is {state:?}"
    );
    Ok(Report {
        address: Some(address),
        fetched: Some(FILE.to_owned()),
        ..Report::default()
    })
}

/// Adds a tap on a bridge with the client's interface.
///
/// # Errors
/// The kernel refused.
pub(crate) fn add_tap(client: &Namespace) -> Result<&'static str> {
    let bridge = "bridge";
    let delay = ["forward_delay", "0", "stp_state", "0"];
    client.ip([
        "link", "add", bridge, "type", "bridge", delay[0], delay[1], delay[2], delay[3],
    ])?;
    client.ip(["tuntap", "add", TAP, "mode", "tap"])?;
    for port in [CLIENT_INTERFACE, TAP] {
        client.ip(["link", "set", port, "master", bridge, "up"])?;
    }
    client.ip(["link", "set", bridge, "up"])?;
    Ok(TAP)
}

impl Machine {
    fn start(&self, client: &Namespace) -> Result<Process> {
        let common = [
            "-nodefaults",
            "-display",
            "none",
            "-accel",
            "tcg,thread=single",
            "-no-reboot",
        ];
        let mut emulator = installed::command(client, self.emulator, common)?;
        // Where Debian's packages place ROMs and firmware.
        for folder in ["qemu", "seabios"] {
            if let Some(found) = installed::find(&format!("/usr/share/{folder}"))? {
                emulator.arg("-L").arg(found);
            }
        }
        emulator
            .arg("-L")
            .arg(installed::require("/usr/lib/ipxe/qemu")?);
        emulator.arg("-netdev");
        emulator.arg(format!("tap,id=net,ifname={TAP},script=no,downscript=no"));
        emulator.arg("-device");
        emulator.arg(format!("{},netdev=net,mac={MAC}", self.card));
        let console = client.path("console.log");
        emulator.arg("-serial");
        emulator.arg(format!("file:{}", console.display()));
        Process::spawn(client, "machine", emulator.args(&self.arguments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_from_the_logs_who_fetched_the_file() {
        let address = Some(Ipv4Addr::new(10, 77, 0, 100));
        let tftp = "dnsmasq-tftp: error 0 TFTP Aborted received from 10.77.0.101\n\
            dnsmasq-tftp: sent /tmp/lab/files/boot.img to 10.77.0.100\n";
        assert_eq!(Protocol::Tftp.fetched_by(tftp), address);
        let other = "dnsmasq-tftp: file /tmp/lab/files/boot.img not found for 10.77.0.100\n";
        assert_eq!(Protocol::Tftp.fetched_by(other), None);
        let head = "10.77.0.100:1027: url:/boot.img\n10.77.0.100:1027: response:200\n";
        assert_eq!(Protocol::Http.fetched_by(head), None);
        let get = "10.77.0.100:1028: url:/boot.img\n10.77.0.100:1028: response:200\n";
        assert_eq!(Protocol::Http.fetched_by(&(head.to_owned() + get)), address);
        let missing = "10.77.0.100:1028: url:/boot.img\n10.77.0.100:1028: response:404\n";
        assert_eq!(
            Protocol::Http.fetched_by(&(head.to_owned() + missing)),
            None
        );
    }
}

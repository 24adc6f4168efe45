//! VPCS, the small hosts of network emulators, on a tap.

use std::{fs, net::Ipv4Addr};

use anyhow::{Result, ensure};
use xtask_lab::{Lab, Process, wait};

use crate::{
    Kind, Report,
    boot::add_tap,
    installed,
    scene::{LONG, LONGEST, Scene},
};

const PROGRAM: &str = "/usr/bin/vpcs";

/// Starts each exchange anew with a DISCOVER, and selects with options 54 and 50 and with `ciaddr`.
pub(crate) const KIND: Kind = Kind {
    name: "vpcs",
    package: "vpcs",
    needs: &[PROGRAM, "/usr/bin/script"],
    play,
};

/// Asks for an address, and asks again.
const SCRIPT: &str = "ip dhcp\nip dhcp -r\nquit\n";
const EXCHANGES: usize = 2;

fn play(lab: &Lab) -> Result<Report> {
    let scene = Scene::new(lab, LONG)?;
    let tap = add_tap(&scene.client)?;
    let script = scene.client.path("startup.vpc");
    fs::write(&script, SCRIPT)?;
    let program = installed::require(PROGRAM)?;
    let run = format!(
        "{} -e -i 1 -d {tap} {}",
        program.display(),
        script.display()
    );
    // It runs on a terminal only.
    let arguments = ["--quiet", "--flush", "--command", &run, "/dev/null"];
    let mut vpcs = scene.client.command("script", arguments);
    let mut vpcs = Process::spawn(&scene.client, "vpcs", &mut vpcs)?;
    vpcs.wait(LONGEST)?;
    let addresses = addresses(&vpcs.output()?);
    ensure!(
        addresses.len() == EXCHANGES,
        "VPCS got {addresses:?} in {EXCHANGES} exchanges; the counters are {:?}",
        scene.server.stats()
    );
    let address = addresses.first().copied();
    ensure!(
        addresses.last().copied() == address,
        "VPCS got {addresses:?}"
    );
    if let Some(address) = address {
        wait::until("the lease to be bound", wait::PATIENCE, || {
            let state = scene.server.lease_state(address)?;
            Ok((state.as_deref() == Some("bound")).then_some(()))
        })?;
    }
    Ok(Report {
        address,
        renewed: EXCHANGES - 1,
        ..Report::default()
    })
}

/// Returns the addresses that VPCS reports, in lines such as `DORA IP 10.77.0.100/24 GW 10.77.0.1`.
/// It writes a letter for each message.
fn addresses(output: &str) -> Vec<Ipv4Addr> {
    let lines = output.lines().filter_map(|line| {
        let (letters, rest) = line.trim().split_once(" IP ")?;
        letters.ends_with('A').then_some(())?;
        rest.split_once('/')?.0.parse().ok()
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_from_the_output() {
        let address = Ipv4Addr::new(10, 77, 0, 100);
        let output = "\r\nDDORA IP 10.77.0.100/24 GW 10.77.0.1\r\n\r\nDORA IP 10.77.0.100/24\r\n";
        assert_eq!(addresses(output), [address, address]);
        assert_eq!(
            addresses("DDD\r\nCan't find dhcp server\r\n"),
            [Ipv4Addr::LOCALHOST; 0]
        );
    }
}

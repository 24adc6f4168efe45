//! The client of lwIP, the network stack of microcontrollers, on a tap: `xtask/clients/lwip` and
//! lwIP's sources, compiled when it runs.

use std::{fs, net::Ipv4Addr, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use xtask_lab::{Lab, Process, command, wait, workspace};

use crate::{
    Kind, Report,
    boot::add_tap,
    installed,
    scene::{LONGEST, SHORT, Scene},
};

/// The crate that holds lwIP's sources: Debian's library (liblwip0) is built without DHCP.
pub const CRATE: &str = "lwip";
pub const VERSION: &str = "0.4.0";

const SOURCES: &str = "/usr/src/lwip/src";
const COMPILER: &str = "/usr/bin/cc";
/// The folder of the client and of lwIP's settings, below the workspace.
const CLIENT: &str = "xtask/clients/lwip";

pub(crate) const KIND: Kind = Kind {
    name: "lwip",
    package: "lwip (crate)",
    needs: &[SOURCES, COMPILER],
    play,
};

/// Returns the folder of lwIP's sources, and whether they are there.
///
/// # Errors
/// Cargo does not say where it builds.
pub fn sources() -> Result<(PathBuf, bool)> {
    let folder = installed::unpacked()?.join(SOURCES.trim_start_matches('/'));
    let is_there = folder.exists();
    Ok((folder, is_there))
}

fn play(lab: &Lab) -> Result<Report> {
    let program = compile(lab)?;
    let scene = Scene::new(lab, SHORT)?;
    let tap = add_tap(&scene.client)?;
    let mut client = scene.client.command(&program, [tap]);
    let mut client = Process::spawn(&scene.client, "lwip", &mut client)?;
    let address = wait::until("lwIP to get an address", LONGEST, || {
        client.expect_running()?;
        Ok(events(&client.output()?).last().copied().flatten())
    })?;
    let bound = scene.server.stats()?;
    scene.wait_acknowledged(&bound)?;
    let events = events(&client.output()?);
    ensure!(
        events == [Some(address)],
        "lwIP had {events:?} until its renewal"
    );
    Ok(Report {
        address: Some(address),
        renewed: 1,
        ..Report::default()
    })
}

/// Compiles the client and returns its path.
fn compile(lab: &Lab) -> Result<PathBuf> {
    let sources = installed::require(SOURCES)?;
    let own = workspace::root().join(CLIENT);
    let program = lab.dir().join("lwip");
    let mut compiler = command::command(COMPILER, ["-O1", "-o"]);
    compiler
        .arg(&program)
        .arg("-I")
        .arg(&own)
        .arg("-I")
        .arg(sources.join("include"))
        .arg(own.join("client.c"))
        .arg(sources.join("netif/ethernet.c"));
    for folder in ["core", "core/ipv4"] {
        let folder = sources.join(folder);
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "c") {
                compiler.arg(path);
            }
        }
    }
    command::read(&mut compiler)?;
    Ok(program)
}

/// Returns each change that the client reports: an address, or none any more.
fn events(output: &str) -> Vec<Option<Ipv4Addr>> {
    let lines = output.lines().filter_map(|line| match line {
        "lost" => Some(None),
        line => Some(Some(line.strip_prefix("bound ")?.parse().ok()?)),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_losses_from_the_output() {
        let address = Ipv4Addr::new(10, 77, 0, 100);
        let output = "bound 10.77.0.100\nlost\nbound 10.77.0.100\nbound\n";
        assert_eq!(events(output), [Some(address), None, Some(address)]);
    }
}

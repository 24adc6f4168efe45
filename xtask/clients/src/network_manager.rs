//! `NetworkManager` with its internal client, on a bus of its own, with the folders of the system
//! that it writes to mounted from the lab.

use std::{fs, os::unix::fs::PermissionsExt as _};

use anyhow::Result;
use xtask_lab::{Lab, Process, topology::CLIENT_INTERFACE};

use crate::{
    Kind, Report,
    bus::Bus,
    installed,
    scene::{SHORT, Scene},
};

const PROGRAM: &str = "/usr/sbin/NetworkManager";

/// Asks in the REQUEST after an outage with options 54 and 50 and with `ciaddr`.
pub(crate) const KIND: Kind = Kind {
    name: "network-manager",
    package: "network-manager",
    needs: &[PROGRAM, Bus::PROGRAM],
    play,
};

/// `$1` is a folder in the lab, `$2` the program, and the others its settings in the environment.
/// A read-only `/sys` is the sign of a container, which has no udev.
const ISOLATED: &str = r#"set -e
dir=$1 program=$2
shift 2
mkdir -p /etc/NetworkManager /run/NetworkManager /var/lib/NetworkManager
mount --bind "$dir/etc" /etc/NetworkManager
mount --bind "$dir/run" /run/NetworkManager
mount --bind "$dir/var" /var/lib/NetworkManager
mount -t sysfs -o ro sysfs /sys
exec env "$@" "$program" --debug --config=/etc/NetworkManager/NetworkManager.conf
"#;

const SETTINGS: &str = "[main]\nplugins=keyfile\ndhcp=internal\nauth-polkit=false\n\
    no-auto-default=*\ndns=none\nrc-manager=unmanaged\n\n[logging]\nlevel=DEBUG\ndomains=DHCP4\n";

/// It goes on asking however long nobody answers.
const CONNECTION: &str = "uuid=2f6a0a6e-0000-4000-8000-0000000000aa\ntype=ethernet\n\
    autoconnect=true\n\n[ipv4]\nmethod=auto\ndhcp-timeout=2147483647\nmay-fail=false\n\n\
    [ipv6]\nmethod=disabled\n";

fn play(lab: &Lab) -> Result<Report> {
    let scene = Scene::new(lab, SHORT)?;
    let mut bus = Bus::start(&scene.client)?;
    let dir = scene.client.path("network-manager");
    let connections = dir.join("etc/system-connections");
    for folder in [&connections, &dir.join("run"), &dir.join("var")] {
        fs::create_dir_all(folder)?;
    }
    fs::write(dir.join("etc/NetworkManager.conf"), SETTINGS)?;
    let connection = connections.join("lab.nmconnection");
    let head = format!("[connection]\nid=lab\ninterface-name={CLIENT_INTERFACE}\n");
    fs::write(&connection, head + CONNECTION)?;
    // NetworkManager ignores a connection that others may read.
    fs::set_permissions(&connection, fs::Permissions::from_mode(0o600))?;
    let isolated = ["--mount", "sh", "-c", ISOLATED, "sh"];
    let mut manager = scene.client.command("unshare", isolated);
    manager
        .arg(&dir)
        .arg(installed::require(PROGRAM)?)
        .args([bus.setting()?, installed::libraries()?]);
    let mut manager = Process::spawn(&scene.client, "network-manager", &mut manager)?;

    let address = scene.wait_address()?;
    let bound = scene.server.stats()?;
    scene.wait_renewed(address, &bound)?;
    let again = scene.outage()?;
    manager.expect_running()?;
    Ok(Report {
        address: Some(again),
        renewed: 1,
        outlived_outage: true,
        ..Report::default()
    })
}

//! connman, on a bus of its own, with the folders of the system that it writes to mounted from the
//! lab.

use std::fs;

use anyhow::Result;
use xtask_lab::{Lab, Process, topology::CLIENT_INTERFACE};

use crate::{
    Kind, Report,
    bus::Bus,
    installed,
    scene::{SHORT, Scene},
};

const PROGRAM: &str = "/usr/sbin/connmand";

pub(crate) const KIND: Kind = Kind {
    name: "connman",
    package: "connman",
    needs: &[PROGRAM, Bus::PROGRAM],
    play,
};

/// `$1` is a folder in the lab, `$2` the program, `$3` the interface, and the others its settings
/// in the environment.
const ISOLATED: &str = r#"set -e
dir=$1 program=$2 interface=$3
shift 3
mkdir -p /var/lib/connman /run/connman
mount --bind "$dir/var" /var/lib/connman
mount --bind "$dir/run" /run/connman
mount -t sysfs -o ro sysfs /sys
exec env "$@" "$program" --nodaemon --nobacktrace --nodnsproxy --device="$interface" \
    --config="$dir/main.conf" --debug=src/dhcp.c,gdhcp/client.c
"#;

/// It looks for no portal, sets no host name and asks no time server.
const SETTINGS: &str = "[General]\nEnableOnlineCheck=false\nAllowHostnameUpdates=false\n\
    AllowDomainnameUpdates=false\nFallbackTimeservers=\n";

fn play(lab: &Lab) -> Result<Report> {
    let scene = Scene::new(lab, SHORT)?;
    let mut bus = Bus::start(&scene.client)?;
    let dir = scene.client.path("connman");
    for folder in ["run", "var"] {
        fs::create_dir_all(dir.join(folder))?;
    }
    fs::write(dir.join("main.conf"), SETTINGS)?;
    let isolated = ["--mount", "sh", "-c", ISOLATED, "sh"];
    let mut connman = scene.client.command("unshare", isolated);
    connman
        .arg(&dir)
        .arg(installed::require(PROGRAM)?)
        .arg(CLIENT_INTERFACE)
        .args([bus.setting()?, installed::libraries()?]);
    let mut connman = Process::spawn(&scene.client, "connman", &mut connman)?;

    let address = scene.wait_address()?;
    let bound = scene.server.stats()?;
    scene.wait_renewed(address, &bound)?;
    connman.expect_running()?;
    Ok(Report {
        address: Some(address),
        renewed: 1,
        ..Report::default()
    })
}

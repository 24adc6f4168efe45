//! UEFI firmware (OVMF), which boots over PXE or over HTTP.

use std::fs;

use anyhow::{Context as _, Result};
use xtask_lab::Lab;

use crate::{
    Kind, Report,
    boot::{Machine, Protocol, boot},
    installed,
};

const EMULATOR: &str = "/usr/bin/qemu-system-x86_64";
const CODE: &str = "/usr/share/OVMF/OVMF_CODE.fd";
/// The firmware's variables as they are delivered. A machine writes to its copy.
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS.fd";
const NEEDS: &[&str] = &[EMULATOR, CODE, VARIABLES];

/// Takes an offer with option 60 and without option 43 for that of a boot server to be asked on
/// port 4011 (EDK II, `NetworkPkg/UefiPxeBcDxe`).
pub(crate) const PXE: Kind = Kind {
    name: "ovmf-pxe",
    package: "ovmf",
    needs: NEEDS,
    play: |lab| play(lab, Protocol::Tftp),
};

/// Boots over HTTP; PXE, which the firmware tries first, is switched off.
pub(crate) const HTTP: Kind = Kind {
    name: "ovmf-http",
    package: "ovmf",
    needs: NEEDS,
    play: |lab| play(lab, Protocol::Http),
};

fn play(lab: &Lab, protocol: Protocol) -> Result<Report> {
    let code = installed::require(CODE)?;
    let variables = lab.dir().join("variables.fd");
    fs::copy(installed::require(VARIABLES)?, &variables)
        .with_context(|| format!("cannot write {}", variables.display()))?;
    let mut arguments = ["-machine", "q35", "-m", "256", "-boot", "n"]
        .map(str::to_owned)
        .to_vec();
    for (flash, options) in [(code, ",readonly=on"), (variables, "")] {
        arguments.push("-drive".to_owned());
        let file = flash.display();
        arguments.push(format!("if=pflash,format=raw,file={file}{options}"));
    }
    if matches!(protocol, Protocol::Http) {
        for version in ["IPv4", "IPv6"] {
            arguments.push("-fw_cfg".to_owned());
            arguments.push(format!(
                "name=opt/org.tianocore/{version}PXESupport,string=no"
            ));
        }
    }
    let machine = Machine {
        emulator: EMULATOR,
        arguments,
        // The firmware has its own driver, so the card needs no ROM.
        card: "virtio-net-pci,romfile=",
    };
    boot(lab, protocol, &machine)
}

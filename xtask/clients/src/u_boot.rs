//! U-Boot on a board with ARM's processor, which boots over the network where it finds no disk.

use crate::{
    Kind,
    boot::{Machine, Protocol, boot},
    installed,
};

const EMULATOR: &str = "/usr/bin/qemu-system-arm";
const FIRMWARE: &str = "/usr/lib/u-boot/qemu_arm/u-boot.bin";

pub(crate) const KIND: Kind = Kind {
    name: "u-boot",
    package: "u-boot-qemu",
    needs: &[EMULATOR, FIRMWARE],
    play: |lab| {
        let firmware = installed::require(FIRMWARE)?;
        let arguments = ["-machine", "virt", "-m", "128", "-bios"].map(str::to_owned);
        let mut arguments = arguments.to_vec();
        arguments.push(firmware.display().to_string());
        let machine = Machine {
            emulator: EMULATOR,
            arguments,
            card: "virtio-net-device",
        };
        boot(lab, Protocol::Tftp, &machine)
    },
};

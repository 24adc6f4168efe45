//! iPXE's ROM on a network card, started by a BIOS.

use crate::{
    Kind,
    boot::{Machine, Protocol, boot},
};

const EMULATOR: &str = "/usr/bin/qemu-system-x86_64";

pub(crate) const KIND: Kind = Kind {
    name: "ipxe",
    package: "ipxe-qemu",
    needs: &[
        EMULATOR,
        "/usr/lib/ipxe/qemu/pxe-virtio.rom",
        "/usr/share/seabios/bios-256k.bin",
    ],
    play: |lab| {
        let arguments = ["-machine", "pc", "-m", "128", "-boot", "n"];
        let machine = Machine {
            emulator: EMULATOR,
            arguments: arguments.map(str::to_owned).to_vec(),
            card: "virtio-net-pci",
        };
        boot(lab, Protocol::Tftp, &machine)
    },
};

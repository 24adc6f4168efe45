//! What the driver can do at all.

use super::setting::Setting;
use crate::readings::{Peer, Program, Readings};

/// What a frame of a page may hold in most drivers without support for more than one buffer.
const LARGEST_MTU: u32 = 3498;

pub(super) fn advise(readings: &Readings, settings: &mut Vec<Setting>) {
    settings.push(native(readings));
    settings.push(zero_copy(readings));
    if let Some(peer) = &readings.link.peer {
        settings.push(peer_program(peer));
    }
    settings.push(mtu(readings));
}

fn native(readings: &Readings) -> Setting {
    let driver = readings.driver();
    let program = match readings.link.program {
        Some(Program::Native) => "; a program is attached in the driver",
        Some(Program::Generic) => "; a program is attached, but generic",
        Some(Program::Offloaded) => "; a program is attached in the NIC",
        None => "",
    };
    match &readings.xdp {
        Some(xdp) if xdp.native => Setting::right(
            "native XDP",
            format!("yes, in {driver}{program}"),
            "the program sees a frame before the kernel has made anything of it",
        ),
        Some(_) => Setting::unavailable(
            "native XDP",
            format!("none in {driver}{program}"),
            if readings.wanted.generic_xdp {
                "`generic-xdp = true` takes generic XDP instead: slower, for the kernel makes an skb of each frame first"
            } else {
                "`generic-xdp = true` in the configuration takes generic XDP instead: slower, for the kernel makes an skb of each frame first; or another NIC"
            },
        ),
        None => Setting::unavailable(
            "native XDP",
            format!("unknown, of {driver}{program}"),
            "this kernel does not say (Linux 6.3 does); xdhcpd finds out when it attaches",
        ),
    }
}

fn zero_copy(readings: &Readings) -> Setting {
    if readings.has_zero_copy() {
        Setting::right(
            "AF_XDP without copies",
            format!("yes, in {}", readings.driver()),
            "requests for the controller go from the NIC to its memory directly",
        )
    } else {
        Setting::unavailable(
            "AF_XDP without copies",
            "no",
            "the kernel copies each request for the controller; those that the kernel answers itself are not copied in any case",
        )
    }
}

fn peer_program(peer: &Peer) -> Setting {
    const NAME: &str = "program at the peer";
    const WHY: &str = "a veth end takes what the program at the other end sends only if it runs an XDP program itself, be it one that passes everything; without, answers of the kernel vanish";
    match peer.has_program {
        Some(true) => Setting::right(NAME, "yes", WHY),
        Some(false) => Setting::by_hand(
            NAME,
            "none",
            "any, e.g. XDP_PASS",
            Some("ip link set dev PEER xdpdrv object FILE".to_owned()),
            WHY,
        ),
        None => Setting::by_hand(
            NAME,
            "unknown",
            "any, e.g. XDP_PASS",
            None,
            format!("the peer's namespace cannot be seen from here; {WHY}"),
        ),
    }
}

fn mtu(readings: &Readings) -> Setting {
    let mtu = readings.link.mtu;
    let is = mtu.to_string();
    if mtu <= LARGEST_MTU {
        return Setting::right(
            "MTU",
            is,
            "a frame fits into one buffer, as native XDP wants it",
        );
    }
    let interface = &readings.interface;
    Setting {
        undo: Some(format!("ip link set dev {interface} mtu {mtu}")),
        ..Setting::by_hand(
            "MTU",
            is,
            "1500",
            Some(format!("ip link set dev {interface} mtu 1500")),
            "most drivers attach no program where a frame needs more than a page; DHCP needs no more than 1500",
        )
    }
}

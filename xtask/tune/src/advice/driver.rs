//! XDP support of the driver, the peer's program and the MTU.

use super::setting::Setting;
use crate::readings::{Peer, Program, Readings};

/// The largest MTU whose frames fit into a page in most drivers without multi-buffer support.
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
        Some(Program::Generic) => "; a program is attached in generic mode",
        Some(Program::Offloaded) => "; a program is attached in the NIC",
        None => "",
    };
    match &readings.xdp {
        Some(xdp) if xdp.native => Setting::right(
            "native XDP",
            format!("yes, in {driver}{program}"),
            "the program sees a frame before the kernel allocates an skb for it",
        ),
        Some(_) => Setting::unavailable(
            "native XDP",
            format!("none in {driver}{program}"),
            if readings.wanted.generic_xdp {
                "`generic-xdp = true` selects generic XDP, which is slower, because the kernel \
                 allocates an skb for each frame first"
            } else {
                "`generic-xdp = true` in the configuration selects generic XDP, which is slower, \
                 because the kernel allocates an skb for each frame first; or use another NIC"
            },
        ),
        None => Setting::unavailable(
            "native XDP",
            format!("unknown, of {driver}{program}"),
            "this kernel does not report it (Linux 6.3 does); xdhcpd finds out when it attaches",
        ),
    }
}

fn zero_copy(readings: &Readings) -> Setting {
    if readings.has_zero_copy() {
        Setting::right(
            "AF_XDP without copies",
            format!("yes, in {}", readings.driver()),
            "requests for the controller go from the NIC directly to its memory",
        )
    } else {
        Setting::unavailable(
            "AF_XDP without copies",
            "no",
            "the kernel copies each request for the controller; requests that the kernel answers \
             are never copied",
        )
    }
}

fn peer_program(peer: &Peer) -> Setting {
    const NAME: &str = "program at the peer";
    const WHY: &str = "a veth end receives what the program at the other end sends only if it runs an XDP \
         program itself, even one that passes everything; otherwise the kernel's answers are lost";
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
            format!("the peer's namespace is not visible from here; {WHY}"),
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
            "a frame fits into one buffer, as native XDP requires",
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
            "most drivers attach no program if a frame may exceed a page; DHCP needs no more \
             than 1500",
        )
    }
}

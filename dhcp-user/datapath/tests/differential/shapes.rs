//! Requests of clients of many makes: vendor class, parameter list and other options that an answer
//! depends on, with the order and values of real clients.

use dhcp_common::wire::option;
use dhcp_testkit::fixtures::request::RequestFrame;

/// How a client identifies itself.
#[derive(Clone, Copy, Debug)]
pub enum Name {
    /// No option 61.
    Hardware,
    /// Hardware type and MAC address.
    Mac,
    /// IAID and DUID-LL (RFC 4361 §6.1).
    Duid,
    /// Octets of type zero, mostly text (RFC 2132 §9.14).
    Text,
}

/// Options of all messages of a client.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub who: &'static str,
    pub name: Name,
    vendor: &'static str,
    parameters: &'static [u8],
    more: &'static [(u8, &'static [u8])],
}

const VENDOR_CLASS: u8 = 60;
const USER_CLASS: u8 = 77;
const ARCHITECTURE: u8 = 93;
const INTERFACE: u8 = 94;
const NINETY_DAYS: &[u8] = &7_776_000u32.to_be_bytes();
const ONE_DAY: &[u8] = &86_400u32.to_be_bytes();

const fn shape(
    who: &'static str,
    name: Name,
    vendor: &'static str,
    parameters: &'static [u8],
    more: &'static [(u8, &'static [u8])],
) -> Shape {
    Shape {
        who,
        name,
        vendor,
        parameters,
        more,
    }
}

impl Shape {
    /// Adds what every message of such a client carries.
    pub fn dress(&self, mut request: RequestFrame, mac: [u8; 6]) -> RequestFrame {
        request
            .options
            .retain(|(code, _)| *code != option::PARAMETER_LIST);
        let id = match self.name {
            Name::Hardware => Vec::new(),
            Name::Mac => [&[1][..], &mac].concat(),
            Name::Duid => [&[255][..], &mac[2..], &[0, 3, 0, 1], &mac].concat(),
            Name::Text => [&b"\0client-"[..], &mac[2..]].concat(),
        };
        for (code, value) in [
            (option::CLIENT_ID, &*id),
            (VENDOR_CLASS, self.vendor.as_bytes()),
            (option::PARAMETER_LIST, self.parameters),
        ] {
            if !value.is_empty() {
                request = request.option(code, value);
            }
        }
        for (code, value) in self.more {
            request = request.option(*code, value);
        }
        request.option(
            option::HOST_NAME,
            format!("host-{:02x}{:02x}", mac[4], mac[5]).as_bytes(),
        )
    }
}

use Name::{Duid, Hardware, Mac, Text};

pub const SHAPES: [Shape; 50] = [
    shape(
        "udhcpc",
        Mac,
        "udhcp 1.36.1",
        &[1, 3, 6, 12, 15, 28, 42],
        &[(57, &[2, 64])],
    ),
    shape(
        "udhcpc of OpenWrt",
        Mac,
        "udhcp 1.36.1",
        &[1, 3, 6, 12, 15, 28, 42, 121, 125],
        &[(57, &[2, 64])],
    ),
    shape(
        "udhcpc of an initramfs",
        Mac,
        "udhcp 1.30.1",
        &[1, 3, 6, 12, 15, 17, 26, 28, 42],
        &[(57, &[2, 64])],
    ),
    shape(
        "udhcpc of a camera",
        Hardware,
        "udhcp 0.9.9-pre",
        &[1, 3, 6, 12, 15, 28],
        &[],
    ),
    shape(
        "dhclient of Debian",
        Hardware,
        "",
        &[1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42],
        &[],
    ),
    shape(
        "dhclient of Red Hat",
        Hardware,
        "",
        &[1, 28, 2, 121, 15, 6, 12, 40, 41, 42, 26, 119, 3],
        &[],
    ),
    shape(
        "dhclient of FreeBSD",
        Mac,
        "",
        &[1, 28, 2, 121, 3, 15, 6, 12, 119],
        &[],
    ),
    shape(
        "dhclient that wants a day",
        Mac,
        "",
        &[1, 28, 3, 6, 15],
        &[(51, ONE_DAY)],
    ),
    shape(
        "dhcpcd 10",
        Duid,
        "dhcpcd-10.0.6:Linux-6.6:x86_64:GenuineIntel",
        &[1, 121, 33, 3, 6, 12, 15, 26, 28, 42, 51, 54, 58, 59, 119],
        &[(57, &[5, 192]), (145, &[1])],
    ),
    shape(
        "dhcpcd of a board",
        Duid,
        "dhcpcd-8.1.2:Linux-5.10:armv7l:BCM2711",
        &[1, 121, 33, 3, 6, 12, 15, 26, 28, 51, 54, 58, 59, 119],
        &[(57, &[5, 192]), (145, &[1])],
    ),
    shape(
        "systemd-networkd",
        Duid,
        "",
        &[1, 3, 6, 12, 15, 26, 33, 42, 108, 119, 120, 121],
        &[(57, &[5, 192])],
    ),
    shape(
        "systemd-networkd without options",
        Duid,
        "",
        &[1, 3, 6, 12, 15, 26, 119, 120],
        &[(57, &[5, 192])],
    ),
    shape(
        "NetworkManager",
        Mac,
        "",
        &[
            1, 2, 6, 12, 15, 26, 28, 121, 3, 33, 40, 41, 42, 119, 249, 252, 17,
        ],
        &[(57, &[2, 64])],
    ),
    shape(
        "connman",
        Mac,
        "",
        &[1, 3, 6, 12, 15, 42, 252],
        &[(57, &[2, 64])],
    ),
    shape("iwd", Mac, "", &[1, 3, 6, 15, 28, 108], &[]),
    shape(
        "Windows 11",
        Mac,
        "MSFT 5.0",
        &[1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252],
        &[],
    ),
    shape(
        "Windows 7",
        Mac,
        "MSFT 5.0",
        &[1, 15, 3, 6, 44, 46, 47, 31, 33, 121, 249, 43],
        &[],
    ),
    shape(
        "Windows XP",
        Mac,
        "MSFT 5.0",
        &[1, 15, 3, 6, 44, 46, 47, 31, 33, 249, 43],
        &[(116, &[1])],
    ),
    shape(
        "Windows in a class",
        Mac,
        "MSFT 5.0",
        &[1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252],
        &[(USER_CLASS, b"lab\0")],
    ),
    shape(
        "macOS",
        Mac,
        "",
        &[1, 121, 3, 6, 15, 108, 114, 119, 252, 95, 44, 46],
        &[(57, &[5, 220]), (51, NINETY_DAYS)],
    ),
    shape(
        "iOS",
        Mac,
        "",
        &[1, 121, 3, 6, 15, 108, 114, 119, 252],
        &[(57, &[5, 220]), (51, NINETY_DAYS)],
    ),
    shape(
        "tvOS",
        Mac,
        "",
        &[1, 121, 3, 6, 15, 119, 252],
        &[(57, &[5, 220]), (51, NINETY_DAYS)],
    ),
    shape(
        "Android 9",
        Mac,
        "android-dhcp-9",
        &[1, 3, 6, 15, 26, 28, 51, 58, 59, 43],
        &[(57, &[5, 220])],
    ),
    shape(
        "Android 14",
        Mac,
        "android-dhcp-14",
        &[1, 3, 6, 15, 26, 28, 51, 58, 59, 43, 114, 108],
        &[(57, &[5, 220])],
    ),
    shape(
        "ChromeOS",
        Mac,
        "dhcpcd-6.8.2:ChromeOS",
        &[1, 3, 6, 12, 15, 28, 33, 51, 54, 58, 59, 119, 121, 252],
        &[(57, &[5, 192])],
    ),
    shape(
        "IOS router",
        Text,
        "",
        &[1, 6, 15, 44, 3, 33, 150, 43],
        &[(57, &[4, 128])],
    ),
    shape(
        "IOS switch",
        Text,
        "ciscopnp",
        &[1, 6, 15, 44, 3, 67, 33, 150, 43],
        &[(57, &[4, 128])],
    ),
    shape(
        "IP phone",
        Hardware,
        "Cisco Systems, Inc. IP Phone CP-7961G",
        &[1, 66, 6, 3, 15, 150, 35],
        &[],
    ),
    shape(
        "IP phone of another make",
        Hardware,
        "Polycom-VVX400",
        &[1, 3, 6, 42, 43, 66, 128, 160],
        &[],
    ),
    shape("ATA", Hardware, "ATA186", &[1, 3, 6, 15, 42, 66, 159], &[]),
    shape(
        "JetDirect",
        Hardware,
        "Hewlett-Packard JetDirect",
        &[6, 3, 1, 15, 66, 67, 13, 44, 12, 252],
        &[],
    ),
    shape(
        "printer",
        Hardware,
        "",
        &[1, 3, 6, 15, 44, 46, 47, 12, 69],
        &[],
    ),
    shape("ESXi", Mac, "", &[1, 3, 6, 12, 15, 28, 26], &[]),
    shape(
        "a cloud's image",
        Mac,
        "",
        &[1, 28, 2, 3, 15, 6, 12, 121, 26, 42],
        &[],
    ),
    shape(
        "console",
        Mac,
        "XBOX 1.0",
        &[1, 3, 6, 15, 44, 46, 47, 31, 33, 121, 249, 43],
        &[],
    ),
    shape("another console", Mac, "PS5", &[1, 3, 15, 6], &[]),
    shape("a third console", Mac, "", &[1, 3, 6, 15, 28], &[]),
    shape(
        "television",
        Mac,
        "",
        &[1, 3, 6, 12, 15, 28, 42, 40, 41],
        &[],
    ),
    shape("stick", Hardware, "", &[1, 3, 6, 15, 12], &[]),
    shape("lwIP", Hardware, "", &[1, 3, 28, 6], &[(57, &[5, 220])]),
    shape("Zephyr", Mac, "", &[1, 3, 6, 51], &[]),
    shape("RTOS of a meter", Hardware, "", &[1, 3, 6, 44], &[]),
    shape(
        "ONT",
        Text,
        "ONT;model=10G",
        &[1, 3, 6, 43, 66, 67, 120, 125],
        &[(57, &[5, 192])],
    ),
    shape(
        "cable modem",
        Hardware,
        "docsis3.1:052401010102010103010104",
        &[1, 3, 4, 7, 2, 66, 67, 125],
        &[(43, &[2, 2, 67, 77])],
    ),
    shape(
        "eMTA",
        Hardware,
        "pktc1.5:05220101010201010301010401010901000a0101",
        &[1, 3, 6, 7, 12, 15, 122],
        &[(43, &[2, 4, 69, 77, 84, 65])],
    ),
    shape(
        "set-top box",
        Mac,
        "STB",
        &[1, 3, 6, 15, 42, 43, 66, 67, 224],
        &[],
    ),
    shape("RouterOS", Mac, "", &[1, 121, 3, 33, 6, 42, 138], &[]),
    shape(
        "a switch before it has a configuration",
        Mac,
        "Arista;DCS-7050",
        &[1, 3, 6, 15, 66, 67, 12, 42],
        &[],
    ),
    shape(
        "U-Boot",
        Hardware,
        "PXEClient:Arch:00016:UNDI:003000",
        &[1, 3, 6, 12, 17, 66, 67, 209, 210],
        &[(57, &[5, 220]), (ARCHITECTURE, &[0, 22])],
    ),
    shape(
        "GRUB",
        Hardware,
        "PXEClient:Arch:00007:UNDI:003016",
        &[1, 3, 6, 12, 15, 66, 67],
        &[(ARCHITECTURE, &[0, 7]), (INTERFACE, &[1, 3, 16])],
    ),
];

/// Firmware, which names its machine in option 97, so that the controller answers it each time.
pub const FIRMWARE: Shape = shape(
    "UEFI",
    Hardware,
    "PXEClient:Arch:00007:UNDI:003016",
    &[
        1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60,
        66, 67, 97, 128, 129, 130,
    ],
    &[
        (57, &[5, 192]),
        (97, &[0; 17]),
        (INTERFACE, &[1, 3, 16]),
        (ARCHITECTURE, &[0, 7]),
    ],
);

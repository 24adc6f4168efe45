//! The maps that the XDP program and the controller share.
//!
//! Layouts are `repr(C)` without padding and asserted below. A change to any of them, or to the
//! meaning of a field, raises [`ABI_VERSION`]: the loader refuses to adopt maps of another version.
//!
//! Times are nanoseconds of `CLOCK_BOOTTIME`; [`FOREVER_NS`] never comes.
//!
//! To read on: `dhcp-ebpf/src/respond.rs`, the life of a frame in the kernel.

mod binding;
mod client;
mod link;
mod meta;
mod place;
mod template;

pub use binding::*;
pub use client::*;
pub use link::*;
pub use meta::*;
pub use place::*;
pub use template::*;

use crate::{fingerprint, wire::Be32};

/// Version of everything in this module.
pub const ABI_VERSION: u32 = 4;

/// Names of the maps, and of their pins.
pub mod map {
    pub const META: &str = "META";
    pub const LEASES: &str = "LEASES";
    pub const GRANTS: &str = "GRANTS";
    pub const CLIENTS: &str = "CLIENTS";
    pub const TEMPLATE_INDEX: &str = "TEMPLATE_INDEX";
    pub const TEMPLATES: &str = "TEMPLATES";
    pub const LINKS: &str = "LINKS";
    pub const RELAYS: &str = "RELAYS";
    pub const LIMITS: &str = "LIMITS";
    pub const OUTCOMES: &str = "OUTCOMES";
    pub const EVENTS: &str = "EVENTS";
    pub const SLOW: &str = "SLOW";

    /// All that are pinned and adopted.
    pub const ALL: [&str; 12] = [
        META,
        LEASES,
        GRANTS,
        CLIENTS,
        TEMPLATE_INDEX,
        TEMPLATES,
        LINKS,
        RELAYS,
        LIMITS,
        OUTCOMES,
        EVENTS,
        SLOW,
    ];
}

/// The program's name in the object.
pub const PROGRAM: &str = "xdhcpd";

/// Leases that a map holds unless the controller asks for another number when it makes the map.
pub const DEFAULT_LEASES: u32 = 1 << 17;
pub const MAX_TEMPLATES: u32 = 4096;
/// Elements of `TEMPLATES`: the first one is not used.
pub const TEMPLATE_ELEMENTS: u32 = 1 + MAX_TEMPLATES;
/// Elements of `TEMPLATE_INDEX`: a power of two, and so many that there is nearly always a free one in the
/// [`TEMPLATE_WAYS`] where a key may stand.
pub const TEMPLATE_CELLS: u32 = 4 * MAX_TEMPLATES;
pub const TEMPLATE_WAYS: u32 = 4;
pub const MAX_LINKS: u32 = 4096;
/// Subnets that one controller serves.
pub const MAX_SUBNETS: u32 = 1 << 14;
/// Prefixes of subnets, and addresses of ours.
pub const MAX_RELAYS: u32 = 1 << 16;
pub const MAX_LIMITS: u32 = 65536;
/// Octets of the ring that carries events.
pub const EVENTS_BYTES: u32 = 1 << 20;
/// Receive queues of one interface that the slow path serves.
pub const MAX_QUEUES: u32 = 64;
/// Interfaces that one controller serves.
pub const MAX_INTERFACES: u32 = 64;
pub const MAX_SLOW_SOCKETS: u32 = MAX_QUEUES * MAX_INTERFACES;
/// Frames that one socket of the slow path receives into where there are many queues, and those that it sends from.
pub const SLOW_RX_FRAMES: u32 = 1024;
pub const SLOW_TX_FRAMES: u32 = 512;
/// Frames that the sockets of an interface receive into, all together, where it has few queues: as many clients may
/// come at once as wherever there are many.
pub const SLOW_RX_FRAMES_IN_ALL: u32 = 8 * SLOW_RX_FRAMES;
/// Octets of one of them.
pub const SLOW_FRAME_LEN: u32 = 2048;

/// Frames that each socket of an interface with so many receive queues receives into: a power of two.
pub const fn slow_rx_frames(queues: u32) -> u32 {
    let mut frames = SLOW_RX_FRAMES_IN_ALL;
    while frames > SLOW_RX_FRAMES && frames.saturating_mul(queues) > SLOW_RX_FRAMES_IN_ALL {
        frames /= 2;
    }
    frames
}

const _: () = assert!(SLOW_RX_FRAMES.is_power_of_two());
const _: () = assert!(
    slow_rx_frames(1) == SLOW_RX_FRAMES_IN_ALL
        && slow_rx_frames(3) == 2 * SLOW_RX_FRAMES
        && slow_rx_frames(MAX_QUEUES) == SLOW_RX_FRAMES,
    "no more than in all, and no fewer than with many queues"
);

/// Octets of memory that each of them shares with the kernel.
pub const fn slow_socket_bytes(queues: u32) -> u32 {
    (slow_rx_frames(queues) + SLOW_TX_FRAMES) * SLOW_FRAME_LEN
}
/// In the directory of pins: what names the maps that the next controller adopts.
pub const CURRENT: &str = "current";
/// Addresses of ours on one link.
pub const MAX_LINK_ADDRESSES: usize = 8;

/// A time that never comes: an infinite lease (RFC 2131 §3.3).
pub const FOREVER_NS: u64 = u64::MAX;
pub const NS_PER_SEC: u64 = 1_000_000_000;

/// Index of the one entry of `META`.
pub const META_INDEX: u32 = 0;

/// In [`Meta::flags`]: the program answers nothing and hands every request to the controller.
pub const META_SLOW_ONLY: u32 = 1;

/// What happened in the program that the controller must learn of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EventKind {
    /// The horizon of `slot` is near the granted time.
    HorizonLow = 1,
}

/// An entry of the ring `EVENTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Event {
    /// [`EventKind`].
    pub kind: u32,
    pub slot: u32,
    pub epoch: u32,
    pub reserved: u32,
    pub granted_ns: u64,
    pub durable_until_ns: u64,
}

macro_rules! layout {
    ($($type:ty: $size:expr, align $align:expr;)+) => {
        $(const _: () = {
            assert!(size_of::<$type>() == $size, stringify!($type));
            assert!(align_of::<$type>() == $align, stringify!($type));
        };)+

        #[cfg(feature = "user")]
        mod pod {
            use super::*;
            // SAFETY: each is `repr(C)` or `repr(transparent)`, holds integers only, and its size,
            // asserted above, is the sum of its fields: no padding, and every bit pattern is a value.
            $(unsafe impl aya::Pod for $type {})+
        }
    };
}

layout! {
    Meta: 16 + 8 * fingerprint::KEY_WORDS + 48, align 8;
    Limit: 16, align 8;
    ClientKey: 40, align 8;
    Binding: 56, align 8;
    Cell: 64, align 8;
    Bucket: 256, align 8;
    Grant: 16, align 8;
    TemplateKey: 24, align 8;
    TemplateCell: 32, align 8;
    Template: 24 + IMAGE_LEN, align 4;
    LinkKey: 8, align 4;
    NetworkRef: 8, align 4;
    Link: 56, align 4;
    Event: 32, align 8;
    Be32: 4, align 4;
}

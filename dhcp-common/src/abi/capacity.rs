//! Sizes of the maps, and of the sockets of the slow path.

/// Leases that a map holds unless the controller chooses another number when it creates the map.
pub const DEFAULT_LEASES: u32 = 1 << 17;
pub const MAX_TEMPLATES: u32 = 4096;
/// Elements of `TEMPLATES`: the first one is not used.
pub const TEMPLATE_ELEMENTS: u32 = 1 + MAX_TEMPLATES;
/// Elements of `TEMPLATE_INDEX`: a power of two, and large enough that one of the [`TEMPLATE_WAYS`]
/// cells where a key may be is nearly always free.
pub const TEMPLATE_CELLS: u32 = 4 * MAX_TEMPLATES;
pub const TEMPLATE_WAYS: u32 = 4;
pub const MAX_LINKS: u32 = 4096;
/// Addresses of the server on one link.
pub const MAX_LINK_ADDRESSES: usize = 8;
/// Subnets that one controller serves.
pub const MAX_SUBNETS: u32 = 1 << 14;
/// Prefixes of subnets, and addresses of the server.
pub const MAX_RELAYS: u32 = 1 << 17;
pub const MAX_LIMITS: u32 = 65536;
/// Octets of the ring that carries events.
pub const EVENTS_BYTES: u32 = 1 << 20;

/// Receive queues of one interface that the slow path serves.
pub const MAX_QUEUES: u32 = 64;
/// Interfaces that one controller serves.
pub const MAX_INTERFACES: u32 = 64;
pub const MAX_SLOW_SOCKETS: u32 = MAX_QUEUES * MAX_INTERFACES;
/// Receive frames of one slow-path socket on an interface with many queues.
pub const SLOW_RX_FRAMES: u32 = 1024;
/// Transmit frames of one slow-path socket.
pub const SLOW_TX_FRAMES: u32 = 512;
/// Receive frames of all sockets of an interface with few queues: as many clients may arrive at
/// once as on an interface with many.
pub const SLOW_RX_FRAMES_IN_ALL: u32 = 8 * SLOW_RX_FRAMES;
/// Octets of one frame of a slow-path socket.
pub const SLOW_FRAME_LEN: u32 = 2048;

/// Returns the receive frames of each socket of an interface with `queues` receive queues, a power
/// of two.
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

/// Returns the octets of memory that each socket of such an interface shares with the kernel.
pub const fn slow_socket_bytes(queues: u32) -> u32 {
    (slow_rx_frames(queues) + SLOW_TX_FRAMES) * SLOW_FRAME_LEN
}

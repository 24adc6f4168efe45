//! Default paths and limits of the daemon.

use crate::abi::{Limit, SLOW_RX_FRAMES_IN_ALL};

pub const CONFIG: &str = "/etc/xdhcpd/xdhcpd.toml";
pub const STORE: &str = "/var/lib/xdhcpd/leases.db";
pub const CONTROL_SOCKET: &str = "/run/xdhcpd/control.sock";
pub const PIN_DIR: &str = "/sys/fs/bpf/xdhcpd";
/// Requests that one client may send to the controller.
pub const CLIENT_LIMIT: Limit = Limit::per_second(20, 40);
/// Requests that one relay agent may send to the controller.
pub const RELAY_LIMIT: Limit = Limit::per_second(20_000, 40_000);
/// Requests that all clients without a published entry together may send to the controller.
pub const UNKNOWN_LIMIT: Limit = Limit::per_second(10_000, UNKNOWN_BURST);
/// A few thousand clients may return together, after a power cut in which their leases were lost.
const UNKNOWN_BURST: u32 = 4_000;
const _: () = assert!(
    UNKNOWN_BURST <= SLOW_RX_FRAMES_IN_ALL / 2,
    "half of the frames that may wait for the controller is for clients that have leases"
);

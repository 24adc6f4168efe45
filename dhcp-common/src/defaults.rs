//! Where the daemon's things are, and what it allows, unless its configuration says otherwise.

use crate::abi::Limit;

pub const CONFIG: &str = "/etc/xdhcpd/xdhcpd.toml";
pub const STORE: &str = "/var/lib/xdhcpd/leases.db";
pub const CONTROL_SOCKET: &str = "/run/xdhcpd/control.sock";
pub const PIN_DIR: &str = "/sys/fs/bpf/xdhcpd";
/// What one client may send to the controller.
pub const CLIENT_LIMIT: Limit = Limit::per_second(20, 40);
/// What one relay agent may send to the controller.
pub const RELAY_LIMIT: Limit = Limit::per_second(20_000, 40_000);

//! Real DHCP clients, each with its own state.

mod dhclient;
mod dhcpcd;
mod hook;
mod networkd;
mod running;
mod udhcpc;

pub use dhclient::Dhclient;
pub use dhcpcd::Dhcpcd;
pub use networkd::Networkd;
pub use running::{Client, Event};
pub use udhcpc::Udhcpc;

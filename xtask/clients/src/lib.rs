//! Real DHCP clients and network boot firmware against the daemon, each in a lab of its own.
//!
//! [`KINDS`] lists them. What a kind does is one function in its module; the tests in
//! `xtask/clients/tests/clients.rs` and `cargo xtask clients` ([`run()`]) call the same functions.
//! Start at [`kind`]; [`scene`] has the lab that all of them use, [`boot`] what firmware needs.

mod boot;
mod bus;
mod connman;
mod dhclient;
mod dhcpcd;
mod installed;
mod ipxe;
pub mod kind;
pub mod lwip;
mod network_manager;
mod networkd;
mod ovmf;
pub mod packages;
mod run;
mod scene;
mod smoltcp;
mod u_boot;
mod udhcpc;
mod vpcs;

pub use kind::{KINDS, Kind, Report};
pub use run::run;

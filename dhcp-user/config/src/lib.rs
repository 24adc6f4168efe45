//! The configuration of xdhcpd: TOML to checked types.
//!
//! [`Config::load`] reads a file and returns either a [`Config`], whose types cannot hold invalid
//! values, or all [`Problems`], each with file, line, field and value. No other crate checks these
//! values again.
//!
//! Start with `file.rs`, which reads the file as a whole. Each table has a file of its own;
//! `types.rs` has the results and `raw.rs` the TOML tree with positions.

mod boot;
mod class;
mod condition;
pub mod file;
mod host;
mod interface;
mod ipv6;
mod option_test;
pub mod options;
mod pool;
mod problem;
mod proxy;
mod raw;
mod requesters;
mod reservation;
mod server;
mod settings;
mod subnet;
#[cfg(test)]
mod tests;
mod types;
mod value;

pub use self::{
    boot::Boot,
    host::Host,
    pool::usable,
    problem::{Problem, Problems},
    reservation::is_host_name,
    types::{
        ALL_NETWORKS, Class, Classes, Condition, Config, Field, Interface, Link, Network,
        OptionTest, OptionValue, Overrides, Owner, Pattern, Pool, Presence, RelayPort, Reservation,
        Server, Subnet,
    },
};

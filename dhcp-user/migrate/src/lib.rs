//! Migration from Kea, dnsmasq and ISC dhcpd, and export of leases.
//!
//! [`leases`] reads the lease files of the three servers, and [`import`] decides which leases
//! become records of the store. [`convert`] converts their configurations. [`export`] writes leases
//! for other tools. Nothing here talks to clients: imported leases are served when the server
//! starts.

pub mod convert;
pub mod export;
mod file_format;
pub mod import;
pub mod leases;
mod lines;
mod source;
mod statements;

pub use self::source::Source;

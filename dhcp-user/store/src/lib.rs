//! The durable part of the controller: which address belongs to which client, and until when.
//!
//! [`Store`] is the interface, small enough for a distributed store to fulfil; [`sqlite`] is its
//! implementation over one file. [`committer`] groups changes into commits on its own thread, so
//! that one `fsync` serves everything that was queued while the previous one ran. [`wall_clock`]
//! converts the engine's times to UTC.
//!
//! [`reader`] reads a store without changing it, with or without a running server; [`backup`]
//! copies it, and [`intervals`] reports which client had which address at what time.
//!
//! All of this is generic over the kind of address: IPv4 addresses, and IPv6 addresses and
//! delegated prefixes (RFC 8415). [`StoredAddress`] defines how a file holds each of them.

pub mod backup;
pub mod committer;
mod file;
mod history;
mod interface;
pub mod intervals;
mod outage;
pub mod reader;
mod schema;
pub mod sqlite;
mod stall;
mod utc;
pub mod wall_clock;

pub use file::SCHEMA_VERSION;
pub use interface::{Store, WallChange, WallRecord};
pub use schema::StoredAddress;

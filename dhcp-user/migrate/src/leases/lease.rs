//! The common representation of leases of all three servers.

use std::{net::Ipv4Addr, path::Path, sync::Arc};

use dhcp_model::Hardware;

/// A lease of another server. Times are in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignLease {
    pub address: Ipv4Addr,
    pub state: ForeignState,
    /// Has length 0 if the server does not store it.
    pub hardware: Hardware,
    /// Option 61.
    pub client_id: Option<Box<[u8]>>,
    pub host_name: Option<Box<str>>,
    /// Option 82.
    pub relay_info: Option<Box<[u8]>>,
    /// When it began, if the server stores it.
    pub since: Option<u64>,
    /// The lease time in seconds, if the server stores it.
    pub lease_secs: Option<u32>,
    /// When it ends; `None` if it is infinite.
    pub expires: Option<u64>,
}

/// The state of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignState {
    /// Leased, until it expires.
    Leased,
    /// A client found the address in use.
    Declined,
    /// Expired, released, or reset.
    Ended,
}

/// The position of an entry, with lines from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub file: Arc<Path>,
    pub line: usize,
}

/// An entry of a file: a lease, or why it cannot be parsed.
#[derive(Debug)]
pub struct Entry {
    pub position: Position,
    pub lease: Result<ForeignLease, String>,
}

/// Returns a hardware address, or `None` if it is longer than `chaddr`.
pub(super) fn hardware(htype: u8, octets: &[u8]) -> Option<Hardware> {
    let mut hardware = Hardware {
        htype,
        len: u8::try_from(octets.len()).ok()?,
        ..Hardware::default()
    };
    hardware
        .chaddr
        .get_mut(..octets.len())?
        .copy_from_slice(octets);
    Some(hardware)
}

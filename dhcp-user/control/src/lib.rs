//! The messages of the control interface: one JSON object a line, over a Unix socket.
//!
//! A client sends a [`Request`] and reads the [`Response`]s to it. All requests but lists have one
//! response. A list has one [`Response::Lease`] for each row and then [`Response::End`] with the
//! number of rows, so that neither side has to hold a million leases as text:
//!
//! ```json
//! {"request":"leases-list","state":"bound"}
//! {"response":"lease","address":"10.0.0.5","state":"bound", …}
//! {"response":"end","count":1}
//! ```
//!
//! The type parameter `A` is what is leased. It is serialized as a string: an IPv4 address such as
//! `"10.0.0.5"`, an IPv6 address such as `"2001:db8::5"`, or a prefix such as
//! `"2001:db8:0:100::/56"`.

use std::{collections::BTreeMap, net::Ipv4Addr};

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// The longest line of a request, in octets, including the newline.
pub const MAX_REQUEST: usize = 64 * 1024;

/// A request of a client. Unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "request",
    rename_all = "kebab-case",
    deny_unknown_fields,
    bound(deserialize = "A: Deserialize<'de>")
)]
pub enum Request<A = Ipv4Addr> {
    /// Lists all leases in the order of their addresses, without offers.
    LeasesList {
        /// Lists only the lease of this address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<A>,
        /// Lists only leases in this state, such as `bound`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<String>,
    },
    /// Deletes a lease. Its client can get it again.
    LeasesDelete { address: A },
    /// Revokes a lease. Its client gets a NAK when it renews.
    LeasesRevoke { address: A },
    /// Reads the configuration file again and applies it.
    Reload {
        /// Reports what would happen to the leases, and changes nothing.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        dry_run: bool,
    },
    /// Lists all offers that no client has accepted yet.
    // The braces matter: serde checks unknown fields only in variants with named fields.
    OffersList {},
    /// Returns the counters of the server.
    Stats {},
}

/// An answer of the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "kebab-case")]
pub enum Response<A = Ipv4Addr> {
    /// A row of a list.
    Lease(LeaseRow<A>),
    /// The end of a list.
    End {
        /// The number of rows that were sent.
        count: u64,
    },
    /// The lease is deleted or revoked, and the kernel no longer acknowledges it.
    Done,
    /// The configuration is applied, or with `dry_run`, checked.
    Reloaded(ReloadReport<A>),
    /// The counters of the server.
    Stats(Box<Stats>),
    /// The request failed.
    Error {
        /// The kind of failure, for programs.
        kind: ErrorKind,
        /// The reason, for people.
        message: String,
    },
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// There is no lease of this address.
    NoLease,
    /// The store did not commit the change; nothing has changed.
    StoreFailed,
    /// The configuration is invalid or cannot be applied; nothing has changed.
    NotReloaded,
    /// There are too many clients, or the server did not answer in time.
    Busy,
    /// The line is no valid request.
    BadRequest,
}

/// A lease or an offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRow<A = Ipv4Addr> {
    /// The address, or the prefix.
    pub address: A,
    /// The label of the state, such as `bound`.
    pub state: String,
    /// The id of the network, which is derived from its name.
    pub network: u32,
    /// The hardware type (`htype`), such as 1 for Ethernet.
    pub hardware_type: u8,
    /// The hardware address in hexadecimal, such as `02:00:00:00:00:05`.
    pub hardware_address: String,
    /// The client identifier (option 61) in hexadecimal, such as `01:02:00:00:00:00:05`.
    pub client_id: Option<String>,
    /// The host name that the client sent, unescaped.
    pub host_name: Option<String>,
    /// The relay agent information (option 82) in hexadecimal.
    pub relay_info: Option<String>,
    /// When the lease began, in RFC 3339, such as `2026-11-24T20:15:00Z`. `None` if it began before
    /// this boot: the running server does not keep that time.
    pub since: Option<String>,
    /// When the lease ends, in RFC 3339 or `infinite`. Includes the time that the kernel has
    /// granted since the controller last read it.
    pub expires: String,
    /// The seconds until then. `None` for an infinite lease, zero for one that has expired.
    pub remaining_secs: Option<u64>,
}

/// The consequences of another configuration for the existing leases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport<A = Ipv4Addr> {
    /// The number of leases and offers in unchanged subnets.
    pub untouched: u64,
    /// The number of leases that continue, possibly with other options.
    pub kept: u64,
    /// The number of leases whose clients get another address at their next request.
    pub moved: u64,
    /// The first addresses of those.
    pub moved_addresses: Vec<A>,
    /// The number of leases that end at their clients' next request, or when they expire.
    pub ended: u64,
    /// The first addresses of those.
    pub ended_addresses: Vec<A>,
}

/// The counters of controller and kernel. Those of the kernel start at zero when its maps are
/// created, those of engine and store when the controller starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// The version of the server, such as `1.2.3`.
    pub version: String,
    /// How long the controller has been running, in seconds.
    pub uptime_secs: u64,
    /// Frames by the label of their outcome, such as `acked_renewing`.
    pub kernel: BTreeMap<String, u64>,
    /// The engine's counters by their labels.
    pub engine: BTreeMap<String, u64>,
    /// The part of all requests that the kernel answered, from 0 to 1. `None` before the first
    /// request.
    pub kernel_share: Option<f64>,
    /// Leases and offers by the label of their state.
    pub leases: BTreeMap<String, u64>,
    /// The use of the pools, one entry for each subnet.
    pub pools: Vec<PoolUse>,
    /// The store.
    pub store: StoreStats,
    /// The number of templates, which are rendered answers that the kernel can replay.
    pub templates: u64,
    /// The interfaces that the program is attached to.
    pub interfaces: Vec<InterfaceStats>,
    /// The number of AF_XDP sockets, one for each receive queue.
    pub slow_path_sockets: u64,
}

/// The use of all pools of a subnet, in addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolUse {
    /// The prefix of the subnet, such as `10.0.0.0/24`.
    pub subnet: String,
    /// The number of addresses in its pools.
    pub size: u64,
    /// The number of those that are not free.
    pub used: u64,
}

/// The counters and the health of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStats {
    /// The number of commits.
    pub commits: u64,
    /// The number of changes in them.
    pub changes: u64,
    /// The number of transactions that failed.
    pub failures: u64,
    /// The number of tickets that were refused, because the queue was full or the store had just
    /// failed.
    pub refused: u64,
    /// The duration of the last commit, in microseconds.
    pub last_commit_us: u64,
    /// The duration of the longest commit, in microseconds.
    pub max_commit_us: u64,
    /// Since when commits have been failing, in RFC 3339. `None` while they succeed.
    pub failing_since: Option<String>,
    /// The last failure.
    pub last_error: Option<StoreFailure>,
}

/// A failure of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreFailure {
    /// When it failed, in RFC 3339.
    pub at: String,
    /// The store's error message.
    pub message: String,
}

/// An interface that the program is attached to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceStats {
    /// The name, such as `eth1`.
    pub name: String,
    /// How the program is attached.
    pub mode: LinkMode,
}

/// How the program is attached to an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkMode {
    /// In the driver.
    #[default]
    Native,
    /// In the kernel's network stack, after the driver.
    Generic,
}

impl LinkMode {
    /// Returns the name of the mode, as in JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

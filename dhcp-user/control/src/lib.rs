//! What goes over the control socket: one request a line, and for each the lines that answer it.
//!
//! A list comes as one line for each lease and a last one that counts them, so that neither end ever
//! holds a million of them as text.

use std::{collections::BTreeMap, net::Ipv4Addr};

use serde::{Deserialize, Serialize};

/// The longest line of a request, in octets.
pub const MAX_REQUEST: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Every address that is not free and more than offered, in the order of addresses.
    LeasesList {
        /// Only this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<Ipv4Addr>,
        /// Only those in the state of this label.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<String>,
    },
    LeasesDelete {
        address: Ipv4Addr,
    },
    LeasesRevoke {
        address: Ipv4Addr,
    },
    /// Reads the configuration again and goes over to it.
    Reload {
        /// Only says what would become of the leases.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        dry_run: bool,
    },
    // With braces, for serde refuses unknown fields of no other kind of variant.
    OffersList {},
    Stats {},
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "kebab-case")]
pub enum Response {
    Lease(LeaseRow),
    /// After the last [`Response::Lease`].
    End {
        count: u64,
    },
    Done,
    Reloaded(ReloadReport),
    Stats(Box<Stats>),
    Error {
        kind: ErrorKind,
        message: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// There is no lease of this address.
    NoLease,
    /// The store did not take it; nothing has changed.
    StoreFailed,
    /// The configuration is wrong or cannot be gone over to; all is as it was.
    NotReloaded,
    /// Too many clients, or too long a wait.
    Busy,
    /// Not a request.
    BadRequest,
}

/// One lease or offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRow {
    pub address: Ipv4Addr,
    /// The label of the state, as `bound`.
    pub state: String,
    pub network: u32,
    pub hardware_type: u8,
    /// Octets in hexadecimal, with colons.
    pub hardware_address: String,
    /// Option 61 in hexadecimal, with colons.
    pub client_id: Option<String>,
    pub host_name: Option<String>,
    /// Option 82 in hexadecimal, with colons.
    pub relay_info: Option<String>,
    /// RFC 3339; `None` for a lease that is older than the boot, which only the store knows the beginning of.
    pub since: Option<String>,
    /// RFC 3339, or `infinite`. With what the kernel has granted since the controller last looked.
    pub expires: String,
    /// `None` for an infinite lease, zero for one that has run out.
    pub remaining_secs: Option<u64>,
}

/// What another configuration means for the leases that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// Leases and offers that nothing of the change concerns.
    pub untouched: u64,
    /// Leases that go on, perhaps with other options.
    pub kept: u64,
    /// Leases whose clients get another address when they ask.
    pub moved: u64,
    /// The first of them.
    pub moved_addresses: Vec<Ipv4Addr>,
    /// Leases that end when their clients ask or their time has come.
    pub ended: u64,
    /// The first of them.
    pub ended_addresses: Vec<Ipv4Addr>,
}

/// What the controller and the kernel count. Counters begin at zero when the maps are made, those of
/// the engine and the store when the controller starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    pub version: String,
    pub uptime_secs: u64,
    /// Packets by the label of the outcome.
    pub kernel: BTreeMap<String, u64>,
    pub engine: BTreeMap<String, u64>,
    /// Of all requests that were taken, how many the kernel answered by itself; `None` before the first one.
    pub kernel_share: Option<f64>,
    /// By the label of the state.
    pub leases: BTreeMap<String, u64>,
    pub pools: Vec<PoolUse>,
    pub store: StoreStats,
    /// Rendered answers that the kernel can replay.
    pub templates: u64,
    pub interfaces: Vec<InterfaceStats>,
    pub slow_path_sockets: u64,
}

/// The pools of one subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolUse {
    pub subnet: String,
    pub size: u64,
    /// Addresses of the pools that are not free.
    pub used: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStats {
    pub commits: u64,
    pub changes: u64,
    pub failures: u64,
    pub refused: u64,
    pub last_commit_us: u64,
    pub max_commit_us: u64,
    /// Since when the store takes no commits, in RFC 3339; `None` while it does.
    pub failing_since: Option<String>,
    pub last_error: Option<StoreError>,
}

/// What the store said when it failed last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreError {
    /// RFC 3339.
    pub at: String,
    pub message: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceStats {
    pub name: String,
    pub mode: LinkMode,
}

/// How the program is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkMode {
    /// In the driver.
    #[default]
    Native,
    /// In the kernel's stack.
    Generic,
}

impl LinkMode {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

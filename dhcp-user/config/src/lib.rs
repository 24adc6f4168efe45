//! The configuration: checked types that cannot hold nonsense.
//!
//! [`raw`] reads the TOML file, [`check`] turns it into the types here or into a list of [`Problem`]s
//! that name file, line, field and value. Nothing behind this module checks again.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use dhcp_common::abi::{ClientKey, Limit};
use dhcp_model::LeaseTimes;
use ipnet::Ipv4Net;

mod boot;
pub mod check;
mod class;
mod host;
mod ipv6;
pub mod options;
mod pool;
mod problem;
mod raw;
mod requesters;
mod reservation;
mod subnet;
#[cfg(test)]
mod tests;
mod times;

pub use boot::Boot;
pub use host::Host;
pub use pool::usable;
pub use problem::{Problem, Problems};
pub use reservation::is_host_name;

/// A whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    pub server: Server,
    pub interfaces: Vec<Interface>,
    /// In the order of the file: of two that set the same the later one wins.
    pub classes: Vec<Class>,
    pub networks: Vec<Network>,
}

/// A set of classes, a bit for each in the order of the file.
pub type Classes = u64;

/// Clients that are alike, and what they get.
#[derive(Clone, Debug)]
pub struct Class {
    pub name: String,
    pub when: Condition,
    /// Whether such clients get no answer.
    pub refuse: bool,
    pub overrides: Overrides,
}

/// What a pool, a class or a reservation says instead of what its subnet does. The reservation is the
/// nearest to a client, then the later of its classes, then the pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// But for the horizon, which stays the subnet's.
    pub lease: Option<LeaseTimes>,
    pub ipv6_mostly: Option<bool>,
    pub options: Vec<OptionValue>,
    pub boot: Boot,
}

/// Whom a class takes in.
#[derive(Clone, Debug)]
pub enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// One of the patterns fits.
    Is(Field, Vec<Pattern>),
    /// One of the patterns fits what option 124 has for this enterprise (RFC 3925 §3).
    Enterprise(u32, Vec<Pattern>),
    /// Option 93 names one of these (RFC 4578 §2.1).
    Architecture(Vec<u16>),
    /// Member of one of these classes, which stand before this one.
    In(Classes),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Option 60.
    VendorClass,
    /// Option 77, whole or any of its parts (RFC 3004 §4).
    UserClass,
    /// `chaddr`.
    HardwareAddress,
    /// Sub-option 1 of option 82 (RFC 3046 §3.1).
    CircuitId,
    /// Sub-option 2 (RFC 3046 §3.2).
    RemoteId,
    /// Sub-option 6 (RFC 3993).
    SubscriberId,
}

impl Field {
    /// Whether it tells where a request comes from, and not how it asks. The fingerprint, by which the
    /// program finds its answers, covers only that; a binding says for which origin it was published.
    pub const fn is_of_origin(self) -> bool {
        self.is_of_relay_info() || matches!(self, Self::HardwareAddress)
    }

    pub const fn is_of_relay_info(self) -> bool {
        matches!(self, Self::CircuitId | Self::RemoteId | Self::SubscriberId)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub octets: Vec<u8>,
    /// Whether more may follow.
    pub is_prefix: bool,
}

#[derive(Clone, Debug)]
pub struct Server {
    /// SQLite file.
    pub store: PathBuf,
    /// Unix socket for the command line.
    pub control_socket: PathBuf,
    /// Directory in a bpffs where maps and links are pinned.
    pub pin_dir: PathBuf,
    /// Leases and offers that the kernel's map holds.
    pub max_leases: u32,
    /// Whether generic XDP will do where the driver has no native one.
    pub generic_xdp: bool,
    /// Whether the program may answer at all, or only hand frames on.
    pub fast_path: bool,
    pub client_limit: Limit,
    pub relay_limit: Limit,
    pub unknown_limit: Limit,
    /// Relay agents that may ask about leases (RFC 4388), by `giaddr`. Empty: nobody may.
    pub leasequery: Vec<Ipv4Net>,
    /// How long it is kept who had which address; zero: not at all.
    pub history: Duration,
}

/// An interface to attach to. Whether it exists is found out when it is attached, and by
/// [`Config::load_on`].
#[derive(Clone, Debug)]
pub struct Interface {
    pub name: String,
    pub links: Vec<Link>,
}

/// Untagged frames of an interface, or those of one VLAN.
#[derive(Clone, Debug)]
pub struct Link {
    /// VLAN ids, outer first; zero where there is no tag.
    pub vlans: [u16; 2],
    /// Addresses of ours. Empty on an untagged link: those that the interface has.
    pub addresses: Vec<Ipv4Addr>,
    /// Whether option 82 is taken from clients that no relay agent stands before.
    pub trust_relay_info: bool,
    /// Whether clients and relay agents may select the subnet by option 118 (RFC 3011).
    pub subnet_selection: bool,
}

/// The subnets that share a link, the scope of a client's identity.
#[derive(Clone, Debug)]
pub struct Network {
    /// Stable across restarts and other changes of the file: derived from the name. Not zero.
    pub id: u32,
    /// That of the one subnet, or of a `[[network]]`.
    pub name: String,
    /// Whether option 61 is looked at; else clients are known by their hardware addresses alone.
    pub match_client_id: bool,
    /// In the order of the file; at least one. A client has at most one reservation in all of them.
    pub subnets: Vec<Subnet>,
}

#[derive(Clone, Debug)]
pub struct Subnet {
    pub prefix: Ipv4Net,
    /// Inclusive, ascending, disjoint, inside `prefix`.
    pub pools: Vec<Pool>,
    pub lease: LeaseTimes,
    /// How long an offer is held while the pool is empty of leases; see `engine::offers`.
    pub offer_time: Duration,
    /// How long it is listened for a host that has an address already before a client is offered it (RFC
    /// 2131 §2.2); zero: not at all.
    pub probe_time: Duration,
    /// How long a declined address is kept out of service.
    pub decline_time: Duration,
    /// Whether clients unknown here are told NAK (CONFORMANCE c050, c051, c059).
    pub authoritative: bool,
    /// Whether a DISCOVER with option 80 is answered with an ACK (RFC 4039).
    pub rapid_commit: bool,
    /// Whether clients that know no DHCP get what is reserved for them (RFC 1534).
    pub bootp: bool,
    /// Whether clients that list option 108 are told to do without IPv4 (RFC 8925).
    pub ipv6_mostly: bool,
    /// Server identifier; `None`: the first address of the link that this subnet's prefix covers, or else
    /// of the first interface.
    pub server_id: Option<Ipv4Addr>,
    /// In the order of the file. Defaults of the file are merged in: the nearest wins.
    pub options: Vec<OptionValue>,
    pub boot: Boot,
    pub reservations: Vec<Arc<Reservation>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
    /// For members of one of these only; none: for everybody.
    pub classes: Classes,
    pub overrides: Overrides,
}

impl Pool {
    /// A pool for everybody, without overrides.
    pub fn new(first: Ipv4Addr, last: Ipv4Addr) -> Self {
        Self {
            first,
            last,
            classes: 0,
            overrides: Overrides::default(),
        }
    }
}

/// An option as it goes onto the wire. Values over 255 octets are split when they are encoded (RFC 3396).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionValue {
    pub code: u8,
    pub data: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Reservation {
    pub owner: Owner,
    pub address: Ipv4Addr,
    /// Sent as option 12.
    pub host_name: Option<String>,
    pub overrides: Overrides,
}

/// Whom a reservation is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A key on the subnet's network.
    Client(ClientKey),
    /// Whoever is at a port of a relay agent.
    Port(Port),
}

/// What a relay agent calls the port at which a client is (RFC 3046 §3.1, §3.2): at least one of both. Where it
/// says more than is given here it is the port all the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Port {
    pub circuit_id: Option<Vec<u8>>,
    pub remote_id: Option<Vec<u8>>,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Every problem found, each with its line, field, value, and what would be right.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        check::load(path, None)
    }

    /// Reads and checks a file, and whether this host has what it names.
    ///
    /// # Errors
    /// As [`Config::load`], and each interface that the host does not have.
    pub fn load_on(path: &Path, host: &Host) -> Result<Self, Problems> {
        check::load(path, Some(host))
    }

    pub fn network(&self, id: u32) -> Option<&Network> {
        self.networks.iter().find(|network| network.id == id)
    }

    /// Whether addresses of any subnet are probed before they are offered.
    pub fn has_probes(&self) -> bool {
        let mut subnets = self.subnets();
        subnets.any(|(_, subnet)| !subnet.probe_time.is_zero())
    }

    /// All subnets, each with its network.
    pub fn subnets(&self) -> impl Iterator<Item = (&Network, &Subnet)> + Clone {
        self.networks
            .iter()
            .flat_map(|network| network.subnets.iter().map(move |subnet| (network, subnet)))
    }
}

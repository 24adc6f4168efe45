//! The checked types of a configuration, which cannot hold invalid values.

use std::{collections::BTreeSet, net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use dhcp_common::{
    abi::{ClientKey, Limit},
    wire::option,
};
use dhcp_model::LeaseTimes;
use ipnet::Ipv4Net;

use super::boot::Boot;

/// A configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The table `[server]`.
    pub server: Server,
    /// The interfaces to attach to; at least one.
    pub interfaces: Vec<Interface>,
    /// In the order of the file. If several classes of a client set the same value, the last one
    /// applies.
    pub classes: Vec<Class>,
    /// In the order of the file; at least one, unless a link is a proxy.
    pub networks: Vec<Network>,
    /// Reservations for clients on any network. Those of a network take precedence over them. The
    /// address of such a reservation is in one of the subnets, and counts on its network only.
    pub reservations: Vec<Arc<Reservation>>,
}

/// A set of classes, with one bit for each class in the order of the file.
pub type Classes = u64;

/// A class of clients, and its settings.
#[derive(Clone, Debug)]
pub struct Class {
    /// Unique among the classes.
    pub name: String,
    /// The condition of membership. If it never holds, reservations have named all members.
    pub when: Condition,
    /// Whether its members get no answer.
    pub refuse: bool,
    /// The settings of its members.
    pub overrides: Overrides,
}

/// Settings of a pool, a class or a reservation, which take precedence over those of the subnet. A
/// reservation takes precedence over classes, later classes over earlier ones, and classes over the
/// pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Its horizon is ignored: that of the subnet applies.
    pub lease: Option<LeaseTimes>,
    pub ipv6_mostly: Option<bool>,
    pub options: Vec<OptionValue>,
    pub presence: Presence,
    pub boot: Boot,
}

/// Options that are sent, or not sent, whatever a client lists. No code is in both sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Sent to every client for which they are set.
    pub always: BTreeSet<u8>,
    /// Sent to no client.
    pub never: BTreeSet<u8>,
}

/// The condition under which a client is a member of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// All of these hold.
    All(Vec<Condition>),
    /// At least one of these holds.
    Any(Vec<Condition>),
    /// This does not hold.
    Not(Box<Condition>),
    /// The field matches one of the patterns.
    Is(Field, Vec<Pattern>),
    /// The data of this enterprise in option 124 matches one of the patterns (RFC 3925 §3).
    Enterprise(u32, Vec<Pattern>),
    /// Option 93 contains one of these architectures (RFC 4578 §2.1).
    Architecture(Vec<u16>),
    /// The client asks a boot server for one of these items (PXE 2.1 §2.2.4).
    BootItem(Vec<u16>),
    /// The client is a member of one of these classes, all of which precede this one.
    In(Classes),
    /// The option with this code passes a test.
    Option(u8, OptionTest),
    /// The name in option 81, or else in option 12, matches one of these patterns in lower case.
    HostName(Vec<Pattern>),
    /// `giaddr` is in one of these prefixes.
    Giaddr(Vec<Ipv4Net>),
    /// Something is reserved for the client.
    Known,
    /// The client has tried for at least so many seconds. It holds for every message but DISCOVER
    /// and BOOTP: who has an address here does not wait for another server.
    Secs(u16),
}

/// The test of an option's value, its instances joined (RFC 3396).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionTest {
    /// The message has the option.
    Present,
    /// The value from this offset on matches one of the patterns.
    Matches(u16, Vec<Pattern>),
    /// The value from this offset on contains one of these sequences of octets.
    Contains(u16, Vec<Vec<u8>>),
}

impl Condition {
    /// Returns whether the condition depends on nothing but what a published lease is bound to: the
    /// client, its hardware address and the option 82 of its relay agent.
    pub const fn is_of_origin(&self) -> bool {
        match self {
            Self::Is(field, _) => field.is_of_origin(),
            Self::Option(code, _) => matches!(*code, option::CLIENT_ID | option::RELAY_INFO),
            Self::Known => true,
            _ => false,
        }
    }
}

/// A field of a request that a condition compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Option 60.
    VendorClass,
    /// Option 77, as a whole or any of its user classes (RFC 3004 §4).
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
    /// Returns whether the field identifies the origin of a request: the client's hardware address,
    /// or the place where a relay agent says it is attached. These fields are not part of the
    /// fingerprint by which the fast path finds templates.
    pub const fn is_of_origin(self) -> bool {
        self.is_of_relay_info() || matches!(self, Self::HardwareAddress)
    }

    /// Returns whether the field is a sub-option of option 82 (RFC 3046).
    pub const fn is_of_relay_info(self) -> bool {
        matches!(self, Self::CircuitId | Self::RemoteId | Self::SubscriberId)
    }
}

/// Octets to compare with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub octets: Vec<u8>,
    /// Whether the field matches if it begins with these octets.
    pub is_prefix: bool,
}

/// Settings of the server as a whole.
#[derive(Clone, Debug)]
pub struct Server {
    /// The SQLite file with the leases.
    pub store: PathBuf,
    /// The Unix socket for the command line.
    pub control_socket: PathBuf,
    /// The directory in a bpffs where maps and links are pinned.
    pub pin_dir: PathBuf,
    /// The capacity of the kernel's map of leases and offers.
    pub max_leases: u32,
    /// Whether generic XDP may be used on drivers without native XDP.
    pub generic_xdp: bool,
    /// Whether the XDP program answers requests. If not, it passes all of them to the controller.
    pub fast_path: bool,
    /// Requests to the controller from one client, by hardware address.
    pub client_limit: Limit,
    /// Requests to the controller from one relay agent, by `giaddr`.
    pub relay_limit: Limit,
    /// Requests to the controller from all clients without a lease or an offer together; counted
    /// separately for clients on links and behind relay agents.
    pub unknown_limit: Limit,
    /// Relay agents that may send LEASEQUERY (RFC 4388), by `giaddr`. Empty: none.
    pub leasequery: Vec<Ipv4Net>,
    /// How long past leases are kept; zero: they are not kept.
    pub history: Duration,
}

/// An interface to attach to. [`Config::load_on`] checks that it exists.
#[derive(Clone, Debug)]
pub struct Interface {
    /// The name in the kernel, such as `eth1`.
    pub name: String,
    /// The untagged link first, and then the VLANs in the order of the file.
    pub links: Vec<Link>,
}

/// The untagged frames of an interface, or the frames of one VLAN.
#[derive(Clone, Debug)]
pub struct Link {
    /// VLAN ids, the outer one first; zero means no tag.
    pub vlans: [u16; 2],
    /// The server's addresses. Empty on an untagged link: those of the interface.
    pub addresses: Vec<Ipv4Addr>,
    /// Whether option 82 is accepted in messages that no relay agent has forwarded.
    pub trust_relay_info: bool,
    /// Whether requests may select the subnet by option 118 (RFC 3011).
    pub subnet_selection: bool,
    /// The boot settings of firmware on a link where another server gives the addresses. `None`:
    /// this server gives them.
    pub proxy: Option<Overrides>,
}

/// The subnets that share a link. Client identities are unique within a network.
#[derive(Clone, Debug)]
pub struct Network {
    /// Derived from the name, so that it is the same after restarts and other changes of the file.
    /// Never zero.
    pub id: u32,
    /// The name of a `[[network]]`, or of its only subnet.
    pub name: String,
    /// Whether clients are identified by option 61. If not, by their hardware addresses only.
    pub match_client_id: bool,
    /// In the order of the file; at least one. A client has at most one reservation in all of them
    /// together.
    pub subnets: Vec<Subnet>,
}

/// A subnet, with all inherited settings resolved.
#[derive(Clone, Debug)]
pub struct Subnet {
    /// Without host bits, with a length of at least 8.
    pub prefix: Ipv4Net,
    /// Ascending and disjoint, within `prefix`.
    pub pools: Vec<Pool>,
    /// The times of leases, in seconds (RFC 2131 §4.4.5).
    pub lease: LeaseTimes,
    /// How long an offer is held while all addresses of the pool are free. The time gets shorter as
    /// the pool fills.
    pub offer_time: Duration,
    /// How long the server waits for an answer when it probes an address before it offers it (RFC
    /// 2131 §2.2); zero: it does not probe.
    pub probe_time: Duration,
    /// How long a declined address is kept out of service.
    pub decline_time: Duration,
    /// Whether unknown clients get a NAK (docs/CONFORMANCE.md, c050, c051, c059).
    pub authoritative: bool,
    /// Whether a DISCOVER with option 80 is answered with an ACK (RFC 4039).
    pub rapid_commit: bool,
    /// Whether BOOTP clients that have a reservation are answered (RFC 1534).
    pub bootp: bool,
    /// Whether clients that request option 108 get it, which tells them to use IPv6 only (RFC
    /// 8925).
    pub ipv6_mostly: bool,
    /// The server identifier. `None`: the first address of the link within `prefix`, or else the
    /// first address of the first interface.
    pub server_id: Option<Ipv4Addr>,
    /// In the order of the file, own options first and then inherited ones. Each code occurs once.
    pub options: Vec<OptionValue>,
    pub presence: Presence,
    pub boot: Boot,
    pub reservations: Vec<Arc<Reservation>>,
}

/// A range of addresses, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The first address.
    pub first: Ipv4Addr,
    /// The last address.
    pub last: Ipv4Addr,
    /// The pool is for members of one of these classes. Empty: for all clients.
    pub classes: Classes,
    /// The settings of its clients.
    pub overrides: Overrides,
}

impl Pool {
    /// Returns a pool for all clients, without overrides.
    pub fn new(first: Ipv4Addr, last: Ipv4Addr) -> Self {
        Self {
            first,
            last,
            classes: 0,
            overrides: Overrides::default(),
        }
    }
}

/// An option as it is sent. Values longer than 255 octets are split on encoding (RFC 3396).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionValue {
    /// 1 to 254 (RFC 2132).
    pub code: u8,
    /// 1 to 1024 octets, without code and length. Empty in option 60 that is not to be sent.
    pub data: Vec<u8>,
}

/// The network of a [`ClientKey`] that counts on every network.
pub const ALL_NETWORKS: u32 = 0;

/// What is reserved for a client: an address, other settings, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The owners of the reservation, at least one. One of them has the address at a time.
    pub owners: Vec<Owner>,
    /// A host address of the subnet, inside or outside of its pools.
    pub address: Option<Ipv4Addr>,
    /// Sent as option 12.
    pub host_name: Option<String>,
    /// The classes that it makes its client a member of.
    pub classes: Classes,
    /// The settings of the owner.
    pub overrides: Overrides,
}

/// The owner of a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A client, identified on the subnet's network, or on [`ALL_NETWORKS`].
    Client(ClientKey),
    /// A client with this DUID in option 61, whatever its IAID (RFC 4361 §6.1).
    Duid(Vec<u8>),
    /// Any client at this port of a relay agent.
    RelayPort(RelayPort),
}

/// The port of a relay agent, identified by circuit id, remote id (RFC 3046 §3.1, §3.2) or both. A
/// request matches if it has the sub-options given here; others are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RelayPort {
    /// Sub-option 1 of option 82, of 1 to 255 octets.
    pub circuit_id: Option<Vec<u8>>,
    /// Sub-option 2 of option 82, of 1 to 255 octets.
    pub remote_id: Option<Vec<u8>>,
}

impl Config {
    /// Returns the network with an id.
    pub fn network(&self, id: u32) -> Option<&Network> {
        self.networks.iter().find(|network| network.id == id)
    }

    /// Returns whether any subnet probes addresses before it offers them.
    pub fn has_probes(&self) -> bool {
        let mut subnets = self.subnets();
        subnets.any(|(_, subnet)| !subnet.probe_time.is_zero())
    }

    /// Returns all subnets, each with its network.
    pub fn subnets(&self) -> impl Iterator<Item = (&Network, &Subnet)> + Clone {
        self.networks
            .iter()
            .flat_map(|network| network.subnets.iter().map(move |subnet| (network, subnet)))
    }
}

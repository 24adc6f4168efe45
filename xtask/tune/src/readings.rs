//! Readings of an interface, the machine and the server: plain data, so that advice can be tested
//! with readings of other machines.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// Readings at one time. `None` or an empty list means that the kernel or the driver does not
/// report it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Readings {
    pub interface: String,
    /// `uname -r`.
    pub kernel: String,
    pub link: Link,
    pub xdp: Option<Xdp>,
    pub channels: Option<Channels>,
    pub rings: Option<Rings>,
    pub coalescing: Option<Coalescing>,
    /// By the kernel's name, such as `rx-vlan-hw-parse`.
    pub features: BTreeMap<String, Feature>,
    /// The fields of an IPv4 packet with UDP that are hashed, in the letters of `ethtool -N`.
    pub udp_hash: Option<String>,
    /// Receive queues by the low bits of the hash.
    pub rss_table: Option<Vec<u32>>,
    /// Interrupts of receive queues, in their order.
    pub interrupts: Vec<Interrupt>,
    /// Threads that poll receive queues, where `threaded` is set.
    pub threads: Vec<Thread>,
    /// Files in the interface's folder in sysfs.
    pub attributes: BTreeMap<String, String>,
    /// Kernel settings by their names for sysctl(8).
    pub sysctls: BTreeMap<String, String>,
    pub cpus: Cpus,
    pub softnet: Softnet,
    pub wanted: Wanted,
    pub server: Option<Server>,
    /// Whether permission to read the server's maps is missing.
    pub server_is_hidden: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Link {
    pub ifindex: u32,
    pub driver: Option<String>,
    /// The kind of a software device, such as `veth`; `None` for a NIC.
    pub kind: Option<String>,
    pub mtu: u32,
    pub program: Option<Program>,
    /// The peer in a veth pair.
    pub peer: Option<Peer>,
    /// Whether the default route leaves through the interface, or through a device on top of it.
    pub has_default_route: bool,
}

/// How an XDP program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    Native,
    Generic,
    Offloaded,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// `None` if the peer is in a namespace that is not visible from here.
    pub has_program: Option<bool>,
}

/// The driver's XDP features, as Linux reports them since 6.3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Xdp {
    pub native: bool,
    pub zero_copy: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Channels {
    pub combined: u32,
    pub combined_max: u32,
    pub rx: u32,
    pub rx_max: u32,
}

impl Channels {
    /// Returns the receive queues in use.
    pub fn queues(&self) -> u32 {
        self.combined.saturating_add(self.rx)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rings {
    pub rx: u32,
    pub rx_max: u32,
    pub tx: u32,
    pub tx_max: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Coalescing {
    pub adaptive_rx: Option<bool>,
    pub rx_usecs: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    pub is_on: bool,
    pub is_fixed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupt {
    pub number: u32,
    /// In the format of `/proc/irq/N/smp_affinity_list`.
    pub cpus: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    pub pid: i32,
    pub cpus: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cpus {
    pub online: Vec<u32>,
    /// The CPUs of the NIC's node, if the machine has several.
    pub local: Vec<u32>,
    /// Governors by CPU, without CPUs whose frequency cannot be controlled, as in most virtual
    /// machines.
    pub governors: BTreeMap<u32, String>,
    pub has_performance_governor: bool,
    pub runs_irqbalance: bool,
}

/// `/proc/net/softnet_stat`, summed over all CPUs, since they were started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Softnet {
    pub dropped: u64,
    pub squeezed: u64,
}

/// The server's configuration, or defaults without a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wanted {
    pub file: Option<String>,
    pub max_leases: u32,
    pub generic_xdp: bool,
    pub has_vlans: bool,
    pub limits: Limits,
}

impl Default for Wanted {
    fn default() -> Self {
        use dhcp_common::{abi, defaults};
        Self {
            file: None,
            max_leases: abi::DEFAULT_LEASES,
            generic_xdp: false,
            has_vlans: false,
            limits: Limits {
                client: defaults::CLIENT_LIMIT.into(),
                relay: defaults::RELAY_LIMIT.into(),
                unknown: defaults::UNKNOWN_LIMIT.into(),
            },
        }
    }
}

/// Limits for the controller: of a client, of a relay agent, and of all clients for which nothing
/// is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub client: Limit,
    pub relay: Limit,
    pub unknown: Limit,
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client,
            relay,
            unknown,
        } = self;
        write!(f, "client {client}; relay {relay}; unknown {unknown}")
    }
}

/// [`dhcp_common::abi::Limit`], as in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    pub interval_ns: u64,
    pub burst_ns: u64,
}

impl From<dhcp_common::abi::Limit> for Limit {
    fn from(limit: dhcp_common::abi::Limit) -> Self {
        Self {
            interval_ns: limit.interval_ns,
            burst_ns: limit.burst_ns,
        }
    }
}

impl std::fmt::Display for Limit {
    /// In the numbers of the configuration.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let interval = self.interval_ns.max(1);
        let per_second = dhcp_common::abi::NS_PER_SEC / interval;
        write!(f, "{per_second}/s, burst {}", self.burst_ns / interval)
    }
}

/// The maps, which outlive a controller, and the controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    pub max_leases: u32,
    pub limits: Limits,
    /// Octets of kernel memory of the maps.
    pub map_bytes: u64,
    pub process: Option<Process>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub pid: i32,
    /// RLIMIT_MEMLOCK in octets, soft and hard; `None` is unlimited.
    pub memlock: (Option<u64>, Option<u64>),
    /// CAP_IPC_LOCK, with which locked memory is not counted.
    pub may_lock: bool,
    /// Memory limit of the control group, in octets.
    pub memory_max: Option<u64>,
}

impl Readings {
    pub(crate) fn driver(&self) -> &str {
        self.link.driver.as_deref().unwrap_or("an unknown driver")
    }

    pub(crate) fn is_veth(&self) -> bool {
        self.link.peer.is_some()
    }

    /// Returns whether it is a NIC, or a device that looks like one to the kernel.
    pub(crate) fn has_interrupts(&self) -> bool {
        self.link.kind.is_none() && self.link.driver.is_some()
    }

    pub(crate) fn has_zero_copy(&self) -> bool {
        self.xdp.as_ref().is_some_and(|xdp| xdp.zero_copy)
    }

    /// Returns the number of receive queues, for each of which the controller has a socket.
    pub(crate) fn queues(&self) -> u32 {
        self.channels
            .as_ref()
            .map_or(1, |channels| channels.queues().max(1))
    }

    /// Returns the CPUs for the queues, nearest first.
    pub(crate) fn cpus_for_queues(&self) -> Vec<u32> {
        let mut cpus = self.cpus.local.clone();
        let others = self.cpus.online.iter();
        cpus.extend(others.filter(|cpu| !self.cpus.local.contains(cpu)));
        cpus
    }

    pub(crate) fn cpu_count(&self) -> u32 {
        u32::try_from(self.cpus.online.len())
            .unwrap_or(u32::MAX)
            .max(1)
    }
}

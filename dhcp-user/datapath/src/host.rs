//! Queries the host for facts about an interface.
//!
//! It asks by system calls, which see the controller's network namespace; `/sys` shows the one in
//! which it was mounted.

use std::{
    io, mem,
    net::Ipv4Addr,
    os::fd::{AsRawFd, OwnedFd},
};

use nix::{
    ifaddrs::getifaddrs,
    net::if_::{if_nameindex, if_nametoindex},
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};

/// Facts about an interface at the time of the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub ifindex: u32,
    pub mac: [u8; 6],
    /// In the order in which the kernel lists them: primary ones first.
    pub addresses: Vec<Ipv4Addr>,
    /// Receive queues; each has an AF_XDP socket.
    pub queues: u32,
    /// The driver's name.
    pub driver: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("there is no interface {name}; there are {}", present.join(", "))]
    Missing { name: String, present: Vec<String> },
    #[error("interface {name} has no Ethernet address")]
    NotEthernet { name: String },
    #[error("listing the host's interfaces")]
    Interfaces(#[from] nix::Error),
}

impl Interface {
    /// Queries the host.
    ///
    /// # Errors
    /// There is no such interface, or it is not an Ethernet interface.
    pub fn find(name: &str) -> Result<Self, HostError> {
        let Ok(ifindex) = if_nametoindex(name) else {
            return Err(HostError::Missing {
                name: name.to_owned(),
                present: present()?,
            });
        };
        let (mac, addresses) = addresses(name)?;
        let ethtool = Ethtool::open(name)?;
        Ok(Self {
            name: name.to_owned(),
            ifindex,
            mac: mac.ok_or_else(|| HostError::NotEthernet {
                name: name.to_owned(),
            })?,
            addresses,
            queues: ethtool.receive_queues().unwrap_or(1),
            driver: ethtool.driver(),
        })
    }

    /// Returns the driver's name, for messages.
    pub fn driver_label(&self) -> &str {
        self.driver.as_deref().unwrap_or("without a name")
    }
}

/// Returns the names of all interfaces, sorted.
fn present() -> Result<Vec<String>, HostError> {
    let interfaces = if_nameindex()?;
    let mut names: Vec<_> = interfaces
        .iter()
        .map(|interface| interface.name().to_string_lossy().into_owned())
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// Returns the MAC and the IPv4 addresses, including those with a label such as `eth0:1`.
fn addresses(name: &str) -> Result<(Option<[u8; 6]>, Vec<Ipv4Addr>), HostError> {
    let mut mac = None;
    let mut addresses = Vec::new();
    for entry in getifaddrs()? {
        let label = entry.interface_name.as_str();
        if label.split_once(':').map_or(label, |(name, _)| name) != name {
            continue;
        }
        let Some(address) = entry.address else {
            continue;
        };
        if let Some(link) = address.as_link_addr() {
            mac = mac.or(link.addr());
        } else if let Some(address) = address.as_sockaddr_in() {
            addresses.push(address.ip());
        }
    }
    Ok((mac, addresses))
}

// include/uapi/linux/ethtool.h and sockios.h.
const ETHTOOL_GDRVINFO: u32 = 0x3;
const ETHTOOL_GCHANNELS: u32 = 0x3c;
const SIOCETHTOOL: libc::Ioctl = 0x8946;

/// `struct ethtool_channels`.
#[derive(Default)]
#[repr(C)]
struct Channels {
    command: u32,
    max: [u32; 4],
    rx: u32,
    tx: u32,
    other: u32,
    combined: u32,
}

/// `struct ethtool_drvinfo`.
#[repr(C)]
struct DriverInfo {
    command: u32,
    driver: [u8; 32],
    rest: [u8; 160],
}

/// Asks an interface's driver by ethtool's ioctl.
struct Ethtool {
    socket: OwnedFd,
    name: [libc::c_char; libc::IFNAMSIZ],
}

impl Ethtool {
    fn open(interface: &str) -> Result<Self, nix::Error> {
        let mut name = [0; libc::IFNAMSIZ];
        // The last octet stays zero; the kernel has no longer names.
        for (to, from) in name[..libc::IFNAMSIZ - 1].iter_mut().zip(interface.bytes()) {
            *to = from.cast_signed();
        }
        let socket = socket(
            AddressFamily::Inet,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        Ok(Self { socket, name })
    }

    /// Returns the number of receive queues in use; `None` if the driver does not report it, and
    /// has one queue.
    fn receive_queues(&self) -> Option<u32> {
        let mut channels = Channels {
            command: ETHTOOL_GCHANNELS,
            ..Channels::default()
        };
        // SAFETY: the command reads and writes a `struct ethtool_channels`.
        unsafe { self.ask(&mut channels) }.ok()?;
        Some(channels.rx.saturating_add(channels.combined).max(1))
    }

    fn driver(&self) -> Option<String> {
        let mut info = DriverInfo {
            command: ETHTOOL_GDRVINFO,
            driver: [0; 32],
            rest: [0; 160],
        };
        // SAFETY: the command reads and writes a `struct ethtool_drvinfo`.
        unsafe { self.ask(&mut info) }.ok()?;
        let name = info.driver.split(|octet| *octet == 0).next()?;
        Some(String::from_utf8_lossy(name).into_owned()).filter(|name| !name.is_empty())
    }

    /// Sends a request to the driver.
    ///
    /// # Safety
    /// `request` must be the structure of its command, which is its first word.
    unsafe fn ask<R>(&self, request: &mut R) -> io::Result<()> {
        // SAFETY: integers and pointers, for which zero is a value.
        let mut ifreq: libc::ifreq = unsafe { mem::zeroed() };
        ifreq.ifr_name = self.name;
        ifreq.ifr_ifru.ifru_data = std::ptr::from_mut(request).cast();
        // SAFETY: the request outlives the call, and is the structure of its command.
        let result = unsafe { libc::ioctl(self.socket.as_raw_fd(), SIOCETHTOOL, &mut ifreq) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

const _: () = assert!(size_of::<Channels>() == 36 && size_of::<DriverInfo>() == 196);

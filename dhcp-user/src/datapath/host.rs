//! What the host knows of an interface.

use std::{
    fs, io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use nix::ifaddrs::getifaddrs;

/// Facts of an interface, as of when they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub ifindex: u32,
    pub mac: [u8; 6],
    /// In the order in which the kernel lists them: primary ones first.
    pub addresses: Vec<Ipv4Addr>,
    pub mtu: u32,
    /// Receive queues; each has an AF_XDP socket.
    pub queues: u32,
    /// The kernel module, where there is hardware.
    pub driver: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("there is no interface {name}; there are {}", present.join(", "))]
    Missing { name: String, present: Vec<String> },
    #[error("interface {name} has no Ethernet address")]
    NotEthernet { name: String },
    #[error("interface {name}: reading {}", path.display())]
    Unreadable {
        name: String,
        path: PathBuf,
        source: io::Error,
    },
    #[error("listing the host's addresses")]
    Addresses(#[from] nix::Error),
}

const SYSFS: &str = "/sys/class/net";

impl Interface {
    /// Asks the host.
    ///
    /// # Errors
    /// There is no such interface, or it is none that DHCP is served on.
    pub fn find(name: &str) -> Result<Self, HostError> {
        let present = present();
        if !present.iter().any(|present| present == name) {
            return Err(HostError::Missing {
                name: name.to_owned(),
                present,
            });
        }
        let dir = Path::new(SYSFS).join(name);
        let (mac, addresses) = addresses(name)?;
        Ok(Self {
            name: name.to_owned(),
            ifindex: number(name, &dir.join("ifindex"))?,
            mac: mac.ok_or_else(|| HostError::NotEthernet {
                name: name.to_owned(),
            })?,
            addresses,
            mtu: number(name, &dir.join("mtu"))?,
            queues: queues(name, &dir.join("queues"))?,
            driver: fs::read_link(dir.join("device/driver"))
                .ok()
                .and_then(|path| Some(path.file_name()?.to_str()?.to_owned())),
        })
    }

    /// The driver, for messages.
    pub fn driver_label(&self) -> &str {
        self.driver.as_deref().unwrap_or("of a virtual interface")
    }
}

/// The names of all interfaces, sorted.
fn present() -> Vec<String> {
    let entries = fs::read_dir(SYSFS).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

/// The MAC and the IPv4 addresses, those with a label such as `eth0:1` too.
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

fn number(name: &str, path: &Path) -> Result<u32, HostError> {
    fs::read_to_string(path)
        .and_then(|text| text.trim().parse().map_err(io::Error::other))
        .map_err(unreadable(name, path))
}

fn queues(name: &str, path: &Path) -> Result<u32, HostError> {
    let mut queues = 0;
    for entry in fs::read_dir(path).map_err(unreadable(name, path))? {
        let entry = entry.map_err(unreadable(name, path))?;
        if entry.file_name().as_encoded_bytes().starts_with(b"rx-") {
            queues += 1;
        }
    }
    Ok(queues)
}

fn unreadable(name: &str, path: &Path) -> impl FnOnce(io::Error) -> HostError {
    move |source| HostError::Unreadable {
        name: name.to_owned(),
        path: path.to_owned(),
        source,
    }
}

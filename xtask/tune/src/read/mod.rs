//! Readings. Nothing here changes anything, except functions named `set` or `write`.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::net::if_::{if_nameindex, if_nametoindex};

use super::readings::Readings;

pub mod ethtool;
pub mod ioctl;
mod link;
pub mod machine;
mod netdev;
pub mod server;
pub mod sysfs;

use ethtool::Ethtool;
use ioctl::Ioctl;
use sysfs::Sysfs;

/// Files in the interface's folder in sysfs.
const ATTRIBUTES: [&str; 3] = ["gro_flush_timeout", "napi_defer_hard_irqs", "threaded"];

/// An interface, its machine, and the server's configuration.
pub struct Host {
    pub interface: String,
    pub ifindex: u32,
    pub ioctl: Ioctl,
    pub sysfs: Sysfs,
    config: Option<std::path::PathBuf>,
}

impl Host {
    /// Opens an interface.
    ///
    /// # Errors
    /// There is no such interface.
    pub fn open(interface: &str, config: Option<&Path>) -> Result<Self> {
        let Ok(ifindex) = if_nametoindex(interface) else {
            let all = if_nameindex()?;
            let mut names: Vec<_> = all.iter().map(|one| one.name().to_string_lossy()).collect();
            names.sort_unstable();
            bail!(
                "there is no interface {interface}; there are {}",
                names.join(", ")
            );
        };
        Ok(Self {
            interface: interface.to_owned(),
            ifindex,
            ioctl: Ioctl::new(interface)?,
            sysfs: Sysfs::open(interface, ifindex)?,
            config: config.map(Path::to_owned),
        })
    }

    pub fn ethtool(&self) -> Ethtool {
        Ethtool::new(self.ifindex)
    }

    /// Takes all readings.
    ///
    /// # Errors
    /// The interface is gone, or the configuration cannot be read.
    pub fn read(&self) -> Result<Readings> {
        let Self {
            interface,
            ifindex,
            ioctl,
            sysfs,
            ..
        } = self;
        let (wanted, places) = server::wanted(self.config.as_deref(), interface)?;
        let mut ethtool = self.ethtool();
        let pollers = netdev::pollers(*ifindex);
        let attributes = ATTRIBUTES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), sysfs.read(interface, name)?)));
        Ok(Readings {
            interface: interface.clone(),
            kernel: machine::kernel(),
            link: link::link(*ifindex, ioctl.driver())
                .with_context(|| format!("reading {interface}"))?,
            xdp: netdev::xdp(*ifindex),
            channels: ethtool.channels(),
            rings: ethtool.rings(),
            coalescing: ethtool.coalescing(),
            features: ethtool.features().unwrap_or_default(),
            udp_hash: ioctl.udp_hash(),
            rss_table: ioctl.rss_table(),
            interrupts: machine::interrupts(&pollers, sysfs, interface),
            threads: machine::threads(&pollers),
            attributes: attributes.collect(),
            sysctls: machine::sysctls(),
            cpus: machine::cpus(sysfs, interface),
            softnet: machine::softnet(),
            server: server::server(&places),
            server_is_hidden: server::is_hidden(&places),
            wanted,
        })
    }
}

//! The client of smoltcp, the network stack of embedded systems, on a tap.

use std::{net::Ipv4Addr, os::fd::AsRawFd as _, time::Duration};

use anyhow::{Result, anyhow, bail, ensure};
use smoltcp::{
    iface::{Config, Interface, SocketSet},
    phy::{self, Medium, TunTapInterface},
    socket::dhcpv4,
    time::Instant,
    wire::EthernetAddress,
};
use xtask_lab::{Lab, wait};

use crate::{
    Kind, Report,
    boot::add_tap,
    scene::{LONGEST, SHORT, Scene, acknowledged},
};

pub(crate) const KIND: Kind = Kind {
    name: "smoltcp",
    package: "",
    needs: &[],
    play,
};

const MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 1, 1]);
/// The longest time between two looks at the server's counters.
const LOOK: Duration = Duration::from_millis(100);

/// The stack with nothing but the client.
struct Stack {
    device: TunTapInterface,
    interface: Interface,
    sockets: SocketSet<'static>,
    client: smoltcp::iface::SocketHandle,
}

impl Stack {
    fn open(tap: &str) -> Result<Self> {
        let mut device = TunTapInterface::new(tap, Medium::Ethernet)?;
        let mut config = Config::new(MAC.into());
        config.random_seed = 1;
        let interface = Interface::new(config, &mut device, Instant::now());
        let mut sockets = SocketSet::new(Vec::new());
        let client = sockets.add(dhcpv4::Socket::new());
        Ok(Self {
            device,
            interface,
            sockets,
            client,
        })
    }

    /// Sends and receives what is due, waits for more, and returns what the client reports.
    fn step(&mut self) -> Result<Option<Option<Ipv4Addr>>> {
        let now = Instant::now();
        self.interface
            .poll(now, &mut self.device, &mut self.sockets);
        let client = self.sockets.get_mut::<dhcpv4::Socket<'_>>(self.client);
        let event = match client.poll() {
            Some(dhcpv4::Event::Configured(config)) => Some(Some(config.address.address())),
            Some(dhcpv4::Event::Deconfigured) => Some(None),
            None => None,
        };
        if let Some(Some(address)) = event {
            self.interface.update_ip_addrs(|addresses| {
                addresses.clear();
                // A new list has room for one.
                let _ = addresses.push(smoltcp::wire::IpCidr::new(address.into(), 24));
            });
        }
        let delay = self.interface.poll_delay(now, &self.sockets);
        let delay = delay.map_or(LOOK.into(), |delay| delay.min(LOOK.into()));
        phy::wait(self.device.as_raw_fd(), Some(delay))?;
        Ok(event)
    }
}

fn play(lab: &Lab) -> Result<Report> {
    let scene = Scene::new(lab, SHORT)?;
    let tap = add_tap(&scene.client)?;
    let (address, renewed) = scene.client.enter(|| {
        let mut stack = Stack::open(tap)?;
        let address = wait::until("smoltcp to get an address", LONGEST, || {
            Ok(stack.step()?.flatten())
        })?;
        let bound = acknowledged(&scene.server.stats()?);
        let renewed = wait::until("smoltcp to renew its lease", LONGEST, || {
            match stack.step()? {
                Some(None) => bail!("smoltcp lost {address}"),
                Some(Some(other)) => ensure!(other == address, "smoltcp got {other}"),
                None => {}
            }
            let renewed = acknowledged(&scene.server.stats()?) - bound;
            Ok((renewed != 0).then_some(renewed))
        })?;
        Ok((address, renewed))
    })?;
    Ok(Report {
        address: Some(address),
        renewed: usize::try_from(renewed).map_err(|error| anyhow!(error))?,
        ..Report::default()
    })
}

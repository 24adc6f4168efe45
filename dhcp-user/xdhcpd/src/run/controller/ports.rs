//! Which interfaces the controller serves, and how it goes over to another configuration.

use std::sync::Arc;

use anyhow::Context as _;
use dhcp_common::abi::NetworkRef;
use dhcp_config::Config;
use dhcp_datapath::{LinkMode, host::Interface, probe_socket::ProbeSocket};
use dhcp_engine::{Networks, Preview};
use dhcp_store::wall_clock::boottime;
use ipnet::Ipv4Net;
use tokio::sync::oneshot;

use super::{
    super::{
        links::{self, Port},
        serving::ServedPort,
    },
    Controller, Heard, Parts, Slow,
};

/// Another configuration for the controller that runs.
pub struct Change {
    pub config: Arc<Config>,
    pub networks: Networks,
    pub ports: Vec<Port>,
    pub relays: Vec<(Ipv4Net, NetworkRef)>,
    /// Only says what would become of the leases.
    pub is_preview: bool,
    pub answer: oneshot::Sender<anyhow::Result<Preview>>,
}

impl Controller {
    /// Has the program see the frames of a port, and opens a socket for each of its receive queues.
    ///
    /// Where a former program answers the sockets come first: the new one may begin without rendered answers,
    /// and must find somebody to hand requests to. A driver without a program may refuse sockets.
    pub fn serve(&mut self, port: &Port, config: &Config) -> anyhow::Result<()> {
        let generic_allowed = config.server.generic_xdp;
        let Interface { ifindex, .. } = port.interface;
        let mode = match self.parts.links.attached_mode(ifindex)? {
            Some(mode) => {
                self.open_sockets(port, mode)?;
                self.parts.links.attach(&port.interface, generic_allowed)?
            }
            None => {
                let mode = self.parts.links.attach(&port.interface, generic_allowed)?;
                self.open_sockets(port, mode)?;
                mode
            }
        };
        tracing::info!(
            interface = port.interface.name,
            mode = mode.label(),
            queues = port.queues(),
            "serving"
        );
        if config.has_probes() {
            self.open_tap(port)?;
        }
        let sockets = self.slow.iter();
        let sockets = sockets.filter(|slow| slow.ifindex == ifindex);
        self.parts.serving.add(ServedPort {
            name: port.interface.name.clone(),
            ifindex,
            slow_base: port.slow_base,
            mode,
            sockets: sockets.count(),
        });
        Ok(())
    }

    fn open_sockets(&mut self, port: &Port, mode: LinkMode) -> anyhow::Result<()> {
        for (index, socket) in super::super::bind(port, mode == LinkMode::Generic)? {
            self.parts.maps.register_slow(index, &socket)?;
            self.slow.push(Slow {
                ifindex: port.interface.ifindex,
                mac: port.interface.mac,
                socket: socket.watch()?,
                is_pending: false,
            });
        }
        Ok(())
    }

    /// Listens for answers to the probes that leave through a port, if it does not yet.
    fn open_tap(&mut self, port: &Port) -> anyhow::Result<()> {
        let Interface { ifindex, name, .. } = &port.interface;
        if self.heard.iter().any(|heard| heard.ifindex == *ifindex) {
            return Ok(());
        }
        let tap = ProbeSocket::open(*ifindex).and_then(ProbeSocket::watch);
        self.heard.push(Heard {
            ifindex: *ifindex,
            tap: tap.with_context(|| format!("listening on {name} for answers to probes"))?,
        });
        Ok(())
    }

    /// Takes the program off an interface, and closes its sockets.
    fn leave(&mut self, ifindex: u32, name: &str) -> anyhow::Result<()> {
        self.parts.links.detach(ifindex)?;
        self.slow.retain(|slow| slow.ifindex != ifindex);
        self.heard.retain(|heard| heard.ifindex != ifindex);
        self.parts.serving.remove(ifindex);
        tracing::info!(interface = name, "no longer serving");
        Ok(())
    }

    /// Makes what is attached what the next controller adopts.
    pub fn settle(&self) -> anyhow::Result<()> {
        Ok(self.parts.links.settle()?)
    }

    /// Goes over to another configuration, or says what that would mean.
    pub(super) fn change(&mut self, change: Change) {
        let preview = self.parts.engine.preview(&change.config, &change.networks);
        let changed = if change.is_preview {
            Ok(())
        } else {
            self.go_over(
                change.config,
                change.networks,
                &change.ports,
                &change.relays,
            )
        };
        // Whoever asked may have gone.
        let _ = change.answer.send(changed.map(|()| preview));
    }

    /// New interfaces come first: if one cannot be served all stays as it is.
    fn go_over(
        &mut self,
        config: Arc<Config>,
        networks: Networks,
        ports: &[Port],
        relays: &[(Ipv4Net, NetworkRef)],
    ) -> anyhow::Result<()> {
        let served = self.parts.serving.ports();
        let is_served = |port: &&Port| {
            let mut served = served.iter();
            served.any(|served| served.ifindex == port.interface.ifindex)
        };
        for port in ports.iter().filter(|port| !is_served(port)) {
            if let Err(error) = self.serve(port, &config) {
                for Port { interface, .. } in ports.iter().filter(|port| !is_served(port)) {
                    self.leave(interface.ifindex, &interface.name)?;
                }
                return Err(error);
            }
        }
        let Parts { engine, grants, .. } = &mut self.parts;
        let now = boottime();
        engine.reload(&config, networks, now, grants, &mut self.effects);
        self.carry_out();
        let server = &config.server;
        let maps = &mut self.parts.maps;
        maps.sync_links(&links::kernel_links(ports))?;
        maps.sync_relays(relays)?;
        maps.set_limits(
            server.fast_path,
            server.client_limit,
            server.relay_limit,
            server.unknown_limit,
        )?;
        for port in &served {
            if ports
                .iter()
                .all(|new| new.interface.ifindex != port.ifindex)
            {
                self.leave(port.ifindex, &port.name)?;
            }
        }
        if config.has_probes() {
            for port in ports {
                self.open_tap(port)?;
            }
        } else {
            self.heard.clear();
        }
        self.parts.serving.set_config(config);
        Ok(())
    }
}

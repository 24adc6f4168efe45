//! Attaching to interfaces, and applying another configuration.

use std::sync::Arc;

use anyhow::Context as _;
use dhcp_common::abi::{self, NetworkRef};
use dhcp_config::Config;
use dhcp_datapath::{LinkMode, host::Interface, probe_socket::ProbeSocket, xsk::XskSocket};
use dhcp_engine::Networks;
use dhcp_store::wall_clock::boottime;
use ipnet::Ipv4Net;

use super::state::{Change, Controller, Parts, ProbeListener, QueueSocket};
use crate::run::{
    links::{self, ServedInterface},
    serving::AttachedInterface,
};

impl Controller {
    /// Attaches the program to an interface, and opens a socket for each of its receive queues.
    ///
    /// If an earlier program is attached, the sockets are opened first: the new program may have no
    /// templates and must be able to pass requests on. Otherwise they are opened afterwards,
    /// because some drivers refuse sockets without a program.
    pub fn serve(&mut self, served: &ServedInterface, config: &Config) -> anyhow::Result<()> {
        let generic_allowed = config.server.generic_xdp;
        let Interface { ifindex, .. } = served.interface;
        let mode = match self.parts.links.attached_mode(ifindex)? {
            Some(mode) => {
                self.open_sockets(served, mode)?;
                self.parts
                    .links
                    .attach(&served.interface, generic_allowed)?
            }
            None => {
                let mode = self
                    .parts
                    .links
                    .attach(&served.interface, generic_allowed)?;
                self.open_sockets(served, mode)?;
                mode
            }
        };
        tracing::info!(
            interface = served.interface.name,
            mode = mode.label(),
            queues = served.queues(),
            "serving"
        );
        if config.has_probes() {
            self.open_probe_socket(served)?;
        }
        let sockets = self.slow.iter();
        let sockets = sockets.filter(|slow| slow.ifindex == ifindex);
        self.parts.serving.add(AttachedInterface {
            name: served.interface.name.clone(),
            ifindex,
            slow_base: served.slow_base,
            mode,
            sockets: sockets.count(),
        });
        Ok(())
    }

    fn open_sockets(&mut self, served: &ServedInterface, mode: LinkMode) -> anyhow::Result<()> {
        for (index, socket) in bind(served, mode == LinkMode::Generic)? {
            self.parts.maps.register_slow(index, &socket)?;
            self.slow.push(QueueSocket {
                ifindex: served.interface.ifindex,
                mac: served.interface.mac,
                socket: socket.watch()?,
                is_pending: false,
            });
        }
        Ok(())
    }

    /// Opens the socket for answers to probes on an interface, unless it is open.
    fn open_probe_socket(&mut self, served: &ServedInterface) -> anyhow::Result<()> {
        let Interface { ifindex, name, .. } = &served.interface;
        if self
            .probe_listeners
            .iter()
            .any(|listener| listener.ifindex == *ifindex)
        {
            return Ok(());
        }
        let socket = ProbeSocket::open(*ifindex).and_then(ProbeSocket::watch);
        self.probe_listeners.push(ProbeListener {
            ifindex: *ifindex,
            socket: socket.with_context(|| format!("listening on {name} for answers to probes"))?,
        });
        Ok(())
    }

    /// Detaches the program from an interface, and closes its sockets.
    fn leave(&mut self, ifindex: u32, name: &str) -> anyhow::Result<()> {
        self.parts.links.detach(ifindex)?;
        self.slow.retain(|slow| slow.ifindex != ifindex);
        self.probe_listeners
            .retain(|listener| listener.ifindex != ifindex);
        self.parts.serving.remove(ifindex);
        tracing::info!(interface = name, "no longer serving");
        Ok(())
    }

    /// Completes the pins, so that the next controller can adopt what is attached.
    pub fn settle(&self) -> anyhow::Result<()> {
        Ok(self.parts.links.settle()?)
    }

    /// Applies a configuration, or reports the consequences.
    pub(super) fn change(&mut self, change: Change) {
        let preview = self.parts.engine.preview(&change.config, &change.networks);
        let changed = if change.is_preview {
            Ok(())
        } else {
            self.apply(
                change.config,
                change.networks,
                &change.interfaces,
                &change.relays,
            )
        };
        // The receiver may be gone.
        let _ = change.answer.send(changed.map(|()| preview));
    }

    /// Applies a configuration. New interfaces are attached first, so that a failure changes
    /// nothing.
    fn apply(
        &mut self,
        config: Arc<Config>,
        networks: Networks,
        interfaces: &[ServedInterface],
        relays: &[(Ipv4Net, NetworkRef)],
    ) -> anyhow::Result<()> {
        let served = self.parts.serving.interfaces();
        let is_served = |new: &&ServedInterface| {
            let mut served = served.iter();
            served.any(|served| served.ifindex == new.interface.ifindex)
        };
        for new in interfaces.iter().filter(|new| !is_served(new)) {
            if let Err(error) = self.serve(new, &config) {
                for ServedInterface { interface, .. } in
                    interfaces.iter().filter(|new| !is_served(new))
                {
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
        maps.sync_links(&links::kernel_links(interfaces))?;
        maps.sync_relays(relays)?;
        maps.set_limits(
            server.fast_path,
            server.client_limit,
            server.relay_limit,
            server.unknown_limit,
        )?;
        for old in &served {
            if interfaces
                .iter()
                .all(|new| new.interface.ifindex != old.ifindex)
            {
                self.leave(old.ifindex, &old.name)?;
            }
        }
        if config.has_probes() {
            for served in interfaces {
                self.open_probe_socket(served)?;
            }
        } else {
            self.probe_listeners.clear();
        }
        self.parts.serving.set_config(config);
        Ok(())
    }
}

/// Binds the sockets of one interface.
fn bind(served: &ServedInterface, copy: bool) -> anyhow::Result<Vec<(u32, XskSocket)>> {
    let rx_frames = abi::slow_rx_frames(served.queues());
    (0..served.queues())
        .map(|queue| {
            let socket = XskSocket::bind(served.interface.ifindex, queue, rx_frames, copy)?;
            Ok((served.slow_base + queue, socket))
        })
        .collect()
}

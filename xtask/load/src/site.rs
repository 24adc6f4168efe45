//! A lab for a load: a server, and all clients at the other end of a link.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};
use ipnet::Ipv4Net;
use xtask_lab::{
    Lab, Namespace, napi,
    server::Server,
    topology::{CLIENT_INTERFACE, Direct, SERVER_INTERFACE},
};

use super::{
    Engine, Report, Workload,
    flood::{self, Flooded},
    kernel::{self, Reflector},
    progress::Progress,
    workload::Relay,
};

/// The network of the lab, with room for some four million clients.
const NETWORK: &str = "10.64.0.0/10";
const PREFIX_LEN: u8 = 10;
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 1);
/// The generator's own address when it is a relay agent.
pub const AGENT: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 2);
/// The first address of the pool; those below are the lab's own.
const POOL: u32 = u32::from_be_bytes([10, 64, 16, 0]);
/// Addresses for each client: some are declined, some are kept for clients that have left.
const ADDRESSES_EACH: u32 = 2;
/// Entries of the kernel's map beyond one for each client, for offers and for clients that have
/// left.
const LEASES_SPARE: u32 = 1024;

/// Where the clients are.
#[derive(Debug)]
pub struct Site {
    pub server: Namespace,
    pub clients: Namespace,
    /// Hardware address of the server.
    pub server_mac: [u8; 6],
}

/// Processor that receives the generator's frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Placement {
    /// Another processor: the generator does not wait, and frames that the receiver cannot handle
    /// are lost.
    #[default]
    Other,
    /// The same processor, between the generator's batches: nothing is lost.
    Same,
    /// Another processor for the server, and the generator's for the clients: the server has a
    /// processor to itself, as if the clients were on another machine.
    Apart,
}

/// The processor of the generator; the other one is [`napi::CPU`].
const GENERATOR_CPU: usize = 1;
const _: () = assert!(GENERATOR_CPU != napi::CPU);

/// Returns the network of the lab.
///
/// # Errors
/// Never.
pub fn range() -> Result<Ipv4Net> {
    NETWORK.parse().context("the constant is not a network")
}

/// Returns the relay agent of the lab.
pub const fn relay(server_mac: [u8; 6]) -> Relay {
    Relay {
        address: AGENT,
        server: SERVER,
        server_mac,
        option_82: true,
        remote_id: String::new(),
    }
}

impl Site {
    /// Creates the site.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn new(lab: &Lab) -> Result<Self> {
        let Direct { server, client } = Direct::new(lab)?;
        server.add_address(SERVER_INTERFACE, SERVER, PREFIX_LEN)?;
        client.add_address(CLIENT_INTERFACE, AGENT, PREFIX_LEN)?;
        let server_mac = server.mac(SERVER_INTERFACE)?;
        Ok(Self {
            server,
            clients: client,
            server_mac,
        })
    }

    /// Starts xdhcpd with room for a number of clients, whose frames have these tags.
    ///
    /// # Errors
    /// It is not built or does not start.
    pub fn start(&self, lab: &Lab, clients: u32, vlans: &[u16]) -> Result<Server> {
        Server::start(lab, &self.server, &config(clients, vlans))
    }

    /// Makes the kernel at the clients' end answer ARP for all clients: clients in the kernel do
    /// not.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn answer_arp(&self) -> Result<()> {
        let local = ["route", "add", "local", NETWORK, "dev", CLIENT_INTERFACE];
        self.clients.ip(local)?;
        // The server's own address is in the network and must be accepted as a source.
        let accept_local = format!("conf/{CLIENT_INTERFACE}/accept_local");
        self.clients.set_ipv4(&accept_local, "1")
    }

    /// Runs a workload against the server, on another processor than the receiving threads or on
    /// the same one.
    ///
    /// # Errors
    /// As [`super::play`], or there is no second processor.
    pub fn play(
        &self,
        workload: &Workload,
        placement: Placement,
        progress: &mut Progress,
    ) -> Result<Report> {
        self.generate(workload.engine, placement, || {
            super::play(workload, CLIENT_INTERFACE, progress)
        })
    }

    /// Runs renewals against a program that returns every frame in place of a server.
    ///
    /// # Errors
    /// As [`kernel::play_reflected`].
    pub fn play_reflected(
        &self,
        workload: &Workload,
        placement: Placement,
        progress: &mut Progress,
    ) -> Result<Report> {
        let _reflector = self.server.enter(|| Reflector::start(SERVER_INTERFACE))?;
        self.generate(Engine::Kernel, placement, || {
            kernel::play_reflected(workload, CLIENT_INTERFACE, self.server_mac, progress)
        })
    }

    /// Runs a flood with concurrent workloads and an operator's requests.
    ///
    /// # Errors
    /// As [`flood::play`].
    pub fn flood(
        &self,
        flood: &Workload,
        beside: &[Workload],
        ask: impl FnMut() -> Result<()> + Send,
    ) -> Result<Flooded> {
        // Frames that a veth end drops while its thread waits for a processor must not be counted
        // as an effect of the flood.
        self.generate(Engine::Kernel, Placement::Same, || {
            flood::play(flood, beside, ask, CLIENT_INTERFACE)
        })
    }

    /// Runs a generator at the clients' end.
    fn generate<T: Send>(
        &self,
        engine: Engine,
        placement: Placement,
        play: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        if engine == Engine::Kernel {
            // The generator's program takes the place of the one that passes everything.
            let detach = ["link", "set", "dev", CLIENT_INTERFACE, "xdpdrv", "off"];
            self.clients.ip(detach)?;
        }
        match placement {
            Placement::Other => {}
            Placement::Same => {
                napi::receive_at_once(&self.server, SERVER_INTERFACE)?;
                napi::receive_at_once(&self.clients, CLIENT_INTERFACE)?;
            }
            Placement::Apart => {
                napi::receive_elsewhere(&self.clients, CLIENT_INTERFACE, GENERATOR_CPU)?;
            }
        }
        self.clients.enter(|| {
            napi::run_on(GENERATOR_CPU)?;
            play()
        })
    }
}

/// Returns the first and the last address for a number of clients.
pub fn pool(clients: u32) -> (Ipv4Addr, Ipv4Addr) {
    let last = POOL.saturating_add(
        clients
            .saturating_mul(ADDRESSES_EACH)
            .saturating_add(u8::MAX.into()),
    );
    let last = last.min(u32::from_be_bytes([10, 127, 255, 254]));
    (Ipv4Addr::from(POOL), Ipv4Addr::from(last))
}

/// Returns a configuration whose first lines belong to the section `[server]`, without limits.
pub fn config(clients: u32, vlans: &[u16]) -> String {
    let limits = [
        ("client", 1_000_000),
        ("relay", 10_000_000),
        ("unknown", 10_000_000),
    ];
    let limits = limits.map(|(whose, most)| {
        format!("{whose}-limit = {{ per-second = {most}, burst = {most} }}\n")
    });
    limits.concat() + &config_with_limits(clients, vlans)
}

/// Returns the same configuration with default limits.
pub fn config_with_limits(clients: u32, vlans: &[u16]) -> String {
    let (first, last) = pool(clients);
    let leases = clients.saturating_add(LEASES_SPARE);
    let tagged = match vlans {
        [] => String::new(),
        [id] => format!("[[interface.vlan]]\nid = {id}\naddresses = [\"{SERVER}\"]\n"),
        ids => format!("[[interface.vlan]]\nids = {ids:?}\naddresses = [\"{SERVER}\"]\n"),
    };
    format!(
        "max-leases = {leases}\n\
         [defaults]\nlease-time = \"1h\"\nprobe-time = \"0s\"\n\n\
         [[interface]]\nname = \"{SERVER_INTERFACE}\"\naddresses = [\"{SERVER}\"]\n{tagged}\n\
         [[subnet]]\nprefix = \"{NETWORK}\"\npools = [\"{first}-{last}\"]\n\
         options = {{ routers = [\"{SERVER}\"], domain-name-servers = [\"{SERVER}\"] }}\n"
    )
}

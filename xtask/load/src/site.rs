//! A lab for a load: a server and, on the other end of a wire, all clients.

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

/// The network of the lab: room for some four million clients.
const NETWORK: &str = "10.64.0.0/10";
const PREFIX_LEN: u8 = 10;
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 1);
/// The generator's own, where it is a relay agent.
pub const AGENT: Ipv4Addr = Ipv4Addr::new(10, 64, 0, 2);
/// The first address of the pool; what is before it is for the lab's own.
const POOL: u32 = u32::from_be_bytes([10, 64, 16, 0]);
/// Addresses for each client: some are declined, some wait for clients that have gone.
const ADDRESSES_EACH: u32 = 2;
/// Room in the kernel's map for each client: one for its offer, some for those that have left.
const LEASES_SPARE: u32 = 1024;

/// Where the clients are.
#[derive(Debug)]
pub struct Site {
    pub server: Namespace,
    pub clients: Namespace,
    /// Hardware address of the server.
    pub server_mac: [u8; 6],
}

/// Which processor receives what the generator sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Placement {
    /// Another one: the generator does not wait, and what the receiver does not manage is lost.
    #[default]
    Other,
    /// The same one, between the generator's batches: nothing is lost.
    Same,
    /// Another one what the server receives, and the generator's what the clients do: the server has a processor to
    /// itself, as if clients were on another machine.
    Apart,
}

/// The processor that the generator runs on; the other is [`napi::CPU`].
const GENERATOR_CPU: usize = 1;
const _: () = assert!(GENERATOR_CPU != napi::CPU);

/// The network of the lab.
///
/// # Errors
/// Never.
pub fn range() -> Result<Ipv4Net> {
    NETWORK.parse().context("no network")
}

/// The relay agent of the lab.
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

    /// Starts xdhcpd with room for so many clients, which have these tags.
    ///
    /// # Errors
    /// It is not built, or does not start.
    pub fn start(&self, lab: &Lab, clients: u32, vlans: &[u16]) -> Result<Server> {
        Server::start(lab, &self.server, &config(clients, vlans))
    }

    /// Has the kernel at the clients' end answer whoever asks for a client by ARP: clients in the kernel do not.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn answer_arp(&self) -> Result<()> {
        let local = ["route", "add", "local", NETWORK, "dev", CLIENT_INTERFACE];
        self.clients.ip(local)?;
        // The server's own address is among them, and must be let in.
        let accept_local = format!("conf/{CLIENT_INTERFACE}/accept_local");
        self.clients.set_ipv4(&accept_local, "1")
    }

    /// Plays a workload against whatever serves, on a processor of its own or on that of the receiving threads.
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

    /// Plays renewals against a program that sends everything back, where a server would be.
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

    /// Plays a flood, and beside it other workloads and an operator's questions.
    ///
    /// # Errors
    /// As [`flood::play`].
    pub fn flood(
        &self,
        flood: &Workload,
        beside: &[Workload],
        ask: impl FnMut() -> Result<()> + Send,
    ) -> Result<Flooded> {
        // What an end of a veth pair drops while its thread waits for a processor is no flood's doing.
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
            // The generator's program stands where the one was that passes everything.
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

/// The first and the last address for so many clients.
pub fn pool(clients: u32) -> (Ipv4Addr, Ipv4Addr) {
    let last = POOL.saturating_add(
        clients
            .saturating_mul(ADDRESSES_EACH)
            .saturating_add(u8::MAX.into()),
    );
    let last = last.min(u32::from_be_bytes([10, 127, 255, 254]));
    (Ipv4Addr::from(POOL), Ipv4Addr::from(last))
}

/// All but the section `[server]`, of which it has the end: nothing is limited.
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

/// The same with the limits that a server has unless it is told others.
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

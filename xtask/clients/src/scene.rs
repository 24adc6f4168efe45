//! The lab of a client: a switch between it and the daemon, so that the daemon's side can fail
//! without the client's link going down.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Result, ensure};
use dhcp_common::outcome::Outcome;
use serde::Deserialize;
use xtask_lab::{
    Lab, Namespace,
    client::Client,
    command::{self, command},
    config,
    server::{Server, Stats},
    topology::{CLIENT_INTERFACE, SERVER_INTERFACE, Switched},
    wait,
};

use crate::Report;

/// For clients that renew on request.
pub(crate) const LONG: &str = "lease-time = \"1h\"";
/// For clients that renew only by their own timers.
pub(crate) const SHORT: &str = "lease-time = \"20s\"";
/// The longest time until a client has done what its own timers decide. They back off up to a
/// minute or two, and the machine may be busy.
pub(crate) const LONGEST: Duration = Duration::from_secs(300);

/// How many times a client extends its lease.
const RENEWALS: usize = 2;

/// A daemon, and the namespace of its client.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) client: Namespace,
    server_side: Namespace,
}

impl Scene {
    /// Starts the daemon with the configuration of [`config::local`].
    ///
    /// # Errors
    /// The kernel refused, or the daemon did not start.
    pub(crate) fn new(lab: &Lab, defaults: &str) -> Result<Self> {
        Self::with_config(lab, &config::local(defaults))
    }

    /// Starts the daemon.
    ///
    /// # Errors
    /// The kernel refused, or the daemon did not start.
    pub(crate) fn with_config(lab: &Lab, config: &str) -> Result<Self> {
        let Switched {
            server: server_side,
            clients,
        } = Switched::new(lab, 1)?;
        let [client] = <[Namespace; 1]>::try_from(clients)
            .map_err(|clients| anyhow::anyhow!("{} clients instead of one", clients.len()))?;
        let server = Server::start(lab, &server_side, config)?;
        Ok(Self {
            server,
            client,
            server_side,
        })
    }

    /// Returns the namespace of the daemon.
    pub(crate) const fn server_side(&self) -> &Namespace {
        &self.server_side
    }

    /// Takes the daemon's link down, or up again. The client's stays up.
    ///
    /// # Errors
    /// The kernel refused.
    pub(crate) fn set_reachable(&self, reachable: bool) -> Result<()> {
        let state = if reachable { "up" } else { "down" };
        self.server_side
            .ip(["link", "set", SERVER_INTERFACE, state])
    }

    /// Returns the address that the kernel has on the client's interface.
    ///
    /// # Errors
    /// There is no such interface.
    pub(crate) fn address(&self) -> Result<Option<Ipv4Addr>> {
        #[derive(Deserialize)]
        struct Link {
            #[serde(default)]
            addr_info: Vec<Address>,
        }
        #[derive(Deserialize)]
        struct Address {
            // An entry for what is not asked for is empty.
            local: Option<Ipv4Addr>,
            scope: Option<String>,
        }
        let show = ["-n", self.client.name(), "-4", "-json", "address", "show"];
        let json = command::read(command("ip", show).args(["dev", CLIENT_INTERFACE]))?;
        let links: Vec<Link> = serde_json::from_str(&json)?;
        let mut addresses = links.into_iter().flat_map(|link| link.addr_info);
        let global = addresses.find(|address| address.scope.as_deref() == Some("global"));
        Ok(global.and_then(|address| address.local))
    }

    /// Waits until the kernel has an address on the client's interface.
    ///
    /// # Errors
    /// It has none within [`LONGEST`].
    pub(crate) fn wait_address(&self) -> Result<Ipv4Addr> {
        wait::until("the client to set its address", LONGEST, || self.address())
    }

    /// Waits until the daemon has acknowledged one more REQUEST than at an earlier time.
    ///
    /// # Errors
    /// It has not within [`LONGEST`].
    pub(crate) fn wait_acknowledged(&self, earlier: &Stats) -> Result<()> {
        wait::until("the client to renew its lease", LONGEST, || {
            Ok((acknowledged(&self.server.stats()?) > acknowledged(earlier)).then_some(()))
        })
    }

    /// Waits until the daemon has acknowledged one more REQUEST than at an earlier time, to a
    /// client that keeps its address.
    ///
    /// # Errors
    /// It has not within [`LONGEST`], or the client has lost its address.
    pub(crate) fn wait_renewed(&self, address: Ipv4Addr, earlier: &Stats) -> Result<()> {
        self.wait_acknowledged(earlier)?;
        let kept = self.address()?;
        ensure!(
            kept == Some(address),
            "the client has {kept:?} instead of {address} after its renewal"
        );
        Ok(())
    }

    /// Makes the daemon unreachable until the client has given its address up, and waits until it
    /// has one again.
    ///
    /// # Errors
    /// One of them did not happen within [`LONGEST`].
    pub(crate) fn outage(&self) -> Result<Ipv4Addr> {
        self.set_reachable(false)?;
        wait::until("the client's lease to end", LONGEST, || {
            Ok(self.address()?.is_none().then_some(()))
        })?;
        self.set_reachable(true)?;
        self.wait_address()
    }
}

/// Returns how many REQUESTs both paths have acknowledged.
pub(crate) fn acknowledged(stats: &Stats) -> u64 {
    const BY_KERNEL: [Outcome; 4] = [
        Outcome::AckedSelecting,
        Outcome::AckedRebooting,
        Outcome::AckedRenewing,
        Outcome::AckedRebinding,
    ];
    let by_kernel: u64 = BY_KERNEL.into_iter().map(|outcome| stats.of(outcome)).sum();
    by_kernel + stats.engine("acked")
}

/// Runs a client of the lab: it gets an address, extends its lease, and releases it.
///
/// # Errors
/// A step did not happen within its limit.
pub(crate) fn live<C: Client>(
    lab: &Lab,
    defaults: &str,
    start: impl FnOnce(&Namespace) -> Result<C>,
) -> Result<Report> {
    let scene = Scene::new(lab, defaults)?;
    let mut client = start(&scene.client)?;
    let address = client.wait_bound()?;
    for _ in 0..RENEWALS {
        client.renew_and_wait()?;
    }
    let renewed = client.renewals()?;
    client.release()?;
    wait::until("the lease to be released", wait::PATIENCE, || {
        Ok(scene.server.lease_state(address)?.is_none().then_some(()))
    })?;
    Ok(Report {
        address: Some(address),
        renewed,
        ..Report::default()
    })
}

//! The server: what is opened, in which order, and what carries the engine's inputs and effects.
//!
//! [`run`] is the wiring; [`controller`] is the loop in which the controller spends its life. Everything
//! that may refuse is asked before anything changes for a program that is answering already.
//!
//! To read on: `dhcp-user/engine/src/policy/protocol.rs`, the one dispatch over message and state.

mod controller;
pub mod links;
mod lost;
mod reload;
mod serving;
mod stats;
mod takeover;

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::Context as _;
use dhcp_common::abi;
use dhcp_config::Config;
use dhcp_datapath::{Datapath, Options, fence::Fence, xsk::XskSocket};
use dhcp_engine::{Engine, Grants as _, Setup};
use dhcp_model::Nanos;
use dhcp_store::{
    committer::Committer,
    sqlite::SqliteStore,
    wall_clock::{self, Sample, Wall},
};
use tokio::sync::{mpsc, oneshot};
use tracing_subscriber::EnvFilter;

use self::{
    controller::{Controller, Parts},
    links::{Port, SlowBases},
    reload::Reloader,
    serving::Serving,
    stats::StatsSource,
};
use crate::control::server::{Control, Listener, Reload};

/// Commands of operators that wait for the engine.
const MAX_COMMANDS: usize = 64;

/// Serves until SIGINT or SIGTERM. The program then goes on answering known clients.
///
/// # Errors
/// Says what stood in the way; a server that was running is left alone.
pub fn run(path: &Path, config: Config) -> anyhow::Result<()> {
    log_to_stderr();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?
        .block_on(serve(path.to_owned(), Arc::new(config)))
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Only a test that runs two servers in one process has a subscriber already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}

async fn serve(path: PathBuf, config: Arc<Config>) -> anyhow::Result<()> {
    let started = Instant::now();
    let ports = links::ports(&config, &SlowBases::new())?;
    let listener = Listener::bind(&config.server.control_socket)?;
    let mut store = SqliteStore::open(&config.server.store)?.keeping_history(config.server.history);
    let wall = Wall::resume(&mut store, &wall_clock::boot_id()?, Sample::now())
        .map_err(anyhow::Error::from_boxed)
        .context("taking up the store's clock")?;
    let mut datapath = Datapath::open(&Options {
        pin_dir: config.server.pin_dir.clone(),
        max_leases: config.server.max_leases,
        client_limit: config.server.client_limit,
        relay_limit: config.server.relay_limit,
        unknown_limit: config.server.unknown_limit,
        fast_path: config.server.fast_path,
    })?;

    let link_table = links::table(&ports);
    let mut engine = Engine::new(Setup {
        config: Arc::clone(&config),
        fingerprint_key: datapath.fingerprint_key,
        links: link_table.clone(),
        max_slots: config.server.max_leases,
    });
    let leases = Arc::clone(engine.leases());
    let effects = takeover::take_over(&mut engine, &mut store, &wall, &mut datapath).await?;
    datapath
        .maps
        .retain_templates(|key| engine.adopt_template(*key))?;
    datapath.maps.sync_links(&links::kernel_links(&ports))?;
    datapath
        .maps
        .sync_relays(&dhcp_engine::relays(&config, &link_table))?;

    let (fence, fenced) = Fence::start(datapath.barrier, config.server.max_leases as usize)?;
    let (results, committed) = mpsc::unbounded_channel();
    let committer = Committer::spawn(Box::new(store), wall, Sample::now, results)
        .context("starting the committer")?;
    let (commands, operator) = mpsc::channel(MAX_COMMANDS);
    let granted = datapath.grants.clone();
    let outcomes = datapath.maps.outcomes();
    let store_counters = committer.counters();
    let (changes, changed) = mpsc::channel(1);
    let serving = Arc::new(Serving::new(Arc::clone(&config)));
    let mut controller = Controller::new(Parts {
        engine,
        grants: datapath.grants,
        maps: datapath.maps,
        fence,
        fenced,
        committer,
        committed,
        events: datapath
            .events
            .watch()
            .context("watching the kernel's events")?,
        commands: operator,
        changes: changed,
        links: datapath.links,
        serving: Arc::clone(&serving),
    });
    // What was known is published, and its ended leases are on their way out, before the first frame.
    controller.start(effects);

    for port in &ports {
        controller.serve(port, &config)?;
    }
    controller.settle()?;
    if let Some(log) = datapath.log {
        tokio::spawn(async {
            let error = log.forward().await;
            tracing::warn!(%error, "the program's log lines are no longer shown");
        });
    }

    let (reloads, requested) = mpsc::channel(MAX_COMMANDS);
    let reloader = Reloader {
        path,
        serving: Arc::clone(&serving),
        changes,
    };
    tokio::spawn(reloader.serve(requested));
    tokio::spawn(reload_on_hangup(reloads.clone())?);
    let control = Arc::new(Control {
        leases: Arc::clone(&leases),
        commands,
        reloads,
        granted: Box::new(move |slot, epoch| granted.grant(slot).granted_for(epoch).map(Nanos)),
        stats: Box::new(
            StatsSource {
                started,
                serving,
                leases,
                outcomes,
                engine: controller.counters(),
                store: store_counters,
            }
            .into_fn(),
        ),
    });
    let control = tokio::spawn(listener.serve(control));
    let result = tokio::select! {
        result = controller.run() => result,
        result = control => result
            .context("the control socket's task ended")?
            .context("the control socket"),
        signal = shutdown() => signal.map(|name| {
            tracing::info!(signal = name, "stopping; the kernel goes on answering known clients");
        }),
    };
    // Commits what is under way.
    drop(controller);
    result
}

/// Reloads on each SIGHUP, as `xdhcpd reload` does.
fn reload_on_hangup(reloads: mpsc::Sender<Reload>) -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup()).context("watching for SIGHUP")?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            let (answer, _) = oneshot::channel();
            let is_preview = false;
            if reloads.send(Reload { is_preview, answer }).await.is_err() {
                break;
            }
        }
    })
}

async fn shutdown() -> anyhow::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT")?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

/// Binds the sockets of one port.
fn bind(port: &Port, copy: bool) -> anyhow::Result<Vec<(u32, XskSocket)>> {
    let rx_frames = abi::slow_rx_frames(port.queues());
    (0..port.queues())
        .map(|queue| {
            let socket = XskSocket::bind(port.interface.ifindex, queue, rx_frames, copy)?;
            Ok((port.slow_base + queue, socket))
        })
        .collect()
}

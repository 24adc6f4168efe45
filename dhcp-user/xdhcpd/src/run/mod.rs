//! The server: it opens its resources in a fixed order, and connects them with the inputs and
//! effects of the engine.
//!
//! [`run`] connects the parts; [`controller`] is the loop of the controller. Everything that can
//! fail is done before anything changes for a program that already answers clients.
//!
//! The engine comes next: its dispatch over message and state is
//! `dhcp-user/engine/src/policy/protocol.rs`.

mod controller;
pub mod links;
mod recovery;
mod reload;
mod serving;
mod startup;
mod stats;

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::Context as _;
use dhcp_config::Config;
use dhcp_datapath::{Datapath, Options, fence::Fence};
use dhcp_engine::{Engine, Grants as _, Setup};
use dhcp_model::Nanos;
use dhcp_store::{
    committer::Committer,
    sqlite::SqliteStore,
    wall_clock::{self, Sample, WallClock},
};
use tokio::sync::{mpsc, oneshot};
use tracing_subscriber::EnvFilter;

use self::{
    controller::{Controller, Parts},
    links::SlowBases,
    reload::Reloader,
    serving::Serving,
    stats::StatsSource,
};
use crate::control::server::{Control, Listener, Reload};

/// The capacity of the queue of operators' commands.
const MAX_COMMANDS: usize = 64;

/// Runs the server until SIGINT or SIGTERM. The XDP program then continues to answer known clients.
///
/// # Errors
/// The server cannot start or continue. Another server that is running is not affected.
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
    // A subscriber exists only in tests that run two servers in one process.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}

async fn serve(path: PathBuf, config: Arc<Config>) -> anyhow::Result<()> {
    let started = Instant::now();
    let interfaces = links::interfaces(&config, &SlowBases::new())?;
    let listener = Listener::bind(&config.server.control_socket)?;
    let mut store = SqliteStore::open(&config.server.store)?.keeping_history(config.server.history);
    let wall = WallClock::resume(&mut store, &wall_clock::boot_id()?, Sample::now())
        .context("resuming the clock of the store")?;
    let mut datapath = Datapath::open(&Options {
        pin_dir: config.server.pin_dir.clone(),
        max_leases: config.server.max_leases,
        client_limit: config.server.client_limit,
        relay_limit: config.server.relay_limit,
        unknown_limit: config.server.unknown_limit,
        fast_path: config.server.fast_path,
    })?;

    let link_table = links::table(&interfaces);
    let mut engine = Engine::new(Setup {
        config: Arc::clone(&config),
        fingerprint_key: datapath.fingerprint_key,
        links: link_table.clone(),
        max_slots: config.server.max_leases,
    });
    let leases = Arc::clone(engine.leases());
    let effects = startup::take_over(&mut engine, &mut store, &wall, &mut datapath).await?;
    datapath
        .maps
        .retain_templates(|key| engine.adopt_template(*key))?;
    datapath
        .maps
        .sync_links(&links::kernel_links(&interfaces))?;
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
    // Known leases are published, and ended leases withdrawn, before the first frame.
    controller.start(effects);

    for interface in &interfaces {
        controller.serve(interface, &config)?;
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
            tracing::info!(signal = name, "stopping; the kernel continues to answer known clients");
        }),
    };
    // Dropping the controller commits pending changes.
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

//! One run: a new lab, a new server, one workload.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use dhcp_common::wire::message_type;
use xtask_lab::{
    Lab,
    topology::{CLIENT_INTERFACE, SERVER_INTERFACE},
    wire::{Datagram, Wire},
};
use xtask_load::{
    Drive, Engine, Exchange, Limits, Report, Timing, Workload,
    progress::Progress,
    report::Latency,
    site::{self, AGENT, Placement, SERVER, Site},
};

use super::{
    config, flood,
    plan::Plan,
    row::Run,
    subject::{Scenario, Server},
};
use crate::answers::{
    Contender,
    answer::Answer,
    contender::Running,
    request::{Request, relay_path},
};

/// A client that only polls whether the server serves yet.
const ASKING_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// A run, and the frames that xdhcpd's controller handled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Played {
    pub run: Run,
    /// Frames of a storm that the program passed on.
    pub slow: Option<u64>,
}

/// The parameters that differ between runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    pub round: usize,
    /// Rate of new clients that the server has just achieved, a second.
    pub full_rate: f64,
    /// Exchanges in flight in a closed loop.
    pub in_flight: u32,
}

/// Runs a workload.
///
/// # Errors
/// There is no lab, or the server does not serve.
pub fn play(server: Server, scenario: Scenario, plan: &Plan, turn: Turn) -> Result<Played> {
    let mut played = None;
    Lab::run(|lab| {
        let site = Site::new(lab)?;
        if scenario == Scenario::Flood {
            let flood = plan.flood.context("the plan has no such workload")?;
            let server = flood::start(lab, &site)?;
            let run = flood::play(&site, &server, &flood, turn.round as u64)?;
            played = Some(without_controller(run));
            return Ok(());
        }
        let mut workload = workload(scenario, plan, turn)?;
        workload.seed += turn.round as u64;
        played = Some(match server {
            Server::Reflector => {
                let placement = placement(scenario, workload.engine);
                let report = site.play_reflected(&workload, placement, &mut Progress::silent())?;
                without_controller(run(scenario, &report))
            }
            Server::Kept(contender) => {
                with_server(lab, &site, contender, scenario, workload, turn)?
            }
        });
        Ok(())
    })?;
    played.context("nothing was run")
}

/// Bounds for a run in which each client renews once.
const MOST_ONCE: u32 = 50_000;
const LONGEST_ONCE: Duration = Duration::from_secs(30);

/// Clients that renew have a processor to themselves, as if on another machine, and the server's
/// end of the link has the other. So do new clients, but all frames are received on one processor,
/// because a server in user space needs one too.
const fn placement(scenario: Scenario, engine: Engine) -> Placement {
    match (engine, scenario) {
        (Engine::User, _) => Placement::Same,
        (Engine::Kernel, Scenario::RenewalsOnOneProcessor) => Placement::Other,
        (Engine::Kernel, scenario) if scenario.renews() => Placement::Apart,
        (Engine::Kernel, _) => Placement::Other,
    }
}

const fn without_controller(run: Run) -> Played {
    Played { run, slow: None }
}

fn with_server(
    lab: &Lab,
    site: &Site,
    contender: Contender,
    scenario: Scenario,
    mut workload: Workload,
    turn: Turn,
) -> Result<Played> {
    if scenario.renews() && contender != Contender::Xdhcpd {
        once_each(&mut workload, turn);
    }
    let running = start(lab, site, contender, workload.clients)?;
    // All clients are behind a relay agent, except those that renew, which talk to the server
    // directly.
    if scenario.renews() {
        site.answer_arp()?;
    } else {
        workload.relay = Some(site::relay(site.server_mac));
    }
    let placement = placement(scenario, workload.engine);
    let server = match &running {
        Running::Ours(server) if scenario.is_ours() => server,
        _ => {
            let report = site.play(&workload, placement, &mut Progress::silent())?;
            return Ok(without_controller(run(scenario, &report)));
        }
    };
    // With few leases the fixed size of the maps would dominate.
    let octets = match scenario {
        Scenario::RenewalsOfAMillion | Scenario::StormOfManyClients => {
            Some(server.map_octets()? as f64 / f64::from(workload.clients))
        }
        _ => None,
    };
    let run = |report: &Report| Run {
        octets,
        ..run(scenario, report)
    };
    if scenario != Scenario::StormOfManyClients {
        let report = site.play(&workload, placement, &mut Progress::silent())?;
        return Ok(without_controller(run(&report)));
    }
    // Obtaining the leases to be renewed is not measured.
    let leasing = Workload {
        exchange: Exchange::Leases,
        drive: Drive::Closed { in_flight: 64 },
        ..workload.clone()
    };
    site.play(&leasing, placement, &mut Progress::silent())?;
    let before = server.stats()?;
    let report = site.play(&workload, placement, &mut Progress::silent())?;
    Ok(Played {
        run: run(&report),
        slow: Some(server.stats()?.since(&before).slow()),
    })
}

/// Has each client renew once, with as many clients as the server serves in half a second. Servers
/// keep time in seconds and write nothing for a second renewal within one, which real clients do
/// not send.
fn once_each(workload: &mut Workload, turn: Turn) {
    let half_rate = turn.full_rate / 2.0;
    workload.clients = (half_rate as u32).clamp(workload.clients, MOST_ONCE);
    workload.limits.exchanges = Some(workload.clients.into());
    workload.limits.time = Some(LONGEST_ONCE);
}

/// Starts a server and waits until it serves.
fn start(lab: &Lab, site: &Site, contender: Contender, clients: u32) -> Result<Running> {
    if contender != Contender::Xdhcpd {
        // The server has no XDP program, without which it would not receive from clients in the
        // kernel.
        lab.receive_xdp(&site.server, SERVER_INTERFACE)?;
    }
    let config = config::of(contender, &site.server, clients)?;
    let wire = Wire::open(&site.clients, CLIENT_INTERFACE)?;
    let request = Request::new(ASKING_MAC, message_type::DISCOVER).through(AGENT);
    let own_mac = site.clients.mac(CLIENT_INTERFACE)?;
    let path = relay_path(AGENT, SERVER, site.server_mac);
    let frame = request.frame(own_mac, path)?;
    contender.start_with(lab, &site.server, &config, || {
        wire.send(&frame)?;
        while let Some(frame) = wire.receive()? {
            let datagram = Datagram::parse(&frame);
            if datagram.is_some_and(|datagram| Answer::new(&request, datagram).is_some()) {
                return Ok(Some(()));
            }
        }
        Ok(None)
    })
}

/// Returns the workload without the relay agent.
fn workload(scenario: Scenario, plan: &Plan, turn: Turn) -> Result<Workload> {
    let seconds = plan.time.as_secs_f64();
    let new_clients = plan
        .new_clients_per_second
        .saturating_mul(seconds.ceil() as u32);
    let half_rate = (turn.full_rate / 2.0).max(1.0);
    let (exchange, engine, clients) = match scenario {
        Scenario::NewClients | Scenario::NewClientsAtOneDepth => {
            (Exchange::Leases, Engine::Kernel, new_clients)
        }
        Scenario::NewClientsAtHalf => (Exchange::Leases, Engine::User, new_clients),
        Scenario::Renewals | Scenario::RenewalsOnOneProcessor | Scenario::RenewalsAtOneDepth => {
            (Exchange::Renewals, Engine::Kernel, plan.renewing)
        }
        Scenario::Storm => (Exchange::Renewals, Engine::User, plan.storm),
        Scenario::RenewalsOfAMillion => {
            let clients = plan
                .renewing_many
                .context("the plan has no such workload")?;
            (Exchange::Renewals, Engine::Kernel, clients)
        }
        Scenario::StormOfManyClients => {
            let clients = plan.storm_many.context("the plan has no such workload")?;
            (Exchange::Renewals, Engine::User, clients)
        }
        Scenario::Flood => bail!("a flood is run by another function"),
    };
    let in_flight = turn.in_flight.min(clients);
    let closed = Drive::Closed { in_flight };
    let (drive, exchanges, time, per_second) = match scenario {
        Scenario::NewClients | Scenario::NewClientsAtOneDepth => {
            (closed, Some(clients.into()), plan.time, None)
        }
        Scenario::NewClientsAtHalf => (
            Drive::Open,
            Some(clients.into()),
            plan.time,
            Some(half_rate),
        ),
        Scenario::Renewals
        | Scenario::RenewalsOnOneProcessor
        | Scenario::RenewalsAtOneDepth
        | Scenario::RenewalsOfAMillion => (closed, None, plan.time, None),
        Scenario::Storm | Scenario::StormOfManyClients | Scenario::Flood => {
            (Drive::Storm, Some(clients.into()), plan.storm_time, None)
        }
    };
    Ok(Workload {
        exchange,
        drive,
        engine,
        clients,
        shapes: 1,
        seed: 1,
        range: site::range()?,
        relay: None,
        vlans: Vec::new(),
        limits: Limits {
            exchanges,
            time: Some(time.max(Duration::from_millis(1))),
            per_second,
        },
        timing: Timing::RFC_2131,
        releases: 0.0,
        declines: 0.0,
        firmware: false,
        flood: 0.0,
    })
}

fn run(scenario: Scenario, report: &Report) -> Run {
    let latency: Latency = match scenario {
        Scenario::NewClients | Scenario::NewClientsAtHalf | Scenario::NewClientsAtOneDepth => {
            report.latency.lease
        }
        _ => report.latency.renewal,
    };
    let counts = report.counts;
    let loss = match scenario {
        Scenario::Storm | Scenario::StormOfManyClients => {
            let clients = f64::from(report.workload.clients);
            1.0 - (counts.completed as f64 / clients).min(1.0)
        }
        _ => report.loss,
    };
    Run {
        clients: report.workload.clients,
        per_s: report.completed_per_second,
        loss,
        p50_us: latency.p50,
        p99_us: latency.p99,
        octets: None,
        during_flood: None,
    }
}

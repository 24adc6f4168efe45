//! A run during a flood: the effect of a million bogus DISCOVERs a second on known clients, new
//! clients and an operator, with xdhcpd's default limits.

use anyhow::{Result, bail};
use xtask_lab::{Lab, server::Server};
use xtask_load::{
    Drive, Engine, Exchange, Limits, Report, Timing, Workload,
    flood::Flooded,
    population::Population,
    progress::Progress,
    report::Latency,
    site::{self, AGENT, Placement, Site},
};

use super::{
    plan::Flood,
    row::{DuringFlood, Run, Tried},
};

/// Room for the offers to a flood, however long it is in a benchmark.
const SPARE_CLIENTS: u32 = 100_000;
/// New leases a second before the flood, within the server's limits.
const LEASES_PER_SECOND: f64 = 4000.0;
/// New clients retransmit ten times as fast as in RFC 2131, because runs are short.
const SCALE: f64 = 0.1;

/// Starts the server.
///
/// # Errors
/// It is not built or does not start.
pub fn start(lab: &Lab, site: &Site) -> Result<Server> {
    let config = site::config_with_limits(SPARE_CLIENTS, &[]);
    Server::start(lab, &site.server, &config)
}

/// Runs the flood and the concurrent workloads.
///
/// # Errors
/// The server does not serve before the flood, or does not answer an operator during it.
pub fn play(site: &Site, server: &Server, flood: &Flood, seed: u64) -> Result<Run> {
    site.answer_arp()?;
    let [renewing, firmware, new_clients] = workloads(flood, seed)?;
    let leasing = Workload {
        exchange: Exchange::Leases,
        engine: Engine::User,
        limits: Limits {
            exchanges: Some(renewing.clients.into()),
            time: None,
            per_second: Some(LEASES_PER_SECOND),
        },
        flood: 0.0,
        ..renewing.clone()
    };
    site.play(&leasing, Placement::Same, &mut Progress::silent())?;
    let mut operator = server.operator()?;
    let ask = || operator.ask(AGENT);
    run(&site.flood(&renewing, &[firmware, new_clients], ask)?)
}

/// Returns the workloads of clients whose renewals the kernel answers, with the flood; of those
/// whose renewals need the controller; and of new clients.
fn workloads(flood: &Flood, seed: u64) -> Result<[Workload; 3]> {
    let [first, second, third] = seeds(seed);
    let renewing = Workload {
        exchange: Exchange::Renewals,
        drive: Drive::Open,
        engine: Engine::Kernel,
        clients: flood.renewing,
        shapes: 1,
        seed: first,
        range: site::range()?,
        relay: None,
        vlans: Vec::new(),
        limits: Limits {
            exchanges: None,
            time: Some(flood.time + Flood::REST),
            per_second: Some(flood.renewals.into()),
        },
        timing: Timing::RFC_2131,
        releases: 0.0,
        declines: 0.0,
        firmware: false,
        flood: flood.per_second.into(),
    };
    let beside = |clients, per_second: u32, seed| Workload {
        engine: Engine::User,
        clients,
        seed,
        limits: Limits {
            exchanges: None,
            time: Some(flood.time),
            per_second: Some(per_second.into()),
        },
        flood: 0.0,
        ..renewing.clone()
    };
    let firmware = Workload {
        firmware: true,
        ..beside(flood.firmware, flood.firmware_renewals, second)
    };
    let seconds = flood.time.as_secs_f64().ceil() as u32;
    let new_clients = Workload {
        exchange: Exchange::Leases,
        timing: Timing {
            scale: SCALE,
            ..Timing::RFC_2131
        },
        ..beside(flood.new_clients * seconds.max(1), flood.new_clients, third)
    };
    Ok([renewing, firmware, new_clients])
}

/// Returns seeds of populations that differ from each other, and from the flood, in the second
/// octets of their addresses.
fn seeds(first: u64) -> [u64; 3] {
    let tag = |seed| Population::new(1, seed).tag;
    let bogus = Population::new(1, first).bogus_tag();
    let other = |taken: &[u8], from: u64| {
        let seeds = from..;
        let free = seeds.into_iter().find(|seed| !taken.contains(&tag(*seed)));
        free.unwrap_or(from)
    };
    let second = other(&[tag(first), bogus], first + 1);
    let third = other(&[tag(first), bogus, tag(second)], second + 1);
    [first, second, third]
}

fn run(flooded: &Flooded) -> Result<Run> {
    let Flooded {
        report,
        beside,
        asked,
    } = flooded;
    let [firmware, new_clients] = beside.as_slice() else {
        bail!("expected two workloads beside the flood: {beside:?}");
    };
    let latency = report.latency.renewal;
    Ok(Run {
        clients: report.workload.clients,
        per_s: report.completed_per_second,
        loss: report.loss,
        p50_us: latency.p50,
        p99_us: latency.p99,
        octets: None,
        during_flood: Some(DuringFlood {
            bogus_per_s: report.counts.bogus as f64 / report.seconds,
            by_controller: tried(firmware, firmware.latency.renewal),
            new_clients: tried(new_clients, new_clients.latency.lease),
            asked_p50_us: asked.p50,
            asked_p99_us: asked.p99,
        }),
    })
}

fn tried(report: &Report, latency: Latency) -> Tried {
    Tried {
        begun: report.counts.begun as f64,
        completed: report.counts.completed as f64,
        p50_us: latency.p50,
        p99_us: latency.p99,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn populations_and_the_flood_have_tags_of_their_own() {
        for first in 0..500 {
            let mut tags: HashSet<u8> =
                seeds(first).map(|seed| Population::new(1, seed).tag).into();
            tags.insert(Population::new(1, first).bogus_tag());
            assert_eq!(tags.len(), 4, "{first}");
        }
    }
}

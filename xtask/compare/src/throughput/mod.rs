//! `cargo xtask bench compare`: measures xdhcpd and other servers, in turns, on the same link and
//! under the same load, and the link itself. Writes `docs/PERFORMANCE.md` and its chart.
//!
//! [`Server`] and [`Scenario`] list the subjects of measurement, [`plan`] contains the numbers,
//! [`config`] the servers' configurations; [`play`] is one run, [`flood`] one during a flood;
//! [`row`] computes figures, which [`page`] and [`chart`] show.

use std::{fmt, fs, path::PathBuf, time::Instant};

use anyhow::{Context as _, Result, ensure};
use xtask_lab::{command::is_root, workspace};

use crate::answers::Contender;

pub mod chart;
pub mod config;
pub mod flood;
pub mod machine;
pub mod measured;
pub mod page;
pub mod plan;
pub mod play;
pub mod row;
pub mod subject;

pub use measured::Measured;
use plan::Plan;
use play::{Played, Turn};
use row::{Row, Run};
pub use subject::{Scenario, Server};

/// The page and its chart, relative to the workspace.
pub const PAGE: &str = "docs/PERFORMANCE.md";
pub const CHART: &str = "docs/performance.svg";

/// Highest fraction of lost requests in a figure that counts as throughput.
const MOST_LOST: f64 = 0.01;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Measures less, in under four minutes.
    #[arg(long)]
    quick: bool,

    /// Measures only this server, or `reflector`; can be repeated. The page is not written.
    #[arg(long, value_name = "NAME", value_parser = |name: &str| Server::try_from(name.to_owned()))]
    server: Vec<Server>,

    /// Measures only this workload; can be repeated. The page is not written.
    #[arg(long, value_name = "NAME", value_enum)]
    workload: Vec<Scenario>,

    /// Writes the rows to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Skips setup and build.
    #[arg(long)]
    pub no_build: bool,
}

/// The servers and workloads to be measured.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Empty for all.
    pub servers: Vec<Server>,
    /// Empty for all.
    pub scenarios: Vec<Scenario>,
}

impl Selection {
    const fn is_all(&self) -> bool {
        self.servers.is_empty() && self.scenarios.is_empty()
    }

    /// Checks the selection.
    ///
    /// # Errors
    /// No selected server can run a selected workload.
    fn check(&self) -> Result<()> {
        let can_play = |server: &Server| {
            let mut scenarios = Scenario::ALL.into_iter();
            scenarios.any(|scenario| server.can(scenario) && self.has(*server, scenario))
        };
        let mut servers = Server::ALL.into_iter();
        ensure!(
            servers.any(|server| self.has_server(server) && can_play(&server)),
            "--server, --workload: {:?} with {:?} is not measured; xdhcpd runs all workloads, \
             the reflector renewals, and other servers all but floods and those with many clients",
            self.scenarios,
            self.servers
        );
        Ok(())
    }

    fn has_server(&self, server: Server) -> bool {
        self.servers.is_empty() || self.servers.contains(&server)
    }

    /// Returns whether a workload is selected, or determines the size of a selected one.
    fn has(&self, server: Server, scenario: Scenario) -> bool {
        let is_needed =
            |other: &Scenario| server.can(*other) && other.needs(server) == Some(scenario);
        self.scenarios.is_empty()
            || self.scenarios.contains(&scenario)
            || self.scenarios.iter().any(is_needed)
    }
}

/// Measures the selection, and writes the page if it is complete. Server and generator must have
/// been built in release mode.
///
/// # Errors
/// There is no lab, an installed server does not serve, or a file cannot be written.
pub fn run(options: &Options) -> Result<()> {
    ensure!(
        is_root(),
        "namespaces and XDP require root: run this as root, or without --no-build"
    );
    let plan = if options.quick {
        Plan::QUICK
    } else {
        Plan::FULL
    };
    let selection = Selection {
        servers: options.server.clone(),
        scenarios: options.workload.clone(),
    };
    selection.check()?;
    let path = workspace::root().join(PAGE);
    let read =
        || fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()));
    // Fails now rather than after twenty minutes. The page is read again later, because it may have
    // been edited.
    page::with_table(&read()?, "")?;
    let measured = measure(&plan, &selection, &installed)?;
    for absent in &measured.absent {
        println!(
            "bench: {absent} is not installed and is skipped: `cargo xtask setup` installs it"
        );
    }
    let table = page::table(&measured, &plan, &machine::describe()?);
    if selection.is_all() {
        write(&path, &page::with_table(&read()?, &table)?)?;
        write(&workspace::root().join(CHART), &chart::svg(&measured.rows)?)?;
    } else {
        println!("{table}");
        println!(
            "bench: {PAGE} is not written, since it shows all servers and workloads of one run"
        );
    }
    if let Some(path) = &options.json {
        write(path, &row::to_json(&measured.rows)?)?;
    }
    let faster = faster_than_ours(&measured.rows);
    ensure!(
        faster.is_empty(),
        "xdhcpd does not answer the most renewals a second: {faster:?}"
    );
    Ok(())
}

/// The servers that answer at least as many renewals a second as xdhcpd.
fn faster_than_ours(rows: &[Row]) -> Vec<Server> {
    let Some(ours) = row::find(rows, Server::XDHCPD, Scenario::Renewals) else {
        return Vec::new();
    };
    rows.iter()
        .filter(|row| row.workload == Scenario::Renewals)
        .filter(|row| !matches!(row.server, Server::Reflector | Server::XDHCPD))
        .filter(|row| row.per_s >= ours.per_s)
        .map(|row| row.server)
        .collect()
}

fn write(path: &std::path::Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!("bench: {} is written", path.display());
    Ok(())
}

/// Returns the version of a server, if it is installed.
///
/// # Errors
/// The server does not print it.
pub fn installed(contender: Contender) -> Result<Option<String>> {
    contender.version()
}

/// Measures every installed server, in turns: each round runs everything once.
///
/// # Errors
/// There is no lab, or an installed server does not serve.
pub fn measure(
    plan: &Plan,
    selection: &Selection,
    version: &dyn Fn(Contender) -> Result<Option<String>>,
) -> Result<Measured> {
    let mut measured = Measured::default();
    for contender in Contender::ALL {
        if !selection.has_server(Server::Kept(contender)) {
            continue;
        }
        match version(contender)? {
            Some(version) => measured.versions.push((contender, version)),
            None => measured.absent.push(contender),
        }
    }
    let servers: Vec<Server> = Server::ALL
        .into_iter()
        .filter(|server| selection.has_server(*server))
        .filter(|server| match server {
            Server::Reflector => true,
            Server::Kept(contender) => !measured.absent.contains(contender),
        })
        .collect();
    let mut series: Vec<Series> = Vec::new();
    for scenario in Scenario::ALL {
        let able = servers.iter().filter(|server| server.can(scenario));
        let able = able.filter(|server| selection.has(**server, scenario));
        series.extend(able.map(|server| Series::new(*server, scenario, plan)));
    }
    let start = Instant::now();
    for round in 0..plan.rounds {
        for at in 0..series.len() {
            let (before, [current, ..]) = series.split_at_mut(at) else {
                break;
            };
            if plan.runs(current.scenario) <= round {
                continue;
            }
            let all_out = before.iter().find(|other| {
                (other.server, other.scenario) == (current.server, Scenario::NewClients)
            });
            let full_rate = all_out.and_then(|other| Some(other.runs.last()?.per_s));
            let mut before = before.iter();
            let suited = before.rfind(|other| {
                let is_tried = matches!(other.scenario, Scenario::NewClients | Scenario::Renewals);
                other.server == current.server && is_tried
            });
            current.in_flight = current
                .in_flight
                .or(suited.and_then(|other| other.in_flight));
            let played = current
                .play(plan, round, full_rate)
                .with_context(|| format!("{}, {:?}", current.server, current.scenario))?;
            measured.storm_slow = measured.storm_slow.max(played.slow);
            println!("bench: {:>4.0} s {current}", start.elapsed().as_secs_f64());
        }
    }
    for series in &series {
        let row = Row::new(series.server, series.scenario, &series.runs);
        measured.rows.extend(row);
        let in_flight = series
            .in_flight
            .map(|most| (series.server, series.scenario, most));
        measured.in_flight.extend(in_flight);
    }
    Ok(measured)
}

/// The runs of a server with a workload.
#[derive(Debug)]
struct Series {
    server: Server,
    scenario: Scenario,
    /// The best number of exchanges in flight of a closed loop, once it has been determined.
    in_flight: Option<u32>,
    runs: Vec<Run>,
}

impl Series {
    fn new(server: Server, scenario: Scenario, plan: &Plan) -> Self {
        Self {
            server,
            scenario,
            in_flight: scenario.is_at_one_depth().then(|| plan.depth()),
            runs: Vec::new(),
        }
    }

    /// Runs the workload once. Before the first run the best number of exchanges in flight is
    /// determined by trial runs, unless it is known from another workload.
    fn play(&mut self, plan: &Plan, round: usize, full_rate: Option<f64>) -> Result<Played> {
        let mut turn = Turn {
            round,
            full_rate: full_rate.unwrap_or_default(),
            in_flight: plan.depth(),
        };
        if self.scenario.is_closed() {
            turn.in_flight = match self.in_flight {
                Some(in_flight) => in_flight,
                None => self.try_out(plan, turn)?,
            };
            self.in_flight = Some(turn.in_flight);
        } else {
            self.in_flight = None;
        }
        let mut played = play::play(self.server, self.scenario, plan, turn)?;
        let is_free = self.scenario.is_closed() && !self.scenario.is_at_one_depth();
        if is_free && self.runs.is_empty() && played.run.loss >= MOST_LOST {
            // The best number for new clients is too high for this workload.
            turn.in_flight = self.try_out(plan, turn)?;
            self.in_flight = Some(turn.in_flight);
            played = play::play(self.server, self.scenario, plan, turn)?;
        }
        self.runs.push(played.run);
        Ok(played)
    }

    fn try_out(&self, plan: &Plan, turn: Turn) -> Result<u32> {
        if let [only] = plan.in_flight {
            return Ok(*only);
        }
        let mut tried = Vec::new();
        for in_flight in plan.in_flight {
            let turn = Turn {
                in_flight: *in_flight,
                ..turn
            };
            let played = play::play(self.server, self.scenario, plan, turn)?;
            tried.push((*in_flight, played.run));
        }
        best(&tried).context("no number of exchanges in flight was tried")
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {:?}", self.server, self.scenario)?;
        if let Some(in_flight) = self.in_flight {
            write!(f, ", {in_flight} in flight")?;
        }
        if let Some(run) = self.runs.last() {
            write!(
                f,
                ": {:.0} a second, {:.2} % lost, p50 {:.0} µs, p99 {:.0} µs",
                run.per_s,
                run.loss * 100.0,
                run.p50_us,
                run.p99_us
            )?;
        }
        Ok(())
    }
}

/// Returns the number with the highest rate at a loss below [`MOST_LOST`], or else with the lowest
/// loss.
fn best(tried: &[(u32, Run)]) -> Option<u32> {
    let good = tried.iter().filter(|(_, run)| run.loss < MOST_LOST);
    let best = good
        .max_by(|(_, a), (_, b)| a.per_s.total_cmp(&b.per_s))
        .or_else(|| {
            tried
                .iter()
                .min_by(|(_, a), (_, b)| a.loss.total_cmp(&b.loss))
        });
    best.map(|(in_flight, _)| *in_flight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throughput::row::tests::run;

    #[test]
    fn what_loses_is_no_throughput_however_fast_it_is() {
        let mut tried = [(16, run(100.0)), (32, run(200.0)), (64, run(300.0))];
        tried[2].1.loss = MOST_LOST;
        assert_eq!(best(&tried), Some(32));
        tried[1].1.loss = 0.5;
        assert_eq!(best(&tried), Some(16));
        tried[0].1.loss = 0.1;
        assert_eq!(best(&tried), Some(64));
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn what_is_selected_is_measured_with_what_it_is_based_on() {
        let kea = Server::Kept(Contender::Kea);
        let selected = |servers: &[Server], scenarios: &[Scenario]| {
            let selection = Selection {
                servers: servers.to_vec(),
                scenarios: scenarios.to_vec(),
            };
            let of = |server| {
                let mut scenarios = Scenario::ALL.to_vec();
                scenarios
                    .retain(|scenario| selection.has(server, *scenario) && server.can(*scenario));
                scenarios
            };
            (of(Server::XDHCPD), of(kea), selection.check().is_ok())
        };
        let (ours, theirs, is_right) = selected(&[], &[]);
        assert_eq!((ours.len(), theirs.len(), is_right), (10, 6, true));
        let (ours, theirs, is_right) = selected(&[kea], &[Scenario::Renewals]);
        assert_eq!(ours, [Scenario::Renewals]);
        assert_eq!(theirs, [Scenario::NewClients, Scenario::Renewals]);
        assert!(is_right);
        let (ours, theirs, is_right) =
            selected(&[kea], &[Scenario::RenewalsOfAMillion, Scenario::Flood]);
        assert_eq!(
            ours,
            [
                Scenario::Renewals,
                Scenario::RenewalsOfAMillion,
                Scenario::Flood
            ]
        );
        assert_eq!((theirs, is_right), (vec![], false));
    }
}

//! The figures: a row for each server and workload.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::subject::{Scenario, Server};

/// One run of a workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    /// Number of clients.
    pub clients: u32,
    /// Exchanges completed a second.
    pub per_s: f64,
    /// Fraction of the requests that were not answered, or, in a storm, of the clients that were
    /// not served.
    pub loss: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Octets of kernel memory for the server's maps, per client.
    pub octets: Option<f64>,
    pub during_flood: Option<DuringFlood>,
}

/// The effect of a flood.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DuringFlood {
    /// Bogus DISCOVERs a second.
    pub bogus_per_s: f64,
    /// Renewals of known clients that the controller has to answer.
    pub by_controller: Tried,
    /// New clients, DISCOVER to ACK.
    pub new_clients: Tried,
    /// Requests on the control socket.
    pub asked_p50_us: f64,
    pub asked_p99_us: f64,
}

/// Exchanges, and the latency of those that ended with an ACK.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    pub begun: f64,
    pub completed: f64,
    pub p50_us: f64,
    pub p99_us: f64,
}

/// The medians of several runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub server: Server,
    pub workload: Scenario,
    pub clients: u32,
    pub per_s: f64,
    pub loss: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub runs: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub octets: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub during_flood: Option<DuringFlood>,
}

impl Row {
    /// Returns `None` without a run, since only what was measured has a row.
    pub fn new(server: Server, workload: Scenario, runs: &[Run]) -> Option<Self> {
        let median = |of: fn(&Run) -> f64| median(runs.iter().map(of).collect());
        Some(Self {
            server,
            workload,
            clients: median(|run| run.clients.into())? as u32,
            per_s: median(|run| run.per_s)?,
            loss: median(|run| run.loss)?,
            p50_us: median(|run| run.p50_us)?,
            p99_us: median(|run| run.p99_us)?,
            runs: runs.len(),
            octets: self::median(runs.iter().filter_map(|run| run.octets).collect()),
            during_flood: DuringFlood::medians(runs),
        })
    }
}

impl DuringFlood {
    fn medians(runs: &[Run]) -> Option<Self> {
        let during: Vec<Self> = runs.iter().filter_map(|run| run.during_flood).collect();
        let median = |of: &dyn Fn(&Self) -> f64| median(during.iter().map(of).collect());
        let tried = |of: fn(&Self) -> &Tried| {
            Some(Tried {
                begun: median(&|during| of(during).begun)?,
                completed: median(&|during| of(during).completed)?,
                p50_us: median(&|during| of(during).p50_us)?,
                p99_us: median(&|during| of(during).p99_us)?,
            })
        };
        Some(Self {
            bogus_per_s: median(&|during| during.bogus_per_s)?,
            by_controller: tried(|during| &during.by_controller)?,
            new_clients: tried(|during| &during.new_clients)?,
            asked_p50_us: median(&|during| during.asked_p50_us)?,
            asked_p99_us: median(&|during| during.asked_p99_us)?,
        })
    }
}

/// Returns the median, which is the mean of the middle two for an even number.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let (low, high) = (values.get(last / 2)?, values.get(last.div_ceil(2))?);
    Some(low.midpoint(*high))
}

/// Returns the row of a server and a workload.
pub fn find(rows: &[Row], server: Server, workload: Scenario) -> Option<&Row> {
    rows.iter()
        .find(|row| (row.server, row.workload) == (server, workload))
}

/// Returns the output of `--json`: an array of rows, one on a line.
///
/// # Errors
/// Never, for numbers.
pub fn to_json(rows: &[Row]) -> Result<String> {
    let lines: Vec<String> = rows
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()
        .context("a row cannot be encoded as JSON")?;
    Ok(format!("[\n{}\n]\n", lines.join(",\n")))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::answers::Contender;

    pub fn run(per_s: f64) -> Run {
        Run {
            clients: 300,
            per_s,
            loss: 0.0,
            p50_us: 1e6 / per_s,
            p99_us: 2e6 / per_s,
            octets: None,
            during_flood: None,
        }
    }

    #[test]
    fn a_row_has_the_medians_of_its_runs_each_for_itself() {
        let mut runs = [run(30.0), run(10.0), run(20.0)];
        runs[0].loss = 0.5;
        runs[1].p99_us = 7.0;
        let kea = Server::Kept(Contender::Kea);
        let row = Row::new(kea, Scenario::Renewals, &runs).unwrap();
        assert_eq!((row.per_s, row.loss, row.runs), (20.0, 0.0, 3));
        assert_eq!((row.p50_us, row.p99_us), (50_000.0, 2e6 / 30.0));
        let row = Row::new(kea, Scenario::Storm, &runs[..2]).unwrap();
        assert_eq!((row.per_s, row.loss), (20.0, 0.25));
        assert_eq!(Row::new(kea, Scenario::Storm, &[]), None);
    }

    pub fn during_flood(completed: f64) -> DuringFlood {
        let tried = Tried {
            begun: 600.0,
            completed,
            p50_us: 200.0,
            p99_us: 7000.0,
        };
        DuringFlood {
            bogus_per_s: 1_000_000.0,
            by_controller: tried,
            new_clients: Tried {
                completed: 0.0,
                ..tried
            },
            asked_p50_us: 1000.0,
            asked_p99_us: 20_000.0,
        }
    }

    #[test]
    fn what_a_flood_leaves_has_medians_and_is_written_where_there_was_one() {
        let runs = [600.0, 500.0, 590.0].map(|completed| Run {
            during_flood: Some(during_flood(completed)),
            ..run(1.0)
        });
        let row = Row::new(Server::XDHCPD, Scenario::Flood, &runs).unwrap();
        assert_eq!(row.during_flood, Some(during_flood(590.0)));
        let json = to_json(std::slice::from_ref(&row)).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Row>>(&json).unwrap(), [row]);
        assert!(json.contains(r#""by_controller":{"begun":600.0,"completed":590.0"#));
        let row = Row::new(Server::XDHCPD, Scenario::Storm, &[run(1.0)]).unwrap();
        assert_eq!(row.during_flood, None);
        assert!(!to_json(&[row]).unwrap().contains("during_flood"));
    }

    #[test]
    fn json_names_servers_and_workloads_and_is_read_back() {
        let rows = [
            Row::new(Server::Reflector, Scenario::Renewals, &[run(4.0)]).unwrap(),
            Row::new(
                Server::Kept(Contender::Dhcpd),
                Scenario::NewClients,
                &[run(2.0)],
            )
            .unwrap(),
        ];
        let json = to_json(&rows).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Row>>(&json).unwrap(), rows);
        let values: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            values[0],
            serde_json::json!({
                "server": "reflector", "workload": "renewals", "clients": 300, "per_s": 4.0, "loss": 0.0,
                "p50_us": 250_000.0, "p99_us": 500_000.0, "runs": 1
            })
        );
        assert_eq!(values[1]["server"], "isc-dhcp-server");
        assert_eq!(values[1]["workload"], "new-clients");
        assert_eq!(to_json(&[]).unwrap().trim(), "[\n\n]");
    }
}

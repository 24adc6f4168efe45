//! A comparison of a few seconds, with the other servers that are installed.

use std::time::Duration;

use anyhow::{Context as _, Result};
use xtask_compare::{
    answers::Contender,
    throughput::{
        self, Scenario, Selection, Server, chart, page,
        plan::Plan,
        row::{self, Row, find},
    },
};

const PLAN: Plan = Plan {
    rounds: 1,
    storms: 1,
    at_one_depth: 1,
    time: Duration::from_millis(300),
    in_flight: &[16],
    new_clients_per_second: 20_000,
    renewing: 50,
    storm: 20,
    storm_time: Duration::from_secs(15),
    renewing_many: None,
    storm_many: Some(2000),
    flood: None,
};

#[test]
#[ignore = "needs root: cargo xtask test"]
fn servers_are_compared_as_far_as_they_are_installed() -> Result<()> {
    let _crowd = crate::crowd();
    // One server is treated as missing, even if it is installed.
    let measured =
        throughput::measure(&PLAN, &Selection::default(), &|contender| match contender {
            Contender::Dnsmasq => Ok(None),
            _ => throughput::installed(contender),
        })?;
    let rows = &measured.rows;
    assert!(measured.absent.contains(&Contender::Dnsmasq));
    for absent in &measured.absent {
        let absent = Server::Kept(*absent);
        assert!(rows.iter().all(|row| row.server != absent), "{rows:?}");
    }
    for (contender, _) in &measured.versions {
        for scenario in Scenario::ALL.iter().filter(|scenario| !scenario.is_ours()) {
            let row = find(rows, Server::Kept(*contender), *scenario);
            let row = row.with_context(|| format!("{contender} has no row of {scenario:?}"))?;
            assert!(row.per_s > 1.0 && row.p50_us > 0.0, "{row:?}");
            assert!(row.p50_us <= row.p99_us && row.loss < 0.5, "{row:?}");
        }
    }
    let rate = |server| find(rows, server, Scenario::Renewals).map(|row| row.per_s);
    // Which of them is faster is for `cargo xtask bench compare`, which fails where it is not
    // xdhcpd.
    for server in [Server::XDHCPD, Server::Reflector] {
        let rate = rate(server).with_context(|| format!("{server:?} was not measured"))?;
        assert!(rate > 0.0, "{rows:?}");
    }
    let storm =
        find(rows, Server::XDHCPD, Scenario::StormOfManyClients).context("there was no storm")?;
    assert!(storm.loss == 0.0, "{storm:?}");
    // The controller answers the first request of each kind, from which the program learns the
    // answer.
    let slow = measured
        .storm_slow
        .context("the controller was not measured")?;
    let many = u64::from(PLAN.storm_many.context("a storm was planned")?);
    assert!(slow < many / 4, "{slow} frames of {many} were passed on");

    let json = row::to_json(rows)?;
    let read: Vec<Row> = serde_json::from_str(&json)?;
    assert_eq!(read.len(), rows.len());
    for (read, row) in read.iter().zip(rows) {
        assert_eq!((read.server, read.workload), (row.server, row.workload));
        // The last digit of a number is not preserved.
        assert!((read.per_s / row.per_s - 1.0).abs() < 1e-9, "{read:?}");
    }
    let table = page::table(&measured, &PLAN, "a machine");
    assert!(table.contains("dnsmasq was not installed"), "{table}");
    assert!(!table.contains("| dnsmasq |"), "{table}");
    let drawn = chart::svg(rows)?;
    assert!(
        drawn.contains("xdhcpd") && !drawn.contains("dnsmasq"),
        "{drawn}"
    );
    Ok(())
}

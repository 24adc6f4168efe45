//! The load generator, against the server.

use std::{collections::HashSet, net::Ipv4Addr};

use anyhow::{Context as _, Result};
use xtask_lab::{Lab, command, server::Server, wait};
use xtask_load::{
    Drive, Engine, Exchange, Limits, Report, Timing, Workload,
    progress::Progress,
    site::{self, Placement, Site},
};

use crate::SOON;

const CLIENTS: u32 = 500;

/// Returns a workload of new leases, one for each client.
fn workload() -> Result<Workload> {
    Ok(Workload {
        exchange: Exchange::Leases,
        drive: Drive::Closed { in_flight: 16 },
        engine: Engine::User,
        clients: CLIENTS,
        shapes: 4,
        seed: 1,
        range: site::range()?,
        relay: None,
        vlans: Vec::new(),
        limits: Limits {
            exchanges: Some(CLIENTS.into()),
            time: None,
            per_second: None,
        },
        timing: Timing::RFC_2131,
        releases: 0.0,
        declines: 0.0,
        firmware: false,
        flood: 0.0,
    })
}

fn play(site: &Site, workload: &Workload) -> Result<Report> {
    site.play(workload, Placement::Other, &mut Progress::silent())
}

/// Expects that nothing was lost and no answer was wrong.
#[track_caller]
fn expect_faultless(report: &Report, exchanges: u64) {
    let counts = report.counts;
    let completed = (counts.begun, counts.completed);
    assert_eq!(completed, (exchanges, exchanges), "{report}");
    assert_eq!(counts.answers(), counts.requests(), "{counts:?}");
    assert_eq!(counts.wrong() + counts.naks + counts.other_server, 0);
    assert_eq!((counts.given_up, counts.unfinished), (0, 0), "{counts:?}");
    assert!(report.loss == 0.0 && report.duplicates.is_empty());
}

fn addresses(server: &Server, state: &str) -> Result<HashSet<Ipv4Addr>> {
    let leases = server.leases()?.into_iter();
    let of_state = leases.filter(|lease| lease.state == state);
    Ok(of_state.map(|lease| lease.address).collect())
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_load_of_new_clients_and_of_renewals_loses_nothing() -> Result<()> {
    let _crowd = crate::crowd();
    Lab::run_in_both_modes(|lab| {
        let site = Site::new(lab)?;
        let server = site.start(lab, CLIENTS, &[])?;
        let mut workload = workload()?;
        let report = play(&site, &workload)?;
        expect_faultless(&report, CLIENTS.into());
        assert_eq!(report.latency.lease.count, u64::from(CLIENTS));
        assert_eq!(addresses(&server, "bound")?.len(), CLIENTS as usize);

        workload.exchange = Exchange::Renewals;
        workload.limits.exchanges = Some(2000);
        let report = play(&site, &workload)?;
        expect_faultless(&report, 2000);
        assert_eq!(report.counts.renewals, 2000);
        assert_eq!(report.latency.renewal.count, 2000);
        assert_eq!(addresses(&server, "bound")?.len(), CLIENTS as usize);
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_load_through_a_relay_agent_with_option_82_releases_and_declines() -> Result<()> {
    let _crowd = crate::crowd();
    Lab::run(|lab| {
        let site = Site::new(lab)?;
        let server = site.start(lab, CLIENTS, &[])?;
        let mut workload = workload()?;
        workload.relay = Some(site::relay(site.server_mac));
        workload.releases = 0.3;
        workload.declines = 0.1;
        let report = play(&site, &workload)?;
        expect_faultless(&report, CLIENTS.into());
        let counts = report.counts;
        assert!(counts.releases > 100 && counts.declines > 20, "{counts:?}");
        let left = u64::from(CLIENTS) - counts.releases - counts.declines;
        wait::until("the last RELEASE to be done", SOON, || {
            let bound = addresses(&server, "bound")?.len() as u64;
            Ok((bound == left).then_some(()))
        })
        .with_context(|| format!("expected {left} remaining leases after {counts:?}"))?;
        let declined = addresses(&server, "quarantined")?.len() as u64;
        assert_eq!(declined, counts.declines);
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_storm_is_weathered_and_an_open_loop_keeps_its_pace() -> Result<()> {
    let _crowd = crate::crowd();
    Lab::run(|lab| {
        let site = Site::new(lab)?;
        let server = site.start(lab, CLIENTS, &[])?;
        let mut workload = workload()?;
        workload.drive = Drive::Storm;
        workload.timing.scale = 0.1;
        let report = play(&site, &workload)?;
        let counts = report.counts;
        assert_eq!(counts.completed, u64::from(CLIENTS), "{counts:?}");
        assert_eq!((counts.wrong(), counts.given_up), (0, 0), "{counts:?}");
        assert_eq!(addresses(&server, "bound")?.len(), CLIENTS as usize);

        workload.drive = Drive::Open;
        workload.limits = Limits {
            exchanges: Some(1000),
            time: None,
            per_second: Some(1000.0),
        };
        let report = play(&site, &workload)?;
        let counts = report.counts;
        assert_eq!((counts.begun, counts.completed), (1000, 1000), "{counts:?}");
        // Busy machines make it slower, and nothing makes it faster.
        assert!(report.seconds > 0.95, "{report}");
        Ok(())
    })
}

/// Requests that arrive at once wait until the controller has time for them.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_storm_of_thousands_of_new_clients_sends_nothing_again() -> Result<()> {
    const MANY: u32 = 5000;
    let _crowd = crate::crowd();
    Lab::run(|lab| {
        let site = Site::new(lab)?;
        let _server = site.start(lab, MANY, &[])?;
        let former = workload()?;
        let workload = Workload {
            drive: Drive::Storm,
            clients: MANY,
            shapes: 1,
            relay: Some(site::relay(site.server_mac)),
            limits: Limits {
                exchanges: Some(MANY.into()),
                ..former.limits
            },
            ..former
        };
        // The veth pair itself, which has room for 256 frames, must not lose any.
        let report = site.play(&workload, Placement::Same, &mut Progress::silent())?;
        expect_faultless(&report, MANY.into());
        Ok(())
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_load_with_one_tag_or_two_is_answered_with_them() -> Result<()> {
    for vlans in [vec![7], vec![7, 300]] {
        let _crowd = crate::crowd();
        Lab::run(|lab| {
            let site = Site::new(lab)?;
            let _server = site.start(lab, CLIENTS, &vlans)?;
            let mut workload = workload()?;
            workload.vlans.clone_from(&vlans);
            for engine in [Engine::User, Engine::Kernel] {
                workload.engine = engine;
                expect_faultless(&play(&site, &workload)?, CLIENTS.into());
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// With so few in flight no exchange is lost: what is too early for the kernel is answered by the
/// controller.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn clients_in_the_kernel_lease_and_renew_without_loss() -> Result<()> {
    let _crowd = crate::crowd();
    Lab::run(|lab| {
        let site = Site::new(lab)?;
        let server = site.start(lab, CLIENTS, &[])?;
        let mut workload = workload()?;
        workload.engine = Engine::Kernel;
        workload.limits.exchanges = Some(u64::from(CLIENTS) * 4);
        let report = play(&site, &workload)?;
        expect_faultless(&report, u64::from(CLIENTS) * 4);
        assert_eq!(report.latency.lease.count, u64::from(CLIENTS) * 4);
        assert_eq!(addresses(&server, "bound")?.len(), CLIENTS as usize);

        workload.exchange = Exchange::Renewals;
        workload.limits.exchanges = Some(100_000);
        let before = server.stats()?;
        let report = play(&site, &workload)?;
        expect_faultless(&report, 100_000);
        let counted = server.stats()?.since(&before);
        // All but the first leases, and the first renewals of each shape.
        assert!(counted.answered() > 99_000, "{counted}");

        workload.drive = Drive::Open;
        workload.limits.per_second = Some(20_000.0);
        workload.limits.exchanges = Some(10_000);
        let report = play(&site, &workload)?;
        assert_eq!(report.counts.renewals, 10_000);
        assert!(report.seconds > 0.45, "{report}");
        Ok(())
    })
}

/// As run by hand: stdout contains only the report.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_command_line_writes_json_and_refuses_what_it_must() -> Result<()> {
    let run = |arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_xtask");
        let mut load = command::command(program, ["load", "--no-build"]);
        command::output(load.args(arguments))
    };
    let played = run(&["--json", "--exchanges=300", "--clients=300", "--seed=7"])?;
    assert!(played.status.success(), "{played:?}");
    let report: Report = serde_json::from_slice(&played.stdout)?;
    expect_faultless(&report, 300);
    assert_eq!(report.workload.seed, 7);

    for (arguments, said) in [
        (
            ["--iface=lo", "--range=10.9.0.0/16", "--rate=1"],
            "--exchanges",
        ),
        (["--iface=lo", "--range=9.9.0.0/16", "--rate=1"], "public"),
        (
            ["--iface=nowhere", "--range=10.9.0.0/16", "--rate=1"],
            "--for",
        ),
    ] {
        let refused = run(&arguments)?;
        assert!(!refused.status.success());
        let error = String::from_utf8(refused.stderr)?;
        assert!(error.contains(said), "{error}");
    }
    let nowhere = [
        "--iface=nowhere",
        "--range=10.9.0.0/16",
        "--rate=1",
        "--for=1s",
    ];
    let refused = run(&nowhere)?;
    let error = String::from_utf8(refused.stderr)?;
    assert!(
        error.contains("--iface nowhere: there is no such"),
        "{error}"
    );
    Ok(())
}

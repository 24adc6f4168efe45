//! The command line's reports about the store, with and without a running server.

use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail, ensure};
use dhcp_common::outcome::Outcome;
use dhcproto::v4::MessageType;
use serde::Deserialize;
use xtask_lab::{
    Lab, config,
    raw::{RawClient, expect},
    server::Server,
    topology::{Direct, SERVER, SERVER_INTERFACE},
    wire::Path,
};

use crate::wait_state;

/// A lease in the output of `xdhcpd history`.
#[derive(Debug, Deserialize)]
struct Interval {
    hardware_address: String,
    since: String,
    until: Option<String>,
}

fn look(server: &Server, arguments: &[&str]) -> Result<String> {
    let output = server.look(arguments)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}: {text}{error}");
    Ok(text)
}

fn history(server: &Server, address: Ipv4Addr) -> Result<Vec<Interval>> {
    let text = look(server, &["history", &address.to_string(), "--json"])?;
    serde_json::from_str(&text).with_context(|| text.clone())
}

/// Returns seconds since the Unix epoch.
fn seconds(time: &str) -> Result<u64> {
    let time = humantime::parse_rfc3339(time)?;
    Ok(time.duration_since(SystemTime::UNIX_EPOCH)?.as_secs())
}

/// The controller sees none of the renewals, but the history includes them all.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_history_ends_no_earlier_than_the_kernel_has_granted() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let times = config::local("lease-time = \"10s\"");
        let server = Server::start(lab, &net.server, &times)?;
        let client = RawClient::open(&net.client)?;
        let begun = Instant::now();
        let address = client.lease()?.address();
        let path = Path::unicast(address, SERVER, net.server.mac(SERVER_INTERFACE)?);
        let leased = server.stats()?;
        let (mut renewals, mut renewed_for) = (0, 0);
        while begun.elapsed() < Duration::from_secs(4) {
            thread::sleep(Duration::from_secs(1));
            renewed_for = begun.elapsed().as_secs();
            let ack = client.ask(&client.extend(address), path)?;
            expect(&ack, MessageType::Ack)?;
            renewals += 1;
        }
        let counted = server.stats()?.since(&leased);
        assert_eq!(counted.of(Outcome::AckedRenewing), renewals, "{counted}");
        let running = history(&server, address)?;
        ensure!(
            matches!(&*running, [Interval { until: None, .. }]),
            "{running:?}"
        );

        wait_state(&server, address, None)?;
        let over = history(&server, address)?;
        let [interval] = &*over else {
            bail!("{over:?}");
        };
        let until = interval
            .until
            .as_deref()
            .context("the interval has ended")?;
        let lasted = seconds(until)?.saturating_sub(seconds(&interval.since)?);
        // Times are printed in seconds.
        ensure!(
            lasted + 1 >= renewed_for + 10,
            "{lasted} s, renewed for {renewed_for} s"
        );
        Ok(())
    })
}

/// With a server, after it was killed, and after it has stopped. Then the backup replaces the
/// store.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn c120_the_store_is_checked_copied_and_told_of_with_a_server_and_without() -> Result<()> {
    Lab::run(|lab| {
        let net = Direct::new(lab)?;
        let times = config::local("lease-time = \"1h\"");
        let mut server = Server::start(lab, &net.server, &times)?;
        let first = RawClient::open(&net.client)?;
        let second = RawClient::open(&net.client)?.with_mac([2, 0, 0, 0, 1, 2]);
        let address = first.lease()?.address();
        first.send(&first.release(SERVER, address), Path::BROADCAST)?;
        wait_state(&server, address, None)?;
        let offer = second.ask(&second.discover_address(address), Path::BROADCAST)?;
        assert_eq!(offer.address(), address);
        let ack = second.ask(&second.select(SERVER, address), Path::BROADCAST)?;
        expect(&ack, MessageType::Ack)?;

        let copy = net.server.path("copy.db");
        let copy = copy.to_str().context("the path is not UTF-8")?;
        let look_at_all = |server: &Server, when: &str| -> Result<()> {
            look(server, &["check", "--store"])?;
            look(server, &["backup", copy, "--force"])?;
            look(server, &["check", "--store", copy])?;
            let told = history(server, address)?;
            let told: Vec<_> = told
                .iter()
                .map(|interval| (&*interval.hardware_address, interval.until.is_some()))
                .collect();
            let expected = [("02:00:00:00:01:02", false), ("02:00:00:00:00:01", true)];
            assert_eq!(told, expected, "{when}");
            Ok(())
        };
        look_at_all(&server, "running")?;
        server.kill();
        look_at_all(&server, "killed")?;
        server.start_again()?;
        server.stop()?;
        look_at_all(&server, "stopped")?;

        std::fs::rename(copy, server.store())?;
        server.start_again()?;
        wait_state(&server, address, Some("bound"))
    })
}

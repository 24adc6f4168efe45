//! Kea's perfdhcp: thousands of clients, for which it is the relay agent.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};

use super::{Namespace, Process, wait};

/// Number of clients and their rate.
#[derive(Clone, Copy, Debug)]
pub struct Fleet {
    /// Clients, each of which gets one lease.
    pub clients: u32,
    pub leases_per_second: u32,
    pub renewals_per_second: u32,
    pub releases_per_second: u32,
}

/// How long perfdhcp waits for outstanding answers.
const LAST_ANSWERS_MICROS: u32 = 2_000_000;
/// When perfdhcp considers a message lost; on a busy machine an answer may be late.
const LOST_SECS: u32 = 10;

/// Runs the fleet to its end, within twice the time that its rate implies plus some more. Returns
/// how many times an address was leased that had been leased before: perfdhcp does not forget
/// addresses that it has released.
///
/// # Errors
/// perfdhcp reports an incomplete exchange, or did not end.
pub fn run(namespace: &Namespace, fleet: Fleet, own: Ipv4Addr, server: Ipv4Addr) -> Result<u64> {
    let options = [
        ("-R", fleet.clients),
        ("-n", fleet.clients),
        ("-r", fleet.leases_per_second),
        ("-f", fleet.renewals_per_second),
        ("-F", fleet.releases_per_second),
        ("-W", LAST_ANSWERS_MICROS),
        ("-d", LOST_SECS),
    ];
    let mut perfdhcp = namespace.command("perfdhcp", ["-4", "-u"]);
    for (option, value) in options {
        perfdhcp.arg(option).arg(value.to_string());
    }
    perfdhcp
        .arg("-l")
        .arg(own.to_string())
        .arg(server.to_string());
    let mut process = Process::spawn(namespace, "perfdhcp", &mut perfdhcp)?;
    let seconds = fleet.clients / fleet.leases_per_second;
    let status = process.wait(Duration::from_secs(u64::from(2 * seconds)) + wait::PATIENCE)?;
    let report = process.output()?;
    // 3 means that something was not answered, which is true of every RELEASE.
    if !matches!(status.code(), Some(0 | 3)) {
        bail!("perfdhcp ended with {status}:\n{report}");
    }
    let lost = lost(&report);
    ensure!(lost.is_empty(), "perfdhcp reports {lost:?}:\n{report}");
    let leased_again = figures(&report)
        .find(|(section, what, _)| section.ends_with(": REQUEST-ACK") && *what == LEASED_AGAIN);
    let (_, _, count) =
        leased_again.with_context(|| format!("unexpected report of perfdhcp: {report}"))?;
    Ok(count.parse()?)
}

const LEASED_AGAIN: &str = "non unique addresses";

/// Returns the figures of a report that must be zero in each section and are not.
fn lost(report: &str) -> Vec<String> {
    figures(report)
        .filter(|(_, what, count)| ["drops", "rejected leases"].contains(what) && *count != "0")
        .filter(|(section, _, _)| !section.ends_with(": RELEASE"))
        .map(|(section, what, count)| format!("{section}: {what}: {count}"))
        .collect()
}

/// Returns the figures of a report, each with the title of its section.
fn figures(report: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let mut section = "";
    report.lines().filter_map(move |line| {
        if let Some(title) = line.strip_prefix("***") {
            section = title.trim_end_matches('*');
        }
        let (what, count) = line.split_once(": ")?;
        Some((section, what, count))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_needs_no_answer_and_everything_else_does() {
        let report = |drops: u8, rejected: u8, unreleased: u8| {
            format!(
                "***Statistics for: REQUEST-ACK***\ndrops: {drops}\ndrops ratio: 0.1 %\n\
                 rejected leases: {rejected}\nnon unique addresses: 7\n\
                 ***Statistics for: RELEASE***\ndrops: {unreleased}\n"
            )
        };
        assert_eq!(lost(&report(0, 0, 9)), [""; 0]);
        assert_eq!(
            lost(&report(2, 0, 9)),
            ["Statistics for: REQUEST-ACK: drops: 2"]
        );
        assert_eq!(lost(&report(2, 1, 0)).len(), 2);
    }
}

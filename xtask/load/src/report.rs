//! The result of a workload.

use std::{fmt, net::Ipv4Addr};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use xtask_load_abi::Stage;

use super::Workload;

/// Number of duplicates that are named; the rest are only counted.
pub const MAX_NAMED: usize = 100;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    pub workload: Workload,
    /// Option 54 of the server.
    pub server: Ipv4Addr,
    /// From the first frame to the last answer.
    pub seconds: f64,
    pub counts: Counts,
    /// Exchanges completed a second.
    pub completed_per_second: f64,
    /// Frames sent a second.
    pub sent_per_second: f64,
    /// Fraction of the requests that were not answered.
    pub loss: f64,
    /// Latencies, counted from the first transmission.
    pub latency: Latencies,
    pub duplicates: Vec<Duplicate>,
}

/// Counters of messages and exchanges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counts {
    /// Exchanges begun.
    pub begun: u64,
    /// Exchanges that ended with an ACK.
    pub completed: u64,
    /// Exchanges given up after the last retransmission.
    pub given_up: u64,
    /// Exchanges in flight when the time was over.
    pub unfinished: u64,

    pub discovers: u64,
    pub selections: u64,
    pub renewals: u64,
    pub releases: u64,
    pub declines: u64,
    /// DISCOVERs of a flood, which do not count as requests.
    #[serde(default)]
    pub bogus: u64,
    /// Retransmissions among the clients' messages.
    pub retransmissions: u64,
    /// Frames not sent because the interface accepted no more.
    pub not_sent: u64,

    pub offers: u64,
    pub acks: u64,
    pub naks: u64,
    /// Answers to requests that had been answered before.
    pub unexpected: u64,

    /// Frames with a wrong IP header checksum.
    pub bad_ip_checksums: u64,
    pub bad_udp_checksums: u64,
    /// Frames to a DHCP port that are not valid DHCP.
    pub malformed: u64,
    /// Answers to the right client with another transaction id.
    pub wrong_xid: u64,
    /// Answers to unknown clients.
    pub strangers: u64,
    /// Answers of another server, or without option 54.
    pub other_server: u64,
    /// ACKs for another address than the requested one.
    pub wrong_address: u64,
    /// Addresses outside the range.
    pub outside: u64,
    /// Addresses given to a client while another held them.
    pub duplicates: u64,
    /// Frames that the kernel received and had no room to queue.
    pub not_received: u64,
}

impl Counts {
    /// Returns the number of messages that require an answer.
    pub const fn requests(&self) -> u64 {
        self.discovers + self.selections + self.renewals
    }

    pub const fn answers(&self) -> u64 {
        self.offers + self.acks + self.naks
    }

    /// Returns the number of exchanges that were answered with ACK or NAK.
    pub const fn ended(&self) -> u64 {
        self.completed + self.naks
    }

    pub const fn sent(&self) -> u64 {
        self.requests() + self.releases + self.declines + self.bogus
    }

    pub fn loss(&self) -> f64 {
        let lost = self.requests().saturating_sub(self.answers());
        if lost == 0 {
            return 0.0;
        }
        lost as f64 / self.requests() as f64
    }

    /// Returns the number of errors of the server.
    pub const fn wrong(&self) -> u64 {
        self.bad_ip_checksums
            + self.bad_udp_checksums
            + self.malformed
            + self.wrong_xid
            + self.wrong_address
            + self.outside
            + self.duplicates
    }
}

/// An address that two clients hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    pub address: Ipv4Addr,
    /// Hardware addresses of the holder and of the client that was given the address too.
    pub clients: [String; 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Latencies {
    /// DISCOVER to OFFER.
    pub offer: Latency,
    /// REQUEST to ACK, of a new lease.
    pub ack: Latency,
    /// DISCOVER to ACK.
    pub lease: Latency,
    /// REQUEST to ACK, of a renewal.
    pub renewal: Latency,
}

/// Percentiles in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Latency {
    pub count: u64,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// Latencies in nanoseconds, with three significant digits.
#[derive(Clone, Debug)]
pub struct Histograms([Histogram<u64>; Stage::COUNT]);

/// Significant digits of a latency.
const DIGITS: u8 = 3;
/// More than all retransmissions take: longer latencies are recorded as this.
const LONGEST_NS: u64 = 600_000_000_000;

impl Histograms {
    /// Returns empty histograms.
    ///
    /// # Panics
    /// Never: a histogram supports three digits of ten minutes.
    #[expect(clippy::expect_used, reason = "the bounds are constants")]
    pub fn new() -> Self {
        Self(std::array::from_fn(|_| {
            Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).expect("valid bounds")
        }))
    }

    pub fn record(&mut self, stage: Stage, ns: u64, times: u64) {
        if let Some(histogram) = self.0.get_mut(stage as usize) {
            histogram.saturating_record_n(ns, times);
        }
    }

    pub fn latencies(&self) -> Latencies {
        let [offer, ack, lease, renewal] = self.0.each_ref().map(latency);
        Latencies {
            offer,
            ack,
            lease,
            renewal,
        }
    }
}

impl Default for Histograms {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the percentiles of a histogram of nanoseconds, in microseconds.
pub fn latency(histogram: &Histogram<u64>) -> Latency {
    let micros = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
    Latency {
        count: histogram.len(),
        mean: histogram.mean() / 1e3,
        p50: micros(0.5),
        p90: micros(0.9),
        p99: micros(0.99),
        p999: micros(0.999),
        max: histogram.max() as f64 / 1e3,
    }
}

impl Report {
    pub fn new(
        workload: &Workload,
        server: Ipv4Addr,
        seconds: f64,
        counts: Counts,
        latency: Latencies,
        duplicates: Vec<Duplicate>,
    ) -> Self {
        let per_second = |count: u64| count as f64 / seconds.max(1e-9);
        Self {
            workload: workload.clone(),
            server,
            seconds,
            counts,
            completed_per_second: per_second(counts.completed),
            sent_per_second: per_second(counts.sent()),
            loss: counts.loss(),
            latency,
            duplicates,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        writeln!(
            f,
            "{} exchanges in {:.3} s: {:.0} a second; {:.0} frames sent a second; {:.3} % of the requests not answered",
            counts.completed,
            self.seconds,
            self.completed_per_second,
            self.sent_per_second,
            self.loss * 100.0
        )?;
        let rows: [(&str, &[(&str, u64)]); 4] = [
            (
                "exchanges",
                &[
                    ("begun", counts.begun),
                    ("completed", counts.completed),
                    ("given up", counts.given_up),
                    ("unfinished", counts.unfinished),
                ],
            ),
            (
                "sent",
                &[
                    ("DISCOVER", counts.discovers),
                    ("REQUEST", counts.selections),
                    ("renewal", counts.renewals),
                    ("RELEASE", counts.releases),
                    ("DECLINE", counts.declines),
                    ("bogus DISCOVER", counts.bogus),
                    ("sent again", counts.retransmissions),
                    ("not sent", counts.not_sent),
                ],
            ),
            (
                "received",
                &[
                    ("OFFER", counts.offers),
                    ("ACK", counts.acks),
                    ("NAK", counts.naks),
                    ("repeated", counts.unexpected),
                    ("for strangers", counts.strangers),
                    ("of other servers", counts.other_server),
                    ("no room for", counts.not_received),
                ],
            ),
            (
                "wrong",
                &[
                    ("IP checksum", counts.bad_ip_checksums),
                    ("UDP checksum", counts.bad_udp_checksums),
                    ("malformed", counts.malformed),
                    ("xid", counts.wrong_xid),
                    ("address", counts.wrong_address),
                    ("outside the range", counts.outside),
                    ("duplicate addresses", counts.duplicates),
                ],
            ),
        ];
        for (title, counts) in rows {
            let counted: Vec<String> = counts
                .iter()
                .filter(|(_, count)| *count != 0)
                .map(|(what, count)| format!("{what} {count}"))
                .collect();
            let counted = if counted.is_empty() {
                "nothing".to_owned()
            } else {
                counted.join(", ")
            };
            writeln!(f, "  {title:<10} {counted}")?;
        }
        let stages = [
            ("DISCOVER to OFFER", self.latency.offer),
            ("REQUEST to ACK", self.latency.ack),
            ("DISCOVER to ACK", self.latency.lease),
            ("renewal to ACK", self.latency.renewal),
        ];
        for (stage, latency) in stages.iter().filter(|(_, latency)| latency.count != 0) {
            writeln!(
                f,
                "  {stage:<18} p50 {:.1} µs, p90 {:.1}, p99 {:.1}, p99.9 {:.1}, max {:.1}",
                latency.p50, latency.p90, latency.p99, latency.p999, latency.max
            )?;
        }
        for duplicate in &self.duplicates {
            let [first, second] = &duplicate.clients;
            writeln!(f, "  {} is held by {first} and {second}", duplicate.address)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::tests::workload;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut histograms = Histograms::new();
        for micros in 1..=1000 {
            histograms.record(Stage::Ack, micros * 1000, 1);
        }
        histograms.record(Stage::Offer, u64::MAX, 3);
        let latencies = histograms.latencies();
        let ack = latencies.ack;
        for (found, expected) in [
            (ack.p50, 500.0),
            (ack.p90, 900.0),
            (ack.p99, 990.0),
            (ack.p999, 999.0),
            (ack.max, 1000.0),
            (ack.mean, 500.5),
        ] {
            let found: f64 = found;
            assert!((found / expected - 1.0).abs() < 0.002, "{ack:?}");
        }
        assert_eq!((ack.count, latencies.offer.count), (1000, 3));
        assert_eq!(latencies.renewal, Latency::default());
    }

    #[test]
    fn a_report_is_the_same_after_json_and_names_what_is_wrong() {
        let counts = Counts {
            begun: 10,
            completed: 9,
            discovers: 11,
            selections: 9,
            offers: 10,
            acks: 9,
            duplicates: 1,
            ..Counts::default()
        };
        assert!((counts.loss() - 0.05).abs() < 1e-9);
        assert_eq!(counts.wrong(), 1);
        let address = Ipv4Addr::new(10, 1, 0, 9);
        let duplicate = Duplicate {
            address,
            clients: [
                "02:00:00:00:00:01".to_owned(),
                "02:00:00:00:00:02".to_owned(),
            ],
        };
        let report = Report::new(
            &workload(),
            address,
            2.0,
            counts,
            Histograms::new().latencies(),
            vec![duplicate],
        );
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
        let text = report.to_string();
        assert!(text.contains("9 exchanges in 2.000 s: 4 a second") || text.contains(": 5 a"));
        assert!(text.contains("duplicate addresses 1"), "{text}");
        assert!(
            text.contains("10.1.0.9 is held by 02:00:00:00:00:01 and 02:00:00:00:00:02"),
            "{text}"
        );
        assert!(!text.contains("malformed"), "{text}");
    }
}

//! Parameters of a load: plain data, checked before anything is sent.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Result, bail, ensure};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use xtask_load_abi::{MAX_CLIENTS, MAX_SHAPES};

/// The clients, what they do, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Workload {
    pub exchange: Exchange,
    pub drive: Drive,
    pub engine: Engine,
    pub clients: u32,
    /// Kinds of clients, which differ in their options.
    pub shapes: u16,
    pub seed: u64,
    /// Acceptable addresses. A server that offers others is not the intended one.
    pub range: Ipv4Net,
    /// `None` for clients on the server's link.
    pub relay: Option<Relay>,
    /// VLAN tags of all frames, outer tag first.
    pub vlans: Vec<u16>,
    pub limits: Limits,
    pub timing: Timing,
    /// Fraction of clients that release their leases once they have them.
    pub releases: f64,
    /// Fraction of new leases that are declined.
    pub declines: f64,
    /// Whether all clients are boot firmware, whose requests a server cannot answer from a template
    /// (RFC 4578 §2.3).
    pub firmware: bool,
    /// Additional bogus DISCOVERs a second, each from a random hardware address; zero for none.
    pub flood: f64,
}

/// The messages that count as an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exchange {
    /// DISCOVER, OFFER, REQUEST, ACK.
    Leases,
    /// REQUEST, ACK, by clients that have obtained leases before.
    Renewals,
}

/// When exchanges begin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drive {
    /// When another one ends, with a limited number in flight.
    Closed { in_flight: u32 },
    /// At a fixed rate.
    Open,
    /// All clients at once, each of them once, as after a power cut.
    Storm,
}

/// Where the clients' state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// In user space: every answer is verified, and unanswered messages are retransmitted.
    User,
    /// In the kernel, which is faster than any server; nothing is retransmitted.
    Kernel,
}

/// The generator as a relay agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Relay {
    pub address: Ipv4Addr,
    /// The server's address.
    pub server: Ipv4Addr,
    /// The hardware address of the server or of the router towards it.
    pub server_mac: [u8; 6],
    /// Whether option 82 is added, with a circuit-id for each client.
    pub option_82: bool,
    /// Sub-option 2 of option 82; empty for none.
    pub remote_id: String,
}

/// When a load ends. One of the first two is required.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// Number of exchanges.
    pub exchanges: Option<u64>,
    /// Time during which exchanges begin.
    #[serde(with = "seconds")]
    pub time: Option<Duration>,
    /// Maximum number of exchanges that begin in a second.
    pub per_second: Option<f64>,
}

/// Retransmission, RFC 2131 §4.1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Timing {
    /// Factor for its times.
    pub scale: f64,
    /// Maximum number of transmissions of a message.
    pub attempts: u8,
}

impl Timing {
    pub const RFC_2131: Self = Self {
        scale: 1.0,
        attempts: 5,
    };
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        time.map(|time| time.as_secs_f64()).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<f64>::deserialize(from)?;
        let time = seconds.map(Duration::try_from_secs_f64).transpose();
        time.map_err(D::Error::custom)
    }
}

/// Networks that are not routed on the Internet: RFC 1918, RFC 6598, RFC 2544, RFC 5737.
const PRIVATE: [&str; 8] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "198.18.0.0/15",
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
];
/// Larger networks need too much memory.
const SHORTEST_PREFIX: u8 = 8;
/// Higher rates cannot be resolved by the clock.
const MOST_PER_SECOND: f64 = 100_000_000.0;

impl Workload {
    /// Checks the workload.
    ///
    /// # Errors
    /// It is unbounded, targets a network that is not private, or asks for something unsupported.
    /// The message has the option, its value, and what would be valid.
    pub fn check(&self) -> Result<()> {
        check_private("--range", self.range)?;
        ensure!(
            self.range.prefix_len() >= SHORTEST_PREFIX,
            "--range {}: the largest network is a /{SHORTEST_PREFIX}",
            self.range
        );
        self.check_clients()?;
        self.check_limits()?;
        for vlan in &self.vlans {
            ensure!(
                (1..=4094).contains(vlan),
                "--vlan {vlan}: a VLAN id is from 1 to 4094"
            );
        }
        ensure!(
            self.vlans.len() <= 2,
            "--vlan {:?}: there may be one tag, or two",
            self.vlans
        );
        if let Some(relay) = &self.relay {
            check_private("--relay", Ipv4Net::from(relay.address))?;
            check_private("--server", Ipv4Net::from(relay.server))?;
            ensure!(
                relay.server != relay.address,
                "--server {}: this is the address of the relay agent, --relay",
                relay.server
            );
        }
        for (option, part) in [("--releases", self.releases), ("--declines", self.declines)] {
            ensure!(
                (0.0..=1.0).contains(&part),
                "{option} {part}: a fraction is from 0 to 1"
            );
        }
        ensure!(
            (0.001..=100.0).contains(&self.timing.scale),
            "--time-scale {}: valid from 0.001 to 100; RFC 2131 corresponds to 1",
            self.timing.scale
        );
        ensure!(
            self.timing.attempts > 0,
            "--attempts 0: each message is sent at least once"
        );
        self.check_kernel()
    }

    fn check_clients(&self) -> Result<()> {
        let addresses = u64::from(u32::from(self.range.hostmask())) + 1;
        ensure!(
            (1..=MAX_CLIENTS).contains(&self.clients),
            "--clients {}: valid from 1 to {MAX_CLIENTS}",
            self.clients
        );
        ensure!(
            u64::from(self.clients) <= addresses,
            "--clients {}: --range {} has only {addresses} addresses",
            self.clients,
            self.range
        );
        ensure!(
            (1..=MAX_SHAPES).contains(&usize::from(self.shapes)),
            "--shapes {}: valid from 1 to {MAX_SHAPES}",
            self.shapes
        );
        if let Drive::Closed { in_flight } = self.drive {
            ensure!(
                (1..=self.clients).contains(&in_flight),
                "--in-flight {in_flight}: valid from 1 to {}, the number of --clients",
                self.clients
            );
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<()> {
        let limits = self.limits;
        ensure!(
            limits.exchanges.is_some() || limits.time.is_some(),
            "a load needs a limit, and nothing was sent: set --exchanges, or --for such as --for \
             10s"
        );
        if let Some(rate) = limits.per_second {
            ensure!(
                rate > 0.0 && rate <= MOST_PER_SECOND,
                "--rate {rate}: valid above 0 and up to {MOST_PER_SECOND} a second"
            );
        } else if self.drive == Drive::Open && self.engine == Engine::User {
            bail!(
                "--open requires --rate, the exchanges that begin in a second; for the highest \
                 rate use --open --kernel"
            );
        }
        Ok(())
    }

    fn check_kernel(&self) -> Result<()> {
        let begun = self.limits.per_second;
        let can_flood = self.engine == Engine::Kernel && self.drive == Drive::Open;
        ensure!(
            self.flood == 0.0
                || can_flood
                    && begun.is_some_and(|rate| self.flood >= rate)
                    && self.flood <= MOST_PER_SECOND,
            "--flood {}: it is at least --rate, and at most {MOST_PER_SECOND} a second, with \
             --kernel --open",
            self.flood
        );
        if self.engine == Engine::User {
            return Ok(());
        }
        ensure!(
            self.drive != Drive::Storm,
            "--storm --kernel: a storm depends on retransmission, which the kernel does not do; \
             leave out --kernel"
        );
        ensure!(
            self.drive == Drive::Open || self.limits.per_second.is_none(),
            "--rate with --kernel: a closed loop in the kernel has no rate; --open has"
        );
        for (option, part) in [("--releases", self.releases), ("--declines", self.declines)] {
            ensure!(
                part == 0.0,
                "{option} {part}: clients in the kernel only lease and renew; leave out --kernel"
            );
        }
        Ok(())
    }
}

/// Checks that a network is private.
///
/// # Errors
/// The network is public, or overlaps a public one.
pub fn check_private(option: &str, network: Ipv4Net) -> Result<()> {
    let is_private = PRIVATE
        .iter()
        .filter_map(|private| private.parse::<Ipv4Net>().ok())
        .any(|private| private.contains(&network));
    if is_private {
        return Ok(());
    }
    bail!(
        "{option} {network}: it is public, or in more than one network; allowed are only {}",
        PRIVATE.join(", ")
    )
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn workload() -> Workload {
        Workload {
            exchange: Exchange::Leases,
            drive: Drive::Closed { in_flight: 4 },
            engine: Engine::User,
            clients: 100,
            shapes: 1,
            seed: 1,
            range: "10.1.0.0/16".parse().unwrap(),
            relay: None,
            vlans: Vec::new(),
            limits: Limits {
                exchanges: Some(100),
                time: None,
                per_second: None,
            },
            timing: Timing::RFC_2131,
            releases: 0.0,
            declines: 0.0,
            firmware: false,
            flood: 0.0,
        }
    }

    fn refused(change: impl FnOnce(&mut Workload)) -> String {
        let mut workload = workload();
        change(&mut workload);
        workload.check().unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_the_senders_is_refused() {
        workload().check().unwrap();
        for public in ["8.8.8.0/24", "10.0.0.0/7", "0.0.0.0/0", "172.0.0.0/8"] {
            let said = refused(|workload| workload.range = public.parse().unwrap());
            assert!(said.starts_with(&format!("--range {public}")), "{said}");
            assert!(said.contains("10.0.0.0/8"), "{said}");
        }
        for private in PRIVATE {
            check_private("--range", private.parse().unwrap()).unwrap();
        }
        let relay = Relay {
            address: Ipv4Addr::new(10, 1, 0, 2),
            server: Ipv4Addr::new(9, 9, 9, 9),
            server_mac: [2; 6],
            option_82: true,
            remote_id: String::new(),
        };
        let said = refused(|workload| workload.relay = Some(relay));
        assert!(said.starts_with("--server 9.9.9.9/32"), "{said}");
    }

    #[test]
    fn what_has_no_bounds_is_refused() {
        let said = refused(|workload| workload.limits.exchanges = None);
        assert!(said.contains("--exchanges") && said.contains("--for"));
        let said = refused(|workload| workload.drive = Drive::Open);
        assert!(said.contains("--rate"), "{said}");
        let said = refused(|workload| workload.limits.per_second = Some(f64::NAN));
        assert!(said.contains("--rate NaN"), "{said}");
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_is() {
        for (change, names) in [
            ((|w| w.clients = 0) as fn(&mut Workload), "--clients 0"),
            (|w| w.clients = 70_000, "--range 10.1.0.0/16 has only 65536"),
            (|w| w.shapes = 257, "1 to 256"),
            (
                |w| w.drive = Drive::Closed { in_flight: 101 },
                "--in-flight 101",
            ),
            (|w| w.vlans = vec![0], "--vlan 0"),
            (|w| w.vlans = vec![1, 2, 3], "one tag, or two"),
            (|w| w.releases = 1.5, "--releases 1.5"),
            (|w| w.timing.scale = 0.0, "--time-scale 0"),
            (|w| w.timing.attempts = 0, "--attempts 0"),
            (
                |w| {
                    w.engine = Engine::Kernel;
                    w.drive = Drive::Storm;
                },
                "leave out --kernel",
            ),
            (|w| w.flood = 1000.0, "--flood 1000"),
            (
                |w| {
                    w.engine = Engine::Kernel;
                    w.drive = Drive::Open;
                    w.limits.per_second = Some(5000.0);
                    w.flood = 1000.0;
                },
                "at least --rate",
            ),
            (
                |w| {
                    w.engine = Engine::Kernel;
                    w.limits.per_second = Some(5.0);
                },
                "--open has",
            ),
        ] {
            let said = refused(change);
            assert!(said.contains(names), "{said}");
        }
    }

    #[test]
    fn a_workload_is_what_was_written() {
        let mut workload = workload();
        workload.limits.time = Some(Duration::from_millis(1500));
        let json = serde_json::to_string(&workload).unwrap();
        assert_eq!(
            serde_json::from_str::<Workload>(&json).unwrap(),
            workload,
            "{json}"
        );
    }
}

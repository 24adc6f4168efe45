//! `cargo xtask load`: from the command line to a [`Workload`] and the place to run it.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use ipnet::Ipv4Net;
use xtask_lab::{Lab, command::is_root};

use super::{
    Drive, Engine, Exchange, Limits, Relay, Report, Timing, Workload,
    progress::Progress,
    site::{self, Placement, Site},
};
/// How long a workload runs in the lab by default.
const LAB_TIME: Duration = Duration::from_secs(5);
const CLIENTS: u32 = 10_000;
const IN_FLIGHT: u32 = 64;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Loads the server on this interface. Without it xdhcpd is loaded, in a lab of network
    /// namespaces.
    #[arg(long, requires = "range", requires = "rate")]
    pub iface: Option<String>,

    /// Addresses that clients may be given, such as 10.1.0.0/16. A server that offers others is not
    /// loaded.
    #[arg(long)]
    range: Option<Ipv4Net>,

    /// Maximum number of exchanges that begin in a second.
    #[arg(long)]
    rate: Option<f64>,

    /// Number of exchanges.
    #[arg(long)]
    exchanges: Option<u64>,

    /// Time during which exchanges begin, such as `10s`.
    #[arg(long = "for", value_parser = humantime::parse_duration)]
    time: Option<Duration>,

    /// Number of clients, which take turns.
    #[arg(long, default_value_t = CLIENTS)]
    clients: u32,

    /// Kinds of clients, which differ in the options that they send.
    #[arg(long, default_value_t = 1)]
    shapes: u16,

    /// Renews leases, which all clients obtain before, instead of obtaining new ones.
    #[arg(long)]
    renewals: bool,

    /// Closed loop: exchanges in flight. The next one begins when one ends.
    #[arg(long, default_value_t = IN_FLIGHT, conflicts_with_all = ["open", "storm"])]
    in_flight: u32,

    /// Open loop: exchanges begin at `--rate`, answered or not.
    #[arg(long, conflicts_with = "storm")]
    open: bool,

    /// All clients at once, each of them once, as after a power cut.
    #[arg(long)]
    storm: bool,

    /// Keeps the clients' state in the kernel, which is faster than any server; with `--open`, as
    /// fast as frames go.
    #[arg(long)]
    pub kernel: bool,

    /// In the lab: processor that receives what the generator sends.
    #[arg(long, value_enum, default_value_t, conflicts_with = "iface")]
    receiver: Placement,

    /// Sends as a relay agent with this address.
    #[arg(long, value_name = "ADDRESS")]
    relay: Option<Ipv4Addr>,

    /// The server's address, for `--relay` on an interface.
    #[arg(long, value_name = "ADDRESS", requires = "relay")]
    server: Option<Ipv4Addr>,

    /// The hardware address of the server or of the router towards it, for `--relay` on an
    /// interface.
    #[arg(long, value_name = "MAC", requires = "relay", value_parser = parse_mac)]
    server_mac: Option<[u8; 6]>,

    /// Relays without option 82.
    #[arg(long, requires = "relay")]
    no_option_82: bool,

    /// The remote-id of the relay agent in option 82.
    #[arg(long, default_value = "", requires = "relay")]
    remote_id: String,

    /// VLAN tags of all frames, outer tag first.
    #[arg(long, value_delimiter = ',')]
    vlan: Vec<u16>,

    /// Fraction of clients that release the lease which they have obtained or renewed, from 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    releases: f64,

    /// Fraction of new leases that are declined, from 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    declines: f64,

    /// Makes all clients boot firmware: they send option 97, and the kernel cannot replay answers
    /// to that.
    #[arg(long)]
    firmware: bool,

    /// In the lab, with `--kernel --open`: bogus DISCOVERs a second, each from a random hardware
    /// address.
    #[arg(long, default_value_t = 0.0, conflicts_with = "iface")]
    flood: f64,

    /// Factor for the retransmission times of RFC 2131.
    #[arg(long, default_value_t = Timing::RFC_2131.scale)]
    time_scale: f64,

    /// Maximum number of transmissions of each message.
    #[arg(long, default_value_t = Timing::RFC_2131.attempts)]
    attempts: u8,

    /// Seed of the clients' identities and of random choices.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Writes the report as JSON, and nothing else, to stdout.
    #[arg(long)]
    pub json: bool,

    /// Skips setup and build.
    #[arg(long)]
    pub no_build: bool,
}

fn parse_mac(text: &str) -> Result<[u8; 6], String> {
    let octets: Vec<u8> = text
        .split(':')
        .map(|octet| u8::from_str_radix(octet, 16))
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{error}; such as 02:00:00:00:00:01"))?;
    octets
        .try_into()
        .map_err(|_| "six octets, such as 02:00:00:00:00:01".to_owned())
}

impl Options {
    /// Returns the checked workload.
    ///
    /// # Errors
    /// As [`Workload::check`], or an option is missing that an interface requires.
    pub fn workload(&self) -> Result<Workload> {
        let is_lab = self.iface.is_none();
        let range = match (is_lab, self.range) {
            (true, None) => site::range()?,
            (false, Some(range)) => range,
            (false, None) => bail!("--iface requires --range, such as --range 10.1.0.0/16"),
            (true, Some(range)) => bail!(
                "--range {range} requires --iface, since the lab has its own range; nothing was \
                 sent"
            ),
        };
        ensure!(
            is_lab || self.rate.is_some(),
            "--iface requires --rate, the maximum number of exchanges that begin in a second"
        );
        // In the lab a storm ends by itself, and any other workload after a default time.
        let storm = (is_lab && self.storm).then(|| self.clients.into());
        let exchanges = self.exchanges.or(storm);
        let has_limits = exchanges.is_some() || self.time.is_some();
        let workload = Workload {
            exchange: if self.renewals {
                Exchange::Renewals
            } else {
                Exchange::Leases
            },
            drive: match (self.open, self.storm) {
                (true, _) => Drive::Open,
                (_, true) => Drive::Storm,
                _ => Drive::Closed {
                    in_flight: self.in_flight.min(self.clients),
                },
            },
            engine: if self.kernel {
                Engine::Kernel
            } else {
                Engine::User
            },
            clients: self.clients,
            shapes: self.shapes,
            seed: self.seed,
            range,
            relay: self.relay()?,
            vlans: self.vlan.clone(),
            limits: Limits {
                exchanges,
                time: self.time.or((is_lab && !has_limits).then_some(LAB_TIME)),
                per_second: self.rate,
            },
            timing: Timing {
                scale: self.time_scale,
                attempts: self.attempts,
            },
            releases: self.releases,
            declines: self.declines,
            firmware: self.firmware,
            flood: self.flood,
        };
        workload.check()?;
        Ok(workload)
    }

    fn relay(&self) -> Result<Option<Relay>> {
        let Some(address) = self.relay else {
            return Ok(None);
        };
        let (server, server_mac) = if self.iface.is_some() {
            (
                self.server
                    .context("--relay on an interface requires --server, the server's address")?,
                self.server_mac.context(
                    "--relay on an interface requires --server-mac, the hardware address of the \
                     server or the router",
                )?,
            )
        } else {
            ensure!(
                address == site::AGENT,
                "--relay {address}: in the lab the relay agent is {}",
                site::AGENT
            );
            // Set once the lab exists.
            let relay = site::relay([0; 6]);
            (relay.server, relay.server_mac)
        };
        Ok(Some(Relay {
            address,
            server,
            server_mac,
            option_82: !self.no_option_82,
            remote_id: self.remote_id.clone(),
        }))
    }
}

/// Runs the workload, on the interface or in the lab, and prints the report. Everything must have
/// been built.
///
/// # Errors
/// The options are invalid, there is no server, or the kernel refused.
pub fn run(options: &Options) -> Result<()> {
    let workload = options.workload()?;
    ensure!(
        is_root(),
        "packet sockets, namespaces and XDP require root: run this as root, or without --no-build"
    );
    let mut progress = Progress::new();
    let report = match &options.iface {
        Some(interface) => super::play(&workload, interface, &mut progress)?,
        None => in_lab(workload, options.receiver, &mut progress)?,
    };
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}

fn in_lab(mut workload: Workload, placement: Placement, progress: &mut Progress) -> Result<Report> {
    let mut report = None;
    Lab::run(|lab| {
        let site = Site::new(lab)?;
        let mut server = site.start(lab, workload.clients, &workload.vlans)?;
        if let Some(relay) = &mut workload.relay {
            relay.server_mac = site.server_mac;
        }
        let before = server.stats()?;
        report = Some(site.play(&workload, placement, progress)?);
        let counted = server.stats()?.since(&before);
        eprintln!(
            "load: the server's program answered {} requests and passed {} on: {counted}",
            counted.answered(),
            counted.slow()
        );
        server.stop()
    })?;
    report.context("nothing was run")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    /// Returns the error message for a command line that is refused.
    fn refused(arguments: &str) -> String {
        let arguments = ["load"].into_iter().chain(arguments.split_whitespace());
        match Cli::try_parse_from(arguments) {
            Err(error) => error.to_string(),
            Ok(cli) => match cli.options.workload() {
                Err(error) => error.to_string(),
                Ok(workload) => panic!("{workload:?} is accepted"),
            },
        }
    }

    fn accepted(arguments: &str) -> Workload {
        let arguments = ["load"].into_iter().chain(arguments.split_whitespace());
        Cli::parse_from(arguments).options.workload().unwrap()
    }

    #[test]
    fn an_interface_is_loaded_only_with_a_range_a_rate_and_an_end() {
        let said = refused("--iface eth1");
        assert!(
            said.contains("--range") && said.contains("--rate"),
            "{said}"
        );
        let said = refused("--iface eth1 --range 10.1.0.0/16");
        assert!(said.contains("--rate"), "{said}");
        let said = refused("--iface eth1 --rate 100");
        assert!(said.contains("--range"), "{said}");
        let said = refused("--iface eth1 --range 10.1.0.0/16 --rate 100");
        assert!(
            said.contains("--exchanges") && said.contains("--for"),
            "{said}"
        );
        let said = refused("--range 10.1.0.0/16");
        assert!(said.contains("--iface"), "{said}");
        let said = refused("--iface eth1 --range 1.0.0.0/16 --rate 100 --for 1s");
        assert!(
            said.starts_with("--range 1.0.0.0/16: it is public"),
            "{said}"
        );
        let workload = accepted("--iface eth1 --range 10.1.0.0/16 --rate 100 --for 1s");
        assert_eq!(workload.limits.per_second, Some(100.0));
        assert_eq!(workload.limits.time, Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_relay_agent_needs_a_server_to_relay_to() {
        let on = "--iface eth1 --range 10.1.0.0/16 --rate 100 --for 1s --relay 10.1.0.2";
        let said = refused(on);
        assert!(said.contains("--server"), "{said}");
        let said = refused(&format!("{on} --server 10.1.0.1"));
        assert!(said.contains("--server-mac"), "{said}");
        let said = refused(&format!("{on} --server 10.1.0.1 --server-mac 02:00"));
        assert!(said.contains("six octets"), "{said}");
        let relay = accepted(&format!(
            "{on} --server 10.1.0.1 --server-mac 02:00:00:00:00:0a --remote-id x"
        ));
        let relay = relay.relay.unwrap();
        assert_eq!(relay.server_mac, [2, 0, 0, 0, 0, 10]);
        assert!(relay.option_82);
        let said = refused("--relay 10.1.0.2");
        assert!(said.contains("in the lab the relay agent is"), "{said}");
    }

    #[test]
    fn the_lab_has_an_end_of_its_own() {
        let workload = accepted("");
        assert_eq!(workload.limits.time, Some(LAB_TIME));
        assert_eq!(workload.drive, Drive::Closed { in_flight: 64 });
        assert_eq!(accepted("--exchanges 5").limits.time, None);
        let storm = accepted("--storm --clients 70");
        assert_eq!(storm.drive, Drive::Storm);
        assert_eq!(
            (storm.limits.exchanges, storm.limits.time),
            (Some(70), None)
        );
        let said = refused("--open");
        assert!(said.contains("--rate"), "{said}");
        assert!(refused("--open --storm").contains("cannot be used with"));
    }
}

//! Ten thousand clients of fifty makes, and the kernel's answers to them after their first lease.

use std::{collections::BTreeMap, net::Ipv4Addr, time::Instant};

use dhcp_common::{
    outcome::Action,
    wire::{message_type, option},
};
use dhcp_config::{Config, Pool};
use dhcp_model::LeaseTimes;
use dhcp_store::wall_clock::boottime;
use dhcp_testkit::agreement::{networks, sides::Sides};
use dhcp_testkit::fixtures::{
    fleet::mac,
    program::{Program, XDP_TX},
    request::RequestFrame,
    world::{RELAY, RELAY_MAC, SERVER, SERVER_MAC},
};

use crate::{
    program,
    shapes::{FIRMWARE, SHAPES, Shape},
};

const CLIENTS: u32 = 10_000;
const LEASE_SECS: u32 = 3600;
/// Share of the requests of clients that have had a lease.
const LEAST_SHARE: f64 = 0.999;

/// The requests of a client, in the order in which it sends them.
const KINDS: [&str; 5] = [
    "DISCOVER",
    "SELECTING",
    "INIT-REBOOT",
    "RENEWING",
    "REBINDING",
];

/// Octets of an answer's longest option: fewer than let options 57 and 82 decide what fits.
const LONGEST: usize = 60;

/// Returns networks with room for all clients. No class is refused, and no address is withheld from
/// clients that can do without IPv4, because only the controller answers their DISCOVERs.
fn config() -> Config {
    let mut config = networks::config();
    config.server.max_leases = 2 * CLIENTS;
    config.classes.retain(|class| !class.refuse);
    for network in &mut config.networks {
        for subnet in &mut network.subnets {
            subnet.lease = LeaseTimes {
                lease_secs: LEASE_SECS,
                renewal_secs: LEASE_SECS / 2,
                rebinding_secs: LEASE_SECS / 8 * 7,
                range: Some([LEASE_SECS / 4, LEASE_SECS * 2]),
                ..subnet.lease
            };
            subnet.ipv6_mostly = false;
            for option in &mut subnet.options {
                option.data.truncate(LONGEST);
            }
            if subnet.prefix.contains(&SERVER) {
                subnet.prefix = "10.0.0.0/17".parse().unwrap();
                let [first, last] = [[10, 0, 32, 0], [10, 0, 127, 254]].map(Ipv4Addr::from);
                subnet.pools = vec![Pool::new(first, last)];
            } else if subnet.prefix.contains(&RELAY) {
                let [first, last] = [[10, 9, 32, 0], [10, 9, 255, 254]].map(Ipv4Addr::from);
                subnet.pools = vec![Pool::new(first, last)];
            }
        }
    }
    config
}

/// Where a client is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attachment {
    /// Behind a relay agent that reports the port, and that renewals bypass.
    Relayed,
    /// On a link whose switch reports the port.
    Switched,
    Direct,
}

#[derive(Clone, Debug)]
struct Client {
    mac: [u8; 6],
    shape: Shape,
    attachment: Attachment,
    address: Ipv4Addr,
}

impl Client {
    fn new(n: u32, shape: Shape) -> Self {
        Self {
            mac: mac(n),
            shape,
            // Each round of shapes gets another round of attachments.
            attachment: match n / SHAPES.len() as u32 % 5 {
                0..=2 => Attachment::Relayed,
                3 => Attachment::Switched,
                _ => Attachment::Direct,
            },
            address: Ipv4Addr::UNSPECIFIED,
        }
    }

    fn frame(&self, kind: &str) -> Vec<u8> {
        let message = match kind {
            "DISCOVER" => message_type::DISCOVER,
            _ => message_type::REQUEST,
        };
        let mut request = RequestFrame::new(self.mac, message);
        if kind == "SELECTING" {
            request = request.address_option(option::SERVER_ID, SERVER);
        }
        if matches!(kind, "SELECTING" | "INIT-REBOOT") {
            request = request.address_option(option::REQUESTED_ADDRESS, self.address);
        }
        let is_unicast = kind == "RENEWING";
        if matches!(kind, "RENEWING" | "REBINDING") {
            (request.ciaddr, request.source) = (self.address, self.address);
        }
        request = self.shape.dress(request, self.mac);
        let [.., a, b] = self.mac;
        let port = [&[1, 6, 0, 4, 0, 7, a, b, 2, 8, 0, 6][..], &RELAY_MAC].concat();
        match self.attachment {
            Attachment::Relayed if !is_unicast => request
                .option(option::RELAY_INFO, &port)
                .relayed(RELAY, RELAY_MAC, (SERVER_MAC, SERVER)),
            Attachment::Switched => request.option(option::RELAY_INFO, &port).with(|r| {
                r.tags = vec![[0x8100, 100]];
            }),
            _ => request,
        }
        .with(|r| {
            if is_unicast {
                (r.destination_mac, r.destination) = (SERVER_MAC, SERVER);
            }
        })
        .frame()
    }

    /// Gives the client its first lease, from the controller.
    fn lease(&mut self, sides: &mut Sides) {
        for (kind, expected) in [
            ("DISCOVER", message_type::OFFER),
            ("SELECTING", message_type::ACK),
        ] {
            let mut answers = sides.answers_to(&self.frame(kind));
            assert_eq!(answers.len(), 1, "to the {kind} of {self:?}");
            let reply = answers.remove(0);
            let at = 14
                + 28
                + if self.attachment == Attachment::Switched {
                    4
                } else {
                    0
                };
            assert_eq!(reply[at + 242], expected, "{self:?}");
            self.address = Ipv4Addr::from(<[u8; 4]>::try_from(&reply[at + 16..at + 20]).unwrap());
        }
    }
}

/// Runs the program continuously: requests that it does not answer go to the controller, whose new
/// entries and templates are there for the next frame.
struct Kernel {
    program: Program,
    sides: Sides,
    answered: u32,
    handed_on: BTreeMap<(&'static str, &'static str), u32>,
}

impl Kernel {
    fn ask(&mut self, client: &Client, kind: &'static str) {
        let frame = client.frame(kind);
        if self.program.verdict(&frame).unwrap().0 == XDP_TX {
            self.answered += 1;
            return;
        }
        *self.handed_on.entry((client.shape.who, kind)).or_default() += 1;
        let templates = self.sides.tables.templates.len();
        assert_eq!(self.sides.answers_to(&frame).len(), 1, "{client:?} {kind}");
        if self.sides.tables.templates.len() != templates {
            self.program.install_templates(&self.sides.tables).unwrap();
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn c033_c119_of_a_mixed_fleet_the_kernel_answers_all_but_one_in_a_thousand() {
    let begun = Instant::now();
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|n| Client::new(n, SHAPES[n as usize % SHAPES.len()]))
        .collect();
    let mut sides = Sides::new(&config(), boottime());
    for client in &mut clients {
        client.lease(&mut sides);
    }
    let mut program = program(2 * CLIENTS);
    program.install(&sides.tables).unwrap();
    let mut kernel = Kernel {
        program,
        sides,
        answered: 0,
        handed_on: BTreeMap::new(),
    };
    for kind in KINDS {
        for client in &clients {
            kernel.ask(client, kind);
        }
    }
    let asked = CLIENTS * KINDS.len() as u32;
    let share = f64::from(kernel.answered) / f64::from(asked);
    println!(
        "{asked} requests of {CLIENTS} clients of {} makes: the kernel answered {:.3} %, \
         with {} templates, in {:?}",
        SHAPES.len(),
        share * 100.0,
        kernel.sides.tables.templates.len(),
        begun.elapsed(),
    );
    assert!(share >= LEAST_SHARE, "{:?}", kernel.handed_on);
}

/// An answer that contains its machine's id is useless for any other, so no template is made of it.
#[test]
fn c101_firmware_that_names_its_machine_is_the_controllers_to_answer() {
    let mut sides = Sides::new(&config(), boottime());
    let mut client = Client::new(0, FIRMWARE);
    client.lease(&mut sides);
    for kind in KINDS {
        let (outcome, _) = sides.host(&client.frame(kind));
        assert_eq!(outcome.action(), Action::Slow, "{kind}");
        assert_eq!(outcome.label(), "no_template", "{kind}");
    }
}

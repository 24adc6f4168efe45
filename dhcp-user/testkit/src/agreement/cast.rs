//! Clients in every state, and the controller that brought them there.

use std::{net::Ipv4Addr, thread};

use dhcp_common::{
    abi,
    wire::{message_type, option},
};
use dhcp_config::Config;
use dhcp_engine::{Command, CommandOutcome};
use dhcp_model::Nanos;
use dhcp_store::wall_clock::boottime;

use super::{
    networks::{
        KNOWN_EVERYWHERE, LEASE_SECS, OF_DUID, PRINTER, RESERVED, THIRD, config, ports,
        reserved_port,
    },
    sides::{Sides, Snapshot},
};
use crate::fixtures::{
    request::RequestFrame,
    strategies::{Actor, Cast},
    world::{OTHER_SERVER, RELAY, RELAY_MAC, SECOND, SERVER, SERVER_MAC, mac},
};

const UNKNOWN_RELAY: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 1);

/// The past of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    Bound,
    /// The kernel has extended its lease, and the controller has not read the grant.
    Renewed,
    /// The kernel has granted everything that is durable.
    AtHorizon,
    /// Its lease has expired, and the controller has not handled that yet.
    Expired,
    Offered,
    Revoked,
    Deleted,
    Released,
    Declined,
    Unknown,
}

const PASTS: [Past; 10] = [
    Past::Bound,
    Past::Renewed,
    Past::AtHorizon,
    Past::Expired,
    Past::Offered,
    Past::Revoked,
    Past::Deleted,
    Past::Released,
    Past::Declined,
    Past::Unknown,
];

/// Returns a client that is to be bound, with the options that it sends.
pub fn actor(
    n: u8,
    client_id: Option<Vec<u8>>,
    giaddr: Option<Ipv4Addr>,
    tag: Option<u16>,
) -> Actor {
    Actor {
        mac: mac(n),
        client_id,
        address: Ipv4Addr::UNSPECIFIED,
        tags: tag.map(|id| [0x8100, id]).into_iter().collect(),
        giaddr,
        relay_info: None,
        server: if tag == Some(300) { THIRD } else { SERVER },
    }
}

fn sent(actor: &Actor, kind: u8) -> RequestFrame {
    let mut request = RequestFrame::new(actor.mac, kind);
    request.tags.clone_from(&actor.tags);
    if let Some(id) = &actor.client_id {
        request = request.option(option::CLIENT_ID, id);
    }
    if let Some(relay_info) = &actor.relay_info {
        request = request.option(option::RELAY_INFO, relay_info);
    }
    match actor.giaddr {
        Some(giaddr) => request.relayed(giaddr, RELAY_MAC, (SERVER_MAC, actor.server)),
        None => request,
    }
}

pub fn discover(actor: &Actor) -> RequestFrame {
    sent(actor, message_type::DISCOVER)
}

/// Returns a broadcast REQUEST in SELECTING.
pub fn selecting(actor: &Actor) -> RequestFrame {
    sent(actor, message_type::REQUEST)
        .address_option(option::REQUESTED_ADDRESS, actor.address)
        .address_option(option::SERVER_ID, actor.server)
}

pub fn rebooting(actor: &Actor) -> RequestFrame {
    sent(actor, message_type::REQUEST).address_option(option::REQUESTED_ADDRESS, actor.address)
}

/// Returns a unicast REQUEST, which bypasses any relay agent.
pub fn renewing(actor: &Actor) -> RequestFrame {
    let direct = Actor {
        giaddr: None,
        relay_info: None,
        ..actor.clone()
    };
    sent(&direct, message_type::REQUEST).with(|r| {
        r.ciaddr = actor.address;
        r.source = actor.address;
        (r.destination_mac, r.destination) = (SERVER_MAC, actor.server);
    })
}

pub fn release(actor: &Actor) -> RequestFrame {
    let mut release = renewing(actor);
    release.options[0].1 = vec![message_type::RELEASE];
    release.address_option(option::SERVER_ID, actor.server)
}

/// Returns `yiaddr` of a reply to an actor.
pub fn yiaddr(actor: &Actor, reply: &[u8]) -> Ipv4Addr {
    let at = 14 + 4 * actor.tags.len() + 20 + 8 + 16;
    Ipv4Addr::from(<[u8; 4]>::try_from(&reply[at..at + 4]).unwrap())
}

/// Returns the message type of a reply to an actor.
pub fn kind(actor: &Actor, reply: &[u8]) -> u8 {
    reply[14 + 4 * actor.tags.len() + 20 + 8 + 240 + 2]
}

impl Sides {
    /// Sends a request of an actor and returns the only reply.
    pub fn one_answer(&mut self, request: &RequestFrame) -> Vec<u8> {
        let mut answers = self.answers_to(&request.frame());
        assert_eq!(answers.len(), 1, "one answer to {request:?}");
        answers.remove(0)
    }

    /// Sends a DISCOVER and records the address that is offered.
    pub fn offer(&mut self, actor: &mut Actor) {
        let reply = self.one_answer(&discover(actor));
        assert_eq!(kind(actor, &reply), message_type::OFFER);
        actor.address = yiaddr(actor, &reply);
    }

    /// Leases an address: DISCOVER, OFFER, REQUEST, ACK.
    pub fn lease(&mut self, actor: &mut Actor) {
        self.offer(actor);
        let reply = self.one_answer(&selecting(actor));
        assert_eq!(kind(actor, &reply), message_type::ACK);
    }
}

/// Returns a client on the direct link that has only a hardware address.
pub fn stranger(n: u8) -> Actor {
    actor(n, None, None, None)
}

/// How long before `now` these tests begin, in hundredths of a lease.
const PAST: u32 = 250;

/// Returns the present time, and waits until it is at least `PAST` after the boot.
pub fn now() -> Nanos {
    let least = Nanos(0).plus_lease(LEASE_SECS * PAST / 100 + 1);
    thread::sleep(least.since(boottime()));
    boottime()
}

/// Returns the time `hundredths` of a lease before `now`.
pub fn ago(now: Nanos, hundredths: u32) -> Nanos {
    let secs = u64::from(LEASE_SECS) * u64::from(hundredths) / 100;
    Nanos(now.0 - secs * abi::NS_PER_SEC)
}

/// All clients and the state around them, produced by the inputs of a controller before `now`.
pub struct World {
    pub config: Config,
    pub actors: Vec<(Past, Actor)>,
    snapshot: Snapshot,
    /// Bound clients, one for each profile. Their requests publish the templates from which the
    /// kernel answers the others.
    pub pioneers: Vec<Actor>,
}

impl World {
    pub fn new(now: Nanos) -> Self {
        let config = config();
        let mut sides = Sides::new(&config, ago(now, PAST));
        let mut actors = everybody();
        let mut pioneers = [
            actor(210, None, None, None),
            actor(211, None, Some(RELAY), None),
            actor(212, None, None, Some(300)),
        ];
        for pioneer in &mut pioneers {
            sides.lease(pioneer);
        }
        let bind = |sides: &mut Sides, actors: &mut Vec<(Past, Actor)>, past| {
            for (_, actor) in actors.iter_mut().filter(|(other, _)| *other == past) {
                sides.lease(actor);
            }
        };
        // The kernel acknowledges on its own.
        let renew = |sides: &Sides, actors: &[(Past, Actor)], past| {
            for (_, actor) in actors.iter().filter(|(other, _)| *other == past) {
                let (outcome, _) = sides.host(&renewing(actor).frame());
                assert_eq!(outcome.label(), "acked_renewing", "{actor:?}");
            }
        };
        sides.sleep_to(ago(now, PAST));
        bind(&mut sides, &mut actors, Past::AtHorizon);
        sides.sleep_to(ago(now, 167));
        renew(&sides, &actors, Past::AtHorizon);
        bind(&mut sides, &mut actors, Past::Renewed);
        sides.sleep_to(ago(now, 117));
        bind(&mut sides, &mut actors, Past::Expired);
        sides.sleep_to(ago(now, 75));
        renew(&sides, &actors, Past::AtHorizon);
        renew(&sides, &actors, Past::Renewed);
        sides.sleep_to(ago(now, 50));
        for past in [
            Past::Bound,
            Past::Revoked,
            Past::Deleted,
            Past::Released,
            Past::Declined,
        ] {
            bind(&mut sides, &mut actors, past);
        }
        for pioneer in &pioneers {
            sides.one_answer(&renewing(pioneer));
        }
        for (past, actor) in &actors {
            let done = match past {
                Past::Revoked => sides.command(Command::Revoke(actor.address)),
                Past::Deleted => sides.command(Command::Delete(actor.address)),
                Past::Released => {
                    assert!(sides.answers_to(&release(actor).frame()).is_empty());
                    CommandOutcome::Done
                }
                Past::Declined => {
                    let decline = selecting(actor).with(|r| {
                        r.options[0].1 = vec![message_type::DECLINE];
                    });
                    assert!(sides.answers_to(&decline.frame()).is_empty());
                    CommandOutcome::Done
                }
                _ => CommandOutcome::Done,
            };
            assert_eq!(done, CommandOutcome::Done, "{past:?}");
        }
        sides.sleep_to(now);
        let printer = actors
            .iter()
            .find(|(_, actor)| actor.mac == mac(PRINTER))
            .map(|(_, actor)| actor.clone())
            .unwrap();
        let mut world = Self {
            config,
            snapshot: sides.snapshot(),
            pioneers: pioneers.into_iter().chain([printer]).collect(),
            actors,
        };
        let mut actors = std::mem::take(&mut world.actors);
        let mut sides = Sides::restore(&world.config, &world.snapshot, now);
        for (_, actor) in actors.iter_mut().filter(|(past, _)| *past == Past::Offered) {
            sides.offer(actor);
        }
        let unknown = actors.iter_mut().filter(|(past, _)| *past == Past::Unknown);
        for ((_, actor), last) in unknown.zip(190..) {
            actor.address = Ipv4Addr::new(10, 0, 0, last);
        }
        world.actors = actors;
        world
    }

    /// Returns a controller with this state, at a time. Offers are not stored, so they are made
    /// again.
    pub fn sides(&self, now: Nanos) -> Sides {
        let mut sides = Sides::restore(&self.config, &self.snapshot, now);
        for (past, actor) in &self.actors {
            if *past == Past::Offered {
                let offer = sides.one_answer(&discover(actor));
                assert_eq!(yiaddr(actor, &offer), actor.address);
            }
        }
        sides.commits = 0;
        sides
    }

    pub fn of(&self, past: Past) -> impl Iterator<Item = &Actor> {
        self.actors
            .iter()
            .filter(move |(other, _)| *other == past)
            .map(|(_, actor)| actor)
    }

    /// Returns the cast for generated requests, weighted by frequency.
    pub fn cast(&self) -> Cast {
        let theirs = self.actors.iter().map(|(_, actor)| actor.address);
        let others = [
            Ipv4Addr::UNSPECIFIED,
            Ipv4Addr::new(10, 0, 0, 189),
            Ipv4Addr::new(10, 0, 0, 250),
            Ipv4Addr::new(10, 9, 1, 90),
            Ipv4Addr::new(192, 168, 1, 1),
            Ipv4Addr::BROADCAST,
        ];
        // Clients that the kernel answers send more, because answers give more to compare.
        let often = |past| match past {
            Past::Bound => 4,
            Past::Renewed | Past::AtHorizon | Past::Offered | Past::Revoked => 3,
            _ => 1,
        };
        Cast {
            actors: self
                .actors
                .iter()
                .flat_map(|(past, actor)| std::iter::repeat_n(actor.clone(), often(*past)))
                .collect(),
            server_mac: SERVER_MAC,
            servers: vec![SERVER, SECOND, THIRD, OTHER_SERVER],
            relays: vec![
                Ipv4Addr::UNSPECIFIED,
                RELAY,
                Ipv4Addr::new(10, 9, 7, 7),
                SERVER,
                UNKNOWN_RELAY,
            ],
            tags: vec![
                vec![],
                vec![[0x8100, 0]],
                vec![[0x8100, 0]],
                vec![[0x8100, 100]],
                vec![[0x88a8, 100], [0x8100, 200]],
                vec![[0x8100, 100], [0x8100, 200]],
                vec![[0x8100, 300]],
                vec![[0x8100, 301]],
                vec![[0x8100, 1], [0x8100, 2], [0x8100, 3]],
            ],
            addresses: theirs.chain(others).collect(),
            ports: ports().into(),
        }
    }
}

/// Returns clients with every past, with and without client identifier, direct, tagged and relayed.
fn everybody() -> Vec<(Past, Actor)> {
    let mut n = 0;
    let mut actors = Vec::new();
    for past in PASTS {
        for (giaddr, tag) in [(None, None), (None, Some(100)), (Some(RELAY), None)] {
            for id_len in [None, Some(7), Some(19)] {
                n += 1;
                let id = id_len.map(|len| (0..len).map(|i| n ^ u8::wrapping_mul(i, 37)).collect());
                actors.push((past, actor(n, id, giaddr, tag)));
            }
        }
    }
    actors.extend([
        (Past::Bound, actor(PRINTER, None, None, None)),
        (Past::Bound, actor(RESERVED, None, None, Some(100))),
        (Past::Bound, actor(202, None, None, Some(300))),
        // On a network that ignores option 61.
        (Past::Bound, actor(204, Some(vec![9; 7]), None, Some(300))),
        (Past::Bound, actor(205, Some(vec![9; 7]), None, Some(300))),
        (Past::Bound, actor(206, Some(vec![9; 41]), None, Some(300))),
        (Past::Bound, actor(203, Some(vec![1; 40]), None, None)),
        (Past::Bound, actor(207, Some(OF_DUID.to_vec()), None, None)),
        (
            Past::Bound,
            actor(208, Some(KNOWN_EVERYWHERE.to_vec()), None, None),
        ),
        (
            Past::Bound,
            actor(209, Some(KNOWN_EVERYWHERE.to_vec()), Some(RELAY), None),
        ),
    ]);
    // At ports that select a class, that have a reserved address, or that have neither.
    let at = |n, port, giaddr, tag| Actor {
        relay_info: Some(port),
        ..actor(n, Some(vec![n; 7]), giaddr, tag)
    };
    for (n, port) in (220..).zip(ports()) {
        actors.extend([
            (Past::Bound, at(n, port.clone(), Some(RELAY), None)),
            (Past::Bound, at(n + 10, port.clone(), None, Some(100))),
        ]);
        if port != reserved_port() {
            actors.extend([
                (Past::Offered, at(n + 20, port.clone(), Some(RELAY), None)),
                (Past::Revoked, at(n + 30, port, None, Some(100))),
            ]);
        }
    }
    actors
}

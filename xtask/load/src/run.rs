//! Runs a workload with clients in user space: receives and sends frames, and begins exchanges.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use dhcp_common::wire::message_type;
use xtask_load_abi::{ASKS, Ask, FRAME_LEN, Template};

use super::{
    Drive, Exchange, Workload,
    answer::{self, Frame},
    arp,
    fleet::Fleet,
    population::Population,
    progress::Progress,
    report::Report,
    shape::{self, Shape},
    template::{self, Relay, Route, Server},
};

/// Sends and receives frames.
pub trait Transport {
    /// Passes received frames to `each`, a batch at most, and returns how many there were.
    ///
    /// # Errors
    /// The interface is gone.
    fn receive(&mut self, each: &mut dyn FnMut(Frame<'_>)) -> Result<usize>;

    /// Has `write` fill in a frame and return its length. The frame is sent with the next
    /// [`Self::flush`] or before. Returns `false` if it could not be written.
    ///
    /// # Errors
    /// The interface is gone.
    fn send(&mut self, write: &mut dyn FnMut(&mut [u8]) -> Option<usize>) -> Result<bool>;

    /// Sends all frames that were written.
    ///
    /// # Errors
    /// The interface is gone.
    fn flush(&mut self) -> Result<()>;

    /// Waits until a frame arrives, for a limited time.
    ///
    /// # Errors
    /// The interface is gone.
    fn wait(&mut self, most: Duration) -> Result<()>;

    /// Returns a monotonic time in nanoseconds.
    fn now_ns(&mut self) -> u64;

    /// Returns the hardware address of the interface.
    fn mac(&self) -> [u8; 6];

    /// Returns the number of frames received and lost since the last call.
    ///
    /// # Errors
    /// The kernel does not report it.
    fn missed(&mut self) -> Result<u64>;
}

/// Time until the first DISCOVER is answered, and its number of transmissions.
const INTRODUCTION: Duration = Duration::from_secs(2);
const INTRODUCTIONS: u32 = 3;
/// How long to wait for the last answers when the time is over.
const GRACE_NS: u64 = 1_000_000_000;
/// The longest sleep, and so the longest delay of an event.
const TICK: Duration = Duration::from_millis(1);
/// Exchanges in flight while leases for renewals are obtained.
const PREPARING: u32 = 64;
/// Minimum age of leases when they are renewed: a server that keeps time in seconds has nothing to
/// record for a renewal within the same second.
const PAUSE: Duration = Duration::from_millis(1100);
/// Exchanges that begin before answers are read again.
const BATCH: u32 = 64;

/// A server that has been found, and the frames for it.
#[derive(Debug)]
pub struct Acquaintance {
    pub server: Server,
    pub route: Route,
    /// Templates of each shape.
    pub templates: Vec<[Template; ASKS]>,
    /// The DISCOVER of a flood.
    pub bogus: Template,
    pub population: Population,
}

impl Acquaintance {
    /// Sends a DISCOVER of the first client. The server that answers it is used, if its address and
    /// its offer are in the range.
    ///
    /// # Errors
    /// No server answers, or another one.
    pub fn make<P: Transport>(workload: &Workload, transport: &mut P) -> Result<Self> {
        let population = Population::new(workload.clients, workload.seed);
        let shapes = shape::of(workload);
        let mut route = route(workload, transport);
        let first = first_shape(&shapes, &population)?;
        let [discover, ..] = template::templates(first, &route, population.tag)?;
        let mut found = None;
        for _ in 0..INTRODUCTIONS {
            transport.send(&mut |frame| {
                template::fill(&discover, population.own(0, population.xid(0, 0), 0), frame)
            })?;
            transport.flush()?;
            let until = transport.now_ns() + INTRODUCTION.as_nanos() as u64;
            while found.is_none() && transport.now_ns() < until {
                transport.wait(TICK)?;
                transport.receive(&mut |frame| {
                    if let Ok(answer) = answer::read(frame)
                        && answer.kind == message_type::OFFER
                        && answer.xid == population.xid(0, 0)
                        && answer.chaddr == population.mac(0)
                    {
                        found.get_or_insert(answer);
                    }
                })?;
            }
            if found.is_some() {
                break;
            }
        }
        let offer = found.with_context(|| {
            format!(
                "no server answered {INTRODUCTIONS} DISCOVERs within {INTRODUCTION:?} each; nothing more was sent"
            )
        })?;
        ensure!(
            workload.range.contains(&offer.address),
            "a server at {} offers {}, which is not in --range {}: it is not the intended one, \
             and nothing more was sent",
            offer.source,
            offer.address,
            workload.range
        );
        let identifier = offer.server.context("the OFFER has no option 54")?;
        super::workload::check_private("the server's option 54", identifier.into())?;
        route.server = Server {
            identifier,
            address: if workload.relay.is_some() {
                route.server.address
            } else {
                identifier
            },
            mac: if workload.relay.is_some() {
                route.server.mac
            } else {
                offer.source_mac
            },
        };
        Self::of(route, &shapes, population)
    }

    /// Returns the frames for a known server on the link, without asking it.
    ///
    /// # Errors
    /// A frame is too long.
    pub fn with(workload: &Workload, server: Server) -> Result<Self> {
        let population = Population::new(workload.clients, workload.seed);
        let shapes = shape::of(workload);
        let route = Route {
            vlans: workload.vlans.clone(),
            relay: None,
            server,
        };
        Self::of(route, &shapes, population)
    }

    fn of(route: Route, shapes: &[Shape], population: Population) -> Result<Self> {
        let templates = shapes
            .iter()
            .map(|shape| template::templates(shape, &route, population.tag));
        let first = first_shape(shapes, &population)?;
        let [bogus, ..] = template::templates(first, &route, population.bogus_tag())?;
        Ok(Self {
            server: route.server,
            templates: templates.collect::<Result<_>>()?,
            bogus,
            route,
            population,
        })
    }

    /// Returns the template of a client's message.
    pub fn template(&self, index: u32, ask: Ask) -> Option<&Template> {
        let shape = self.population.shape(index, self.templates.len());
        self.templates.get(shape)?.get(ask as usize)
    }
}

fn first_shape<'a>(shapes: &'a [Shape], population: &Population) -> Result<&'a Shape> {
    let shape = shapes.get(population.shape(0, shapes.len()));
    shape.context("there are no shapes of clients")
}

fn route<P: Transport>(workload: &Workload, transport: &P) -> Route {
    // Nothing is sent to these addresses before they are known.
    let mut server = Server {
        mac: dhcp_common::wire::MAC_BROADCAST,
        address: Ipv4Addr::BROADCAST,
        identifier: Ipv4Addr::BROADCAST,
    };
    if let Some(relay) = &workload.relay {
        server.mac = relay.server_mac;
        server.address = relay.server;
    }
    Route {
        vlans: workload.vlans.clone(),
        relay: workload.relay.as_ref().map(|relay| Relay {
            address: relay.address,
            mac: transport.mac(),
            remote_id: relay.remote_id.clone(),
            option_82: relay.option_82,
        }),
        server,
    }
}

/// A workload in progress.
#[derive(Debug)]
pub struct Run<'a, P> {
    workload: &'a Workload,
    transport: &'a mut P,
    acquaintance: Acquaintance,
    fleet: Fleet,
    /// The next client.
    next: u32,
}

/// The times at which exchanges begin, and the end of the run.
#[derive(Clone, Copy, Debug)]
struct Pace {
    exchange: Exchange,
    in_flight: u32,
    exchanges: u64,
    time_ns: u64,
    per_second: Option<f64>,
}

impl<'a, P: Transport> Run<'a, P> {
    /// Finds the server.
    ///
    /// # Errors
    /// The workload is invalid, or there is no server.
    pub fn new(workload: &'a Workload, transport: &'a mut P) -> Result<Self> {
        workload.check()?;
        let acquaintance = Acquaintance::make(workload, transport)?;
        let now_ns = transport.now_ns();
        let fleet = Fleet::new(workload, acquaintance.server.identifier, now_ns);
        Ok(Self {
            workload,
            transport,
            acquaintance,
            fleet,
            next: 0,
        })
    }

    /// Obtains leases for all clients that renew, and then runs the workload.
    ///
    /// # Errors
    /// The interface is gone, or clients that should renew obtained no leases.
    pub fn play(&mut self, progress: &mut Progress) -> Result<Report> {
        if self.workload.exchange == Exchange::Renewals {
            self.prepare(progress)?;
        }
        self.play_prepared(progress)
    }

    /// Runs the workload with the leases of [`Self::prepare`].
    ///
    /// # Errors
    /// The interface is gone.
    pub fn play_prepared(&mut self, progress: &mut Progress) -> Result<Report> {
        let clients = self.workload.clients;
        let limits = self.workload.limits;
        let (in_flight, exchanges) = match self.workload.drive {
            Drive::Closed { in_flight } => (in_flight, u64::MAX),
            Drive::Open => (clients, u64::MAX),
            Drive::Storm => (clients, clients.into()),
        };
        let seconds = self.pace(
            Pace {
                exchange: self.workload.exchange,
                in_flight,
                exchanges: exchanges.min(limits.exchanges.unwrap_or(u64::MAX)),
                time_ns: limits.time.map_or(u64::MAX, |time| {
                    time.as_nanos().try_into().unwrap_or(u64::MAX)
                }),
                per_second: limits.per_second,
            },
            progress,
        )?;
        Ok(Report::new(
            self.workload,
            self.acquaintance.server.identifier,
            seconds,
            self.fleet.counts,
            self.fleet.histograms.latencies(),
            self.fleet.duplicates.clone(),
        ))
    }

    /// Obtains a lease for every client.
    ///
    /// # Errors
    /// The interface is gone, or a client obtained none.
    pub fn prepare(&mut self, progress: &mut Progress) -> Result<()> {
        let clients = self.workload.clients;
        progress.stage("leasing");
        self.pace(
            Pace {
                exchange: Exchange::Leases,
                in_flight: PREPARING.min(clients),
                exchanges: clients.into(),
                time_ns: u64::MAX,
                per_second: self.workload.limits.per_second,
            },
            progress,
        )?;
        let leased = self.fleet.counts.completed;
        if leased < u64::from(clients) {
            bail!(
                "--clients {clients}: only {leased} of them obtained a lease to renew: {:?}",
                self.fleet.counts
            );
        }
        self.fleet.reset();
        progress.stage("renewing");
        self.pause(PAUSE)
    }

    /// Waits, answering only ARP.
    fn pause(&mut self, pause: Duration) -> Result<()> {
        let until_ns = self.transport.now_ns() + pause.as_nanos() as u64;
        while self.transport.now_ns() < until_ns {
            self.transport.wait(TICK)?;
            self.receive()?;
        }
        Ok(())
    }

    /// Runs until no more exchanges begin or are in flight. Returns the seconds to the last answer.
    fn pace(&mut self, pace: Pace, progress: &mut Progress) -> Result<f64> {
        let start_ns = self.transport.now_ns();
        let mut last_ns = start_ns;
        let mut begun = 0u64;
        let mut over_ns = None;
        self.transport.missed()?;
        loop {
            let received = self.receive()?;
            let now_ns = self.transport.now_ns();
            if received > 0 {
                last_ns = now_ns;
            }
            self.fleet.advance(now_ns);
            let elapsed_ns = now_ns - start_ns;
            let is_over = begun >= pace.exchanges || elapsed_ns >= pace.time_ns;
            let started = if is_over {
                0
            } else {
                self.begin(pace, begun, elapsed_ns, now_ns)
            };
            begun += u64::from(started);
            let sent = self.send()?;
            progress.tick(elapsed_ns, &self.fleet.counts);
            if is_over {
                // The time is over; outstanding answers have this much longer.
                let over_ns = *over_ns.get_or_insert(now_ns);
                let is_cut_off = elapsed_ns >= pace.time_ns && now_ns - over_ns >= GRACE_NS;
                if self.fleet.busy == 0 || is_cut_off {
                    break;
                }
            }
            if received == 0 && started == 0 && sent == 0 {
                self.transport.wait(TICK)?;
            }
        }
        self.fleet.counts.unfinished = self.fleet.busy.into();
        self.fleet.counts.not_received = self.transport.missed()?;
        if last_ns == start_ns {
            last_ns = self.transport.now_ns();
        }
        Ok((last_ns - start_ns) as f64 / 1e9)
    }

    /// Begins the exchanges that are due, and returns how many.
    fn begin(&mut self, pace: Pace, begun: u64, elapsed_ns: u64, now_ns: u64) -> u32 {
        let due = pace.per_second.map_or(u64::MAX, |rate| {
            // The first exchange begins immediately.
            (elapsed_ns as f64 * rate / 1e9) as u64 + 1
        });
        let left = due.min(pace.exchanges).saturating_sub(begun);
        let free = pace.in_flight.saturating_sub(self.fleet.busy);
        let most = u32::try_from(left).unwrap_or(u32::MAX).min(free).min(BATCH);
        let mut started = 0;
        let mut looked = 0;
        while started < most && looked < self.workload.clients {
            let index = self.next;
            self.next = (index + 1) % self.workload.clients;
            looked += 1;
            if !self.fleet.is_busy(index) {
                self.fleet.begin(index, pace.exchange, now_ns);
                started += 1;
            }
        }
        started
    }

    fn receive(&mut self) -> Result<usize> {
        let Self {
            transport, fleet, ..
        } = self;
        let answers_arp = self.workload.relay.is_none();
        let mut asked = Vec::new();
        let received = transport.receive(&mut |frame| {
            if let Some(question) = arp::read(frame.octets).filter(|_| answers_arp) {
                asked.push(question);
                return;
            }
            match answer::read(frame) {
                Ok(answer) => fleet.hear(&answer, frame.received_ns),
                Err(fault) => fleet.hear_fault(fault),
            }
        })?;
        for question in asked {
            if let Some(mac) = fleet.holder(question.target) {
                let vlans = &self.acquaintance.route.vlans;
                transport.send(&mut |frame| arp::write(&question, mac, vlans, frame))?;
            }
        }
        Ok(received)
    }

    fn send(&mut self) -> Result<usize> {
        let outgoing = self.fleet.outgoing();
        for message in &outgoing {
            let Some(template) = self.acquaintance.template(message.index, message.ask) else {
                continue;
            };
            let own = self.acquaintance.population.own(
                message.index,
                message.xid,
                message.address.into(),
            );
            let is_sent = self
                .transport
                .send(&mut |frame| template::fill(template, own, frame))?;
            if !is_sent {
                self.fleet.counts.not_sent += 1;
            }
        }
        let sent = outgoing.len();
        self.fleet.give_back(outgoing);
        self.transport.flush()?;
        Ok(sent)
    }

    /// Returns the known properties of the server, and the address of each client as it lies in
    /// memory, zero for none.
    pub fn into_parts(self) -> (Acquaintance, Vec<u32>) {
        let addresses = (0..self.workload.clients).map(|index| {
            let address = self.fleet.address(index);
            address.map_or(0, |address| u32::from(address).to_be())
        });
        let addresses = addresses.collect();
        (self.acquaintance, addresses)
    }
}

const _: () = assert!(FRAME_LEN >= 42, "an ARP packet fits");

//! The clients: their leases, the answers that they wait for, and their next actions. There is no
//! I/O and no clock here: the time is an argument.
//!
//! States and retransmission are those of RFC 2131 §4.4 and §4.1.

use std::{mem, net::Ipv4Addr};

use dhcp_common::wire::message_type;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use xtask_lab::topology::mac_text;
use xtask_load_abi::{Ask, Stage};

use super::{
    Exchange, Workload,
    answer::{Answer, Fault},
    holders::Holders,
    population::Population,
    report::{Counts, Duplicate, Histograms, MAX_NAMED},
    wheel::{LAP_NS, Wheel},
};

/// RFC 2131 §4.1: the first delay, the longest, and the random variation of each.
const FIRST_DELAY_SECS: f64 = 4.0;
const LONGEST_DELAY_SECS: f64 = 64.0;
const JITTER_SECS: f64 = 1.0;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Init,
    Selecting,
    Requesting,
    Bound,
    Renewing,
}

#[derive(Clone, Copy, Debug)]
struct Client {
    state: State,
    /// Transmissions of the current request.
    attempts: u8,
    /// Number of the client's exchanges, part of their transaction ids.
    exchange: u32,
    address: Ipv4Addr,
    began_ns: u64,
    asked_ns: u64,
    /// When the client retransmits. Deadlines at other times are outdated.
    due_ns: u64,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            state: State::Init,
            attempts: 0,
            exchange: 0,
            address: Ipv4Addr::UNSPECIFIED,
            began_ns: 0,
            asked_ns: 0,
            due_ns: 0,
        }
    }
}

impl Client {
    const fn is_busy(&self) -> bool {
        matches!(
            self.state,
            State::Selecting | State::Requesting | State::Renewing
        )
    }

    /// Returns the message that the client sends while it waits.
    const fn asks(&self) -> Option<Ask> {
        match self.state {
            State::Selecting => Some(Ask::Discover),
            State::Requesting => Some(Ask::Select),
            State::Renewing => Some(Ask::Renew),
            State::Init | State::Bound => None,
        }
    }
}

/// A message to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub index: u32,
    pub exchange: u32,
    pub ask: Ask,
    pub address: Ipv4Addr,
}

/// All clients and the answers that they were given.
#[derive(Debug)]
pub struct Fleet {
    pub population: Population,
    pub counts: Counts,
    pub histograms: Histograms,
    pub duplicates: Vec<Duplicate>,
    /// Exchanges in flight.
    pub busy: u32,
    clients: Vec<Client>,
    holders: Holders,
    timers: Wheel,
    due: Vec<(u32, u64)>,
    dice: StdRng,
    /// Identifier of the server under load.
    server: Ipv4Addr,
    scale: f64,
    attempts: u8,
    releases: f64,
    declines: f64,
    outgoing: Vec<Outgoing>,
}

impl Fleet {
    /// Returns clients in INIT that talk to the server with this identifier.
    pub fn new(workload: &Workload, server: Ipv4Addr, now_ns: u64) -> Self {
        let scale = workload.timing.scale;
        Self {
            population: Population::new(workload.clients, workload.seed),
            counts: Counts::default(),
            histograms: Histograms::new(),
            duplicates: Vec::new(),
            busy: 0,
            clients: vec![Client::default(); workload.clients as usize],
            holders: Holders::new(workload.range),
            timers: Wheel::new((LAP_NS as f64 * scale) as u64, now_ns),
            due: Vec::new(),
            dice: StdRng::seed_from_u64(workload.seed),
            server,
            scale,
            attempts: workload.timing.attempts,
            releases: workload.releases,
            declines: workload.declines,
            outgoing: Vec::new(),
        }
    }

    /// Resets the counters. Leases and exchanges in flight remain.
    pub fn reset(&mut self) {
        self.counts = Counts::default();
        self.histograms = Histograms::new();
        self.duplicates.clear();
    }

    /// Returns the messages to be sent since the last call.
    pub fn outgoing(&mut self) -> Vec<Outgoing> {
        mem::take(&mut self.outgoing)
    }

    /// Returns the list of [`Self::outgoing`], so that its memory is reused.
    pub fn give_back(&mut self, mut list: Vec<Outgoing>) {
        if self.outgoing.is_empty() {
            list.clear();
            self.outgoing = list;
        }
    }

    pub fn is_busy(&self, index: u32) -> bool {
        let client = self.clients.get(index as usize);
        client.is_some_and(Client::is_busy)
    }

    /// Returns the holder of an address, for ARP.
    pub fn holder(&mut self, address: Ipv4Addr) -> Option<[u8; 6]> {
        let index = self.holders.of(address)?;
        Some(self.population.mac(index))
    }

    /// Returns the address of a client.
    pub fn address(&self, index: u32) -> Option<Ipv4Addr> {
        let client = self.clients.get(index as usize)?;
        (client.state == State::Bound).then_some(client.address)
    }

    /// Begins an exchange of an idle client. A renewal requires a lease, which a client without one
    /// obtains first.
    pub fn begin(&mut self, index: u32, exchange: Exchange, now_ns: u64) {
        let Some(client) = self.clients.get_mut(index as usize) else {
            return;
        };
        client.state = match (exchange, client.state) {
            (Exchange::Renewals, State::Bound) => State::Renewing,
            _ => State::Selecting,
        };
        client.exchange = client.exchange.wrapping_add(1);
        client.began_ns = now_ns;
        self.counts.begun += 1;
        self.busy += 1;
        self.ask_first(index, now_ns);
    }

    /// Sends the message of the client's state for the first time.
    fn ask_first(&mut self, index: u32, now_ns: u64) {
        if let Some(client) = self.clients.get_mut(index as usize) {
            client.attempts = 0;
            client.asked_ns = now_ns;
            self.ask(index, now_ns);
        }
    }

    fn ask(&mut self, index: u32, now_ns: u64) {
        let Some(client) = self.clients.get_mut(index as usize) else {
            return;
        };
        let Some(ask) = client.asks() else {
            return;
        };
        let delay = FIRST_DELAY_SECS * f64::from(1u32 << client.attempts.min(16));
        let jitter = self.dice.random_range(-JITTER_SECS..=JITTER_SECS);
        let delay_secs = (delay.min(LONGEST_DELAY_SECS) + jitter) * self.scale;
        client.due_ns = now_ns.saturating_add((delay_secs * 1e9) as u64);
        client.attempts = client.attempts.saturating_add(1);
        self.timers.set(index, client.due_ns);
        let outgoing = Outgoing {
            index,
            exchange: client.exchange,
            ask,
            address: client.address,
        };
        match ask {
            Ask::Discover => self.counts.discovers += 1,
            Ask::Select => self.counts.selections += 1,
            Ask::Renew => self.counts.renewals += 1,
            Ask::Release | Ask::Decline => {}
        }
        self.outgoing.push(outgoing);
    }

    /// Retransmits messages that are due, and gives up exchanges without an answer.
    pub fn advance(&mut self, now_ns: u64) {
        let mut due = mem::take(&mut self.due);
        self.timers
            .advance(now_ns, |index, due_ns| due.push((index, due_ns)));
        for (index, due_ns) in due.drain(..) {
            self.time_out(index, due_ns, now_ns);
        }
        self.due = due;
    }

    fn time_out(&mut self, index: u32, due_ns: u64, now_ns: u64) {
        let Some(client) = self.clients.get_mut(index as usize) else {
            return;
        };
        if client.due_ns != due_ns || !client.is_busy() {
            return;
        }
        if client.attempts < self.attempts {
            self.counts.retransmissions += 1;
            self.ask(index, now_ns);
            return;
        }
        client.state = match client.state {
            State::Renewing => State::Bound,
            _ => State::Init,
        };
        self.busy -= 1;
        self.counts.given_up += 1;
    }

    /// Counts a frame that is not an answer.
    pub fn hear_fault(&mut self, fault: Fault) {
        match fault {
            Fault::NotDhcp => {}
            Fault::IpChecksum => self.counts.bad_ip_checksums += 1,
            Fault::UdpChecksum => self.counts.bad_udp_checksums += 1,
            Fault::Malformed => self.counts.malformed += 1,
        }
    }

    /// Handles an answer.
    pub fn hear(&mut self, answer: &Answer, now_ns: u64) {
        let Some(index) = self.population.index(answer.chaddr) else {
            self.counts.strangers += 1;
            return;
        };
        let Some(client) = self.clients.get(index as usize).copied() else {
            return;
        };
        if answer.server != Some(self.server) {
            self.counts.other_server += 1;
            return;
        }
        if answer.xid != self.population.xid(index, client.exchange) {
            // The answer is late if it belongs to the previous exchange.
            let before = self.population.xid(index, client.exchange.wrapping_sub(1));
            if answer.xid == before {
                self.counts.unexpected += 1;
            } else {
                self.counts.wrong_xid += 1;
            }
            return;
        }
        match (client.state, answer.kind) {
            (State::Selecting, message_type::OFFER) => self.offered(index, &client, answer, now_ns),
            (State::Requesting | State::Renewing, message_type::ACK) => {
                self.acknowledged(index, &client, answer, now_ns);
            }
            (State::Requesting | State::Renewing, message_type::NAK) => {
                self.counts.naks += 1;
                self.holders.free(client.address, index);
                self.end(index, State::Init);
            }
            _ => self.counts.unexpected += 1,
        }
    }

    fn offered(&mut self, index: u32, client: &Client, answer: &Answer, now_ns: u64) {
        if !self.holders.has(answer.address) {
            self.counts.outside += 1;
            return;
        }
        self.counts.offers += 1;
        let latency = now_ns.saturating_sub(client.asked_ns);
        self.histograms.record(Stage::Offer, latency, 1);
        if let Some(client) = self.clients.get_mut(index as usize) {
            if client.address != answer.address {
                self.holders.free(client.address, index);
            }
            client.state = State::Requesting;
            client.address = answer.address;
        }
        self.ask_first(index, now_ns);
    }

    fn acknowledged(&mut self, index: u32, client: &Client, answer: &Answer, now_ns: u64) {
        if answer.address != client.address {
            self.counts.wrong_address += 1;
            return;
        }
        self.counts.acks += 1;
        self.counts.completed += 1;
        let is_new = client.state == State::Requesting;
        self.check_holder(index, answer.address, now_ns);
        let lease_ns = u64::from(answer.lease_secs.unwrap_or(u32::MAX)) * 1_000_000_000;
        // RFC 2131 §4.4.1: the lease counts from the request.
        let until_ns = client.asked_ns.saturating_add(lease_ns);
        self.holders.take(answer.address, index, until_ns);
        let latency = now_ns.saturating_sub(client.asked_ns);
        if is_new {
            self.histograms.record(Stage::Ack, latency, 1);
            let lease = now_ns.saturating_sub(client.began_ns);
            self.histograms.record(Stage::Lease, lease, 1);
        } else {
            self.histograms.record(Stage::Renewal, latency, 1);
        }
        self.end(index, State::Bound);
        if is_new && self.declines > 0.0 && self.dice.random_bool(self.declines) {
            self.counts.declines += 1;
            self.leave(index, Ask::Decline);
        } else if self.releases > 0.0 && self.dice.random_bool(self.releases) {
            self.counts.releases += 1;
            self.leave(index, Ask::Release);
        }
    }

    /// Counts an address that another client holds.
    fn check_holder(&mut self, index: u32, address: Ipv4Addr, now_ns: u64) {
        let Some(other) = self.holders.other(address, index, now_ns) else {
            return;
        };
        self.counts.duplicates += 1;
        if self.duplicates.len() < MAX_NAMED {
            let clients = [other, index].map(|index| mac_text(self.population.mac(index)));
            self.duplicates.push(Duplicate { address, clients });
        }
    }

    fn end(&mut self, index: u32, state: State) {
        if let Some(client) = self.clients.get_mut(index as usize) {
            client.state = state;
            self.busy -= 1;
        }
    }

    /// Sends a RELEASE or DECLINE, which is not answered.
    fn leave(&mut self, index: u32, ask: Ask) {
        let Some(client) = self.clients.get_mut(index as usize) else {
            return;
        };
        client.state = State::Init;
        self.holders.free(client.address, index);
        self.outgoing.push(Outgoing {
            index,
            exchange: client.exchange,
            ask,
            address: client.address,
        });
    }
}

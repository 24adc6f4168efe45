//! The clients: their leases, the answers that they wait for, and their next actions. There is no
//! I/O and no clock here: the time is an argument.
//!
//! States and retransmission are those of [`dhcp_client`].

use std::{mem, net::Ipv4Addr};

use dhcp_client::{Event, Lease, Message, Policy, Renewals, Sending, State, Step, Turn};
use dhcp_common::wire::message_type;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use xtask_lab::topology::mac_text;
use xtask_load_abi::{Ask, Stage};

use super::{
    Exchange, Timing, Workload,
    answer::{Answer, Fault},
    holders::Holders,
    population::Population,
    report::{Counts, Duplicate, Histograms, MAX_NAMED},
    wheel::{LAP_NS, Wheel},
};

/// A client, in one line of the cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Client {
    protocol: dhcp_client::Client,
    /// When the present exchange began.
    began_ns: u64,
    /// When the client retransmits. Deadlines at other times are outdated.
    due_ns: u64,
}

/// There are millions of them.
const _: () = assert!(size_of::<Client>() <= 64);

impl Client {
    const fn is_busy(&self) -> bool {
        !matches!(self.protocol.state(), State::Init | State::Bound)
    }
}

/// A message to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub index: u32,
    pub xid: u32,
    pub ask: Ask,
    pub address: Ipv4Addr,
}

impl Outgoing {
    const fn new(index: u32, xid: u32, message: Message) -> Self {
        let (ask, address) = match message {
            // Its template has no address.
            Message::Discover { .. } => (Ask::Discover, Ipv4Addr::UNSPECIFIED),
            Message::Select { address, .. } => (Ask::Select, address),
            // These clients never restart, and extend on the one path that the workload gives.
            Message::Reboot { address }
            | Message::Renew { address, .. }
            | Message::Rebind { address } => (Ask::Renew, address),
            Message::Decline { address, .. } => (Ask::Decline, address),
            Message::Release { address, .. } => (Ask::Release, address),
        };
        Self {
            index,
            xid,
            ask,
            address,
        }
    }
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
    policy: Policy,
    releases: f64,
    declines: f64,
    outgoing: Vec<Outgoing>,
}

impl Fleet {
    /// Returns clients in INIT that talk to the server with this identifier.
    pub fn new(workload: &Workload, server: Ipv4Addr, now_ns: u64) -> Self {
        let Timing { scale, attempts } = workload.timing;
        let population = Population::new(workload.clients, workload.seed);
        let client = |index| Client {
            protocol: dhcp_client::Client::new(population.xid(index, 0)),
            began_ns: 0,
            due_ns: 0,
        };
        Self {
            population,
            counts: Counts::default(),
            histograms: Histograms::new(),
            duplicates: Vec::new(),
            busy: 0,
            clients: (0..workload.clients).map(client).collect(),
            holders: Holders::new(workload.range),
            timers: Wheel::new((LAP_NS as f64 * scale) as u64, now_ns),
            due: Vec::new(),
            dice: StdRng::seed_from_u64(workload.seed),
            server,
            policy: Policy {
                discovers: Some(attempts),
                requests: attempts,
                // Clients renew when the workload says so, not at T1.
                renewals: Renewals::LikeOthers { attempts },
                ..Policy::RFC_2131
            }
            .scaled(scale),
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
        let is_bound = client.protocol.state() == State::Bound;
        is_bound.then_some(client.protocol.address())
    }

    /// Begins an exchange of an idle client. A renewal requires a lease, which a client without one
    /// obtains first.
    pub fn begin(&mut self, index: u32, exchange: Exchange, now_ns: u64) {
        let Some(client) = self.clients.get_mut(index as usize) else {
            return;
        };
        if exchange == Exchange::Leases {
            client.protocol.start_again();
        }
        client.began_ns = now_ns;
        let xid = self.population.next_xid(index, client.protocol.last_xid());
        self.counts.begun += 1;
        self.busy += 1;
        let step = self.step(index, xid, now_ns);
        // The lease of a client that should renew has ended.
        if let Some(Step::StartAgain(_)) = step {
            self.step(index, xid, now_ns);
        }
    }

    /// Does what a client's state requires. `xid` is for the first message of an exchange.
    fn step(&mut self, index: u32, xid: u32, now_ns: u64) -> Option<Step> {
        let turn = self.turn(xid, now_ns);
        let client = self.clients.get_mut(index as usize)?;
        let step = client.protocol.wake(&self.policy, turn);
        if let Step::Send(sending) = step {
            self.ask(index, sending);
        }
        Some(step)
    }

    fn turn(&mut self, xid: u32, now_ns: u64) -> Turn {
        Turn {
            now_ns,
            xid,
            random: self.dice.random(),
        }
    }

    /// Sends a message that is answered.
    fn ask(&mut self, index: u32, sending: Sending) {
        let Some(client) = self.clients.get_mut(index as usize) else {
            return;
        };
        client.due_ns = sending.wakes_at_ns;
        self.timers.set(index, client.due_ns);
        let outgoing = Outgoing::new(index, sending.xid, sending.message);
        match outgoing.ask {
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
        let xid = client.protocol.last_xid();
        match self.step(index, xid, now_ns) {
            Some(Step::Send(_)) => self.counts.retransmissions += 1,
            _ => {
                self.busy -= 1;
                self.counts.given_up += 1;
            }
        }
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
        let said = dhcp_client::Answer {
            kind: answer.kind,
            xid: answer.xid,
            address: answer.address,
            server: self.server,
            lease_secs: answer.lease_secs.unwrap_or(u32::MAX),
        };
        if client.protocol.expects(&said).is_err() {
            let present = client.protocol.last_xid();
            // The answer is late if it belongs to the previous exchange.
            if answer.xid == present || answer.xid == self.population.previous_xid(index, present) {
                self.counts.unexpected += 1;
            } else {
                self.counts.wrong_xid += 1;
            }
            return;
        }
        match answer.kind {
            message_type::OFFER if !self.holders.has(answer.address) => self.counts.outside += 1,
            message_type::ACK if answer.address != client.protocol.address() => {
                self.counts.wrong_address += 1;
            }
            _ => self.answered(index, &client, &said, now_ns),
        }
    }

    /// Handles an answer that the client waits for.
    fn answered(&mut self, index: u32, before: &Client, said: &dhcp_client::Answer, now_ns: u64) {
        let Some(client) = self.clients.get_mut(index as usize) else {
            return;
        };
        let latency = now_ns.saturating_sub(before.protocol.asked_ns());
        match client.protocol.hear(said) {
            Event::Offered { address, .. } => {
                self.counts.offers += 1;
                self.histograms.record(Stage::Offer, latency, 1);
                if let Some(lease) = before.protocol.lease().filter(|old| old.address != address) {
                    self.holders.free(lease.address, index);
                }
                self.select(index, address, now_ns);
            }
            Event::Acknowledged { lease, state } => {
                let is_new = state == State::Requesting;
                if is_new {
                    self.histograms.record(Stage::Ack, latency, 1);
                    let whole = now_ns.saturating_sub(before.began_ns);
                    self.histograms.record(Stage::Lease, whole, 1);
                } else {
                    self.histograms.record(Stage::Renewal, latency, 1);
                }
                self.acknowledged(index, &lease, is_new, now_ns);
            }
            Event::Refused => {
                self.counts.naks += 1;
                self.holders.free(before.protocol.address(), index);
                self.busy -= 1;
            }
            // What is ignored is counted before.
            Event::Ignored(_) => {}
        }
    }

    fn select(&mut self, index: u32, address: Ipv4Addr, now_ns: u64) {
        let turn = self.turn(0, now_ns);
        let server = self.server;
        let accepted = self.clients.get_mut(index as usize).and_then(|client| {
            let offer = (address, server);
            client.protocol.accept(offer, &self.policy, turn)
        });
        if let Some(sending) = accepted {
            self.ask(index, sending);
        }
    }

    fn acknowledged(&mut self, index: u32, lease: &Lease, is_new: bool, now_ns: u64) {
        self.counts.acks += 1;
        self.counts.completed += 1;
        self.busy -= 1;
        self.check_holder(index, lease.address, now_ns);
        self.holders.take(lease.address, index, lease.until_ns());
        if is_new && self.declines > 0.0 && self.dice.random_bool(self.declines) {
            self.counts.declines += 1;
            self.leave(index, lease, |protocol| protocol.decline());
        } else if self.releases > 0.0 && self.dice.random_bool(self.releases) {
            self.counts.releases += 1;
            self.leave(index, lease, |protocol| protocol.release(now_ns));
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

    /// Sends a RELEASE or DECLINE, which is not answered, in the transaction of its exchange.
    fn leave(
        &mut self,
        index: u32,
        lease: &Lease,
        message: impl FnOnce(&mut dhcp_client::Client) -> Option<Message>,
    ) {
        let Some(client) = self.clients.get_mut(index as usize) else {
            return;
        };
        self.holders.free(lease.address, index);
        if let Some(message) = message(&mut client.protocol) {
            let xid = client.protocol.last_xid();
            self.outgoing.push(Outgoing::new(index, xid, message));
        }
    }
}

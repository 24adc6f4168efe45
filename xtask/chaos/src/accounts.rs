//! Accounts of what passes on the wire, and of what a server owes its clients by it.
//!
//! They know nothing of the server but one line of its configuration, [`Guarantee`]; what happens to it from outside
//! they are told as [`Conditions`]. A client counts a lease from when it first sent the REQUEST (RFC 2131 §4.4.1):
//! the server can only have taken it in later, so that no rule about who holds what needs any tolerance.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    net::Ipv4Addr,
    time::Duration,
};

use dhcp_common::abi::CLOCK_LEAD_NS;
use dhcproto::v4::{DhcpOption, Message, MessageType, Opcode, OptionCode};
use xtask_lab::witness;

use super::{
    client_record::ClientRecord,
    conditions::{Conditions, Moment, Trouble},
    exchange::{Asked, Claim, Client, Exchange, requested},
    rule::{Rule, Violation},
};

/// Longest time until a known client has its answer. What takes it so long is this machine: the kernel answers in
/// microseconds, the controller in some milliseconds.
pub const ANSWER: Duration = Duration::from_secs(2);
/// A lease that ends within this may have ended when the REQUEST is looked at.
const LAST_MOMENT: Duration = Duration::from_millis(200);
/// The program takes it to be so much later than it is, at most.
const CLOCK_LEAD: Duration = Duration::from_nanos(CLOCK_LEAD_NS);
/// After that no answer comes any more, not even one that waited for a link.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// What the operator has been told of the server, and may rely on.
#[derive(Clone, Copy, Debug)]
pub struct Guarantee {
    /// `horizon-leases` of the configuration.
    pub horizon_leases: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were answered at least once.
    pub exchanges: u64,
    pub requests: u64,
    pub acks: u64,
    pub naks: u64,
    /// Leases asked for by those who had them, while no controller ran, and acknowledged.
    pub headless: u64,
    /// ACKs that came when their lease was over.
    pub stale: u64,
}

/// Who holds an address, or did last.
#[derive(Clone, Copy, Debug)]
struct Lease {
    client: Client,
    /// From the ACK with which it began.
    since: Moment,
    until: Moment,
}

#[derive(Debug)]
pub struct Accounts {
    guarantee: Guarantee,
    conditions: Conditions,
    open: HashMap<Exchange, Asked>,
    /// When the answers that are owed are due, and when exchanges are forgotten.
    due: VecDeque<(Moment, Exchange)>,
    forgotten: VecDeque<(Moment, Exchange)>,
    leases: HashMap<Ipv4Addr, Lease>,
    records: HashMap<Client, ClientRecord>,
    /// The longest lease so far: a kernel that knows of it may want to grant as much.
    longest: Duration,
    counts: Counts,
    violations: Vec<Violation>,
}

impl witness::Accounts for Accounts {
    fn enter(&mut self, message: &Message, at: Duration) {
        self.pass(at);
        let client = message.chaddr().first_chunk().copied();
        let (Some(client), Some(kind)) = (client, message.opts().msg_type()) else {
            return self.blame(
                Rule::AnswersAreAsked,
                at,
                message,
                "it has no type or no sender",
            );
        };
        self.records
            .entry(client)
            .or_default()
            .note(message, kind, at);
        match (message.opcode(), kind) {
            (Opcode::BootRequest, MessageType::Discover | MessageType::Request) => {
                self.asked(at, client, message);
            }
            (Opcode::BootRequest, MessageType::Release) => {
                self.given_up(at, client, message.ciaddr());
            }
            (Opcode::BootRequest, MessageType::Decline) => {
                self.given_up(at, client, requested(message));
            }
            (Opcode::BootReply, MessageType::Offer) => self.offered(at, client, message),
            (Opcode::BootReply, MessageType::Ack) => self.acknowledged(at, client, message),
            (Opcode::BootReply, MessageType::Nak) => self.refused(at, client, message),
            _ => self.blame(Rule::AnswersAreAsked, at, message, "nobody expects it"),
        }
    }
}

impl Accounts {
    pub fn new(guarantee: Guarantee) -> Self {
        Self {
            guarantee,
            conditions: Conditions::default(),
            open: HashMap::new(),
            due: VecDeque::new(),
            forgotten: VecDeque::new(),
            leases: HashMap::new(),
            records: HashMap::new(),
            longest: Duration::ZERO,
            counts: Counts::default(),
            violations: Vec::new(),
        }
    }

    /// What happens to the server from outside.
    pub const fn conditions(&mut self) -> &mut Conditions {
        &mut self.conditions
    }

    pub const fn counts(&self) -> Counts {
        self.counts
    }

    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Enters a violation that is found when all is over.
    pub fn violate(&mut self, rule: Rule, at: Moment, what: String) {
        self.violations.push(Violation { rule, at, what });
    }

    /// The addresses that somebody holds, and who.
    pub fn held(&self, at: Moment) -> HashMap<Ipv4Addr, Client> {
        let leases = self.leases.iter().filter(|(_, lease)| lease.until > at);
        leases
            .map(|(address, lease)| (*address, lease.client))
            .collect()
    }

    /// Those of these clients that hold a lease at a time which they were acknowledged since another.
    pub fn served(
        &self,
        clients: impl IntoIterator<Item = Client>,
        since: Moment,
        at: Moment,
    ) -> BTreeSet<Client> {
        let held: BTreeSet<Client> = self.held(at).into_values().collect();
        let is_served = |client: &Client| {
            let record = self.records.get(client);
            held.contains(client)
                && record.is_some_and(|record| record.is_acknowledged_since(since))
        };
        clients.into_iter().filter(is_served).collect()
    }

    /// Nothing more has passed before this time: what was due by then has come, or has not.
    pub fn pass(&mut self, now: Moment) {
        while let Some((at, exchange)) = self.due.front().copied()
            && at < now
        {
            self.due.pop_front();
            self.look_after(exchange, at);
        }
        while let Some((at, exchange)) = self.forgotten.front().copied()
            && at < now
        {
            self.forgotten.pop_front();
            self.open.remove(&exchange);
        }
    }

    fn asked(&mut self, at: Moment, client: Client, message: &Message) {
        let (claim, about) = Claim::of(message);
        let exchange = Exchange {
            xid: message.xid(),
            client,
            is_discover: claim == Claim::Discover,
        };
        self.counts.requests += 1;
        if let Some(asked) = self.open.get_mut(&exchange) {
            asked.sent += 1;
            return;
        }
        let record = self.records.entry(client).or_default();
        let horizon = record.asks(exchange.is_discover, at, &self.conditions);
        let lease = self.leases.get(&about);
        let has_it =
            lease.is_some_and(|lease| lease.client == client && lease.until > at + LAST_MOMENT);
        let is_owed = has_it && matches!(claim, Claim::Extending | Claim::InitReboot);
        let asked = Asked {
            first: at,
            sent: 1,
            answers: 0,
            claim,
            about,
            owed: is_owed.then_some(horizon),
        };
        self.open.insert(exchange, asked);
        if is_owed {
            self.due.push_back((at + ANSWER, exchange));
        }
        self.forgotten.push_back((at + FORGOTTEN, exchange));
    }

    /// Notes an answer, and says to what.
    fn answered(
        &mut self,
        at: Moment,
        client: Client,
        message: &Message,
        is_discover: bool,
    ) -> Option<Asked> {
        let exchange = Exchange {
            xid: message.xid(),
            client,
            is_discover,
        };
        let Some(asked) = self.open.get_mut(&exchange) else {
            self.blame(Rule::AnswersAreAsked, at, message, "nobody has asked");
            return None;
        };
        asked.answers += 1;
        let asked = *asked;
        if asked.answers == 1 {
            self.counts.exchanges += 1;
        }
        if asked.answers > asked.sent {
            let what = format!("answer {} to {} requests", asked.answers, asked.sent);
            self.blame(Rule::AnswersAreAsked, at, message, &what);
        }
        Some(asked)
    }

    fn offered(&mut self, at: Moment, client: Client, message: &Message) {
        let Some(asked) = self.answered(at, client, message, true) else {
            return;
        };
        // An OFFER can have waited for a link while its address went to another: it was another's already when
        // the DISCOVER was sent.
        let holder = self.leases.get(&message.yiaddr()).copied();
        let holder = holder.filter(|lease| {
            lease.client != client && lease.since <= asked.first && lease.until > at
        });
        if let Some(holder) = holder {
            let what = format!(
                "{} holds it for {:?} more",
                mac(holder.client),
                holder.until - at
            );
            self.blame(Rule::OffersAreFree, at, message, &what);
        }
    }

    fn acknowledged(&mut self, at: Moment, client: Client, message: &Message) {
        let Some(asked) = self.answered(at, client, message, false) else {
            return;
        };
        self.counts.acks += 1;
        let address = message.yiaddr();
        if address != asked.about {
            let what = format!("{} was asked for", asked.about);
            return self.blame(Rule::AnswersFit, at, message, &what);
        }
        let lease_time = match message.opts().get(OptionCode::AddressLeaseTime) {
            Some(DhcpOption::AddressLeaseTime(secs)) => Duration::from_secs(u64::from(*secs)),
            _ => return self.blame(Rule::AnswersFit, at, message, "it says no lease time"),
        };
        self.longest = self.longest.max(lease_time);
        let until = asked.first + lease_time;
        let record = self.records.entry(client).or_default();
        // It asked, and gave the address up before it heard: the ACK gives nothing back.
        let is_given_up = record.has_given_up_since(asked.first);
        if until <= at || is_given_up {
            self.counts.stale += u64::from(until <= at);
            return;
        }
        let before = self.leases.get(&address).copied();
        let before = before.filter(|lease| lease.until > at);
        if let Some(other) = before.filter(|lease| lease.client != client) {
            let what = format!(
                "{} holds it for {:?} more",
                mac(other.client),
                other.until - at
            );
            self.blame(Rule::OneClientAnAddress, at, message, &what);
        }
        let before = before.filter(|lease| lease.client == client);
        let lease = Lease {
            client,
            since: before.map_or(at, |lease| lease.since),
            // What was promised earlier still holds, though leases may have become shorter.
            until: before.map_or(until, |lease| lease.until.max(until)),
        };
        self.leases.insert(address, lease);
        let record = self.records.entry(client).or_default();
        let horizon_leases = self.guarantee.horizon_leases;
        record.is_acknowledged(at, (until, lease_time), horizon_leases, &self.conditions);
        let is_headless = self
            .conditions
            .is_in(Trouble::ControllerGone, asked.first, at);
        if asked.owed.is_some() && asked.answers == 1 && is_headless {
            self.counts.headless += 1;
        }
    }

    fn refused(&mut self, at: Moment, client: Client, message: &Message) {
        let Some(asked) = self.answered(at, client, message, false) else {
            return;
        };
        self.counts.naks += 1;
        let lease = self.leases.get(&asked.about).copied();
        let lease = lease.filter(|lease| lease.client == client && lease.until > at);
        if let Some(lease) = lease {
            let what = format!("{} is its own for {:?} more", asked.about, lease.until - at);
            self.blame(Rule::LeasesAreNotRefused, at, message, &what);
        }
    }

    fn given_up(&mut self, at: Moment, client: Client, address: Ipv4Addr) {
        let lease = self.leases.get(&address);
        if lease.is_some_and(|lease| lease.client == client) {
            self.leases.remove(&address);
        }
        let record = self.records.entry(client).or_default();
        record.gives_up(at, &self.conditions);
    }

    /// An answer that was owed is due.
    fn look_after(&mut self, exchange: Exchange, now: Moment) {
        let asked = self.open.get(&exchange).copied();
        let Some(asked) = asked.filter(|asked| asked.answers == 0) else {
            return;
        };
        let record = self.records.get(&exchange.client);
        let is_given_up = record.is_some_and(|s| s.has_given_up_since(asked.first));
        let Some(horizon) = asked.owed.filter(|_| !is_given_up) else {
            return;
        };
        if self.excuses_silence(asked.first, now, horizon) {
            return;
        }
        let history = record.map(|record| record.history(asked.first));
        let what = format!(
            "{} ({:?}, xid {:#010x}) asked for {}, which it has, and which is on disk for {:?} more, and was not answered within {ANSWER:?}; {}",
            mac(exchange.client),
            asked.claim,
            exchange.xid,
            asked.about,
            horizon.saturating_sub(asked.first),
            history.unwrap_or_default()
        );
        self.violate(Rule::LeasesAreRenewed, asked.first, what);
    }

    /// Whether a client that has a lease may hear nothing when it asks for it.
    fn excuses_silence(&self, from: Moment, to: Moment, horizon: Moment) -> bool {
        let is_in = |trouble| self.conditions.is_in(trouble, from, to);
        if is_in(Trouble::LinkDown) {
            return true;
        }
        let is_kernel_alone = is_in(Trouble::ControllerGone) || is_in(Trouble::DiskFull);
        // What is not on disk the kernel does not promise, and nobody but a controller renders an answer.
        is_kernel_alone
            && (from + self.longest + CLOCK_LEAD > horizon
                || is_in(Trouble::Reload)
                || !self.conditions.has_settled(from))
    }

    fn blame(&mut self, rule: Rule, at: Moment, message: &Message, why: &str) {
        let kind = message.opts().msg_type();
        let what = format!(
            "{:?} of {} to {:02x?}, xid {:#010x}: {why}",
            kind,
            message.yiaddr(),
            message.chaddr(),
            message.xid()
        );
        self.violate(rule, at, what);
    }
}

fn mac(client: Client) -> String {
    xtask_lab::topology::mac_text(client)
}

#[cfg(test)]
mod tests;

//! Accounts of the messages on the link, and of what the server owes its clients.
//!
//! The accounts know one line of the server's configuration, its [`Guarantee`]; faults are reported
//! to them as [`Conditions`]. A client counts a lease from when it first sent the REQUEST (RFC 2131
//! §4.4.1). The server can only have received it later, so rules about who holds an address need no
//! tolerance.

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

/// Longest time until a known client is answered. The kernel answers in microseconds and the
/// controller in milliseconds; the rest is for a busy machine.
pub const ANSWER: Duration = Duration::from_secs(2);
/// A lease that ends within this time may have ended when the server reads the REQUEST.
const LAST_MOMENT: Duration = Duration::from_millis(200);
/// How far ahead of the actual time the program's clock may be.
const CLOCK_LEAD: Duration = Duration::from_nanos(CLOCK_LEAD_NS);
/// After this time no answer is expected any more, not even one that was queued on a link.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// What the configuration guarantees.
#[derive(Clone, Copy, Debug)]
pub struct Guarantee {
    /// The option `horizon-leases`.
    pub horizon_leases: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were answered at least once.
    pub exchanges: u64,
    pub requests: u64,
    pub acks: u64,
    pub naks: u64,
    /// Requests for a lease by its holder that were acknowledged while no controller ran.
    pub headless: u64,
    /// ACKs that arrived after their lease had ended.
    pub stale: u64,
}

/// The present or last holder of an address.
#[derive(Clone, Copy, Debug)]
struct Lease {
    client: Client,
    /// Time of the ACK with which the lease began.
    since: Moment,
    until: Moment,
}

#[derive(Debug)]
pub struct Accounts {
    guarantee: Guarantee,
    conditions: Conditions,
    open: HashMap<Exchange, Asked>,
    /// When owed answers are due, and when exchanges are forgotten.
    due: VecDeque<(Moment, Exchange)>,
    forgotten: VecDeque<(Moment, Exchange)>,
    leases: HashMap<Ipv4Addr, Lease>,
    records: HashMap<Client, ClientRecord>,
    /// The longest lease so far: the kernel may try to grant as much.
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
                "the message has no type or no sender",
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
            _ => self.blame(Rule::AnswersAreAsked, at, message, "unexpected message"),
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

    /// Returns the conditions, which report faults to the accounts.
    pub const fn conditions(&mut self) -> &mut Conditions {
        &mut self.conditions
    }

    pub const fn counts(&self) -> Counts {
        self.counts
    }

    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Records a violation that is found at the end.
    pub fn violate(&mut self, rule: Rule, at: Moment, what: String) {
        self.violations.push(Violation { rule, at, what });
    }

    /// Returns the addresses that are held, and by whom.
    pub fn held(&self, at: Moment) -> HashMap<Ipv4Addr, Client> {
        let leases = self.leases.iter().filter(|(_, lease)| lease.until > at);
        leases
            .map(|(address, lease)| (*address, lease.client))
            .collect()
    }

    /// Returns those of the given clients that hold a lease at `at` and were acknowledged it after
    /// `since`.
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

    /// States that all messages until this time have been recorded: answers that were due have
    /// arrived or are missing.
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

    /// Records an answer and returns the request that it belongs to.
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
            self.blame(Rule::AnswersAreAsked, at, message, "there was no request");
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
        // An OFFER may be queued on a link while its address is leased to another client. It is
        // wrong only if the address was the other's when the DISCOVER was sent.
        let holder = self.leases.get(&message.yiaddr()).copied();
        let holder = holder.filter(|lease| {
            lease.client != client && lease.since <= asked.first && lease.until > at
        });
        if let Some(holder) = holder {
            let what = format!(
                "{} holds it for another {:?}",
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
            let what = format!("the request was for {}", asked.about);
            return self.blame(Rule::AnswersFit, at, message, &what);
        }
        let lease_time = match message.opts().get(OptionCode::AddressLeaseTime) {
            Some(DhcpOption::AddressLeaseTime(secs)) => Duration::from_secs(u64::from(*secs)),
            _ => return self.blame(Rule::AnswersFit, at, message, "it has no lease time"),
        };
        self.longest = self.longest.max(lease_time);
        let until = asked.first + lease_time;
        let record = self.records.entry(client).or_default();
        // The client gave the address up after asking and before this answer: the ACK does not
        // restore the lease.
        let is_given_up = record.has_given_up_since(asked.first);
        if until <= at || is_given_up {
            self.counts.stale += u64::from(until <= at);
            return;
        }
        let before = self.leases.get(&address).copied();
        let before = before.filter(|lease| lease.until > at);
        if let Some(other) = before.filter(|lease| lease.client != client) {
            let what = format!(
                "{} holds it for another {:?}",
                mac(other.client),
                other.until - at
            );
            self.blame(Rule::OneClientAnAddress, at, message, &what);
        }
        let before = before.filter(|lease| lease.client == client);
        let lease = Lease {
            client,
            since: before.map_or(at, |lease| lease.since),
            // An earlier lease still holds even if lease times have become shorter.
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
            let what = format!(
                "the client holds {} for another {:?}",
                asked.about,
                lease.until - at
            );
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

    /// Checks an exchange whose owed answer is due.
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
            "{} ({:?}, xid {:#010x}) asked for {}, which it holds and which is on disk for \
             another {:?}, and was not answered within {ANSWER:?}; {}",
            mac(exchange.client),
            asked.claim,
            exchange.xid,
            asked.about,
            horizon.saturating_sub(asked.first),
            history.unwrap_or_default()
        );
        self.violate(Rule::LeasesAreRenewed, asked.first, what);
    }

    /// Returns whether a client that asks for its lease may remain unanswered.
    fn excuses_silence(&self, from: Moment, to: Moment, horizon: Moment) -> bool {
        let is_in = |trouble| self.conditions.is_in(trouble, from, to);
        if is_in(Trouble::LinkDown) {
            return true;
        }
        let is_kernel_alone = is_in(Trouble::ControllerGone) || is_in(Trouble::DiskFull);
        // The kernel does not grant what is not on disk, and only a controller renders new answers.
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

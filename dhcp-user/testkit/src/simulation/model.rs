//! The model of which client may use which address, from messages on the wire and from the store,
//! and the invariants that are checked after every step.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::Ipv4Addr,
};

use dhcp_common::{abi::ClientKey, wire::message_type};
use dhcp_engine::{Probe, ProbeAnswer};
use dhcp_model::{Record, RecordState};

use super::{scene::Plan, wire::Message};

/// The invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// No address is acknowledged to two clients for overlapping times.
    OneClientAnAddress,
    /// No ACK promises more than the store has committed for that client.
    DurableBeforePromised,
    /// The store does not give up a promise before its time.
    PromisesAreKept,
    /// An entry published for a client agrees with the store's record for it.
    PublishedIsDurable,
    /// No two published entries are for the same address, or use the same slot.
    OneEntryAnAddress,
    /// No slot is used again while a run may write to it for its last use.
    SlotsAreFenced,
    /// A running lease is not refused to its client while the configuration allows it.
    LeasesAreRenewable,
    /// A revoked lease is no longer acknowledged.
    RevokedIsRefused,
    /// An address that another client may be using is not offered.
    OffersAreFree,
    /// An address is not offered if the server has learned in time that a host has it.
    AddressesInUseAreNotOffered,
    /// An offer ends as soon as its client has chosen another server, and the program passes such a
    /// choice on.
    DeclinedOffersAreFree,
    /// Messages after a RELEASE or DECLINE are not answered from the client's earlier entry.
    ClosedIsClosed,
    /// `GRANTS` holds no less time than the program has acknowledged.
    GrantsAreNoted,
    /// The program answers only from a complete entry that was published for its client.
    AnswersArePublished,
    /// Every answer of the program has the octets that the controller would send.
    FastEqualsSlow,
    /// A client whose lease is active, deleted or revoked gets an immediate answer.
    ClientsAreAnswered,
    /// An operator's command is answered.
    CommandsAreAnswered,
    /// When all clients have left and all time has passed, every address can be leased again.
    NothingIsLost,
    /// Nothing panics.
    NoPanic,
}

#[derive(Clone, Debug)]
pub struct Violation {
    pub invariant: Invariant,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)
    }
}

/// A request that the controller has taken.
#[derive(Clone, Copy, Debug)]
struct Asked {
    client: Option<ClientKey>,
    at: u64,
    arrival: u64,
    about: Option<Ipv4Addr>,
}

/// An ACK that is sent.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    pub address: Ipv4Addr,
    pub client: ClientKey,
    pub until: u64,
    /// Number of the frame that it answers.
    pub arrival: u64,
}

type Use = (Ipv4Addr, ClientKey);

#[derive(Debug, Default)]
pub struct Model {
    /// Until when each client may use an address.
    pub promises: BTreeMap<Use, u64>,
    /// The number of the last frame before a client gave up its address.
    given_up: BTreeMap<Use, u64>,
    asked: BTreeMap<u32, Asked>,
    /// Leases that the controller has refused to their clients.
    refused: BTreeSet<Use>,
    pub revoked: BTreeSet<Use>,
    /// Leases that the kernel has and the store has lost, until a process that starts has recorded
    /// them again.
    pub unrecorded: BTreeSet<Ipv4Addr>,
    /// The last probe of each address.
    probes: BTreeMap<Ipv4Addr, Probe>,
    /// Addresses that a host is known to the server to have.
    pub in_use: BTreeSet<Ipv4Addr>,
    violation: Option<Violation>,
}

impl Model {
    pub fn take_violation(&mut self) -> Option<Violation> {
        self.violation.take()
    }

    pub const fn is_violated(&self) -> bool {
        self.violation.is_some()
    }

    /// Records a violation; the first one counts.
    pub fn violate(&mut self, invariant: Invariant, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(Violation {
                invariant,
                what: what(),
            });
        }
    }

    fn alive(&self, address: Ipv4Addr, now: u64) -> impl Iterator<Item = (ClientKey, u64)> {
        let all = self.promises.iter();
        all.filter(move |((of, _), until)| *of == address && **until > now)
            .map(|((_, client), until)| (*client, *until))
    }

    /// Returns until when a client may use an address.
    pub fn promised(&self, address: Ipv4Addr, client: ClientKey, now: u64) -> Option<u64> {
        let until = self.promises.get(&(address, client)).copied();
        until.filter(|until| *until > now)
    }

    /// Records that the controller takes a message, which came as `arrival`; the program finished
    /// with it after `last`.
    pub fn handled(&mut self, message: &Message, at: u64, arrival: u64, last: u64) {
        let (about, client) = (message.about(), message.client());
        let asked = Asked {
            client,
            at,
            arrival,
            about,
        };
        self.asked.insert(message.xid, asked);
        let gives_up = matches!(message.kind, message_type::RELEASE | message_type::DECLINE);
        if let (true, Some(address), Some(client)) = (gives_up, about, client) {
            self.give_up(address, client, last);
        }
        if let (message_type::REQUEST, Some(address), Some(client)) = (message.kind, about, client)
        {
            self.moves_to(address, client, last);
        }
    }

    /// Records that a client asks for an address: it no longer uses those that it was refused (RFC
    /// 2131 §4.4.5).
    fn moves_to(&mut self, address: Ipv4Addr, client: ClientKey, last: u64) {
        let refused = self.refused.iter().copied();
        let left: Vec<_> = refused
            .filter(|(of, whose)| *whose == client && *of != address)
            .collect();
        for (before, client) in left {
            self.refused.remove(&(before, client));
            self.give_up(before, client, last);
        }
    }

    /// Returns the clients with a request that the controller has taken, and its address.
    pub fn asker(&self, xid: u32) -> Option<(ClientKey, Option<Ipv4Addr>)> {
        let asked = self.asked.get(&xid)?;
        Some((asked.client?, asked.about))
    }

    /// Records that a client stops using an address; ACKs up to this frame no longer count.
    pub fn give_up(&mut self, address: Ipv4Addr, client: ClientKey, last: u64) {
        self.revoked.remove(&(address, client));
        self.promises.remove(&(address, client));
        let given_up = self.given_up.entry((address, client)).or_default();
        *given_up = last.max(*given_up);
    }

    /// Returns an ACK of the controller, whose lease counts from when its request was taken.
    pub fn acknowledgement(&self, reply: &Message, client: ClientKey) -> Option<Acknowledged> {
        let asked = self.asked.get(&reply.xid)?;
        Some(Acknowledged {
            address: reply.yiaddr,
            client,
            until: end(asked.at, reply.lease_secs()?),
            arrival: asked.arrival,
        })
    }

    /// Checks and records an ACK that either path sends. `record` is the committed record of its
    /// address.
    pub fn acknowledged(&mut self, ack: Acknowledged, record: Option<&Durable>, now: u64) {
        use Invariant as I;
        let Acknowledged {
            address,
            client,
            until,
            ..
        } = ack;
        let given_up = self.given_up.get(&(address, client));
        if given_up.is_some_and(|given_up| ack.arrival <= *given_up) {
            return;
        }
        let is_durable = record.is_some_and(|record| {
            record.client == client && record.state == RecordState::Bound && record.horizon >= until
        });
        if !is_durable && !self.unrecorded.contains(&address) {
            self.violate(I::DurableBeforePromised, || {
                format!(
                    "{address} is acknowledged to {client:?} until {until}, committed is {record:?}"
                )
            });
        }
        let other = self.alive(address, now).find(|(other, _)| *other != client);
        if let Some((other, earlier)) = other {
            self.violate(I::OneClientAnAddress, || {
                format!(
                    "{address} is acknowledged to {client:?}, and is {other:?}'s until {earlier}"
                )
            });
        }
        if self.revoked.contains(&(address, client)) {
            self.violate(I::RevokedIsRefused, || {
                format!("{address} is acknowledged to {client:?}, from whom it was taken")
            });
        }
        self.refused.remove(&(address, client));
        let promise = self.promises.entry((address, client)).or_default();
        *promise = until.max(*promise);
    }

    /// Checks a NAK that the controller sends, about an address that is not revoked.
    pub fn refused(&mut self, address: Ipv4Addr, client: ClientKey, plan: &Plan, now: u64) {
        let Some(until) = self.promised(address, client, now) else {
            return;
        };
        self.refused.insert((address, client));
        if plan.allows(&client, address) {
            self.violate(Invariant::LeasesAreRenewable, || {
                format!("{client:?} has {address} until {until}, and is refused it")
            });
        }
    }

    /// Checks an OFFER that the controller sends.
    pub fn offered(&mut self, address: Ipv4Addr, client: ClientKey, now: u64) {
        if self.in_use.contains(&address) {
            self.violate(Invariant::AddressesInUseAreNotOffered, || {
                format!("{address} is offered to {client:?}, and a host has answered for it")
            });
        }
        let other = self.alive(address, now).find(|(other, _)| *other != client);
        if let Some((other, until)) = other {
            self.violate(Invariant::OffersAreFree, || {
                format!("{address} is offered to {client:?}, and is {other:?}'s until {until}")
            });
        }
    }

    pub fn probed(&mut self, probe: Probe) {
        self.probes.insert(probe.address, probe);
    }

    /// Returns whether the last probe of an address is answered.
    pub fn is_answered(&self, answer: &ProbeAnswer) -> bool {
        let probe = self.probes.get(&answer.address());
        probe.is_some_and(|probe| probe.is_answered_by(answer))
    }

    /// Checks and records a committed change of an address.
    pub fn committed(&mut self, address: Ipv4Addr, record: Option<&Durable>, now: u64) {
        if record.is_some() {
            self.unrecorded.remove(&address);
        } else {
            self.in_use.remove(&address);
        }
        let broken = self.alive(address, now).find(|(client, until)| {
            record.is_none_or(|record| {
                record.client != *client || record.state.is_free() || record.horizon < *until
            })
        });
        if let Some((client, until)) = broken {
            self.violate(Invariant::PromisesAreKept, || {
                format!("{address} is {client:?}'s until {until}, committed is {record:?}")
            });
        }
    }

    /// Ends the leases that were not recorded again, because they have expired.
    pub fn end_unrecorded(&mut self) {
        for address in std::mem::take(&mut self.unrecorded) {
            self.not_revoked(address);
        }
    }

    /// Drops the leases that only the kernel knew, because the kernel has lost them.
    pub fn forget_unrecorded(&mut self) {
        for address in std::mem::take(&mut self.unrecorded) {
            self.promises.retain(|(of, _), _| *of != address);
            self.not_revoked(address);
        }
    }

    /// Records that an address is no longer revoked: the operator has deleted it, or the record is
    /// lost.
    pub fn not_revoked(&mut self, address: Ipv4Addr) {
        self.revoked.retain(|(of, _)| *of != address);
    }
}

/// The committed record of an address, in the world's time.
#[derive(Clone, Copy, Debug)]
pub struct Durable {
    pub client: ClientKey,
    pub state: RecordState,
    pub horizon: u64,
}

impl Durable {
    pub const fn new(record: &Record, horizon: u64) -> Self {
        Self {
            client: record.client,
            state: record.state,
            horizon,
        }
    }
}

/// Returns the end of a lease.
pub fn end(from: u64, lease_secs: u32) -> u64 {
    from + u64::from(lease_secs) * super::clock::SEC
}

//! The journal: commits in progress, and work that waits for the store.
//!
//! At most [`MAX_BULK`] changes that no client waits for, ends of leases and later horizons, are
//! with the store at any time, so that a client that does wait has no long queue before it, however
//! many leases end at once. While the store fails all of them are put off, and one is tried now and
//! then. New clients are left to other servers; known ones continue up to their durable horizon.

use std::{collections::BTreeSet, time::Duration};

use dhcp_model::{Address, Nanos, Ticket};
use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::{
    effect::CommandId,
    lease_table::{EndReason, LeaseState},
};

/// The pause after a commit that failed.
pub const RETRY: Duration = Duration::from_secs(1);

/// Changes that no client waits for and that are with the store at one time: less than ten
/// milliseconds of work, of which a client may find two commits before it.
pub const MAX_BULK: usize = 256;

/// The most leases that are on their way to their pools at one time, because each takes memory;
/// further expired ones wait.
const MAX_ENDING: usize = 4096;

/// One change of a commit.
#[derive(Debug)]
pub struct Item<A> {
    pub address: A,
    pub purpose: Purpose,
}

/// The purpose of a change.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Leases the address, or extends its lease.
    Bind,
    /// Extends the horizon ahead of the kernel's grants.
    Extend { horizon: Nanos },
    /// Frees the address.
    Free(EndReason),
    /// Takes the address out of service.
    Quarantine,
    /// Carries out an operator's command; `was` is the state to restore if it fails.
    Command {
        id: CommandId,
        was: LeaseState,
        /// Whether an earlier commit may have stored it.
        is_in_doubt: bool,
        horizon: Nanos,
    },
}

impl Purpose {
    /// Returns whether no client waits for it.
    const fn is_bulk(self) -> bool {
        matches!(self, Self::Extend { .. } | Self::Free(_))
    }
}

/// The result of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// The store has the address for another client.
    Conflict,
    /// The store is as it was.
    Failed,
    /// The store may have made the change, or may yet make it.
    Unknown,
}

/// Changes of one commit; most have one.
pub type Items<A> = SmallVec<[Item<A>; 1]>;

/// The part of the waiting work that the store can be given now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chance<A> {
    /// The store has failed so recently that nothing is tried.
    None,
    /// The store is tried with this address alone.
    Try(A),
    /// The store works, or there is no single address to try it with.
    All,
}

/// Keeps track of commits; see the module.
#[derive(Debug)]
pub struct Journal<A: Address> {
    tickets: HashMap<Ticket, Items<A>>,
    /// The commit that counts for an address; the result of an earlier one changes nothing any
    /// more.
    current: HashMap<A, Ticket>,
    last_ticket: u64,
    /// When the store is tried again; `None` while it works.
    retry_at: Option<Nanos>,
    /// Changes that are with the store and that no client waits for.
    in_flight: usize,
    // Sets in order, so that effects are in order too.
    /// Leases whose horizon is to be extended.
    low: BTreeSet<A>,
    /// Addresses whose end, quarantine or command the store did not take.
    put_off: BTreeSet<A>,
    /// Expired leases that stay unchanged until there is room for their ends.
    expired: BTreeSet<A>,
    /// Addresses that can be freed as soon as there is room for it.
    settled: BTreeSet<A>,
}

impl<A: Address> Default for Journal<A> {
    fn default() -> Self {
        Self {
            tickets: HashMap::new(),
            current: HashMap::new(),
            last_ticket: 0,
            retry_at: None,
            in_flight: 0,
            low: BTreeSet::new(),
            put_off: BTreeSet::new(),
            expired: BTreeSet::new(),
            settled: BTreeSet::new(),
        }
    }
}

impl<A: Address> Journal<A> {
    /// Begins a commit, which from now on counts for its addresses.
    pub fn begin(&mut self, items: Items<A>) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        for item in &items {
            self.current.insert(item.address, ticket);
        }
        let bulk = items.iter().filter(|item| item.purpose.is_bulk()).count();
        self.in_flight = self.in_flight.saturating_add(bulk);
        self.tickets.insert(ticket, items);
        ticket
    }

    /// Removes a commit and returns its purposes; `None` if there is no such commit.
    pub fn finish(&mut self, ticket: Ticket) -> Option<Items<A>> {
        self.tickets.remove(&ticket)
    }

    /// Ends one change of a commit. Returns whether its result counts.
    pub fn close(&mut self, item: &Item<A>, ticket: Ticket) -> bool {
        if item.purpose.is_bulk() {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        let is_current = self.current.get(&item.address) == Some(&ticket);
        if is_current {
            self.current.remove(&item.address);
        }
        is_current
    }

    /// Returns whether a commit is in progress that counts for an address.
    pub fn is_awaited(&self, address: A) -> bool {
        self.current.contains_key(&address)
    }

    /// Discards the result of the commit in progress.
    pub fn disregard(&mut self, address: A) {
        self.current.remove(&address);
    }

    /// Returns whether a commit has failed so recently that nothing new is begun.
    pub fn is_failing(&self, now: Nanos) -> bool {
        self.retry_at.is_some_and(|at| now < at)
    }

    /// Notes that the store did not take a commit.
    pub fn failed(&mut self, now: Nanos) {
        self.retry_at = Some(now.plus(RETRY));
    }

    /// Notes that the store took a commit. Returns the deferred addresses, which are due now.
    #[must_use]
    pub fn works(&mut self) -> BTreeSet<A> {
        match self.retry_at.take() {
            Some(_) => std::mem::take(&mut self.put_off),
            None => BTreeSet::new(),
        }
    }

    /// Defers a change that the store did not take. The address has no deadline meanwhile, or a
    /// long outage would fill a large server with deadlines.
    pub fn put_off(&mut self, address: A) {
        self.put_off.insert(address);
    }

    /// Returns how many more changes without a waiting client the store may be given now.
    pub const fn room(&self) -> usize {
        MAX_BULK.saturating_sub(self.in_flight)
    }

    /// Adds a lease to those whose horizon the next such commit extends.
    pub fn extend(&mut self, address: A) {
        self.low.insert(address);
    }

    /// Returns whether enough horizons wait to fill a commit, and the store can be given it now.
    pub fn has_full_commit(&self, now: Nanos) -> bool {
        self.low.len() >= MAX_BULK && self.room() >= MAX_BULK && !self.is_failing(now)
    }

    pub fn next_to_extend(&mut self) -> Option<A> {
        self.low.pop_first()
    }

    /// Returns how many horizons wait to be extended.
    pub fn to_extend(&self) -> usize {
        self.low.len()
    }

    /// Frees an address as soon as there is room for it.
    pub fn free_later(&mut self, address: A) {
        self.settled.insert(address);
    }

    pub fn next_to_free(&mut self) -> Option<A> {
        self.settled.pop_first()
    }

    /// Returns whether one more lease may begin to end; `fences` are in progress.
    pub fn may_end(&self, fences: usize) -> bool {
        fences + self.settled.len() < MAX_ENDING
    }

    /// Ends a lease whose time is over as soon as there is room for it.
    pub fn expire_later(&mut self, address: A) {
        self.expired.insert(address);
    }

    pub fn next_to_expire(&mut self) -> Option<A> {
        self.expired.pop_first()
    }

    /// Returns which part of the waiting work can be done now.
    pub fn chance(&mut self, now: Nanos) -> Chance<A> {
        if self.is_failing(now) {
            return Chance::None;
        }
        if self.retry_at.is_some() {
            self.failed(now);
            if let Some(address) = self.put_off.pop_first() {
                return Chance::Try(address);
            }
        }
        Chance::All
    }

    /// Returns when [`Journal::chance`] has something to do; `fences` are in progress.
    pub fn next_deadline(&self, fences: usize) -> Option<Nanos> {
        let is_waiting = !self.low.is_empty() || !self.settled.is_empty();
        let has_work = !self.put_off.is_empty()
            || (is_waiting && self.room() > 0)
            || (!self.expired.is_empty() && self.may_end(fences));
        has_work.then(|| self.retry_at.unwrap_or_default())
    }
}

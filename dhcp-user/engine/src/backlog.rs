//! What no client waits for: ends of leases, and horizons. At most [`MAX_BULK`] changes of that kind are with the store
//! at any time, so that a client that does wait has no long queue before it, however many leases end at once.
//!
//! While the store fails all of it is put off, and a part tried now and then. New clients are left to other servers;
//! those that are known go on within what is durable.

use std::{collections::BTreeSet, net::Ipv4Addr};

use dhcp_model::Nanos;

use super::{Context, Engine, MAX_DUE, commits::RETRY};

/// Changes that nobody waits for and that are with the store at one time: less than ten milliseconds of work, of which
/// a client may find two commits before it.
pub(super) const MAX_BULK: usize = 256;

/// Leases that are on their way to their pools at one time, each of which takes memory of its own; further ones only
/// have their time behind them.
const MAX_ENDING: usize = 4096;

/// What waits for the store, beside the horizons in [`Engine::low`].
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// When it is tried again; `None` while it works.
    retry_at: Option<Nanos>,
    /// Addresses whose end or quarantine it did not take. A set in order, so that effects are in order too.
    ends: BTreeSet<Ipv4Addr>,
    /// Leases whose time is over, and that are left as they are until there is room for it.
    expired: BTreeSet<Ipv4Addr>,
    /// Addresses that can be freed as soon as there is room for it.
    settled: BTreeSet<Ipv4Addr>,
    /// Changes that are with the store and nobody waits for.
    in_flight: usize,
}

impl Engine {
    /// Whether a commit has failed so short ago that nothing new is begun.
    pub(super) fn is_store_failing(&self, now: Nanos) -> bool {
        self.backlog.retry_at.is_some_and(|at| now < at)
    }

    pub(super) fn store_failed(&mut self, now: Nanos) {
        self.backlog.retry_at = Some(now.plus(RETRY));
    }

    /// A commit was taken: all that had been put off is due.
    pub(super) fn store_works(&mut self, now: Nanos) {
        if self.backlog.retry_at.take().is_none() {
            return;
        }
        for address in std::mem::take(&mut self.backlog.ends) {
            self.arm_at(address, now);
        }
    }

    /// Puts the end of a lease off. It holds no deadline meanwhile: a long outage of a large server would
    /// be nothing but deadlines.
    pub(super) fn put_off(&mut self, address: Ipv4Addr) {
        self.backlog.ends.insert(address);
    }

    /// How many more changes that nobody waits for the store may be given now.
    pub(super) const fn room(&self) -> usize {
        MAX_BULK.saturating_sub(self.backlog.in_flight)
    }

    pub(super) fn bulk_begun(&mut self, changes: usize) {
        self.backlog.in_flight = self.backlog.in_flight.saturating_add(changes);
    }

    pub(super) fn bulk_done(&mut self) {
        self.backlog.in_flight = self.backlog.in_flight.saturating_sub(1);
    }

    /// Whether so many leases are ending that another one is to wait.
    pub(super) fn are_enough_ending(&self) -> bool {
        self.fences.len() + self.backlog.settled.len() >= MAX_ENDING
    }

    pub(super) fn expire_later(&mut self, address: Ipv4Addr) {
        self.backlog.expired.insert(address);
    }

    /// Some of those whose time is over; a client may have come back meanwhile.
    fn expire_waiting(&mut self, cx: &mut Context<'_>) {
        for _ in 0..MAX_DUE {
            if self.are_enough_ending() {
                break;
            }
            let Some(address) = self.backlog.expired.pop_first() else {
                break;
            };
            self.due(address, cx);
        }
    }

    /// Ends a lease as soon as there is room for it.
    pub(super) fn settle_later(&mut self, address: Ipv4Addr) {
        self.backlog.settled.insert(address);
    }

    /// One commit for all that can be freed.
    fn commit_settled(&mut self, cx: &mut Context<'_>) {
        let mut changes = Vec::new();
        for _ in 0..self.room() {
            let Some(address) = self.backlog.settled.pop_first() else {
                break;
            };
            changes.extend(self.settled(address, cx));
        }
        if !changes.is_empty() {
            self.commit(changes, cx);
        }
    }

    /// Extends horizons and frees what has ended; while the store fails, tries it with one commit.
    pub(super) fn work_off(&mut self, cx: &mut Context<'_>) {
        if self.is_store_failing(cx.now) {
            return;
        }
        if self.backlog.retry_at.is_some() {
            self.store_failed(cx.now);
            if let Some(address) = self.backlog.ends.pop_first() {
                return self.due(address, cx);
            }
        }
        self.extend_horizons(cx);
        self.commit_settled(cx);
        self.expire_waiting(cx);
    }

    /// When [`Engine::work_off`] has something to do.
    pub(super) fn backlog_deadline(&self) -> Option<Nanos> {
        let is_waiting = !self.low.is_empty() || !self.backlog.settled.is_empty();
        let has_work = !self.backlog.ends.is_empty()
            || (is_waiting && self.room() > 0)
            || (!self.backlog.expired.is_empty() && !self.are_enough_ending());
        has_work.then(|| self.backlog.retry_at.unwrap_or_default())
    }
}

//! While the store fails: what no client waits for is put off, and a part of it tried now and then. New
//! clients are left to other servers; those that are known go on within what is durable.

use std::{collections::BTreeSet, net::Ipv4Addr};

use super::{Context, Engine, commits::RETRY};
use crate::clock::Nanos;

/// What waits for the store to take commits again, beside the horizons in [`Engine::low`].
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// When it is tried again; `None` while it works.
    retry_at: Option<Nanos>,
    /// Addresses whose end or quarantine it did not take. A set in order, so that effects are in order too.
    ends: BTreeSet<Ipv4Addr>,
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
            self.timers.arm(address, now);
        }
    }

    /// Puts the end of a lease off. It holds no deadline meanwhile: a long outage of a large server would
    /// be nothing but deadlines.
    pub(super) fn put_off(&mut self, address: Ipv4Addr) {
        self.backlog.ends.insert(address);
    }

    /// Extends horizons; while the store fails, tries it with one commit.
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
    }

    /// When [`Engine::work_off`] has something to do.
    pub(super) fn backlog_deadline(&self) -> Option<Nanos> {
        let has_work = !self.low.is_empty() || !self.backlog.ends.is_empty();
        has_work.then(|| self.backlog.retry_at.unwrap_or_default())
    }
}

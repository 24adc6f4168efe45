//! Commits, and what follows from their results.

use std::{net::Ipv4Addr, time::Duration};

use dhcp_model::{Applied, Change, CommitError, Nanos, Record, RecordState, Ticket};
use smallvec::{SmallVec, smallvec};

use super::{
    Context, Counter, Effect, Engine,
    effect::{CommandId, CommandOutcome, FenceId},
    endings::Ending,
    request::Request,
};
use crate::live::{Holder, LeaseState};

/// After a commit that failed, until one is tried again.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// What is under way for an address.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub fence: Option<FenceId>,
    /// The commit that counts; the result of an earlier one changes nothing any more.
    pub ticket: Option<Ticket>,
    /// Answered when the commit is done: the last of those that came, and when it did.
    pub request: Option<(Box<Request>, Nanos)>,
    /// Where a commit that fails leads back to.
    pub before: Option<LeaseState>,
    /// Its client and where that is, once the commit is done.
    pub holder: Option<Holder>,
    /// Waits for the fence, then for its commit.
    pub command: Option<(CommandId, LeaseState)>,
    pub ending: Ending,
    /// The client has been offered the address again while it was on its way to the pool.
    pub reoffer: bool,
}

impl Work {
    const fn is_done(&self) -> bool {
        self.fence.is_none()
            && self.ticket.is_none()
            && self.request.is_none()
            && self.command.is_none()
    }
}

/// One change of a commit.
#[derive(Debug)]
pub(super) struct Item {
    pub address: Ipv4Addr,
    pub purpose: Purpose,
}

#[derive(Debug)]
pub(super) enum Purpose {
    /// Lease the address, or extend its lease.
    Bind {
        expires: Nanos,
        horizon: Nanos,
    },
    /// Extend the horizon ahead of the kernel's grants.
    Extend {
        horizon: Nanos,
    },
    /// The address goes back to its pool.
    Free(Ending),
    Quarantine,
    /// An operator's; `was` is the state to go back to.
    Command {
        id: CommandId,
        was: LeaseState,
        horizon: Nanos,
    },
}

impl Purpose {
    /// Whether nobody waits for it.
    const fn is_bulk(&self) -> bool {
        matches!(self, Self::Extend { .. } | Self::Free(_))
    }
}

/// What became of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Conflict,
    Failed,
}

impl Engine {
    pub(super) fn work_mut(&mut self, address: Ipv4Addr) -> &mut Work {
        self.work.entry(address).or_default()
    }

    /// Forgets what is no longer under way.
    pub(super) fn tidy(&mut self, address: Ipv4Addr) {
        let is_leaving = self
            .held(address)
            .is_some_and(|held| held.state == LeaseState::Withdrawn);
        if !is_leaving && self.work.get(&address).is_some_and(Work::is_done) {
            self.work.remove(&address);
        }
    }

    pub(super) fn commit_put(
        &mut self,
        address: Ipv4Addr,
        state: RecordState,
        expires: Nanos,
        horizon: Nanos,
        purpose: Purpose,
        cx: &mut Context<'_>,
    ) {
        if let Some(record) = self.record(address, state, expires, horizon) {
            self.commit_one(record, purpose, cx);
        }
    }

    pub(super) fn commit_one(&mut self, record: Record, purpose: Purpose, cx: &mut Context<'_>) {
        let address = record.address;
        let changes = vec![Change::Put(Box::new(record))];
        self.commit_items(changes, smallvec![Item { address, purpose }], cx);
    }

    pub(super) fn record(
        &self,
        address: Ipv4Addr,
        state: RecordState,
        expires: Nanos,
        horizon: Nanos,
    ) -> Option<Record> {
        let lease = self.live.get(&address)?;
        Some(Record {
            address,
            client: lease.holder.client(),
            state,
            origin: lease.holder.origin(),
            since: lease.since,
            expires,
            horizon,
        })
    }

    pub(super) fn commit(&mut self, changes: Vec<(Change, Item)>, cx: &mut Context<'_>) {
        let (changes, items): (Vec<_>, SmallVec<_>) = changes.into_iter().unzip();
        self.commit_items(changes, items, cx);
    }

    fn commit_items(
        &mut self,
        changes: Vec<Change>,
        items: SmallVec<[Item; 1]>,
        cx: &mut Context<'_>,
    ) {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        for item in &items {
            self.work_mut(item.address).ticket = Some(ticket);
        }
        self.bulk_begun(items.iter().filter(|item| item.purpose.is_bulk()).count());
        self.tickets.insert(ticket, items);
        cx.out.push(Effect::Commit { ticket, changes });
    }

    pub(super) fn committed(
        &mut self,
        ticket: Ticket,
        result: Result<Vec<Applied>, CommitError>,
        cx: &mut Context<'_>,
    ) {
        let Some(items) = self.tickets.remove(&ticket) else {
            return;
        };
        let applied = match result {
            Ok(applied) => {
                self.store_works(cx.now);
                applied
            }
            // Whoever runs the store says so in the log, once and not for each client.
            Err(error) => {
                tracing::debug!(%error, changes = items.len(), "commit failed");
                self.count(Counter::StoreFailed);
                self.store_failed(cx.now);
                Vec::new()
            }
        };
        let outcomes = applied
            .into_iter()
            .map(|applied| match applied {
                Applied::Done => Outcome::Done,
                Applied::Conflict => Outcome::Conflict,
            })
            .chain(std::iter::repeat(Outcome::Failed));
        for (item, outcome) in items.into_iter().zip(outcomes) {
            let address = item.address;
            if item.purpose.is_bulk() {
                self.bulk_done();
            }
            let is_current = self
                .work
                .get(&address)
                .is_some_and(|work| work.ticket == Some(ticket));
            if is_current {
                self.work_mut(address).ticket = None;
            }
            match item.purpose {
                Purpose::Command { id, was, horizon } => {
                    if outcome == Outcome::Done {
                        // It is on disk even if something else has been asked for since.
                        self.update(address, |lease| lease.durable_until = horizon);
                    }
                    self.command_committed(id, was, address, outcome, is_current, cx);
                }
                purpose if is_current => self.applied(address, purpose, outcome, cx),
                _ => {}
            }
            self.tidy(address);
        }
    }

    fn applied(
        &mut self,
        address: Ipv4Addr,
        purpose: Purpose,
        outcome: Outcome,
        cx: &mut Context<'_>,
    ) {
        let Some(held) = self.held(address) else {
            return;
        };
        match (purpose, outcome) {
            (Purpose::Bind { expires, horizon }, Outcome::Done) => {
                self.bound(address, expires, horizon, cx);
            }
            (Purpose::Bind { .. }, Outcome::Failed) => self.not_bound(address, cx),
            (Purpose::Bind { .. } | Purpose::Extend { .. }, Outcome::Conflict) => {
                self.conflicted(address, &held, cx);
            }
            (Purpose::Extend { horizon }, Outcome::Done) => {
                self.extended(address, &held, horizon, cx);
            }
            (Purpose::Extend { .. }, Outcome::Failed) => {
                self.low.insert(address);
                self.arm(address);
            }
            // In the store it is another's already: there is nothing left to free.
            (Purpose::Free(ending), Outcome::Done | Outcome::Conflict) => {
                self.ended(address, &held, ending, cx);
            }
            (Purpose::Free(_) | Purpose::Quarantine, Outcome::Failed) => {
                self.put_off(address);
                if let Some((id, _)) = self.work_mut(address).command.take() {
                    self.answer(address, id, CommandOutcome::StoreFailed, cx);
                }
            }
            (Purpose::Quarantine, Outcome::Done | Outcome::Conflict) => self.arm(address),
            (Purpose::Command { .. }, _) => {}
        }
    }
}

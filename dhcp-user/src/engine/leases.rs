//! How a lease begins, goes on and ends.
//!
//! ```text
//! offered ─► committing ─► bound ─► withdrawn ─► free
//!                          │  ▲        │
//!                          ▼  └────────┘ the kernel had granted more, or the client asked again
//!              deleted, revoked, quarantined
//! ```

use std::net::Ipv4Addr;

use dhcp_common::{abi::NS_PER_SEC, wire};

use super::{
    Context, Counter, Effect, Engine, Held, MAX_EXTENDED,
    effect::{CommandId, CommandOutcome, FenceId},
    protocol::Party,
    reply::NakReason,
    request::Request,
};
use crate::{
    clock::Nanos,
    config::LeaseTimes,
    live::LeaseState,
    store::{Applied, Change, CommitError, Record, RecordState, Ticket},
};

/// After a commit that failed, until it is tried again.
const RETRY_NS: u64 = NS_PER_SEC;

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

/// Why a lease ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its time is over, as far as is known before the fence.
    #[default]
    Expired,
    /// Its client gave it back.
    Released,
    /// Its client is not to have it again.
    Removed,
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
    },
}

/// What became of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Conflict,
    Failed,
}

/// `expires` and the further lease times for which an address is kept on disk.
fn horizon(expires: Nanos, lease: &LeaseTimes) -> Nanos {
    if expires.is_forever() || lease.lease_secs == wire::INFINITE_SECS {
        return Nanos::FOREVER;
    }
    let ahead = u64::from(lease.lease_secs)
        .saturating_mul(u64::from(lease.horizon_leases))
        .saturating_mul(NS_PER_SEC);
    Nanos(expires.0.saturating_add(ahead))
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

    fn lease_times(&self, held: &Held) -> Option<LeaseTimes> {
        self.networks
            .get(held.client.network())
            .map(|network| network.lease)
    }

    pub(super) fn arm(&mut self, address: Ipv4Addr) {
        if let Some(held) = self.held(address) {
            self.timers.arm(address, held.expires);
        }
    }

    /// Leases an address that nobody has to a client that may have it.
    pub(super) fn bind_free(
        &mut self,
        party: &Party,
        address: Ipv4Addr,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        let network = self
            .networks
            .get_mut(party.network)
            .ok_or(Counter::UnknownNetwork)?;
        // Reserved ones are in no pool, and free if they are not in the live table.
        if network.pool.contains(address) && !network.pool.take(address) {
            return self.nak(NakReason::NotAvailable, party, &request, cx);
        }
        self.hold_offer(party, address, &request, cx);
        self.bind(address, request, cx)
    }

    /// Commits a lease; the ACK follows the commit. A client that asks again meanwhile is answered once.
    pub(super) fn bind(
        &mut self,
        address: Ipv4Addr,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        let held = self.held(address).ok_or(Counter::OddRequest)?;
        let lease = self.lease_times(&held).ok_or(Counter::UnknownNetwork)?;
        let work = self.work_mut(address);
        if work.request.is_some() {
            work.request = Some((Box::new(request), cx.now));
            return Err(Counter::Retransmitted);
        }
        work.before = Some(held.state);
        work.reoffer = false;
        let granted = cx.now.plus_lease(lease.lease_secs);
        let expires = match held.state {
            LeaseState::Offered => granted,
            // An earlier promise is kept even if leases have become shorter.
            _ => granted.max(self.effective_expiry(&held, cx)),
        };
        let horizon = horizon(expires, &lease);
        self.update(address, |lease| {
            lease.hardware = request.hardware;
            lease.client_id.clone_from(&request.client_id);
            lease.host_name.clone_from(&request.host_name);
            if lease.state == LeaseState::Offered {
                lease.since = cx.now;
            }
            if lease.state != LeaseState::Bound {
                lease.state = LeaseState::Committing;
            }
        });
        self.timers.cancel(address);
        self.work_mut(address).request = Some((Box::new(request), cx.now));
        let purpose = Purpose::Bind { expires, horizon };
        self.commit_put(address, RecordState::Bound, expires, horizon, purpose, cx);
        Ok(())
    }

    /// ACK of an active lease: at once if the horizon covers it, or else after a commit.
    pub(super) fn renew(
        &mut self,
        address: Ipv4Addr,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        let held = self.held(address).ok_or(Counter::OddRequest)?;
        let lease = self.lease_times(&held).ok_or(Counter::UnknownNetwork)?;
        let granted = cx.now.plus_lease(lease.lease_secs);
        if granted > held.durable_until {
            return self.bind(address, request, cx);
        }
        let expires = granted.max(self.effective_expiry(&held, cx));
        self.update(address, |lease| lease.expires = expires);
        self.timers.arm(address, expires);
        self.publish(address, cx);
        let party = Party::of(&held);
        self.ack(address, &party, &request, cx)
    }

    fn bound(&mut self, address: Ipv4Addr, expires: Nanos, horizon: Nanos, cx: &mut Context<'_>) {
        let work = self.work_mut(address);
        let request = work.request.take();
        let was_offered = work.before.take() == Some(LeaseState::Offered);
        self.update(address, |lease| {
            // The kernel may have granted more meanwhile; how long an offer was held counts no more.
            lease.expires = if was_offered {
                expires
            } else {
                lease.expires.max(expires)
            };
            lease.state = LeaseState::Bound;
            lease.durable_until = horizon;
        });
        let Some(held) = self.held(address) else {
            return;
        };
        self.by_client.insert(held.client, address);
        if let Some(former) = self.formers.remove(&address)
            && former != held.client
            && self.by_client.get(&former) == Some(&address)
        {
            self.by_client.remove(&former);
        }
        let expires = self.effective_expiry(&held, cx);
        self.update(address, |lease| lease.expires = expires);
        self.arm(address);
        self.publish(address, cx);
        if let Some((request, received)) = request {
            self.acknowledge(address, *request, received, cx);
        }
    }

    /// A client counts its lease from when it last sent its REQUEST (RFC 2131 §4.4.1). If it did so
    /// again while the first was being committed that may be beyond the horizon.
    fn acknowledge(
        &mut self,
        address: Ipv4Addr,
        request: Request,
        received: Nanos,
        cx: &mut Context<'_>,
    ) {
        let Some(held) = self.held(address) else {
            return;
        };
        let Some(lease) = self.lease_times(&held) else {
            return;
        };
        let granted = received.plus_lease(lease.lease_secs);
        let answered = if granted > held.durable_until {
            self.bind(address, request, cx)
        } else {
            self.update(address, |lease| lease.expires = lease.expires.max(granted));
            self.arm(address);
            let party = Party::of(&held);
            self.ack(address, &party, &request, cx)
        };
        if let Err(silence) = answered {
            self.count(silence);
        }
    }

    /// The lease could not be committed: back to where it was. The client gets no answer and asks
    /// again.
    fn not_bound(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let work = self.work_mut(address);
        work.request = None;
        let before = work.before.take().unwrap_or(LeaseState::Offered);
        self.set_state(address, before);
        match before {
            LeaseState::Offered => self.rearm_offer(address, cx),
            LeaseState::Withdrawn => self.timers.arm(address, Nanos(cx.now.0 + RETRY_NS)),
            _ => self.arm(address),
        }
    }

    /// The store knows the address as another's: the client must start again, and the address is kept
    /// out of service, or it would be offered again at once.
    fn conflicted(&mut self, address: Ipv4Addr, held: &Held, cx: &mut Context<'_>) {
        self.count(Counter::StoreConflict);
        tracing::error!(%address, client = ?held.client, "the store holds this address for another client");
        let request = self.work_mut(address).request.take();
        self.withdraw(address, cx);
        self.set_aside(address, held, cx);
        if let Some((request, _)) = request {
            let party = Party::of(held);
            if let Err(silence) = self.nak(NakReason::NotAvailable, &party, &request, cx) {
                self.count(silence);
            }
        }
    }

    /// RFC 2131 §4.3.3: the address is in use by somebody else.
    pub(super) fn decline(
        &mut self,
        party: &Party,
        address: Ipv4Addr,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        let held = self.held(address).ok_or(Counter::DeclineMismatch)?;
        tracing::warn!(%address, client = ?party.client, "declined: the address is in use by another host");
        self.withdraw(address, cx);
        self.set_aside(address, &held, cx);
        self.commit_quarantine(address, cx);
        self.count(Counter::Declined);
        Ok(())
    }

    fn set_aside(&mut self, address: Ipv4Addr, held: &Held, cx: &Context<'_>) {
        let time = self
            .networks
            .containing(address)
            .map(|network| network.decline_time);
        let expires = cx.now.plus(time.unwrap_or_default());
        self.forget_client(address, held);
        self.update(address, |lease| {
            lease.state = LeaseState::Quarantined;
            lease.expires = expires;
        });
        let work = self.work_mut(address);
        work.request = None;
        work.ticket = None;
        work.reoffer = false;
        self.timers.arm(address, expires);
        self.tidy(address);
    }

    /// The client is not given this address again.
    fn forget_client(&mut self, address: Ipv4Addr, held: &Held) {
        self.formers.remove(&address);
        if self.by_client.get(&held.client) == Some(&address) {
            self.by_client.remove(&held.client);
        }
    }

    /// RFC 2131 §4.3.4.
    pub(super) fn release(
        &mut self,
        address: Ipv4Addr,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        let held = self.held(address).ok_or(Counter::ReleaseMismatch)?;
        if held.state == LeaseState::Withdrawn {
            let work = self.work_mut(address);
            work.ending = Ending::Released;
            work.reoffer = false;
        } else {
            self.end(address, Ending::Released, cx);
        }
        self.count(Counter::Released);
        Ok(())
    }

    /// Begins to end a lease: withdraw, fence, check, commit, free.
    pub(super) fn end(&mut self, address: Ipv4Addr, ending: Ending, cx: &mut Context<'_>) {
        self.timers.cancel(address);
        self.set_state(address, LeaseState::Withdrawn);
        let is_fencing = self.withdraw(address, cx);
        let work = self.work_mut(address);
        work.ending = ending;
        work.reoffer = false;
        work.request = None;
        work.ticket = None;
        if !is_fencing {
            self.settle(address, cx);
        }
    }

    pub(super) fn commit_end(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let Some(held) = self.held(address) else {
            return;
        };
        let ending = self.work_mut(address).ending;
        let purpose = Purpose::Free(ending);
        if ending == Ending::Removed {
            let change = Change::Remove {
                address,
                client: held.client,
            };
            self.commit(vec![(change, Item { address, purpose })], cx);
        } else {
            let until = held.expires.min(cx.now);
            self.commit_put(address, RecordState::Former, until, until, purpose, cx);
        }
    }

    fn ended(&mut self, address: Ipv4Addr, held: &Held, ending: Ending, cx: &mut Context<'_>) {
        let Work {
            reoffer, command, ..
        } = self.work.remove(&address).unwrap_or_default();
        if let Some((id, _)) = command {
            super::commands::answer(id, CommandOutcome::Done, cx);
        }
        if ending == Ending::Expired {
            self.count(Counter::LeaseExpired);
        }
        let is_current = self.by_client.get(&held.client) == Some(&address);
        if reoffer && is_current && ending != Ending::Removed {
            self.formers.insert(address, held.client);
            self.update(address, |lease| {
                lease.state = LeaseState::Offered;
                lease.durable_until = Nanos::default();
            });
            self.rearm_offer(address, cx);
        } else {
            self.free(address, ending != Ending::Removed);
        }
    }

    /// Back to the pool; with `is_former` the client that had it finds it again while it is free.
    pub(super) fn free(&mut self, address: Ipv4Addr, is_former: bool) {
        let Some((_, lease)) = self.live.remove(&address) else {
            return;
        };
        self.timers.cancel(address);
        self.work.remove(&address);
        let is_current = self.by_client.get(&lease.client) == Some(&address);
        if is_current && is_former {
            self.formers.insert(address, lease.client);
        } else if is_current {
            self.by_client.remove(&lease.client);
        }
        if !is_former && self.formers.get(&address) == Some(&lease.client) {
            self.formers.remove(&address);
        }
        let id = self.networks.containing(address).map(|network| network.id);
        if let Some(network) = id.and_then(|id| self.networks.get_mut(id)) {
            network.pool.give_back(address);
        }
    }

    /// The deadline of an address has come.
    pub(super) fn due(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let Some(held) = self.held(address) else {
            return;
        };
        let is_busy = self
            .work
            .get(&address)
            .is_some_and(|work| work.fence.is_some() || work.ticket.is_some());
        match held.state {
            LeaseState::Offered => {
                self.lapse(address, cx);
                self.count(Counter::OfferExpired);
            }
            LeaseState::Withdrawn => self.settle(address, cx),
            _ if is_busy => self
                .timers
                .arm(address, Nanos(cx.now.0.saturating_add(RETRY_NS))),
            LeaseState::Committing => {}
            LeaseState::Bound => self.due_bound(address, &held, cx),
            LeaseState::Forgotten => self.end(address, Ending::Expired, cx),
            LeaseState::Quarantined if held.expires > cx.now => self.commit_quarantine(address, cx),
            LeaseState::Revoked | LeaseState::Quarantined => self.end(address, Ending::Removed, cx),
        }
    }

    fn due_bound(&mut self, address: Ipv4Addr, held: &Held, cx: &mut Context<'_>) {
        let expires = self.effective_expiry(held, cx);
        if expires <= cx.now {
            return self.end(address, Ending::Expired, cx);
        }
        self.update(address, |lease| lease.expires = expires);
        self.timers.arm(address, expires);
        if self.is_low(&Held { expires, ..*held }) {
            self.low.insert(address);
        }
    }

    /// Whether less than a lease time is left between what is granted and the horizon.
    pub(super) fn is_low(&self, held: &Held) -> bool {
        self.lease_times(held)
            .is_some_and(|lease| held.expires.plus_lease(lease.lease_secs) > held.durable_until)
    }

    pub(super) fn horizon_low(&mut self, slot: u32, epoch: u16, cx: &mut Context<'_>) {
        let Some(address) = self.slots.owner(slot) else {
            return;
        };
        let is_meant = |held: Held| {
            held.slot == slot && held.epoch == epoch && held.state == LeaseState::Bound
        };
        if self.held(address).is_some_and(is_meant) {
            self.low.insert(address);
            if self.low.len() >= MAX_EXTENDED {
                self.extend_horizons(cx);
            }
        }
    }

    /// One commit for all that have collected. One that fails is not tried again: beyond the horizon the
    /// kernel hands renewals on, and each is committed here.
    pub(super) fn extend_horizons(&mut self, cx: &mut Context<'_>) {
        let mut changes = Vec::with_capacity(self.low.len());
        for address in std::mem::take(&mut self.low) {
            let Some(held) = self.held(address) else {
                continue;
            };
            let is_busy = self
                .work
                .get(&address)
                .is_some_and(|work| work.ticket.is_some());
            let Some(lease) = self.lease_times(&held) else {
                continue;
            };
            if held.state != LeaseState::Bound || is_busy {
                continue;
            }
            let expires = self.effective_expiry(&held, cx);
            let ahead = horizon(expires.max(cx.now.plus_lease(lease.lease_secs)), &lease);
            if ahead <= held.durable_until {
                continue;
            }
            let purpose = Purpose::Extend { horizon: ahead };
            if let Some(record) = self.record(address, RecordState::Bound, expires, ahead) {
                changes.push((Change::Put(Box::new(record)), Item { address, purpose }));
            }
        }
        if !changes.is_empty() {
            self.commit(changes, cx);
        }
    }

    fn extended(&mut self, address: Ipv4Addr, held: &Held, horizon: Nanos, cx: &mut Context<'_>) {
        if held.state != LeaseState::Bound {
            return;
        }
        let expires = self.effective_expiry(held, cx);
        self.update(address, |lease| {
            lease.durable_until = horizon;
            lease.expires = expires;
        });
        self.arm(address);
        self.publish(address, cx);
        self.count(Counter::HorizonExtended);
    }

    fn commit_quarantine(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        if let Some(held) = self.held(address) {
            let until = held.expires;
            let state = RecordState::Quarantined;
            self.commit_put(address, state, until, until, Purpose::Quarantine, cx);
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
            let change = Change::Put(Box::new(record));
            self.commit(vec![(change, Item { address, purpose })], cx);
        }
    }

    fn record(
        &self,
        address: Ipv4Addr,
        state: RecordState,
        expires: Nanos,
        horizon: Nanos,
    ) -> Option<Record> {
        let lease = self.live.get(&address)?;
        Some(Record {
            address,
            client: lease.client,
            state,
            hardware: lease.hardware,
            client_id: lease.client_id.clone(),
            host_name: lease.host_name.clone(),
            since: lease.since,
            expires,
            horizon,
        })
    }

    pub(super) fn commit(&mut self, changes: Vec<(Change, Item)>, cx: &mut Context<'_>) {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        let (changes, items): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
        for item in &items {
            self.work_mut(item.address).ticket = Some(ticket);
        }
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
        let applied = result.unwrap_or_else(|error| {
            tracing::error!(%error, changes = items.len(), "commit failed");
            self.count(Counter::StoreFailed);
            Vec::new()
        });
        let outcomes = applied
            .into_iter()
            .map(|applied| match applied {
                Applied::Done => Outcome::Done,
                Applied::Conflict => Outcome::Conflict,
            })
            .chain(std::iter::repeat(Outcome::Failed));
        for (item, outcome) in items.into_iter().zip(outcomes) {
            let address = item.address;
            let is_current = self
                .work
                .get(&address)
                .is_some_and(|work| work.ticket == Some(ticket));
            if is_current {
                self.work_mut(address).ticket = None;
            }
            match item.purpose {
                Purpose::Command { id, was } => {
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
            (Purpose::Extend { .. }, Outcome::Failed) => self.arm(address),
            // In the store it is another's already: there is nothing left to free.
            (Purpose::Free(ending), Outcome::Done | Outcome::Conflict) => {
                self.ended(address, &held, ending, cx);
            }
            (Purpose::Free(_) | Purpose::Quarantine, Outcome::Failed) => {
                if let Some((id, _)) = self.work_mut(address).command.take() {
                    super::commands::answer(id, CommandOutcome::StoreFailed, cx);
                }
                self.timers
                    .arm(address, Nanos(cx.now.0.saturating_add(RETRY_NS)));
            }
            (Purpose::Quarantine, Outcome::Done | Outcome::Conflict) => self.arm(address),
            (Purpose::Command { .. }, _) => {}
        }
    }
}

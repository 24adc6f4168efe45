//! Results of earlier effects: commits, and fences that have passed.

use std::net::Ipv4Addr;

use dhcp_model::{Applied, Nanos, StoreError, Ticket};

use super::{Context, Engine, commands::Waiting};
use crate::{
    counters::Counter,
    effect::{CommandOutcome, FenceId},
    journal::{Item, Purpose, Verdict},
    lease_table::{EndReason, Event, LeaseState},
    policy::Requester,
    reply::NakReason,
};

impl Engine {
    pub(super) fn committed(
        &mut self,
        ticket: Ticket,
        result: Result<Vec<Applied>, StoreError>,
        cx: &mut Context<'_>,
    ) {
        let Some(items) = self.journal.finish(ticket) else {
            return;
        };
        let (applied, otherwise) = match result {
            Ok(applied) => {
                for address in self.journal.works() {
                    self.table.arm_at(address, cx.now);
                }
                (applied, Verdict::Failed)
            }
            // The store's own thread logs it once, not for each client.
            Err(error) => {
                tracing::debug!(%error, changes = items.len(), "commit failed");
                self.count(Counter::StoreFailed);
                self.journal.failed(cx.now);
                let verdict = match error {
                    StoreError::NotApplied(_) | StoreError::Unreadable(_) => Verdict::Failed,
                    StoreError::Unknown(_) => Verdict::Unknown,
                };
                (Vec::new(), verdict)
            }
        };
        let verdicts = applied
            .into_iter()
            .map(|applied| match applied {
                Applied::Done => Verdict::Done,
                Applied::Conflict => Verdict::Conflict,
            })
            .chain(std::iter::repeat(otherwise));
        for (item, verdict) in items.into_iter().zip(verdicts) {
            let is_current = self.journal.close(&item, ticket);
            self.apply(&item, verdict, is_current, cx);
        }
    }

    fn apply(
        &mut self,
        item: &Item<Ipv4Addr>,
        verdict: Verdict,
        is_current: bool,
        cx: &mut Context<'_>,
    ) {
        use Verdict as V;
        let address = item.address;
        match (item.purpose, verdict) {
            (
                Purpose::Command {
                    id,
                    was,
                    is_in_doubt,
                    horizon,
                },
                _,
            ) => {
                if verdict == V::Done {
                    // It is on disk even if something else has been asked for since.
                    self.table.set_horizon(address, horizon);
                }
                // A failed commit does not undo an earlier one whose result is unknown.
                let verdict = match verdict {
                    V::Failed if is_in_doubt => V::Unknown,
                    verdict => verdict,
                };
                let command = Waiting {
                    id,
                    was,
                    is_in_doubt: is_in_doubt || verdict == V::Unknown,
                };
                self.command_committed(address, command, verdict, is_current, cx);
            }
            _ if !is_current => {}
            (Purpose::Bind, V::Done) => self.bound(address, cx),
            (Purpose::Bind, V::Failed) => self.not_bound(address, Event::NotCommitted, cx),
            (Purpose::Bind, V::Unknown) => self.not_bound(address, Event::MaybeCommitted, cx),
            (Purpose::Bind | Purpose::Extend { .. }, V::Conflict) => self.conflicted(address, cx),
            (Purpose::Extend { horizon }, V::Done) => self.extended(address, horizon, cx),
            (Purpose::Extend { .. }, V::Failed | V::Unknown) => {
                self.step(address, Event::NotExtended, cx);
            }
            // The store has the address for another client already: there is nothing left to free.
            (Purpose::Free(reason), V::Done | V::Conflict) => self.freed(address, reason, cx),
            (Purpose::Free(_), V::Failed | V::Unknown) => {
                self.step(address, Event::NotFreed, cx);
                self.answer_command(address, CommandOutcome::StoreFailed, cx);
            }
            (Purpose::Quarantine, V::Done | V::Conflict) => {
                self.step(address, Event::SetAside, cx);
            }
            (Purpose::Quarantine, V::Failed | V::Unknown) => {
                self.step(address, Event::NotSetAside, cx);
                self.answer_command(address, CommandOutcome::StoreFailed, cx);
            }
        }
    }

    fn bound(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let Some(held) = self.table.held(address) else {
            return;
        };
        let granted = self.view(cx).granted(&held);
        let requests = self.requests.remove(&address);
        self.step(address, Event::Committed { granted }, cx);
        self.end_left_behind(address, cx);
        if self.queriers.are_any()
            && let Some(lease) = self.table.leases().get(&address)
        {
            self.queriers.note(address, &lease.holder.origin());
        }
        match requests {
            Some(requests) => {
                for (request, received) in requests {
                    let answered = self.acknowledge(address, *request, received, cx);
                    self.count_silence(answered);
                }
            }
            None => self.publish(address, cx),
        }
        if !self.publisher.is_fencing(address) {
            self.answer_overtaken(address, cx);
        }
    }

    /// Ends the lease that a client has been refused, now that it has this one.
    fn end_left_behind(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let Some(client) = self.table.held(address).map(|held| held.client) else {
            return;
        };
        let Some(before) = self.left_behind.take(&client) else {
            return;
        };
        let held = self.table.held(before);
        let is_its_lease =
            held.is_some_and(|held| held.client == client && held.state == LeaseState::Bound);
        if before != address && is_its_lease {
            self.step(before, Event::End(EndReason::Removed), cx);
        }
    }

    /// Restores the previous state of a lease that could not be committed; an offer keeps the rest
    /// of its time. The client gets no answer and asks again, unless the durable horizon covers the
    /// answer.
    fn not_bound(&mut self, address: Ipv4Addr, event: Event, cx: &mut Context<'_>) {
        let requests = self.requests.remove(&address);
        self.step(address, event, cx);
        for (request, received) in requests.into_iter().flatten() {
            let Some(held) = self.table.held(address) else {
                return;
            };
            let times = self.view(cx).times(address);
            let is_durable = times
                .is_some_and(|times| received.plus_lease(times.lease_secs) <= held.durable_until);
            // For example, a client that is attached elsewhere now: its lease is the same.
            if held.state == LeaseState::Bound && is_durable {
                let answered = self.acknowledge(address, *request, received, cx);
                self.count_silence(answered);
            }
        }
    }

    /// Handles an address that the store has for another client: its client must start again, and
    /// the address is taken out of service, or it would be offered again at once.
    fn conflicted(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let Some(held) = self.table.held(address) else {
            return;
        };
        self.count(Counter::StoreConflict);
        tracing::error!(%address, client = ?held.client, "the store has this address for another client");
        let requests = self.requests.remove(&address);
        let until = self.decline_until(address, cx.now);
        self.step(address, Event::Conflict { until }, cx);
        for (request, _) in requests.into_iter().flatten() {
            let requester = Requester::of_lease(self.view(cx), address, held.client, &request);
            let answered = self.nak(NakReason::NotAvailable, &requester, &request, cx);
            self.count_silence(answered);
        }
    }

    fn extended(&mut self, address: Ipv4Addr, horizon: Nanos, cx: &mut Context<'_>) {
        if let Some(held) = self.table.held(address) {
            let granted = self.view(cx).granted(&held);
            self.step(address, Event::Extended { horizon, granted }, cx);
            self.count(Counter::HorizonExtended);
        }
    }

    fn freed(&mut self, address: Ipv4Addr, reason: EndReason, cx: &mut Context<'_>) {
        if reason == EndReason::Expired {
            self.count(Counter::LeaseExpired);
        }
        if let Some(held) = self.table.held(address) {
            self.left_behind.forget(&held.client, address);
        }
        self.step(address, Event::Freed, cx);
        self.answer_command(address, CommandOutcome::Done, cx);
    }

    fn command_committed(
        &mut self,
        address: Ipv4Addr,
        command: Waiting,
        verdict: Verdict,
        is_current: bool,
        cx: &mut Context<'_>,
    ) {
        self.commands.wait(address, command);
        let outcome = match verdict {
            Verdict::Done => CommandOutcome::Done,
            Verdict::Failed | Verdict::Conflict | Verdict::Unknown => CommandOutcome::StoreFailed,
        };
        if is_current {
            let event = match verdict {
                Verdict::Done => Event::Ordered,
                Verdict::Failed | Verdict::Conflict => Event::NotOrdered(command.was),
                Verdict::Unknown => {
                    self.step(address, Event::MaybeOrdered, cx);
                    return;
                }
            };
            self.step(address, event, cx);
        }
        self.answer_command(address, outcome, cx);
    }

    /// Handles a fence that has passed: the grant of the entry is final, and its slot is free.
    pub(super) fn fenced(&mut self, id: FenceId, cx: &mut Context<'_>) {
        let Some((fence, is_awaited)) = self.publisher.passed(id) else {
            return;
        };
        let slot = fence.slot;
        let granted = slot.and_then(|slot| cx.kernel.grant(slot).granted_for(fence.epoch));
        let granted = granted.map_or(Nanos::default(), Nanos);
        if let Some(slot) = slot {
            self.table.give_back_slot(slot);
        }
        let address = fence.address;
        if is_awaited && self.table.contains(address) {
            self.step(address, Event::Fenced { granted }, cx);
            self.answer_overtaken(address, cx);
        }
    }

    /// Answers the command that an address waits for, if it has been overtaken: no fence is in
    /// progress any more, but the client has asked again meanwhile, so that the lease is a new one
    /// now; or it has declined the address.
    fn answer_overtaken(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        use LeaseState as L;
        let state = self.table.held(address).map(|held| held.state);
        if matches!(state, Some(L::Committing | L::Bound | L::Quarantined)) {
            self.answer_command(address, CommandOutcome::Done, cx);
        }
    }
}

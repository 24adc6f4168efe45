//! Events of a lease: carries out the actions that the lease table returns.

use std::net::Ipv4Addr;

use dhcp_common::abi::{BindingState, ClientKey};
use dhcp_model::{Change, Record, RecordState};
use smallvec::smallvec;

use super::{Context, Engine, commands::Waiting};
use crate::{
    counters::Counter,
    effect::{CommandOutcome, Effect},
    journal::{Item, Items, Purpose},
    lease_table::{Action, EndReason, Event, Held, LeaseState, Transition},
    policy::{offers, publication},
    publisher::Fence,
};

impl Engine {
    /// Applies an event to a lease, and carries out what follows. Returns whether the event could
    /// happen.
    pub(super) fn step(&mut self, address: Ipv4Addr, event: Event, cx: &mut Context<'_>) -> bool {
        match self.table.transition(address, event) {
            Ok(transition) => {
                self.carry_out(address, transition, cx);
                true
            }
            Err(impossible) => {
                debug_assert!(false, "{address}: {impossible:?}");
                tracing::error!(%address, ?impossible, "an event does not fit the state of a lease");
                false
            }
        }
    }

    fn carry_out(&mut self, address: Ipv4Addr, transition: Transition, cx: &mut Context<'_>) {
        for action in transition.actions {
            match action {
                Action::CancelProbe => {
                    self.probes.take(address);
                }
                Action::ForgetProbe => self.probes.forget(address),
                Action::Withdraw => {
                    if let Some(was) = &transition.was {
                        self.withdraw(address, was, cx);
                    }
                }
                Action::DropPending => self.drop_pending(address),
                Action::Disarm => self.table.disarm(address),
                Action::Arm => self.table.arm(address),
                Action::Publish => self.publish(address, cx),
                Action::HoldOffer => self.hold_offer(address, cx),
                Action::ExtendHorizon => self.journal.extend(address),
                Action::CommitBinding => {
                    if let Some(record) = self.table.requested_record(address) {
                        self.commit_one(address, put(record), Purpose::Bind, cx);
                    }
                }
                Action::CommitQuarantine => self.commit_quarantine(address, cx),
                Action::CommitCommand => self.commit_command(address, cx),
                Action::CommitEnd => {
                    if let Some((change, purpose)) = self.end(address, cx) {
                        self.commit_one(address, change, purpose, cx);
                    }
                }
                Action::Settle => self.settle(address, cx),
                Action::PutOff => self.journal.put_off(address),
                Action::GiveBack => self.give_back(address),
            }
        }
    }

    /// Takes the entry of a lease out of the kernel's map, if it has one.
    pub(super) fn withdraw(&mut self, address: Ipv4Addr, held: &Held, cx: &mut Context<'_>) {
        if !held.is_published() {
            return;
        }
        let granted = self.view(cx).effective_expiry(held);
        self.table.leave_slot(address, granted);
        let fence = self.publisher.withdraw(Fence {
            address,
            slot: Some(held.slot),
            epoch: held.epoch,
        });
        cx.out.push(Effect::Withdraw {
            fence,
            key: held.client,
        });
        self.count(Counter::Withdrawn);
    }

    /// Takes an entry out of the kernel's map that belongs to no lease.
    pub(super) fn withdraw_stray(
        &mut self,
        client: ClientKey,
        entry: Fence<Ipv4Addr>,
        cx: &mut Context<'_>,
    ) {
        let fence = self.publisher.withdraw_stray(entry);
        cx.out.push(Effect::Withdraw { fence, key: client });
        self.count(Counter::Withdrawn);
    }

    fn drop_pending(&mut self, address: Ipv4Addr) {
        self.requests.remove(&address);
        self.journal.disregard(address);
    }

    fn give_back(&mut self, address: Ipv4Addr) {
        self.queriers.forget(address);
        self.drop_pending(address);
        self.publisher.disregard(address);
        if let Some(network) = self.networks.containing_mut(address) {
            network.give_back(address);
        }
    }

    /// Publishes a lease as it now is, if the kernel may answer from it. While an earlier entry is
    /// being withdrawn nothing is published; this is called again when the fence has passed.
    pub(super) fn publish(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        if let Some(held) = self.table.held(address)
            && publication::is_publishable(self.view(cx), address, &held)
        {
            self.publish_as(address, &held, cx);
        }
    }

    /// Publishes a lease that is known to be publishable; see [`Engine::publish`].
    pub(super) fn publish_as(&mut self, address: Ipv4Addr, held: &Held, cx: &mut Context<'_>) {
        let Some(wanted) = publication::publication(held, cx.now) else {
            return;
        };
        if self.publisher.is_fencing(address) {
            return;
        }
        if self.view(cx).is_closed(held) {
            // A new epoch opens it again; a run under the old one may still grant until the fence.
            return self.withdraw(address, held, cx);
        }
        let client = self.view(cx).digest(&held.client);
        let kernel = cx.kernel;
        let slot = self
            .table
            .slot_for(address, held, client, |slot| kernel.grant(slot));
        let Some((slot, epoch)) = slot else {
            return self.count(Counter::TableFull);
        };
        let view = self.view(cx);
        let reserved = view.reserved_for(address);
        let Some(origin) = publication::origin_check(view, address, &reserved) else {
            return;
        };
        if wanted.state == BindingState::Revoked
            && let Some(profile) = view.profile(address, &reserved)
        {
            self.publish_nak_template(&profile, origin.profile, cx);
        }
        let binding = wanted.binding(address, slot, epoch, &origin);
        cx.out.push(Effect::Publish {
            key: held.client,
            binding: binding.sealed_for(client),
        });
        self.count(Counter::Published);
    }

    /// Holds an offer for its time from now on, and publishes it.
    pub(super) fn hold_offer(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        if let Some(time) = offers::hold_time(&self.networks, address) {
            self.table.set_expiry(address, cx.now.plus(time));
            self.table.arm(address);
            self.publish(address, cx);
        }
    }

    pub(super) fn commit(
        &mut self,
        changes: Vec<Change>,
        items: Items<Ipv4Addr>,
        cx: &mut Context<'_>,
    ) {
        let ticket = self.journal.begin(items);
        cx.out.push(Effect::Commit { ticket, changes });
    }

    fn commit_one(
        &mut self,
        address: Ipv4Addr,
        change: Change,
        purpose: Purpose,
        cx: &mut Context<'_>,
    ) {
        self.commit(vec![change], smallvec![Item { address, purpose }], cx);
    }

    pub(super) fn commit_quarantine(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        if let Some(held) = self.table.held(address) {
            let until = held.expires;
            let record = self
                .table
                .record(address, RecordState::Quarantined, until, until);
            if let Some(record) = record {
                self.commit_one(address, put(record), Purpose::Quarantine, cx);
            }
        }
    }

    /// Commits an operator's command once the grant is final: until then the client may use the
    /// address. It is called again when the fence has passed.
    pub(super) fn commit_command(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        if self.publisher.is_fencing(address) {
            return;
        }
        let Some(held) = self.table.held(address) else {
            return;
        };
        let state = match held.state {
            LeaseState::Deleted => RecordState::Deleted,
            LeaseState::Revoked => RecordState::Revoked,
            _ => return,
        };
        let Some(command) = self.commands.take(address) else {
            // An entry of an earlier run, or one that was closed: nothing has changed but the map.
            return self.publish(address, cx);
        };
        let horizon = held.expires;
        let Waiting {
            id,
            was,
            is_in_doubt,
        } = command;
        let purpose = Purpose::Command {
            id,
            was,
            is_in_doubt,
            horizon,
        };
        if let Some(record) = self.table.record(address, state, horizon, horizon) {
            self.commit_one(address, put(record), purpose, cx);
        }
    }

    /// Ends a lease, at once or when there is room for it, unless a fence or a commit delays it.
    pub(super) fn settle(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        if !self.is_settled(address) {
            return;
        }
        if self.journal.room() == 0 {
            self.journal.free_later(address);
        } else {
            self.step(address, Event::Settle { now: cx.now }, cx);
        }
    }

    /// Returns whether a lease is on its way to its pool, and nothing delays it.
    fn is_settled(&self, address: Ipv4Addr) -> bool {
        let held = self.table.held(address);
        held.is_some_and(|held| held.state == LeaseState::Withdrawn)
            && !self.publisher.is_fencing(address)
            && !self.journal.is_awaited(address)
    }

    /// Ends all leases that wait for room, with one commit.
    pub(super) fn settle_all(&mut self, cx: &mut Context<'_>) {
        let (mut changes, mut items) = (Vec::new(), Items::new());
        for _ in 0..self.journal.room() {
            let Some(address) = self.journal.next_to_free() else {
                break;
            };
            if !self.is_settled(address) {
                continue;
            }
            match self
                .table
                .transition(address, Event::Settle { now: cx.now })
            {
                Ok(Transition {
                    actions: [Action::CommitEnd],
                    ..
                }) => {
                    if let Some((change, purpose)) = self.end(address, cx) {
                        changes.push(change);
                        items.push(Item { address, purpose });
                    }
                }
                Ok(transition) => self.carry_out(address, transition, cx),
                Err(impossible) => debug_assert!(false, "{address}: {impossible:?}"),
            }
        }
        if !changes.is_empty() {
            self.commit(changes, items, cx);
        }
    }

    /// Returns the change that ends a lease in the store.
    fn end(&self, address: Ipv4Addr, cx: &Context<'_>) -> Option<(Change, Purpose)> {
        let held = self.table.held(address)?;
        let reason = self.table.end_reason(address);
        let change = if reason == EndReason::Removed {
            Change::Remove {
                address,
                client: held.client,
            }
        } else {
            let until = held.expires.min(cx.now);
            put(self
                .table
                .record(address, RecordState::Former, until, until)?)
        };
        Some((change, Purpose::Free(reason)))
    }

    /// Answers the command that an address waits for.
    pub(super) fn answer_command(
        &mut self,
        address: Ipv4Addr,
        outcome: CommandOutcome,
        cx: &mut Context<'_>,
    ) {
        if let Some(command) = self.commands.take(address) {
            self.answer_operator(command.id, outcome, cx);
            self.commands.finish(address);
        }
    }
}

pub(super) fn put(record: Record) -> Change {
    Change::Put(Box::new(record))
}

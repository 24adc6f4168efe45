//! Deadlines, and the work that waits for the store.

use std::net::Ipv4Addr;

use dhcp_model::Nanos;
use smallvec::SmallVec;

use super::{Context, Engine, MAX_DUE, execute::put};
use crate::{
    counters::Counter,
    journal::{Chance, Item, Purpose, RETRY},
    lease_table::{EndReason, Event, Held, LeaseState},
    policy::leases,
};

impl Engine {
    /// Handles the deadline of an address.
    pub(super) fn due(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let Some(held) = self.table.held(address) else {
            return;
        };
        let is_busy = self.publisher.is_fencing(address) || self.journal.is_awaited(address);
        match held.state {
            LeaseState::Offered => {
                self.step(address, Event::Lapse, cx);
                self.count(Counter::OfferExpired);
            }
            LeaseState::Probing => self.probe_due(address, cx),
            LeaseState::Withdrawn => self.settle(address, cx),
            _ if is_busy => self.table.arm_at(address, cx.now.plus(RETRY)),
            LeaseState::Committing => {}
            LeaseState::Bound => self.due_bound(address, &held, cx),
            // It is not known whether the store has committed the command.
            LeaseState::Deleted | LeaseState::Revoked if self.commands.is_waiting(address) => {
                self.commit_command(address, cx);
            }
            LeaseState::Deleted => {
                self.step(address, Event::End(EndReason::Expired), cx);
            }
            LeaseState::Quarantined if held.expires > cx.now => {
                self.commit_quarantine(address, cx);
            }
            LeaseState::Revoked | LeaseState::Quarantined => {
                self.step(address, Event::End(EndReason::Removed), cx);
            }
        }
    }

    fn due_bound(&mut self, address: Ipv4Addr, held: &Held, cx: &mut Context<'_>) {
        let expires = self.view(cx).effective_expiry(held);
        if expires <= cx.now {
            if self.journal.may_end(self.publisher.in_progress()) {
                self.step(address, Event::End(EndReason::Expired), cx);
            } else {
                self.journal.expire_later(address);
            }
            return;
        }
        self.table.set_expiry(address, expires);
        self.table.arm(address);
        if self.is_low(address, expires, held, cx) {
            self.journal.extend(address);
        }
    }

    /// Returns whether less than a lease time is left between the end of a lease and its horizon.
    pub(super) fn is_low(
        &self,
        address: Ipv4Addr,
        expires: Nanos,
        held: &Held,
        cx: &Context<'_>,
    ) -> bool {
        let times = self.view(cx).times(address);
        times.is_some_and(|times| leases::is_low(expires, held.durable_until, &times))
    }

    /// Handles the kernel's message that it has granted time near the horizon of a slot.
    pub(super) fn horizon_low(&mut self, slot: u32, epoch: u16, cx: &mut Context<'_>) {
        let Some(address) = self.table.owner_of_slot(slot) else {
            return;
        };
        let is_meant = |held: Held| {
            held.slot == slot && held.epoch == epoch && held.state == LeaseState::Bound
        };
        if self.table.held(address).is_some_and(is_meant) {
            self.journal.extend(address);
            if self.journal.has_full_commit(cx.now) {
                self.extend_horizons(cx);
            }
        }
    }

    /// Extends horizons and frees leases that have ended; while the store fails, tries it with one
    /// commit.
    pub(super) fn work_off(&mut self, cx: &mut Context<'_>) {
        match self.journal.chance(cx.now) {
            Chance::None => {}
            Chance::Try(address) => self.due(address, cx),
            Chance::All => {
                self.extend_horizons(cx);
                self.settle_all(cx);
                self.expire_waiting(cx);
            }
        }
    }

    /// Extends the horizons that have been collected, as far as there is room, with one commit.
    /// Failed ones are tried again, without another request of the client.
    fn extend_horizons(&mut self, cx: &mut Context<'_>) {
        let most = self.journal.room();
        let mut changes = Vec::with_capacity(self.journal.to_extend().min(most));
        let mut items = SmallVec::new();
        while changes.len() < most {
            let Some(address) = self.journal.next_to_extend() else {
                break;
            };
            if self.journal.is_awaited(address) {
                continue;
            }
            if let Some(record) = leases::extension(self.view(cx), address) {
                let horizon = record.horizon;
                changes.push(put(record));
                let purpose = Purpose::Extend { horizon };
                items.push(Item { address, purpose });
            }
        }
        if !changes.is_empty() {
            self.commit(changes, items, cx);
        }
    }

    /// Ends some of the leases whose time is over; a client may have come back meanwhile.
    fn expire_waiting(&mut self, cx: &mut Context<'_>) {
        for _ in 0..MAX_DUE {
            if !self.journal.may_end(self.publisher.in_progress()) {
                break;
            }
            let Some(address) = self.journal.next_to_expire() else {
                break;
            };
            self.due(address, cx);
        }
    }
}

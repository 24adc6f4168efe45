//! How a lease ends, or is set aside: withdraw, fence, check, commit, free.

use std::net::Ipv4Addr;

use dhcp_model::{Change, Nanos, RecordState};

use super::{
    Context, Counter, Engine, Held,
    commits::{Item, Purpose, RETRY, Work},
    effect::CommandOutcome,
    protocol::Party,
};
use crate::live::LeaseState;

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

impl Engine {
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

    pub(super) fn set_aside(&mut self, address: Ipv4Addr, held: &Held, cx: &Context<'_>) {
        let time = self
            .networks
            .subnet_of(address)
            .map(|subnet| subnet.decline_time);
        let expires = cx.now.plus(time.unwrap_or_default());
        self.forget_client(address, held);
        self.probes.forget(address);
        self.update(address, |lease| {
            lease.state = LeaseState::Quarantined;
            lease.expires = expires;
        });
        let work = self.work_mut(address);
        work.request = None;
        work.ticket = None;
        work.reoffer = false;
        self.arm_at(address, expires);
        self.tidy(address);
    }

    /// The client is not given this address again.
    fn forget_client(&mut self, address: Ipv4Addr, held: &Held) {
        self.clients.forget_former(address);
        if self.clients.is_at(&held.client, address) {
            self.clients.remove(&held.client);
        }
    }

    pub(super) fn commit_quarantine(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        if let Some(held) = self.held(address) {
            let until = held.expires;
            let state = RecordState::Quarantined;
            self.commit_put(address, state, until, until, Purpose::Quarantine, cx);
        }
    }

    /// Begins to end a lease: withdraw, fence, check, commit, free.
    pub(super) fn end(&mut self, address: Ipv4Addr, ending: Ending, cx: &mut Context<'_>) {
        self.disarm(address);
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

    /// What the store is to be told of a lease that has ended.
    fn end_of(&self, address: Ipv4Addr, held: &Held, ending: Ending, now: Nanos) -> Option<Change> {
        if ending == Ending::Removed {
            return Some(Change::Remove {
                address,
                client: held.client,
            });
        }
        let until = held.expires.min(now);
        let record = self.record(address, RecordState::Former, until, until)?;
        Some(Change::Put(Box::new(record)))
    }

    /// After the fence, or where there was nothing to withdraw: check, then free, at once or when there is room.
    pub(super) fn settle(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        if self.room() == 0 {
            self.settle_later(address);
        } else if let Some(change) = self.settled(address, cx) {
            self.commit(vec![change], cx);
        }
    }

    /// What is to be committed to free an address, if that is on its way to its pool and waits for nothing else.
    pub(super) fn settled(
        &mut self,
        address: Ipv4Addr,
        cx: &mut Context<'_>,
    ) -> Option<(Change, Item)> {
        let held = self.held(address)?;
        let work = self.work_mut(address);
        if held.state != LeaseState::Withdrawn || work.fence.is_some() || work.ticket.is_some() {
            self.tidy(address);
            return None;
        }
        let ending = work.ending;
        if ending == Ending::Expired && held.expires > cx.now {
            // The kernel granted more while the entry was on its way out.
            self.set_state(address, LeaseState::Bound);
            self.arm(address);
            self.publish(address, cx);
            self.tidy(address);
            return None;
        }
        let change = self.end_of(address, &held, ending, cx.now)?;
        let purpose = Purpose::Free(ending);
        Some((change, Item { address, purpose }))
    }

    pub(super) fn ended(
        &mut self,
        address: Ipv4Addr,
        held: &Held,
        ending: Ending,
        cx: &mut Context<'_>,
    ) {
        let Work {
            reoffer, command, ..
        } = self.work.remove(&address).unwrap_or_default();
        if ending == Ending::Expired {
            self.count(Counter::LeaseExpired);
        }
        let is_current = self.clients.is_at(&held.client, address);
        if reoffer && is_current && ending != Ending::Removed {
            self.clients.set_former(address, held.client);
            self.update(address, |lease| {
                lease.state = LeaseState::Offered;
                lease.durable_until = Nanos::default();
            });
            self.rearm_offer(address, cx);
        } else {
            self.free(address, ending != Ending::Removed);
        }
        if let Some((id, _)) = command {
            self.answer(address, id, CommandOutcome::Done, cx);
        }
    }

    /// Back to the pool; with `is_former` the client that had it finds it again while it is free.
    pub(super) fn free(&mut self, address: Ipv4Addr, is_former: bool) {
        let Some(Held { client, .. }) = self.held(address) else {
            return;
        };
        self.requesters.forget(address);
        self.disarm(address);
        self.work.remove(&address);
        let is_current = self.clients.is_at(&client, address);
        if is_current && is_former {
            self.clients.leave(&client, address);
        } else if is_current {
            self.clients.remove(&client);
        }
        if !is_former && self.clients.is_former(&client, address) {
            self.clients.forget_former(address);
        }
        self.live.remove(&address);
        if let Some(network) = self.networks.containing_mut(address) {
            network.give_back(address);
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
            LeaseState::Probing => self.probe_due(address, cx),
            LeaseState::Withdrawn => self.settle(address, cx),
            _ if is_busy => self.arm_at(address, cx.now.plus(RETRY)),
            LeaseState::Committing => {}
            LeaseState::Bound => self.due_bound(address, &held, cx),
            LeaseState::Forgotten => self.end(address, Ending::Expired, cx),
            LeaseState::Quarantined if held.expires > cx.now => self.commit_quarantine(address, cx),
            LeaseState::Revoked | LeaseState::Quarantined => self.end(address, Ending::Removed, cx),
        }
    }

    fn due_bound(&mut self, address: Ipv4Addr, held: &Held, cx: &mut Context<'_>) {
        let expires = self.effective_expiry(held, cx);
        if expires <= cx.now && self.are_enough_ending() {
            return self.expire_later(address);
        }
        if expires <= cx.now {
            return self.end(address, Ending::Expired, cx);
        }
        self.update(address, |lease| lease.expires = expires);
        self.arm_at(address, expires);
        if self.is_low(address, &Held { expires, ..*held }) {
            self.low.insert(address);
        }
    }
}

//! The horizon: until when an address is its client's on disk, ahead of what the kernel grants.

use std::net::Ipv4Addr;

use dhcp_model::{Change, Nanos, RecordState, horizon};

use super::{
    Context, Counter, Engine, Held,
    backlog::MAX_BULK,
    commits::{Item, Purpose},
};
use crate::live::LeaseState;

impl Engine {
    /// Whether less than a lease time is left between what is granted and the horizon.
    pub(super) fn is_low(&self, address: Ipv4Addr, held: &Held) -> bool {
        self.lease_times(address)
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
            if self.low.len() >= MAX_BULK
                && self.room() >= MAX_BULK
                && !self.is_store_failing(cx.now)
            {
                self.extend_horizons(cx);
            }
        }
    }

    /// One commit for all that have collected, as far as there is room. What fails is tried again: clients
    /// need not ask for what they were promised.
    pub(super) fn extend_horizons(&mut self, cx: &mut Context<'_>) {
        let most = self.room();
        let mut changes = Vec::with_capacity(self.low.len().min(most));
        while changes.len() < most {
            let Some(address) = self.low.pop_first() else {
                break;
            };
            let Some(held) = self.held(address) else {
                continue;
            };
            let is_busy = self
                .work
                .get(&address)
                .is_some_and(|work| work.ticket.is_some());
            let Some(lease) = self.lease_times(address) else {
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

    pub(super) fn extended(
        &mut self,
        address: Ipv4Addr,
        held: &Held,
        horizon: Nanos,
        cx: &mut Context<'_>,
    ) {
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
}

//! The start: what the store holds, and what an earlier run has left in the kernel's map.

use std::{collections::BTreeMap, net::Ipv4Addr};

use dhcp_common::abi::{Binding, BindingState, ClientKey, NS_PER_SEC};

use super::{Context, Effect, Engine, Grants, Held, NO_SLOT};
use crate::{
    clock::Nanos,
    config::Classes,
    live::{Lease, LeaseState},
    store::{Record, RecordState},
};

/// Times go to the store in UTC and come back a little different; a horizon that has moved by less is
/// the same one.
const CLOCK_DRIFT_NS: u64 = NS_PER_SEC;

type Published = BTreeMap<ClientKey, Binding>;

impl Engine {
    /// Before any input: takes in the stored records, those of [`unrecorded`](super::unrecorded) leases among
    /// them, and the entries that the kernel's map holds. Entries that are still right stay as they are, so that
    /// the kernel goes on answering; what no record knows is withdrawn.
    pub fn restore(
        &mut self,
        records: impl IntoIterator<Item = Record>,
        published: impl IntoIterator<Item = (ClientKey, Binding)>,
        now: Nanos,
        kernel: &impl Grants,
        out: &mut Vec<Effect>,
    ) {
        let cx = &mut Context { now, kernel, out };
        let published: Published = published.into_iter().collect();
        let mut formers = Vec::new();
        for record in records {
            if record.state.is_free() {
                formers.push(record);
            } else {
                self.restore_lease(record, &published);
            }
        }
        // In the order in which they became free, for the pool gives out the longest free one first.
        formers.sort_unstable_by_key(|former| (former.expires, former.address));
        for former in &formers {
            self.restore_former(former);
        }
        for (client, binding) in &published {
            self.adopt(*client, binding, cx);
        }
        self.slots.close_gaps();
        let mut addresses: Vec<_> = self.live.iter().map(|lease| *lease.key()).collect();
        addresses.sort_unstable();
        for address in addresses {
            self.reconcile(address, &published, cx);
        }
    }

    fn restore_lease(&mut self, record: Record, published: &Published) {
        let address = record.address;
        if self.networks.containing(address).is_none() {
            return self.foreign.push(record);
        }
        if self.live.contains_key(&address) {
            return;
        }
        let binding = published
            .get(&record.client)
            .filter(|binding| Ipv4Addr::from(binding.address) == address);
        let (state, expires) = match (record.state, binding) {
            // Without the kernel's entry nobody knows what it has granted, but never beyond the horizon.
            (RecordState::Bound, None) => (LeaseState::Bound, record.horizon),
            (RecordState::Bound, Some(binding)) => {
                let expires = match BindingState::from_raw(binding.state) {
                    Some(BindingState::Bound) => record.expires.max(Nanos(binding.expires_ns)),
                    _ => record.horizon,
                };
                (LeaseState::Bound, expires)
            }
            (RecordState::Forgotten, _) => (LeaseState::Forgotten, record.expires),
            (RecordState::Revoked, _) => (LeaseState::Revoked, record.expires),
            (RecordState::Quarantined, _) => (LeaseState::Quarantined, record.expires),
            (RecordState::Former, _) => return,
        };
        self.take(address);
        if state != LeaseState::Quarantined && self.is_preferred(&record, state) {
            self.by_client.insert(record.client, address);
        }
        self.requesters.note(address, &record.origin);
        let lease = Lease {
            client: record.client,
            state,
            origin: record.origin,
            since: record.since,
            expires,
            durable_until: record.horizon,
            terms: None,
            slot: NO_SLOT,
            epoch: 0,
        };
        self.live.insert(address, lease);
        self.arm(address);
    }

    /// Takes in what the store holds of addresses that another configuration had no subnet for.
    pub(super) fn recall(&mut self) {
        for record in std::mem::take(&mut self.foreign) {
            self.restore_lease(record, &Published::new());
        }
    }

    /// A client that has come to another address has the lease that is active, and of two the newer.
    fn is_preferred(&self, record: &Record, state: LeaseState) -> bool {
        let Some(other) = self.by_client.get(&record.client) else {
            return true;
        };
        let rank = |state, since| (state == LeaseState::Bound, since);
        self.live
            .get(other)
            .is_none_or(|other| rank(state, record.since) > rank(other.state, other.since))
    }

    fn take(&mut self, address: Ipv4Addr) {
        if let Some(network) = self.networks.containing_mut(address) {
            // One that is reserved, or no longer in the pool, is held by the live table alone.
            network.take(address);
        }
    }

    fn restore_former(&mut self, former: &Record) {
        let Record {
            address,
            client,
            ref origin,
            ..
        } = *former;
        let Some(network) = self.networks.containing_mut(address) else {
            return;
        };
        let relay_info = origin.relay_info.as_deref();
        let reserved = network.reservation(&client, &origin.hardware, relay_info);
        if self.live.contains_key(&address) || !network.may_have(reserved, Classes::MAX, address) {
            return;
        }
        if network.take(address) {
            network.give_back(address);
        }
        if self.current(&client).is_none() {
            // The one that the client had last comes last.
            if let Some(earlier) = self.by_client.insert(client, address) {
                self.formers.remove(&earlier);
            }
            self.formers.insert(address, client);
        }
    }

    /// Takes over an entry and its slot, or takes it out of the map.
    fn adopt(&mut self, client: ClientKey, binding: &Binding, cx: &mut Context<'_>) {
        let address = Ipv4Addr::from(binding.address);
        let has_slot = self.slots.adopt(binding.slot, address);
        let slot = has_slot.then_some(binding.slot);
        let held = self.held(address).filter(|held| held.client == client);
        if let (Some(slot), Some(held)) = (slot, held) {
            let adopted = Held {
                slot,
                epoch: binding.epoch,
                ..held
            };
            let expires = match held.state {
                LeaseState::Quarantined => held.expires,
                _ => self.effective_expiry(&adopted, cx),
            };
            self.update(address, |lease| {
                lease.slot = slot;
                lease.epoch = binding.epoch;
                lease.expires = expires;
            });
            self.arm(address);
            return;
        }
        self.withdraw_stray(client, address, slot, binding.epoch, cx);
    }

    /// Makes the kernel's map say what the live table does.
    fn reconcile(&mut self, address: Ipv4Addr, published: &Published, cx: &mut Context<'_>) {
        let Some(held) = self.held(address) else {
            return;
        };
        let wanted = match held.state {
            LeaseState::Bound if held.expires > cx.now => Some(BindingState::Bound),
            LeaseState::Revoked => Some(BindingState::Revoked),
            _ => None,
        };
        let Some(state) = wanted.filter(|_| self.is_publishable(address, &held)) else {
            // An expired one is withdrawn by its deadline, which has come.
            if held.state != LeaseState::Bound || held.expires > cx.now {
                self.withdraw(address, cx);
            }
            return;
        };
        if held.state == LeaseState::Bound && self.is_low(address, &held) {
            self.low.insert(address);
        }
        let binding = published.get(&held.client).filter(|_| held.slot != NO_SLOT);
        let is_right = binding.is_some_and(|binding| {
            binding.state == state as u8
                && self
                    .place(address)
                    .is_some_and(|place| place.is_of(binding))
                && binding.durable_until_ns.abs_diff(held.durable_until.0) < CLOCK_DRIFT_NS
                && !self.is_closed(&held, cx)
        });
        match binding {
            Some(binding) if is_right => {
                self.networks.note_profile(binding.profile);
                let durable_until = Nanos(binding.durable_until_ns);
                self.update(address, |lease| lease.durable_until = durable_until);
            }
            _ => self.publish(address, cx),
        }
    }
}

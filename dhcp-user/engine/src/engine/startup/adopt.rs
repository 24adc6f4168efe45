//! Adoption of one record of the store, and of one entry of the kernel's map.

use std::net::Ipv4Addr;

use dhcp_common::abi::{Binding, BindingState, ClientDigest, ClientKey};
use dhcp_config::Classes;
use dhcp_model::{Nanos, Record, RecordState};

use super::super::{Context, Engine};
use crate::{
    lease_table::{Event, Held, Holder, LeaseState, NO_SLOT, NewLease},
    policy::publication,
    publisher::Fence,
};

impl Engine {
    pub(super) fn digest(&self, client: &ClientKey) -> ClientDigest {
        ClientDigest::new(client, &self.fingerprint_key)
    }

    /// Adds the record of a lease to the lease table. If its client has several addresses, returns
    /// the one that is no longer the client's.
    pub(super) fn restore_lease(&mut self, record: Record) -> Option<Ipv4Addr> {
        let address = record.address;
        if self.networks.containing(address).is_none() {
            self.foreign.push(record);
            return None;
        }
        if self.table.contains(address) || record.state.is_free() {
            return None;
        }
        self.take(address);
        self.queriers.note(address, &record.origin);
        let earlier = self.table.address_of(&record.client);
        let is_current = record.state != RecordState::Quarantined
            && earlier.is_none_or(|earlier| self.is_preferred(&record, earlier));
        let lease = NewLease {
            holder: Holder::new(&record.client, &record.origin),
            since: record.since,
            expires: record.expires,
            durable_until: record.horizon,
            is_current,
        };
        let recorded = self
            .table
            .transition(address, Event::Recorded(record.state, lease));
        debug_assert!(recorded.is_ok(), "{address}: {recorded:?}");
        if is_current { earlier } else { Some(address) }
    }

    /// Adds the records of addresses that no subnet of an earlier configuration contained.
    pub(in super::super) fn recall(&mut self) {
        for record in std::mem::take(&mut self.foreign) {
            let address = record.address;
            self.restore_lease(record);
            self.hold_to_horizon(address);
            self.table.arm(address);
        }
    }

    /// Extends a lease to its horizon if the kernel has no entry: the granted time is unknown, but
    /// never beyond the horizon.
    fn hold_to_horizon(&self, address: Ipv4Addr) {
        if let Some(held) = self.table.held(address)
            && held.state == LeaseState::Bound
            && !held.is_published()
        {
            self.table.set_expiry(address, held.durable_until);
        }
    }

    /// Returns whether a record, rather than the one at another address, is its client's lease: an
    /// active lease takes precedence, then the newer one.
    fn is_preferred(&self, record: &Record, other: Ipv4Addr) -> bool {
        let rank = |is_bound, since: Nanos| (is_bound, since);
        let rank_of_record = rank(record.state == RecordState::Bound, record.since);
        self.table.leases().get(&other).is_none_or(|other| {
            rank_of_record > rank(other.state == LeaseState::Bound, other.since)
        })
    }

    fn take(&mut self, address: Ipv4Addr) {
        if let Some(network) = self.networks.containing_mut(address) {
            // An address that is reserved, or no longer in the pool, is only in the lease table.
            network.take(address);
        }
    }

    /// Returns whether the client that had an address may be given it again.
    pub(super) fn may_return(&self, former: &Record) -> bool {
        let origin = &former.origin;
        let containing = self.networks.containing(former.address);
        containing.is_some_and(|(network, _)| {
            let reserved = network.reservation(&former.client, &origin.into());
            network.may_have(reserved.address, Classes::MAX, former.address)
        })
    }

    pub(super) fn restore_former(&mut self, address: Ipv4Addr, client: ClientKey) {
        if self.table.contains(address) {
            return;
        }
        if let Some(network) = self.networks.containing_mut(address)
            && network.take(address)
        {
            network.give_back(address);
        }
        if self.table.current(&client).is_none() {
            // The address that the client had last must be the last one.
            self.table.note_former(address, client);
        }
    }

    /// Adopts an entry and its slot, or withdraws it from the map. Returns whether it stays
    /// unchanged.
    pub(super) fn adopt(
        &mut self,
        client: ClientKey,
        binding: &Binding,
        is_current: bool,
        cx: &mut Context<'_>,
    ) -> bool {
        let address = Ipv4Addr::from(binding.address);
        let has_slot = self.table.adopt_slot(binding.slot, address);
        let slot = has_slot.then_some(binding.slot);
        let state = BindingState::from_raw(binding.state);
        let held = self.table.held(address);
        let held = held.filter(|held| held.client == client);
        let (Some(slot), Some(held)) = (slot, held) else {
            let entry = Fence {
                address,
                slot,
                epoch: binding.epoch,
            };
            self.withdraw_stray(client, entry, cx);
            return false;
        };
        let expires = match (held.state, state) {
            (LeaseState::Bound, Some(BindingState::Bound)) => {
                held.expires.max(Nanos(binding.expires_ns))
            }
            (LeaseState::Bound, _) => held.durable_until,
            _ => held.expires,
        };
        let mut adopted = Held {
            slot,
            epoch: binding.epoch,
            expires,
            ..held
        };
        let view = self.view(cx);
        if held.state != LeaseState::Quarantined {
            adopted.expires = view.effective_expiry(&adopted);
        }
        let is_right = is_current && publication::is_right(view, address, &adopted, binding);
        if is_right {
            self.networks.note_profile(binding.profile);
            adopted.durable_until = Nanos(binding.durable_until_ns);
        }
        self.table.adopt(address, &adopted);
        is_right
    }

    /// Makes the kernel's map agree with the lease table.
    pub(super) fn reconcile(
        &mut self,
        address: Ipv4Addr,
        right: &[bool],
        is_current: bool,
        cx: &mut Context<'_>,
    ) {
        self.hold_to_horizon(address);
        let Some(held) = self.table.held(address) else {
            return;
        };
        self.table.arm(address);
        let view = self.view(cx);
        let is_wanted = publication::wanted_at_start(&held, cx.now).is_some();
        let is_right = held.slot != NO_SLOT && right.get(held.slot as usize) == Some(&true);
        let is_to_be_published = !is_right
            && is_wanted
            && is_current
            && view.is_still_its(address, &held, view.reserved_for(address).address);
        if !is_right && !is_to_be_published {
            // An expired one is withdrawn by its deadline, which has come.
            if held.state != LeaseState::Bound || held.expires > cx.now {
                self.withdraw(address, &held, cx);
            }
            return;
        }
        if held.state == LeaseState::Bound && self.is_low(address, held.expires, &held, cx) {
            self.journal.extend(address);
        }
        if is_to_be_published {
            self.publish_as(address, &held, cx);
        }
    }
}

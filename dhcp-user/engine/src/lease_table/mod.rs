//! The lease table: which client has which address, until when, and how that changes.
//!
//! [`LeaseTable`] owns the leases, the index of clients, the deadlines and the slots in the
//! kernel's map. The state of a lease changes in [`LeaseTable::transition`] only, as the table in
//! [`life`] says; the times of a lease have methods of their own. Everything here is written for
//! any [`Address`].

mod apply;
mod clients;
mod event;
mod hasher;
mod holder;
mod leases;
mod slots;
mod state;
#[cfg(test)]
mod tests;
mod transition;

use std::{net::Ipv4Addr, sync::Arc};

use dhcp_common::abi::{ClientDigest, ClientKey, Grant};
use dhcp_model::{Address, LeaseTimes, Nanos, Record, RecordState};
use hashbrown::HashMap;

use self::{clients::Clients, slots::Slots};
pub use self::{
    event::{Action, Event, Facts, Impossible, NewLease, RequestedBinding, Step},
    hasher::AddressHasher,
    holder::Holder,
    leases::{Lease, Leases, PackedTimes},
    slots::NO_SLOT,
    state::{EndReason, LeaseState},
    transition::life,
};
use crate::timers::Timers;

/// The part of a [`Lease`] that decisions depend on.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub client: ClientKey,
    pub state: LeaseState,
    pub expires: Nanos,
    pub durable_until: Nanos,
    pub slot: u32,
    pub epoch: u16,
}

impl Held {
    pub const fn is_published(&self) -> bool {
        self.slot != NO_SLOT
    }
}

impl From<&Lease> for Held {
    fn from(lease: &Lease) -> Self {
        Self {
            client: lease.holder.client(),
            state: lease.state,
            expires: lease.expires,
            durable_until: lease.durable_until,
            slot: lease.slot,
            epoch: lease.epoch,
        }
    }
}

/// The operation in progress on a lease that is ending or being committed; most leases have none.
#[derive(Debug, Default)]
struct PendingOperation {
    /// The state to restore if the commit fails.
    before: Option<LeaseState>,
    /// The binding that the commit makes durable.
    binding: Option<RequestedBinding>,
    reason: EndReason,
    is_offered_again: bool,
}

/// The result of a transition: the lease before, and the actions that must follow.
#[derive(Clone, Copy, Debug)]
pub struct Transition {
    /// The lease before; `None` if the address was free.
    pub was: Option<Held>,
    pub actions: &'static [Action],
}

/// Owns the leases; see the module.
#[derive(Debug)]
pub struct LeaseTable<A: Address = Ipv4Addr> {
    leases: Arc<Leases<A>>,
    clients: Clients<A>,
    timers: Timers<A>,
    slots: Slots<A>,
    pending: HashMap<A, PendingOperation>,
}

impl<A: Address> LeaseTable<A> {
    /// Creates an empty table for at most `max_slots` published bindings.
    pub fn new(max_slots: u32) -> Self {
        let leases = Arc::new(Leases::default());
        Self {
            clients: Clients::new(Arc::clone(&leases)),
            leases,
            timers: Timers::default(),
            slots: Slots::new(max_slots),
            pending: HashMap::new(),
        }
    }

    /// Returns the leases, to be read by any thread.
    pub const fn leases(&self) -> &Arc<Leases<A>> {
        &self.leases
    }

    pub fn held(&self, address: A) -> Option<Held> {
        self.leases.get(&address).map(|lease| Held::from(&**lease))
    }

    pub fn contains(&self, address: A) -> bool {
        self.leases.contains(address)
    }

    /// Returns the address that a client has, in any state.
    pub fn current(&self, client: &ClientKey) -> Option<(A, Held)> {
        let address = self.clients.get(client)?;
        let held = self.held(address)?;
        (held.client == *client).then_some((address, held))
    }

    /// Returns the address that a client has, in any state, or had last.
    pub fn address_of(&self, client: &ClientKey) -> Option<A> {
        self.clients.get(client)
    }

    /// Returns whether a client is found at an address: it has no other.
    pub fn is_at(&self, client: &ClientKey, address: A) -> bool {
        self.clients.is_at(client, address)
    }

    /// Returns whether a client was the last to have a free address.
    pub fn is_former(&self, client: &ClientKey, address: A) -> bool {
        self.clients.is_former(client, address)
    }

    /// Returns whether the address is on its way to the pool because its client must not have it
    /// again.
    pub fn is_removed(&self, address: A) -> bool {
        let pending = self.pending.get(&address);
        pending.is_some_and(|pending| pending.reason == EndReason::Removed)
    }

    /// Returns why a lease that is ending ends.
    pub fn end_reason(&self, address: A) -> EndReason {
        let pending = self.pending.get(&address);
        pending.map_or_else(EndReason::default, |pending| pending.reason)
    }

    /// Returns the record of a lease for the store.
    pub fn record(
        &self,
        address: A,
        state: RecordState,
        expires: Nanos,
        horizon: Nanos,
    ) -> Option<Record<A>> {
        let lease = self.leases.get(&address)?;
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

    /// Returns the record that makes the binding durable that a lease's client asks for.
    pub fn requested_record(&self, address: A) -> Option<Record<A>> {
        let since = self.leases.get(&address)?.since;
        let binding = self.pending.get(&address)?.binding.as_ref()?;
        Some(Record {
            address,
            client: binding.holder.client(),
            state: RecordState::Bound,
            origin: binding.holder.origin(),
            since,
            expires: binding.expires,
            horizon: binding.horizon,
        })
    }

    /// Sets the deadline of an address, in place of the one before.
    pub fn arm_at(&mut self, address: A, deadline: Nanos) {
        let former = self.leases.update(address, |lease| {
            std::mem::replace(&mut lease.deadline, deadline)
        });
        if let Some(former) = former {
            self.timers.move_to(address, former, deadline);
        }
    }

    /// Sets the deadline of an address to the end of its lease.
    pub fn arm(&mut self, address: A) {
        if let Some(expires) = self.leases.get(&address).map(|lease| lease.expires) {
            self.arm_at(address, expires);
        }
    }

    /// Removes the deadline of an address.
    pub fn disarm(&mut self, address: A) {
        self.arm_at(address, Nanos::FOREVER);
    }

    pub fn next_deadline(&self) -> Option<Nanos> {
        self.timers.next_deadline()
    }

    /// Removes and returns the address with the earliest deadline that has come by `now`.
    pub fn pop_due(&mut self, now: Nanos) -> Option<A> {
        let address = self.timers.pop_due(now)?;
        self.leases
            .update(address, |lease| lease.deadline = Nanos::FOREVER);
        Some(address)
    }

    /// Sets the end of a lease as far as it is known.
    pub fn set_expiry(&self, address: A, expires: Nanos) {
        self.leases.update(address, |lease| lease.expires = expires);
    }

    /// Sets the horizon that the store has committed.
    pub fn set_horizon(&self, address: A, horizon: Nanos) {
        self.leases
            .update(address, |lease| lease.durable_until = horizon);
    }

    /// Sets the times that a lease is given for.
    pub fn set_times(&self, address: A, times: LeaseTimes) {
        self.leases
            .update(address, |lease| lease.times = Some(times.into()));
    }

    /// Sets the holder of an offer, with the client's origin.
    pub fn set_holder(&self, address: A, holder: Holder) {
        self.leases.update(address, |lease| lease.holder = holder);
    }

    /// Removes a client from the index. Its lease stays as it is.
    pub fn forget_client(&mut self, client: &ClientKey) {
        self.clients.remove(client);
    }

    /// Notes which client had a free address; of several addresses the last one counts.
    pub fn note_former(&mut self, address: A, client: ClientKey) {
        self.clients.insert_former(client, address);
    }

    /// Returns slot and epoch of a lease in the kernel's map; takes one of the client's slots if it
    /// has none.
    pub fn slot_for(
        &mut self,
        address: A,
        held: &Held,
        client: ClientDigest,
        grant: impl FnOnce(u32) -> Grant,
    ) -> Option<(u32, u16)> {
        if held.is_published() {
            return Some((held.slot, held.epoch));
        }
        let slot = self.slots.take(client, address)?;
        let epoch = slots::fresh_epoch(grant(slot));
        self.leases.update(address, |lease| {
            lease.slot = slot;
            lease.epoch = epoch;
        });
        Some((slot, epoch))
    }

    /// Forgets the slot of a lease, which stays taken until its fence has passed.
    pub fn leave_slot(&self, address: A, granted: Nanos) {
        self.leases.update(address, |lease| {
            lease.slot = NO_SLOT;
            if lease.state != LeaseState::Quarantined {
                lease.expires = granted;
            }
        });
    }

    /// Lets a slot be used again.
    pub fn give_back_slot(&mut self, slot: u32) {
        self.slots.give_back(slot);
    }

    /// Returns the address that a slot was last taken for.
    pub fn owner_of_slot(&self, slot: u32) -> Option<A> {
        self.slots.owner(slot)
    }

    /// Takes a certain slot, as found in the kernel's map. Returns whether it is free and within
    /// the map.
    pub fn adopt_slot(&mut self, slot: u32, address: A) -> bool {
        self.slots.adopt(slot, address)
    }

    /// Sets slot and times of a lease to those of its entry in the kernel's map.
    pub fn adopt(&self, address: A, adopted: &Held) {
        self.leases.update(address, |lease| {
            lease.slot = adopted.slot;
            lease.epoch = adopted.epoch;
            lease.expires = adopted.expires;
            lease.durable_until = adopted.durable_until;
        });
    }
}

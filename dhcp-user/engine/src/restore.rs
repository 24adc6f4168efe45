//! The start: what the store holds, and what an earlier run has left in the kernel's map.

use std::{collections::HashSet, net::Ipv4Addr};

use dhcp_common::abi::{Binding, BindingState, ClientKey, NS_PER_SEC};
use dhcp_config::Classes;
use dhcp_model::{Nanos, Record, RecordState};

use super::{Context, Effect, Engine, Grants, Held, NO_SLOT, lost::unrecorded};
use crate::live::{Holder, Lease, LeaseState};

/// Times go to the store in UTC and come back a little different; a horizon that has moved by less is
/// the same one.
const CLOCK_DRIFT_NS: u64 = NS_PER_SEC;

/// Leases that one call of [`Reconciliation::some`] looks at.
const MAX_RECONCILED: usize = 4096;

/// A start, before any input: takes in the stored records and then the entries that the kernel's map holds, one by one,
/// so that nothing of many leases is in memory twice. Entries that are still right stay as they are, so that the kernel
/// goes on answering.
#[derive(Debug)]
pub struct Restoration<'a> {
    engine: &'a mut Engine,
    now: Nanos,
    /// Since when the address is free, which it is, and who had it.
    formers: Vec<(Nanos, Ipv4Addr, ClientKey)>,
    /// Recorded, and in no subnet.
    foreign: HashSet<Ipv4Addr>,
    /// Where clients are not that have several addresses; to look each client up takes as long as all the rest.
    abandoned: HashSet<Ipv4Addr>,
    /// By slot, whether the entry says what the live table does.
    right: Vec<bool>,
}

/// What is left to do for a start.
#[derive(Debug)]
pub struct Reconciliation<'a> {
    engine: &'a mut Engine,
    now: Nanos,
    right: Vec<bool>,
    abandoned: HashSet<Ipv4Addr>,
    rest: std::vec::IntoIter<Ipv4Addr>,
}

impl<'a> Restoration<'a> {
    pub fn new(engine: &'a mut Engine, now: Nanos) -> Self {
        Self {
            engine,
            now,
            formers: Vec::new(),
            foreign: HashSet::new(),
            abandoned: HashSet::new(),
            right: Vec::new(),
        }
    }

    pub fn record(&mut self, record: Record) {
        let address = record.address;
        if !record.state.is_free() {
            self.abandoned.extend(self.engine.restore_lease(record));
            if !self.engine.live.contains_key(&address) {
                self.foreign.insert(address);
            }
        } else if self.engine.may_return(&record) {
            self.formers.push((record.expires, address, record.client));
        }
    }

    /// [`Restoration::entry`] for the entry of the lease that its address has, whose client its seal tells. `false`, and
    /// nothing done, for any other.
    pub fn entry_of_its_lease(
        &mut self,
        binding: &Binding,
        kernel: &impl Grants,
        out: &mut Vec<Effect>,
    ) -> bool {
        let held = self.engine.held(binding.address.into());
        let held = held.filter(|held| binding.is_sealed_for(self.engine.digest(&held.client)));
        let Some(Held { client, .. }) = held else {
            return false;
        };
        self.take_over(client, binding, kernel, out);
        true
    }

    /// Takes over an entry and its slot, or takes it out of the map. What the store does not know comes back as a record:
    /// it is to be committed, and to be taken in like others, and then the entry comes again. Until that is done nothing
    /// else knows of the lease, and the entry has to stay.
    pub fn entry(
        &mut self,
        client: ClientKey,
        binding: &Binding,
        kernel: &impl Grants,
        out: &mut Vec<Effect>,
    ) -> Option<Record> {
        let address = binding.address.into();
        let is_recorded =
            self.engine.live.contains_key(&address) || self.foreign.contains(&address);
        if !is_recorded && let Some(record) = unrecorded(client, binding, self.now, kernel) {
            return Some(record);
        }
        self.take_over(client, binding, kernel, out);
        None
    }

    fn take_over(
        &mut self,
        client: ClientKey,
        binding: &Binding,
        kernel: &impl Grants,
        out: &mut Vec<Effect>,
    ) {
        let address = binding.address.into();
        let now = self.now;
        let cx = &mut Context { now, kernel, out };
        let is_current = !self.abandoned.contains(&address);
        if self.engine.adopt(client, binding, is_current, cx) {
            let slot = binding.slot as usize;
            if self.right.len() <= slot {
                self.right.resize(slot + 1, false);
            }
            if let Some(right) = self.right.get_mut(slot) {
                *right = true;
            }
        }
    }

    /// When all is in.
    pub fn reconcile(mut self) -> Reconciliation<'a> {
        // In the order in which they became free, for the pool gives out the longest free one first.
        self.formers.sort_unstable();
        for (_, address, client) in self.formers {
            self.engine.restore_former(address, client);
        }
        let leases = self.engine.live.iter();
        let mut addresses: Vec<_> = leases.map(|lease| *lease.key()).collect();
        addresses.sort_unstable();
        Reconciliation {
            engine: self.engine,
            now: self.now,
            right: self.right,
            abandoned: self.abandoned,
            rest: addresses.into_iter(),
        }
    }
}

impl Reconciliation<'_> {
    /// Makes the kernel's map say what the live table does, for some of the leases. To be called until there are no
    /// more; what comes out is to be carried out in between.
    pub fn some(&mut self, kernel: &impl Grants, out: &mut Vec<Effect>) -> bool {
        let now = self.now;
        let cx = &mut Context { now, kernel, out };
        for address in self.rest.by_ref().take(MAX_RECONCILED) {
            let is_current = !self.abandoned.contains(&address);
            self.engine.reconcile(address, &self.right, is_current, cx);
        }
        self.rest.len() > 0
    }
}

impl Engine {
    /// Which address is not its client's any more, if that has several.
    fn restore_lease(&mut self, record: Record) -> Option<Ipv4Addr> {
        let address = record.address;
        if self.networks.containing(address).is_none() {
            self.foreign.push(record);
            return None;
        }
        if self.live.contains_key(&address) {
            return None;
        }
        let state = match record.state {
            RecordState::Bound => LeaseState::Bound,
            RecordState::Forgotten => LeaseState::Forgotten,
            RecordState::Revoked => LeaseState::Revoked,
            RecordState::Quarantined => LeaseState::Quarantined,
            RecordState::Former => return None,
        };
        self.take(address);
        self.requesters.note(address, &record.origin);
        let earlier = self.clients.get(&record.client);
        let is_preferred = state != LeaseState::Quarantined
            && earlier.is_none_or(|earlier| self.is_preferred(&record, state, earlier));
        let lease = Lease {
            holder: Holder::new(&record.client, &record.origin),
            state,
            since: record.since,
            expires: record.expires,
            durable_until: record.horizon,
            deadline: Nanos::FOREVER,
            terms: None,
            slot: NO_SLOT,
            epoch: 0,
        };
        self.live.insert(address, Box::new(lease));
        if is_preferred {
            self.clients.insert(&record.client, address);
            earlier
        } else {
            Some(address)
        }
    }

    /// Takes in what the store holds of addresses that another configuration had no subnet for.
    pub(super) fn recall(&mut self) {
        for record in std::mem::take(&mut self.foreign) {
            let address = record.address;
            self.restore_lease(record);
            self.hold_to_horizon(address);
            self.arm(address);
        }
    }

    /// Without the kernel's entry nobody knows what it has granted, but never beyond the horizon.
    fn hold_to_horizon(&self, address: Ipv4Addr) {
        self.update(address, |lease| {
            if lease.state == LeaseState::Bound && lease.slot == NO_SLOT {
                lease.expires = lease.durable_until;
            }
        });
    }

    /// A client that has come to another address has the lease that is active, and of two the newer.
    fn is_preferred(&self, record: &Record, state: LeaseState, other: Ipv4Addr) -> bool {
        let rank = |state, since| (state == LeaseState::Bound, since);
        self.live
            .get(&other)
            .is_none_or(|other| rank(state, record.since) > rank(other.state, other.since))
    }

    fn take(&mut self, address: Ipv4Addr) {
        if let Some(network) = self.networks.containing_mut(address) {
            // One that is reserved, or no longer in the pool, is held by the live table alone.
            network.take(address);
        }
    }

    /// Whether the client that had an address may be given it again.
    fn may_return(&self, former: &Record) -> bool {
        let origin = &former.origin;
        let containing = self.networks.containing(former.address);
        containing.is_some_and(|(network, _)| {
            let relay_info = origin.relay_info.as_deref();
            let reserved = network.reservation(&former.client, &origin.hardware, relay_info);
            network.may_have(reserved, Classes::MAX, former.address)
        })
    }

    fn restore_former(&mut self, address: Ipv4Addr, client: ClientKey) {
        if self.live.contains_key(&address) {
            return;
        }
        if let Some(network) = self.networks.containing_mut(address)
            && network.take(address)
        {
            network.give_back(address);
        }
        if self.current(&client).is_none() {
            // The one that the client had last comes last.
            self.clients.insert_former(client, address);
        }
    }

    /// Takes over an entry and its slot, or takes it out of the map. Whether it stays as it is.
    fn adopt(
        &mut self,
        client: ClientKey,
        binding: &Binding,
        is_current: bool,
        cx: &mut Context<'_>,
    ) -> bool {
        let address = Ipv4Addr::from(binding.address);
        let has_slot = self.slots.adopt(binding.slot, address);
        let slot = has_slot.then_some(binding.slot);
        let state = BindingState::from_raw(binding.state);
        let held = self.held(address).filter(|held| held.client == client);
        if let (Some(slot), Some(held)) = (slot, held) {
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
            if held.state != LeaseState::Quarantined {
                adopted.expires = self.effective_expiry(&adopted, cx);
            }
            let is_right = is_current && self.is_right(address, &adopted, binding, cx);
            if is_right {
                self.networks.note_profile(binding.profile);
                adopted.durable_until = Nanos(binding.durable_until_ns);
            }
            self.update(address, |lease| {
                lease.slot = slot;
                lease.epoch = binding.epoch;
                lease.expires = adopted.expires;
                lease.durable_until = adopted.durable_until;
            });
            return is_right;
        }
        self.withdraw_stray(client, address, slot, binding.epoch, cx);
        false
    }

    /// Whether an entry says what is to be published of a lease.
    fn is_right(
        &self,
        address: Ipv4Addr,
        held: &Held,
        binding: &Binding,
        cx: &Context<'_>,
    ) -> bool {
        let reserved = self.reserved_for(address);
        wanted(held, cx.now).is_some_and(|state| state as u8 == binding.state)
            && binding.durable_until_ns.abs_diff(held.durable_until.0) < CLOCK_DRIFT_NS
            && !self.is_closed(held, cx)
            && self.is_still_its(address, held, reserved)
            && self
                .place_of(address, reserved)
                .is_some_and(|place| place.is_of(binding))
    }

    /// Makes the kernel's map say what the live table does.
    fn reconcile(
        &mut self,
        address: Ipv4Addr,
        right: &[bool],
        is_current: bool,
        cx: &mut Context<'_>,
    ) {
        self.hold_to_horizon(address);
        let Some(held) = self.held(address) else {
            return;
        };
        self.arm_at(address, held.expires);
        let is_wanted = wanted(&held, cx.now).is_some();
        let is_right = right.get(held.slot as usize).copied().unwrap_or_default();
        let is_to_be_published = !is_right
            && is_wanted
            && is_current
            && self.is_still_its(address, &held, self.reserved_for(address));
        if !is_right && !is_to_be_published {
            // An expired one is withdrawn by its deadline, which has come.
            if held.state != LeaseState::Bound || held.expires > cx.now {
                self.withdraw(address, cx);
            }
            return;
        }
        if held.state == LeaseState::Bound && self.is_low(address, &held) {
            self.low.insert(address);
        }
        if is_to_be_published {
            self.publish_as(address, &held, cx);
        }
    }
}

/// What the kernel's map is to say of a lease.
fn wanted(held: &Held, now: Nanos) -> Option<BindingState> {
    match held.state {
        LeaseState::Bound if held.expires > now => Some(BindingState::Bound),
        LeaseState::Revoked => Some(BindingState::Revoked),
        _ => None,
    }
}

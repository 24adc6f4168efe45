//! The start: reconciles the store's records with the entries that an earlier run has left in the
//! kernel's map.

mod adopt;

use std::{collections::HashSet, net::Ipv4Addr, vec};

use dhcp_common::abi::{Binding, ClientKey};
use dhcp_model::{Nanos, Record};

use super::{Context, Engine};
use crate::{
    effect::{Effect, Grants},
    recovery::unrecorded,
};

/// Leases that one call of [`Reconciliation::some`] looks at.
const MAX_RECONCILED: usize = 4096;

/// A start, before any input: reads the stored records and then the entries of the kernel's map,
/// one by one, so that no data of many leases is in memory twice. Entries that are still right stay
/// as they are, so that the kernel continues to answer.
#[derive(Debug)]
pub struct Restoration<'a> {
    engine: &'a mut Engine,
    now: Nanos,
    /// When each free address became free, and the client that had it.
    formers: Vec<(Nanos, Ipv4Addr, ClientKey)>,
    /// Addresses that are recorded, and in no subnet.
    foreign: HashSet<Ipv4Addr>,
    /// Addresses whose clients have another one, under which the index finds them. To look up each
    /// client would take as long as the rest of the start.
    abandoned: HashSet<Ipv4Addr>,
    /// For each slot, whether its entry agrees with the lease table.
    right: Vec<bool>,
}

/// The rest of a start.
#[derive(Debug)]
pub struct Reconciliation<'a> {
    engine: &'a mut Engine,
    now: Nanos,
    right: Vec<bool>,
    abandoned: HashSet<Ipv4Addr>,
    rest: vec::IntoIter<Ipv4Addr>,
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
            if !self.engine.table.contains(address) {
                self.foreign.insert(address);
            }
        } else if self.engine.may_return(&record) {
            self.formers.push((record.expires, address, record.client));
        }
    }

    /// Does the same as [`Restoration::entry`] for an entry whose seal is that of the client which
    /// has its address. Returns `false`, and does nothing, for any other.
    pub fn entry_of_its_lease(
        &mut self,
        binding: &Binding,
        kernel: &impl Grants,
        out: &mut Vec<Effect>,
    ) -> bool {
        let held = self.engine.table.held(binding.address.into());
        let Some(client) = held.map(|held| held.client) else {
            return false;
        };
        if !binding.is_sealed_for(self.engine.digest(&client)) {
            return false;
        }
        self.take_over(client, binding, kernel, out);
        true
    }

    /// Adopts an entry and its slot, or withdraws it from the map. For a lease that the store does
    /// not have, a record is returned: the caller commits it, passes it in like the others, and
    /// then passes the entry again. Until then only the entry holds the lease, so it must stay.
    pub fn entry(
        &mut self,
        client: ClientKey,
        binding: &Binding,
        kernel: &impl Grants,
        out: &mut Vec<Effect>,
    ) -> Option<Record> {
        let address = binding.address.into();
        let is_recorded = self.engine.table.contains(address) || self.foreign.contains(&address);
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

    /// Ends the first part, when all records and entries have been read.
    pub fn reconcile(mut self) -> Reconciliation<'a> {
        // In the order in which they became free, because the pool gives out the longest free
        // address first.
        self.formers.sort_unstable();
        for (_, address, client) in self.formers {
            self.engine.restore_former(address, client);
        }
        let leases = self.engine.table.leases().iter();
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
    /// Makes the kernel's map agree with the lease table, for some of the leases. It is called
    /// until it returns `false`, and the effects are carried out in between.
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

//! `LEASES`: a hash table that the controller keeps in an array; [`dhcp_common::abi`] explains
//! where entries are.
//!
//! The array is read through a mapping and written bucket by bucket through the kernel, because
//! memory that the program may not write cannot be mapped writable. This is the only writer.

use std::{os::fd::OwnedFd, sync::Arc};

use aya::maps::MapError;
use dhcp_common::{
    abi::{Binding, Bucket, Cell, ClientDigest, ClientKey, WAYS, lease_homes, lease_slots, map},
    fingerprint::KEY_WORDS,
};
use memmap2::{MmapOptions, MmapRaw};

use super::{bpf, error::DatapathError, pins::at};

/// Why a binding is not published.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error("slot {slot} is not one of this client's, or another client has it")]
    Place { slot: u32 },
    #[error("the kernel refused the write: {0}")]
    Kernel(#[source] Arc<MapError>),
}

/// `LEASES` and `CLIENTS`.
#[derive(Debug)]
pub struct Leases {
    fd: OwnedFd,
    /// The buckets, mapped read-only.
    buckets: MmapRaw,
    /// The client of each slot.
    clients: MmapRaw,
    homes: u32,
    key: [u64; KEY_WORDS],
    /// By bucket, how many clients whose home is at or before it have their slot behind it.
    passed: Vec<u16>,
    /// Kept to reuse its memory for the next change.
    changes: Changes,
    /// Likewise: slots and seals of the bindings that are being published.
    placed: Vec<(ClientKey, u32, u64)>,
}

impl Leases {
    /// Maps the array, and repairs what an earlier controller may have left unfinished.
    pub fn open(
        fd: OwnedFd,
        clients: &OwnedFd,
        max_leases: u32,
        key: [u64; KEY_WORDS],
    ) -> Result<Self, DatapathError> {
        let slots = lease_slots(max_leases) as usize;
        let buckets = MmapOptions::new()
            .len(slots * size_of::<Cell>())
            .map_raw_read_only(&fd)
            .map_err(at("mapping", map::LEASES.as_ref()))?;
        let clients = MmapOptions::new()
            .len(slots * size_of::<ClientKey>())
            .map_raw(clients)
            .map_err(at("mapping", map::CLIENTS.as_ref()))?;
        let mut leases = Self {
            fd,
            buckets,
            clients,
            homes: lease_homes(max_leases),
            key,
            passed: vec![0; slots / WAYS as usize],
            changes: Changes::new(slots / WAYS as usize),
            placed: Vec::new(),
        };
        leases.repair().map_err(|source| DatapathError::Map {
            map: map::LEASES,
            source,
        })?;
        Ok(leases)
    }

    /// Counts the clients that have passed each bucket, and sets the flags accordingly. An entry
    /// from which its client could not be answered is removed: a controller that was killed leaves
    /// none, but operators have access to the directory.
    fn repair(&mut self) -> Result<(), MapError> {
        let strays = self.count();
        if !strays.is_empty() {
            tracing::warn!(
                entries = strays.len(),
                "entries from which no client can be answered are removed"
            );
        }
        self.change(|leases, changes| {
            for slot in strays {
                leases.clear(slot, changes);
            }
            for bucket in 0..leases.passed.len() {
                leases.flag(bucket, changes);
            }
        })
    }

    /// Counts the clients that have passed each bucket. Returns the slots that are in use and from
    /// which no client can be answered.
    fn count(&mut self) -> Vec<u32> {
        let mut strays = Vec::new();
        self.passed.fill(0);
        for slot in 0..self.slots() {
            let cell = self.cell(slot);
            if !cell.is_in_use() {
                continue;
            }
            let digest = self.digest(&self.client(slot));
            let is_right = Cell::is_of(cell.tag, digest)
                && cell.binding.slot == slot
                && cell.binding.is_sealed_for(digest)
                && digest.slots(self.homes).contains(&slot);
            if is_right {
                for bucket in self.passed_by(digest, slot) {
                    self.passed[bucket] += 1;
                }
            } else {
                strays.push(slot);
            }
        }
        strays
    }

    /// Lets the program answer these clients with their bindings, which are sealed for them, each
    /// in the slot that it names, in few calls. Of several bindings of a client the last one
    /// counts.
    ///
    /// Calls `refused` for each one that is not published: its slot is not one of the client's, or
    /// the kernel is short of memory. Such a client takes the slow path, unless an entry of it was
    /// published before: that one stays.
    pub fn publish(
        &mut self,
        bindings: impl IntoIterator<Item = (ClientKey, Binding)>,
        mut refused: impl FnMut(ClientKey, LeaseError),
    ) {
        let mut bindings = bindings.into_iter().peekable();
        let mut placed = std::mem::take(&mut self.placed);
        while bindings.peek().is_some() {
            placed.clear();
            let result = self.change(|leases, changes| {
                for (client, binding) in bindings.by_ref().take(bpf::BATCH) {
                    match leases.place(&client, binding, changes) {
                        Ok(()) => placed.push((client, binding.slot, binding.seal)),
                        Err(error) => refused(client, error),
                    }
                }
            });
            if let Err(error) = result {
                let error = Arc::new(error);
                for (client, slot, seal) in &placed {
                    if self.cell(*slot).binding.seal != *seal {
                        refused(*client, LeaseError::Kernel(Arc::clone(&error)));
                    }
                }
            }
        }
        self.placed = placed;
    }

    /// Removes the client's entry, if there is one. A program run may hold it until a fence.
    ///
    /// # Errors
    /// The entry is still there, and the program answers from it. Try again until it is gone.
    pub fn withdraw(&mut self, client: &ClientKey) -> Result<(), MapError> {
        let digest = self.digest(client);
        self.change(|leases, changes| {
            if let Some(slot) = leases.find(digest, changes) {
                leases.remove(digest, slot, changes);
            }
        })
    }

    /// Computes changes with `work_out` and writes them.
    fn change(&mut self, work_out: impl FnOnce(&mut Self, &mut Changes)) -> Result<(), MapError> {
        let mut changes = std::mem::take(&mut self.changes);
        work_out(self, &mut changes);
        let result = changes.write(&self.fd);
        changes.clear();
        self.changes = changes;
        if result.is_err() {
            // Some of them may have been written; count what is there now.
            self.count();
        }
        result
    }

    /// Calls `each` with every published entry.
    pub fn for_each(&self, mut each: impl FnMut(Binding)) {
        for slot in 0..self.slots() {
            let cell = self.cell(slot);
            if cell.is_in_use() {
                each(cell.binding);
            }
        }
    }

    /// Returns the client of a slot that is in use.
    pub fn client(&self, slot: u32) -> ClientKey {
        assert!(slot < self.slots());
        // SAFETY: as for cells; the program neither reads nor writes these, and every bit pattern
        // is a key.
        unsafe {
            self.clients
                .as_ptr()
                .cast::<ClientKey>()
                .add(slot as usize)
                .read_volatile()
        }
    }

    fn place(
        &mut self,
        client: &ClientKey,
        binding: Binding,
        changes: &mut Changes,
    ) -> Result<(), LeaseError> {
        let digest = self.digest(client);
        debug_assert!(binding.is_sealed_for(digest), "sealed where it was decided");
        let slot = binding.slot;
        let found = self.find(digest, changes);
        let is_place = digest.slots(self.homes).contains(&slot);
        if !is_place || found != Some(slot) && changes.cell(self, slot).is_in_use() {
            return Err(LeaseError::Place { slot });
        }
        if let Some(previous) = found.filter(|found| *found != slot) {
            self.remove(digest, previous, changes);
        }
        if found != Some(slot) {
            self.set_client(slot, *client);
            for bucket in self.passed_by(digest, slot) {
                self.passed[bucket] += 1;
                self.flag(bucket, changes);
            }
        }
        let cell = changes.cell_mut(self, slot);
        cell.tag = digest.tag() | cell.tag & Cell::PASSED;
        cell.binding = binding;
        Ok(())
    }

    fn remove(&mut self, digest: ClientDigest, slot: u32, changes: &mut Changes) {
        self.clear(slot, changes);
        for bucket in self.passed_by(digest, slot) {
            self.passed[bucket] -= 1;
            self.flag(bucket, changes);
        }
    }

    fn clear(&self, slot: u32, changes: &mut Changes) {
        let cell = changes.cell_mut(self, slot);
        *cell = Cell {
            tag: cell.tag & Cell::PASSED,
            ..Cell::default()
        };
    }

    /// Sets the flag of a bucket that says whether to look further.
    fn flag(&self, bucket: usize, changes: &mut Changes) {
        let slot = bucket as u32 * WAYS;
        let is_passed = self.passed[bucket] != 0;
        if (changes.cell(self, slot).tag & Cell::PASSED != 0) != is_passed {
            changes.cell_mut(self, slot).tag ^= Cell::PASSED;
        }
    }

    /// Returns the slot of a client's entry.
    fn find(&self, digest: ClientDigest, changes: &Changes) -> Option<u32> {
        digest
            .slots(self.homes)
            .take_while(|slot| {
                // There is no entry beyond the first bucket that no client has passed.
                let bucket = slot / WAYS;
                bucket == digest.home(self.homes) || self.passed[bucket as usize - 1] != 0
            })
            .find(|slot| Cell::is_of(changes.cell(self, *slot).tag, digest))
    }

    /// Returns the buckets that a client in this slot has passed.
    fn passed_by(&self, digest: ClientDigest, slot: u32) -> std::ops::Range<usize> {
        digest.home(self.homes) as usize..(slot / WAYS) as usize
    }

    fn digest(&self, client: &ClientKey) -> ClientDigest {
        ClientDigest::new(client, &self.key)
    }

    fn slots(&self) -> u32 {
        self.passed.len() as u32 * WAYS
    }

    fn cell(&self, slot: u32) -> Cell {
        assert!(slot < self.slots());
        // SAFETY: the mapping holds `slots` cells, begins on a page, and lives as long as `self`.
        // Only this object writes them, through the kernel and with `&mut self`. Volatile: the
        // compiler does not know of those writes.
        unsafe {
            self.buckets
                .as_ptr()
                .cast::<Cell>()
                .add(slot as usize)
                .read_volatile()
        }
    }

    fn set_client(&mut self, slot: u32, client: ClientKey) {
        assert!(slot < self.slots());
        // SAFETY: as for cells, and mapped writable.
        unsafe {
            self.clients
                .as_mut_ptr()
                .cast::<ClientKey>()
                .add(slot as usize)
                .write_volatile(client);
        }
    }
}

/// Buckets with their new contents.
#[derive(Debug, Default)]
struct Changes {
    /// For each bucket of the table, one more than its index in the other fields, or zero.
    positions: Vec<u32>,
    indices: Vec<u32>,
    buckets: Vec<Bucket>,
}

impl Changes {
    fn new(buckets: usize) -> Self {
        Self {
            positions: vec![0; buckets],
            ..Self::default()
        }
    }

    fn cell(&self, leases: &Leases, slot: u32) -> Cell {
        match self.positions[(slot / WAYS) as usize] {
            0 => leases.cell(slot),
            position => self.buckets[position as usize - 1].cells[(slot % WAYS) as usize],
        }
    }

    fn cell_mut(&mut self, leases: &Leases, slot: u32) -> &mut Cell {
        let index = slot / WAYS;
        let position = &mut self.positions[index as usize];
        if *position == 0 {
            let first = index * WAYS;
            self.indices.push(index);
            self.buckets.push(Bucket {
                cells: std::array::from_fn(|way| leases.cell(first + way as u32)),
            });
            *position = self.buckets.len() as u32;
        }
        &mut self.buckets[*position as usize - 1].cells[(slot % WAYS) as usize]
    }

    fn write(&self, map: &OwnedFd) -> Result<(), MapError> {
        let indices = self.indices.chunks(bpf::BATCH);
        for (indices, buckets) in indices.zip(self.buckets.chunks(bpf::BATCH)) {
            bpf::update_batch(map, indices, buckets)?;
        }
        Ok(())
    }

    fn clear(&mut self) {
        for index in self.indices.drain(..) {
            self.positions[index as usize] = 0;
        }
        self.buckets.clear();
    }
}

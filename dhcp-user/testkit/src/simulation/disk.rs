//! The disk, and the thread that commits to it: only what has been committed survives a power cut.

use std::{
    collections::{BTreeMap, VecDeque},
    net::Ipv4Addr,
};

use dhcp_common::abi::ClientKey;
use dhcp_model::{Applied, Change, Record, StoreError, Ticket};
use dhcp_store::{
    Store, WallChange, WallRecord,
    wall_clock::{Anchor, WallClock},
};

#[derive(Debug, Default)]
pub struct Disk {
    records: BTreeMap<Ipv4Addr, WallRecord>,
    anchor: Option<Anchor>,
    /// Nothing can be written before this time.
    pub full_until: u64,
    /// The next commit fails.
    pub fails: bool,
    /// The result of the next commit of the committer is unknown; the value is whether it is
    /// applied. A start gets the real result: it repeats its commit until it succeeds, so it would
    /// treat an unknown result as a failure.
    pub doubt: Option<bool>,
}

impl Disk {
    /// Returns the committed record of an address, in the times of this boot.
    pub fn record(&self, wall: &WallClock, address: Ipv4Addr) -> Option<Record> {
        let stored = self.records.get(&address)?;
        Some(wall.record(stored.clone()))
    }

    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values().map(|stored| &stored.record)
    }

    /// Replaces the store by an empty one.
    pub fn lose_records(&mut self) {
        self.records.clear();
    }

    fn apply(&mut self, change: &WallChange) -> Applied {
        let (address, client) = match change {
            WallChange::Put(put) => (put.record.address, put.record.client),
            WallChange::Remove { address, client } => (*address, *client),
        };
        let is_others = |stored: &WallRecord| stored.record.client != client;
        let stored = self.records.get(&address);
        match change {
            WallChange::Put(_)
                if stored.is_some_and(|s| is_others(s) && !s.record.state.is_free()) =>
            {
                return Applied::Conflict;
            }
            WallChange::Remove { .. } if stored.is_some_and(is_others) => return Applied::Conflict,
            WallChange::Put(put) => {
                self.records.insert(address, (**put).clone());
            }
            WallChange::Remove { .. } => {
                self.records.remove(&address);
            }
        }
        Applied::Done
    }
}

impl Store for Disk {
    fn commit(&mut self, changes: &[WallChange]) -> Result<Vec<Applied>, StoreError> {
        if self.fails {
            return Err(StoreError::NotApplied("no space left on device".into()));
        }
        if self.doubt == Some(false) {
            return Err(StoreError::Unknown("the connection is lost".into()));
        }
        let applied = Ok(changes.iter().map(|change| self.apply(change)).collect());
        match self.doubt {
            Some(_) => Err(StoreError::Unknown("the connection is lost".into())),
            None => applied,
        }
    }

    fn load(&mut self, each: &mut dyn FnMut(WallRecord)) -> Result<(), StoreError> {
        self.records.values().cloned().for_each(each);
        Ok(())
    }

    fn anchor(&mut self) -> Result<Option<Anchor>, StoreError> {
        Ok(self.anchor.clone())
    }

    fn set_anchor(&mut self, anchor: &Anchor, shift_ns: i64) -> Result<(), StoreError> {
        if self.fails {
            return Err(StoreError::NotApplied("no space left on device".into()));
        }
        self.anchor = Some(anchor.clone());
        for stored in self.records.values_mut() {
            for time in [&mut stored.since, &mut stored.expires, &mut stored.horizon] {
                *time = time.shifted(shift_ns);
            }
        }
        Ok(())
    }
}

/// The tickets that wait for the disk, and those being written.
#[derive(Debug, Default)]
pub struct Committer {
    queue: VecDeque<(Ticket, Vec<Change>)>,
    batch: Option<Batch>,
}

#[derive(Debug)]
struct Batch {
    tickets: Vec<(Ticket, usize)>,
    changes: Vec<WallChange>,
}

/// A ticket and the results of its changes.
pub type Committed = (Ticket, Result<Vec<Applied>, StoreError>);

/// Returns the address and the client of a change.
pub type Touched = (Ipv4Addr, ClientKey);

impl Committer {
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    pub fn submit(&mut self, ticket: Ticket, changes: Vec<Change>) {
        self.queue.push_back((ticket, changes));
    }

    /// Begins to write everything that is queued. `false` if there is nothing, or the disk is busy.
    pub fn begin(&mut self, wall: &WallClock) -> bool {
        if self.batch.is_some() || self.queue.is_empty() {
            return false;
        }
        let mut batch = Batch {
            tickets: Vec::new(),
            changes: Vec::new(),
        };
        for (ticket, changes) in self.queue.drain(..) {
            batch.tickets.push((ticket, changes.len()));
            batch
                .changes
                .extend(changes.into_iter().map(|change| match change {
                    Change::Put(record) => WallChange::Put(Box::new(wall.wall_record(*record))),
                    Change::Remove { address, client } => WallChange::Remove { address, client },
                }));
        }
        self.batch = Some(batch);
        true
    }

    /// Finishes the write. Returns the results, and the addresses that they concern.
    pub fn end(&mut self, disk: &mut Disk) -> (Vec<Committed>, Vec<Touched>) {
        let Some(Batch { tickets, changes }) = self.batch.take() else {
            return (Vec::new(), Vec::new());
        };
        let touched = changes.iter().map(|change| match change {
            WallChange::Put(put) => (put.record.address, put.record.client),
            WallChange::Remove { address, client } => (*address, *client),
        });
        let touched = touched.collect();
        let results = match disk.commit(&changes) {
            Ok(applied) => {
                let mut applied = applied.into_iter();
                let of_ticket = |(ticket, len): (Ticket, usize)| {
                    (ticket, Ok(applied.by_ref().take(len).collect()))
                };
                tickets.into_iter().map(of_ticket).collect()
            }
            Err(error) => {
                let of_ticket = |(ticket, _)| {
                    let error = match error {
                        StoreError::NotApplied(_) | StoreError::Unreadable(_) => {
                            StoreError::NotApplied("no space left".into())
                        }
                        StoreError::Unknown(_) => StoreError::Unknown("it is lost".into()),
                    };
                    (ticket, Err(error))
                };
                tickets.into_iter().map(of_ticket).collect()
            }
        };
        (results, touched)
    }
}

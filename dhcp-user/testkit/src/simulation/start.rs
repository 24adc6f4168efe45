//! The controller's start, as in `dhcp-user/xdhcpd/src/run/mod.rs`.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use dhcp_engine::{Effect, Engine, Setup};
use dhcp_model::Record;
use dhcp_store::{Store as _, WallChange, wall_clock::WallClock};

use super::{
    clock::{MS, SEC},
    controller::Controller,
    kernel::GrantsView,
    scene,
    world::{Event, Sabotage, World},
};
use crate::restore::{restore, unrecorded};

impl World {
    /// Starts the process, which waits for the runs that its predecessor has not waited for
    /// (`Barrier::new` in `dhcp-user/datapath/src/fence.rs`), so that it sees everything they
    /// grant.
    pub fn start(&mut self, arrivals: u64) {
        if self.controller.is_some() || self.recording.is_some() {
            return;
        }
        let is_waiting = self.runs.keys().any(|arrival| *arrival <= arrivals);
        if is_waiting && self.sabotage != Some(Sabotage::StartAtOnce) {
            self.count("starts that waited for a run");
            self.after(10 * MS, Event::Barrier(arrivals));
        } else {
            self.take_over();
        }
    }

    /// Adopts the contents of the store and of the kernel's maps.
    fn take_over(&mut self) {
        self.disk.fails = self.clock.now < self.disk.full_until;
        self.disk.doubt = None;
        let boot_id = self.clock.boot_id();
        let Ok(wall) = WallClock::resume(&mut self.disk, &boot_id, self.clock.sample()) else {
            self.after(5 * SEC, Event::Start);
            return;
        };
        self.wall = Some(wall.clone());
        self.clock.keep_wall();
        if self.dice.chance(self.faults.config_change) {
            self.plan = scene::Plan::draw(&mut self.dice);
            self.count("configurations changed");
        }
        self.lives += 1;
        if self.dice.chance(self.faults.kill_at_start) {
            let time = *self.dice.pick(&[10 * MS, SEC]);
            let time = self.dice.below(time);
            self.after(time, Event::Kill);
        }
        if self.dice.chance(self.faults.store_loss) {
            self.lose_store();
        }
        if self.sabotage == Some(Sabotage::ForgetGrants) {
            self.kernel.grants.borrow_mut().clear();
        }
        let published = self.kernel.published();
        let now = self.clock.boottime();
        let grants = GrantsView(self.kernel.grants.clone());
        let lost = unrecorded(&self.records(&wall), &published, now, &grants);
        if self.sabotage == Some(Sabotage::FreeUnrecorded) {
            for record in &lost {
                self.kernel.withdraw(&record.client);
            }
            self.serve(&wall, Vec::new());
        } else if lost.is_empty() {
            self.serve(&wall, Vec::new());
        } else if self.sabotage == Some(Sabotage::RecordNothing) {
            self.serve(&wall, lost);
        } else {
            self.note(|_| format!("records {lost:?}"));
            self.recording = Some(lost);
            let time = self.faults.commit_time(&mut self.dice);
            self.after(time, Event::Recorded(self.lives));
        }
    }

    fn records(&mut self, wall: &WallClock) -> Vec<Record> {
        let mut records = Vec::new();
        self.disk
            .load(&mut |stored| records.push(wall.record(stored)))
            .expect("reading never fails here");
        records
    }

    /// Commits until it succeeds, as the daemon's start does.
    pub fn recorded(&mut self, life: u32) {
        if life != self.lives || self.recording.is_none() {
            return;
        }
        self.disk.fails =
            self.clock.now < self.disk.full_until || self.dice.chance(self.faults.commit_fails);
        self.disk.doubt = None;
        if !self.commit_lost() {
            self.after(SEC, Event::Recorded(life));
            return;
        }
        self.recording = None;
        if let Some(wall) = self.wall.clone() {
            self.serve(&wall, Vec::new());
        }
    }

    /// Commits the records of lost leases. Returns whether the disk has stored them.
    pub fn commit_lost(&mut self) -> bool {
        let (Some(lost), Some(wall)) = (&self.recording, &self.wall) else {
            return false;
        };
        let puts = lost.iter().map(|record| wall.wall_record(record.clone()));
        let puts: Vec<_> = puts.map(|put| WallChange::Put(Box::new(put))).collect();
        if self.disk.commit(&puts).is_err() {
            return false;
        }
        let addresses: Vec<_> = lost.iter().map(|record| record.address).collect();
        for address in addresses {
            let record = self.durable(address);
            self.model
                .committed(address, record.as_ref(), self.clock.now);
            self.check_entries_of(address);
            self.count("leases recorded again");
        }
        true
    }

    /// Starts to serve the records of the store, and `more`.
    fn serve(&mut self, wall: &WallClock, more: Vec<Record>) {
        self.model.end_unrecorded();
        let config = Arc::new(self.plan.config(self.max_leases));
        self.note(|_| format!("starts with {config:?}"));
        self.kernel.configure(&config);
        let mut records = self.records(wall);
        records.extend(more);
        let engine = Engine::new(Setup {
            config,
            fingerprint_key: scene::meta().fingerprint_key,
            links: scene::links(),
            max_slots: self.max_leases,
        });
        let mut controller = Controller {
            life: self.lives,
            leases: Arc::clone(engine.leases()),
            engine,
            grants: GrantsView(self.kernel.grants.clone()),
            wall: wall.clone(),
            frames: VecDeque::new(),
            committed: VecDeque::new(),
            fenced: VecDeque::new(),
            commands: VecDeque::new(),
            answers: VecDeque::new(),
            operators: BTreeMap::new(),
            last_command: 0,
            effects: VecDeque::new(),
            stuck: Vec::new(),
            withdrawn: Vec::new(),
            turns_at: None,
        };
        let published = self.kernel.published();
        let now = self.clock.boottime();
        let Controller { engine, grants, .. } = &mut controller;
        let mut effects = restore(engine, records, published, now, grants);
        self.kernel
            .templates
            .retain(|_, (key, _)| controller.engine.adopt_template(*key));
        // As in the daemon, publishing goes first.
        effects.sort_by_key(|effect| !matches!(effect, Effect::Publish { .. }));
        controller.effects.extend(effects);
        self.controller = Some(controller);
        self.kernel.is_served = true;
        self.count("starts");
        self.poke();
    }
}

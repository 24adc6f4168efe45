//! Group commit, as in `dhcp-user/store/src/committer.rs`.

use dhcp_model::{Applied, Change, StoreError, Ticket};
use dhcp_store::{Store as _, wall_clock::WallClock};

use super::{
    clock::SEC,
    controller::Controller,
    disk::Committed,
    world::{Event, Sabotage, World},
};

impl World {
    pub fn commit(&mut self, c: &mut Controller, ticket: Ticket, changes: Vec<Change>) {
        if self.sabotage == Some(Sabotage::PromiseBeforeCommit) {
            let applied = changes.iter().map(|_| Applied::Done).collect();
            c.committed.push_back((ticket, Ok(applied)));
        }
        let bound = self.faults.tickets.unwrap_or(usize::MAX);
        if self.committer.waiting() >= bound {
            self.count("commits refused");
            let error = StoreError::NotApplied("too many wait".into());
            c.committed.push_back((ticket, Err(error)));
            return;
        }
        self.committer.submit(ticket, changes);
        let wall = c.wall.clone();
        self.write(&wall, c.life);
    }

    /// Starts the disk on the work that waits for it.
    fn write(&mut self, wall: &WallClock, life: u32) {
        if self.committer.begin(wall) {
            let time = self.faults.commit_time(&mut self.dice);
            self.after(time, Event::Written(life));
        }
    }

    /// Ends a write of the disk; if the process has ended meanwhile, nothing receives the result.
    pub fn written(&mut self, life: u32) {
        if life != self.lives {
            return;
        }
        let now = self.clock.now;
        if self.dice.chance(self.faults.disk_full) {
            self.disk.full_until = now + self.dice.between(SEC, 300 * SEC);
        }
        self.disk.fails = now < self.disk.full_until || self.dice.chance(self.faults.commit_fails);
        let is_in_doubt = self.dice.chance(self.faults.commit_doubts);
        self.disk.doubt = is_in_doubt.then(|| self.dice.chance(500));
        self.keep_anchor();
        let results = self.settle_batch();
        if let Some(mut controller) = self.controller.take() {
            if self.sabotage != Some(Sabotage::PromiseBeforeCommit) {
                controller.committed.extend(results);
            }
            let wall = controller.wall.clone();
            self.controller = Some(controller);
            self.write(&wall, life);
            self.poke();
        }
    }

    /// Puts the batch that was being written on disk.
    pub fn settle_batch(&mut self) -> Vec<Committed> {
        let (results, mut touched) = self.committer.end(&mut self.disk);
        if results.is_empty() {
            return results;
        }
        let is_known = results.iter().any(|(_, result)| result.is_ok());
        let is_unknown = |(_, result): &Committed| matches!(result, Err(StoreError::Unknown(_)));
        let is_doubtful = results.iter().any(is_unknown);
        let is_done = is_known || (is_doubtful && self.disk.doubt == Some(true));
        self.count(match (is_known, is_doubtful) {
            (true, _) => "commits",
            (false, true) => "commits in doubt",
            (false, false) => "commits failed",
        });
        self.note(|_| format!("disk: {results:?}"));
        touched.sort_unstable();
        touched.dedup();
        if !is_done {
            return results;
        }
        for (address, _) in touched {
            let record = self.durable(address);
            self.model
                .committed(address, record.as_ref(), self.clock.now);
            if record.is_none_or(|record| record.state.is_free()) {
                self.model.not_revoked(address);
            }
            self.check_entries_of(address);
        }
        results
    }

    /// Records a step of the wall clock, before any later commit.
    pub fn keep_anchor(&mut self) {
        let sample = self.clock.sample();
        let Some(controller) = &mut self.controller else {
            return;
        };
        if let Some(anchor) = controller.wall.drifted(sample)
            && self.disk.set_anchor(&anchor, 0).is_ok()
        {
            controller.wall.anchored(anchor);
            self.wall = Some(controller.wall.clone());
            self.clock.keep_wall();
        }
    }
}

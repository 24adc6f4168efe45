//! The fence, as in `dhcp-user/datapath/src/fence.rs`: it waits for the runs that are under way
//! when it begins.

use super::{
    clock::{MS, US},
    controller::Controller,
    world::{Event, Fencing, Sabotage, World},
};

impl World {
    pub fn fence(&mut self, c: &mut Controller) {
        let fences = std::mem::take(&mut c.withdrawn);
        let waits_for = if self.sabotage == Some(Sabotage::FenceAtOnce) {
            Default::default()
        } else {
            self.runs.keys().copied().collect()
        };
        let fencing = Fencing {
            life: c.life,
            fences,
            waits_for,
        };
        if fencing.waits_for.is_empty() {
            let time = self.dice.between(10 * US, 20 * MS);
            self.after(time, Event::Fenced(fencing));
        } else {
            self.count("fences that waited for a run");
            self.fencings.push(fencing);
            if self.dice.chance(self.faults.kill_at_fence) {
                let soon = self.dice.below(5 * MS);
                self.after(soon, Event::Kill);
            }
        }
    }

    /// Handles the end of a run: fences that waited only for it have passed.
    pub fn run_ended(&mut self, arrival: u64) {
        let mut waiting = Vec::new();
        for mut fencing in std::mem::take(&mut self.fencings) {
            fencing.waits_for.remove(&arrival);
            if fencing.waits_for.is_empty() {
                let time = self.dice.between(10 * US, 20 * MS);
                self.after(time, Event::Fenced(fencing));
            } else {
                waiting.push(fencing);
            }
        }
        self.fencings = waiting;
    }

    pub fn fenced(&mut self, fencing: Fencing) {
        if let Some(controller) = &mut self.controller
            && controller.life == fencing.life
        {
            controller.fenced.extend(fencing.fences);
            self.poke();
        }
    }
}

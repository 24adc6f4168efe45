//! What goes wrong in a world. Each world has its own set, most of it off: bugs that one fault hides show
//! in a world that lacks it.

use super::{
    clock::{MS, SEC, US},
    dice::Dice,
};

/// Chances are per mille.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    pub loss: u64,
    pub duplication: u64,
    /// A packet that takes up to ten seconds.
    pub straggling: u64,
    /// That a run of the program is interrupted, at some look into a map.
    pub interruption: u64,
    /// Of those, for up to two seconds: a virtual CPU that was taken away. Else for up to 50 ms.
    pub steal: u64,
    /// That something happens just then that concerns its client.
    pub coincidence: u64,
    pub publish_fails: u64,
    pub withdraw_fails: u64,
    /// Events that the ring takes.
    pub ring_room: Option<usize>,
    pub commit_fails: u64,
    /// That nobody learns whether a commit has happened.
    pub commit_doubts: u64,
    /// That the disk takes up to three seconds; else up to 5 ms.
    pub slow_disk: u64,
    /// Tickets that wait for the disk.
    pub tickets: Option<usize>,
    /// That the disk is full for up to five minutes, at each commit.
    pub disk_full: u64,
    /// Frames that wait for the controller.
    pub frames: Option<usize>,
    /// That the controller stands still for up to five seconds, at each of its steps.
    pub stall: u64,
    /// That the controller is killed, at each of its steps.
    pub kill: u64,
    /// That it is killed within a second of its start, at each.
    pub kill_at_start: u64,
    /// That it is killed while a fence waits for a run, at each that does.
    pub kill_at_fence: u64,
    /// Mean times, zero for never.
    pub crash_secs: u64,
    pub power_cut_secs: u64,
    pub wall_step_secs: u64,
    /// The power of all clients fails at once.
    pub storm_secs: u64,
    pub operator_secs: u64,
    pub hostile_secs: u64,
    /// That a host has an address of a pool.
    pub squatting: u64,
    /// That a start finds another configuration.
    pub config_change: u64,
    /// That a start finds an empty store beside the kernel's maps.
    pub store_loss: u64,
}

impl Faults {
    pub fn draw(dice: &mut Dice) -> Self {
        let on = |dice: &mut Dice, most: u64| {
            if dice.chance(400) {
                dice.between(most / 10, most)
            } else {
                0
            }
        };
        let few = |dice: &mut Dice| {
            let few = dice.between(1, 4) as usize;
            dice.chance(300).then_some(few)
        };
        Self {
            loss: on(dice, 200),
            duplication: on(dice, 300),
            straggling: on(dice, 100),
            interruption: on(dice, 900),
            steal: on(dice, 500),
            coincidence: on(dice, 1000),
            publish_fails: on(dice, 100),
            withdraw_fails: on(dice, 300),
            ring_room: few(dice),
            commit_fails: on(dice, 200),
            commit_doubts: on(dice, 200),
            slow_disk: on(dice, 300),
            tickets: few(dice),
            disk_full: on(dice, 10),
            frames: few(dice),
            stall: on(dice, 20),
            kill: on(dice, 20),
            kill_at_start: on(dice, 500),
            kill_at_fence: on(dice, 900),
            crash_secs: on(dice, 6000),
            power_cut_secs: on(dice, 12000),
            wall_step_secs: on(dice, 4000),
            storm_secs: on(dice, 2000),
            operator_secs: on(dice, 600),
            hostile_secs: on(dice, 400),
            squatting: on(dice, 500),
            config_change: on(dice, 500),
            store_loss: on(dice, 200),
        }
    }

    /// How long a packet is under way; `None` if it never arrives.
    pub fn transit(&self, dice: &mut Dice) -> Option<u64> {
        if dice.chance(self.loss) {
            None
        } else if dice.chance(self.straggling) {
            Some(dice.between(10 * MS, 10 * SEC))
        } else {
            Some(dice.between(20 * US, 2 * MS))
        }
    }

    /// How long a run stands still.
    pub fn interrupted(&self, dice: &mut Dice) -> u64 {
        if dice.chance(self.steal) {
            dice.between(50 * MS, 2 * SEC)
        } else {
            dice.between(US, 50 * MS)
        }
    }

    pub fn commit_time(&self, dice: &mut Dice) -> u64 {
        if dice.chance(self.slow_disk) {
            dice.between(5 * MS, 3 * SEC)
        } else {
            dice.between(100 * US, 5 * MS)
        }
    }

    pub fn step_time(&self, dice: &mut Dice) -> u64 {
        if dice.chance(self.stall) {
            dice.between(10 * MS, 5 * SEC)
        } else {
            dice.between(US, 100 * US)
        }
    }
}

/// Something that happens every so often, from now on.
pub fn after_about(secs: u64, dice: &mut Dice) -> u64 {
    dice.between(1, 2 * secs * SEC)
}

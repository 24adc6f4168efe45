//! The faults of a world. Each world has its own set, most of them off: a defect that one fault
//! hides shows in a world without that fault.

use super::{
    clock::{MS, SEC, US},
    dice::Dice,
};

/// Probabilities are per mille.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    pub loss: u64,
    pub duplication: u64,
    /// A packet takes up to ten seconds.
    pub straggling: u64,
    /// A run of the program is interrupted, at some lookup in a map.
    pub interruption: u64,
    /// An interruption takes up to two seconds, like a virtual CPU that is not scheduled; otherwise
    /// up to 50 ms.
    pub steal: u64,
    /// An event that concerns its client occurs just then.
    pub coincidence: u64,
    pub publish_fails: u64,
    pub withdraw_fails: u64,
    /// Events that the ring holds.
    pub ring_room: Option<usize>,
    pub commit_fails: u64,
    /// The result of a commit stays unknown.
    pub commit_doubts: u64,
    /// The disk takes up to three seconds; otherwise up to 5 ms.
    pub slow_disk: u64,
    /// Tickets that may wait for the disk.
    pub tickets: Option<usize>,
    /// The disk becomes full for up to five minutes, at each commit.
    pub disk_full: u64,
    /// Frames that may wait for the controller.
    pub frames: Option<usize>,
    /// The controller pauses for up to five seconds, at each of its steps.
    pub stall: u64,
    /// The controller is killed, at each of its steps.
    pub kill: u64,
    /// It is killed within a second of its start, at each start.
    pub kill_at_start: u64,
    /// It is killed while a fence waits for a run, at each such fence.
    pub kill_at_fence: u64,
    /// Mean times; zero for never.
    pub crash_secs: u64,
    pub power_cut_secs: u64,
    pub wall_step_secs: u64,
    /// The power of all clients fails at the same time.
    pub storm_secs: u64,
    pub operator_secs: u64,
    pub hostile_secs: u64,
    /// A host has an address of a pool.
    pub squatting: u64,
    /// A start finds another configuration.
    pub config_change: u64,
    /// A start finds an empty store beside the kernel's maps.
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

    /// Returns how long a packet takes; `None` if it is lost.
    pub fn transit(&self, dice: &mut Dice) -> Option<u64> {
        if dice.chance(self.loss) {
            None
        } else if dice.chance(self.straggling) {
            Some(dice.between(10 * MS, 10 * SEC))
        } else {
            Some(dice.between(20 * US, 2 * MS))
        }
    }

    /// Returns how long a run pauses.
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

/// Schedules a recurring event, from now on.
pub fn after_about(secs: u64, dice: &mut Dice) -> u64 {
    dice.between(1, 2 * secs * SEC)
}

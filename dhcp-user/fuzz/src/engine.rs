//! The engine: sequences of everything, and messages of any octets.

use std::cell::LazyCell;

use dhcp_engine::Input;
use dhcp_testkit::{
    sequence::{Sequence, Step, check_nothing_is_lost, run, step},
    world::{World, discover, ip},
};
use proptest::prelude::*;

use crate::draw::draw;

/// Steps of the longest sequence.
const MOST: usize = 200;

thread_local! {
    static STEPS: LazyCell<BoxedStrategy<Step>> = LazyCell::new(|| step().boxed());
}

/// Plays the sequence that the octets stand for, with the invariants checked after each step; or, with an
/// odd number in front, shows them to the engine as a message.
///
/// # Panics
/// Something did not hold.
pub fn engine(octets: &[u8]) {
    match octets {
        [mode, rest @ ..] if mode % 2 == 1 => message(rest),
        [_, world, rest @ ..] => {
            let steps = STEPS.with(|steps| draw(&**steps, rest).take(MOST).collect());
            check_nothing_is_lost(run(&Sequence {
                authoritative: world % 2 == 1,
                max_slots: u32::from(world / 2) % 6 + 1,
                is_probing: world / 12 % 2 == 1,
                steps,
            }));
        }
        _ => {}
    }
}

/// On a link where all is taken, and on one where less is.
fn message(payload: &[u8]) {
    for vlan in [0, dhcp_testkit::world::TRUSTED_VLAN] {
        let mut world = World::new();
        world.lease(1);
        let mut sender = discover(1);
        if vlan != 0 {
            sender = sender.tagged(vlan);
        }
        world.input(Input::Message {
            ingress: &sender.ingress,
            payload,
        });
        world.settle();
        // Whatever it was, others are served.
        let offered = world.ask(&discover(2)).yiaddr();
        assert!([ip(10), ip(11), ip(12)].contains(&offered));
    }
}

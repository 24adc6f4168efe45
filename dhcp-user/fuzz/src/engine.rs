//! Fuzzes the engine: sequences of inputs, and any octets as a message.

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

/// Plays the sequence that the octets encode and checks the invariants after each step; if the
/// first octet is odd, passes the rest to the engine as a message.
///
/// # Panics
/// A check failed.
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

/// Messages arrive on a link where everything is accepted, and on one where less is.
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
        // Other clients are served after any message.
        let offered = world.ask(&discover(2)).yiaddr();
        assert!([ip(10), ip(11), ip(12)].contains(&offered));
    }
}

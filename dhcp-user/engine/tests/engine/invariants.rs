//! Invariants under random sequences of events.

use dhcp_testkit::{
    sequence::{Sequence, check_nothing_is_lost, run, step},
    world::*,
};
use proptest::{collection::vec, prelude::*};

/// Returns a strategy for sequences of fewer than `most` steps.
fn sequence(most: usize) -> impl Strategy<Value = Sequence> {
    let parts = (any::<bool>(), any::<bool>(), 1u32..=6, vec(step(), 1..most));
    parts.prop_map(|(authoritative, is_probing, max_slots, steps)| Sequence {
        authoritative,
        is_probing,
        max_slots,
        steps,
    })
}

proptest! {
    #[test]
    fn c118_no_order_of_events_gives_an_address_twice_or_loses_it(
        sequence in sequence(80),
    ) {
        check_nothing_is_lost(run(&sequence));
    }

    #[test]
    fn the_same_inputs_give_the_same_effects(sequence in sequence(40)) {
        let (one, other) = (run(&sequence), run(&sequence));
        prop_assert_eq!(one.effects, other.effects);
        prop_assert_eq!(one.kernel.leases, other.kernel.leases);
        prop_assert_eq!(one.store, other.store);
    }

    #[test]
    fn arbitrary_octets_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut world = World::new();
        let ingress = discover(1).ingress;
        world.input(dhcp_engine::Input::Message { ingress: &ingress, payload: &payload });
        let mut bootp = discover(1).payload;
        bootp.truncate(240);
        bootp.extend(&payload);
        world.input(dhcp_engine::Input::Message { ingress: &ingress, payload: &bootp });
    }
}

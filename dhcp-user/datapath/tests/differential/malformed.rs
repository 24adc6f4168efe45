//! What nothing may answer, shown to the controller as if another program had handed it on.

use dhcp_common::outcome::Outcome;
use dhcp_testkit::agreement::cast::{self, Past, World};
use dhcp_testkit::fixtures::malformed::malformed;

#[test]
fn c005_c006_malformed_requests_get_no_answer_leave_no_state_and_are_counted_once() {
    let now = cast::now();
    let world = World::new(now);
    // Of a client with a lease, which would otherwise be answered.
    let bound = world.of(Past::Bound).next().unwrap();
    for case in malformed(bound.mac) {
        let mut sides = world.sides(now);
        let (lease_views, store, counts) =
            (sides.lease_views(), sides.store.clone(), sides.counts());
        sides.sent.clear();
        let parsed = sides.ask(&case.frame);
        assert_eq!(sides.sent.len(), 0, "{}", case.name);
        assert_eq!(sides.lease_views(), lease_views, "{}", case.name);
        assert_eq!(sides.store, store, "{}", case.name);
        let counted: Vec<_> = sides
            .counts()
            .into_iter()
            .zip(counts)
            .flat_map(|((counter, after), (_, before))| {
                std::iter::repeat_n(counter.label(), (after - before) as usize)
            })
            .collect();
        let expected = match case.outcome {
            // The program leaves these to the host and to the controller.
            Outcome::BootReply => "bad_op",
            Outcome::ManyOptions => "too_many_options",
            outcome => outcome.label(),
        };
        match parsed {
            Ok(()) => assert_eq!(counted, [expected], "{}", case.name),
            Err(outcome) => {
                assert_eq!(outcome.label(), expected, "{}", case.name);
                assert_eq!(counted.len(), 0, "{}", case.name);
            }
        }
    }
}

//! DECLINE: addresses that clients found in use by other hosts (RFC 2131 §4.3.3).

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use dhcp_common::wire::message_type;
use dhcp_engine::{Counter, lease_table::LeaseState};
use dhcp_model::RecordState;
use dhcp_testkit::world::*;

/// Collects log output.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics with it").write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn c069_c072_c073_a_declined_address_is_out_of_service_for_a_time() {
    let mut world = World::new();
    world.lease(1);
    world.kernel.close(&key(1));
    assert_eq!(world.ask_all(&decline(1, ip(10))), []);
    assert_eq!(world.recorded(ip(10)), Some(RecordState::Quarantined));
    assert_eq!(world.published(1), None);
    world.expect_offer(&discover(1), ip(11));
    world.pass(secs(DECLINE_SECS));
    assert_eq!(
        (world.state(ip(10)), world.recorded(ip(10))),
        (None, None),
        "and no affinity"
    );
}

#[test]
fn an_offered_address_can_be_declined() {
    let mut world = World::new();
    world.ask(&discover(1));
    assert_eq!(world.ask_all(&decline(1, ip(10))), []);
    assert_eq!(world.state(ip(10)), Some(LeaseState::Quarantined));
}

#[test]
fn c071_nobody_declines_the_address_of_another_nor_for_another_server() {
    let wrong = [
        decline(2, ip(10)),
        decline(2, ip(12)),
        Message::new(2, message_type::DECLINE).requested(ip(10)),
        Message::new(1, message_type::DECLINE)
            .requested(ip(10))
            .server_id(OTHER_SERVER),
        Message::new(1, message_type::DECLINE).server_id(SERVER),
    ];
    for message in wrong {
        let mut world = World::new();
        world.lease(1);
        world.expect_silence(&message, Counter::DeclineMismatch);
        assert_eq!(world.state(ip(10)), Some(LeaseState::Bound));
    }
}

#[test]
fn c071_a_client_that_names_no_server_declines_its_own_address() {
    let mut world = World::new();
    world.lease(1);
    world.kernel.close(&key(1));
    let message = Message::new(1, message_type::DECLINE).requested(ip(10));
    assert_eq!(world.ask_all(&message), []);
    assert_eq!(world.state(ip(10)), Some(LeaseState::Quarantined));
    world.expect_offer(&discover(1), ip(11));
}

#[test]
fn a_quarantine_that_is_not_committed_is_committed_later() {
    let mut world = World::new();
    world.lease(1);
    world.store_fails = true;
    world.message(&decline(1, ip(10)));
    world.commit();
    assert_eq!(world.recorded(ip(10)), Some(RecordState::Bound));
    world.store_fails = false;
    // The retry is due while the fence is still in progress, and again after it.
    world.pass(secs(2));
    assert_eq!(world.recorded(ip(10)), Some(RecordState::Quarantined));
}

#[test]
fn c070_operators_are_told_of_the_address_and_the_client() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let mut world = World::new();
    world.lease(1);
    tracing::subscriber::with_default(subscriber, || {
        world.ask_all(&decline(1, ip(10)));
    });
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("address=10.0.0.10"), "{log}");
    assert!(lines[0].contains(&format!("client={:?}", key(1))), "{log}");
    assert_eq!(world.count(Counter::Declined), 1);
    let lease = world.leases.get(&ip(10)).unwrap();
    assert_eq!(
        (lease.state, lease.holder.client()),
        (LeaseState::Quarantined, key(1)),
        "as `leases list` shows it"
    );
}

//! Probes for hosts that use an address, before it is offered (RFC 2131 §2.2, §3.1(2)).

use std::{net::Ipv4Addr, time::Duration};

use dhcp_common::wire::{message_type, option};
use dhcp_config::{Pool, Subnet};
use dhcp_engine::{
    Command, CommandOutcome, Counter, Input, Probe, ProbeAnswer, ProbeWay, lease_table::LeaseState,
};
use dhcp_model::RecordState;
use dhcp_testkit::world::*;

const PROBE_TIME: Duration = Duration::from_millis(500);
const LINK: ProbeWay = ProbeWay::Link { sender: SERVER };

fn probed(subnet: Subnet) -> Subnet {
    Subnet {
        probe_time: PROBE_TIME,
        ..subnet
    }
}

fn world() -> World {
    World::with(probed(subnet()))
}

/// Returns the reply to a message that is answered only after its probe remained unanswered.
fn ask_patiently(world: &mut World, message: &Message) -> Received {
    assert_eq!(world.ask_all(message), [], "nothing is said at once");
    world.pass(PROBE_TIME);
    let mut replies = std::mem::take(&mut world.sent);
    assert_eq!(replies.len(), 1, "one reply to {message:?}");
    replies.remove(0)
}

fn expect_offer_after_probe(world: &mut World, message: &Message, address: Ipv4Addr) {
    let before = world.probes.len();
    let reply = ask_patiently(world, message);
    assert_eq!(
        (reply.message_type(), reply.yiaddr()),
        (message_type::OFFER, address)
    );
    assert!(
        world.probes[before..]
            .iter()
            .all(|probe| probe.address == address)
    );
}

fn lease_after_probe(world: &mut World, client: u8) -> Ipv4Addr {
    let address = ask_patiently(world, &discover(client)).yiaddr();
    world.expect_ack(&selecting(client, address), address);
    address
}

#[test]
fn c030_a_new_address_is_offered_when_nobody_has_answered_two_probes() {
    let mut world = world();
    world.message(&discover(1));
    assert_eq!(world.take_effects(), ["probe"]);
    assert_eq!(world.state(ip(10)), Some(LeaseState::Probing));
    world.pass(PROBE_TIME / 2);
    assert_eq!(world.take_effects(), ["probe"], "one may get lost");
    let probe = Probe {
        address: ip(10),
        ifindex: IFINDEX,
        tags: [None; 2],
        way: LINK,
    };
    assert_eq!(world.probes, [probe; 2]);
    world.pass(PROBE_TIME / 2 - Duration::from_nanos(1));
    assert_eq!(world.take_effects(), [""; 0]);
    world.pass(Duration::from_nanos(1));
    assert_eq!(
        world.take_effects(),
        ["publish", "send", "template", "template"]
    );
    assert_eq!(world.sent[0].yiaddr(), ip(10));

    world.pass(secs(OFFER_SECS) - Duration::from_nanos(1));
    assert_eq!(
        world.state(ip(10)),
        Some(LeaseState::Offered),
        "held from the OFFER on"
    );
    world.expect_ack(&selecting(1, ip(10)), ip(10));
    assert_eq!(
        (
            world.count(Counter::Probed),
            world.count(Counter::AddressInUse)
        ),
        (1, 0)
    );
}

#[test]
fn c030_an_address_in_use_is_quarantined_and_another_is_probed_at_once() {
    let mut world = world();
    world.message(&discover(1));
    world.pass(PROBE_TIME - Duration::from_nanos(1));
    world.take_effects();
    world.host_answers(ip(10));
    assert_eq!(world.take_effects(), ["commit", "probe"]);
    assert_eq!(world.state(ip(10)), Some(LeaseState::Quarantined));
    world.settle();
    assert_eq!(world.recorded(ip(10)), Some(RecordState::Quarantined));
    assert_eq!(world.count(Counter::AddressInUse), 1);

    world.pass(PROBE_TIME);
    assert_eq!(world.sent.len(), 1);
    assert_eq!(world.sent[0].yiaddr(), ip(11));
    expect_offer_after_probe(&mut world, &discover(2).requested(ip(10)), ip(12));
    world.restart();
    assert_eq!(
        world.state(ip(10)),
        Some(LeaseState::Quarantined),
        "on disk"
    );
    world.pass(secs(DECLINE_SECS));
    assert_eq!((world.state(ip(10)), world.recorded(ip(10))), (None, None));
    expect_offer_after_probe(&mut world, &discover(2).requested(ip(10)), ip(10));
}

#[test]
fn c030_a_discover_leads_to_three_addresses_in_use_at_most() {
    let mut world = World::with(Subnet {
        pools: vec![Pool::new(ip(10), ip(20))],
        ..probed(subnet())
    });
    world.message(&discover(1));
    for last in [10, 11, 12] {
        world.host_answers(ip(last));
    }
    world.settle();
    world.pass(secs(60));
    assert_eq!((&*world.sent, world.probes.len()), (&[][..], 3));
    assert_eq!(world.count(Counter::ProbesGivenUp), 1);
    expect_offer_after_probe(&mut world, &discover(1), ip(13));
}

#[test]
fn c030_c032_a_pool_whose_addresses_are_all_in_use_offers_nothing() {
    let mut world = World::with(Subnet {
        pools: vec![Pool::new(ip(10), ip(10))],
        ..probed(subnet())
    });
    world.message(&discover(1));
    world.host_answers(ip(10));
    world.settle();
    assert_eq!(world.count(Counter::PoolEmpty), 1);
    world.expect_silence(&discover(2), Counter::PoolEmpty);
    assert_eq!(world.probes.len(), 1);
}

#[test]
fn c030_what_is_the_clients_already_is_offered_at_once() {
    let mut world = world();
    assert_eq!(lease_after_probe(&mut world, 1), ip(10));
    expect_offer_after_probe(&mut world, &discover(2), ip(11));
    let before = world.probes.len();
    world.expect_offer(&discover(1), ip(10));
    world.expect_offer(&discover(2), ip(11));

    world.ask_all(&release(1, ip(10)));
    assert_eq!(world.state(ip(10)), None);
    world.expect_offer(&discover(1), ip(10));
    world.expect_ack(&selecting(1, ip(10)), ip(10));
    world.pass(secs(u64::from(LEASE_SECS)));
    assert_eq!(world.count(Counter::LeaseExpired), 1);
    world.expect_offer(&discover(1), ip(10));
    assert_eq!(world.probes.len(), before);
}

#[test]
fn c030_what_was_another_clients_is_probed() {
    let mut world = World::with(Subnet {
        pools: vec![Pool::new(ip(10), ip(10))],
        ..probed(subnet())
    });
    lease_after_probe(&mut world, 1);
    world.ask_all(&release(1, ip(10)));
    expect_offer_after_probe(&mut world, &discover(2), ip(10));
    world.pass(secs(OFFER_SECS));
    world.expect_offer(&discover(1), ip(10));
}

#[test]
fn c030_what_a_request_names_is_not_probed() {
    let mut world = World::with(Subnet {
        authoritative: true,
        ..probed(subnet())
    });
    world.expect_ack(&init_reboot(1, ip(10)), ip(10));
    world.expect_ack(&renewing(2, ip(11)), ip(11));
    expect_offer_after_probe(&mut world, &discover(3), ip(12));
    let before = world.probes.len();
    world.pass(secs(OFFER_SECS));
    world.expect_ack(&selecting(3, ip(12)), ip(12));
    assert_eq!(world.probes.len(), before);
}

#[test]
fn c029_c030_a_client_that_asks_again_is_answered_once_and_as_it_asked_last() {
    let mut world = world();
    let asked = |xid: u8| {
        let mut message = discover(1);
        message.payload[4..8].fill(xid);
        message
    };
    world.message(&asked(0xaa));
    world.pass(PROBE_TIME / 2);
    world.expect_silence(&asked(0xbb), Counter::Retransmitted);
    world.pass(PROBE_TIME / 2);
    assert_eq!((world.sent.len(), world.probes.len()), (1, 2));
    assert_eq!(world.sent[0].payload[4..8], [0xbb; 4]);
    assert_eq!(world.leases.len(), 1);
    world.expect_offer(&asked(0xcc), ip(10));
}

#[test]
fn m09_c030_a_reserved_address_is_probed_and_replaced_while_another_host_has_it() {
    let mut world = World::with(Subnet {
        reservations: vec![reservation(key(1), ip(50), None)],
        ..probed(subnet())
    });
    world.message(&discover(1));
    world.host_answers(ip(50));
    world.settle();
    world.pass(PROBE_TIME);
    assert_eq!(world.sent[0].yiaddr(), ip(10));
    world.expect_ack(&selecting(1, ip(10)), ip(10));
    world.pass(secs(DECLINE_SECS));
    assert_eq!(world.state(ip(50)), None);
    expect_offer_after_probe(&mut world, &discover(1), ip(50));
}

#[test]
fn c110_c030_rapid_commit_comes_after_the_probe() {
    let mut world = World::with(Subnet {
        rapid_commit: true,
        ..probed(subnet())
    });
    world.message(&discover(1).option(option::RAPID_COMMIT, &[]));
    assert_eq!(world.take_effects(), ["probe"]);
    world.pass(PROBE_TIME);
    assert_eq!(world.take_effects()[..2], ["probe", "commit"]);
    assert_eq!(world.sent[0].message_type(), message_type::ACK);
    assert_eq!(world.recorded(ip(10)), Some(RecordState::Bound));
}

#[test]
fn c030_an_address_counts_as_probed_for_a_minute_if_nobody_has_had_it_since() {
    let decline_time = secs(10);
    let mut world = World::with(Subnet {
        decline_time,
        ..probed(subnet())
    });
    expect_offer_after_probe(&mut world, &discover(1), ip(10));
    world.message(&selecting_other(1));
    world.pass(secs(60) - Duration::from_nanos(1));
    world.expect_offer(&discover(2).requested(ip(10)), ip(10));
    world.message(&selecting_other(2));
    world.pass(Duration::from_nanos(1));
    expect_offer_after_probe(&mut world, &discover(3).requested(ip(10)), ip(10));

    world.expect_ack(&selecting(3, ip(10)), ip(10));
    world.ask_all(&release(3, ip(10)));
    expect_offer_after_probe(&mut world, &discover(4).requested(ip(10)), ip(10));
    world.ask_all(&decline(4, ip(10)));
    world.pass(decline_time);
    expect_offer_after_probe(&mut world, &discover(5).requested(ip(10)), ip(10));
    assert_eq!(world.count(Counter::Probed), 4);
}

#[test]
fn c030_a_client_that_has_the_address_itself_is_offered_it_at_once() {
    let mut world = world();
    world.message(&discover(1));
    let answer = answer(&world.probes[0], mac(1));
    world.input(Input::ProbeAnswered(answer));
    assert_eq!(world.sent[0].yiaddr(), ip(10));
    assert_eq!(world.count(Counter::AddressInUse), 0);
}

#[test]
fn an_answer_to_no_probe_changes_nothing() {
    let mut world = world();
    world.message(&discover(1));
    let probe = world.probes[0];
    let tags = discover(1).tagged(TRUSTED_VLAN).ingress.tags;
    let strays = [
        Probe {
            ifindex: IFINDEX + 1,
            ..probe
        },
        Probe { tags, ..probe },
        Probe {
            address: ip(11),
            ..probe
        },
    ];
    world.take_effects();
    for stray in strays {
        world.input(Input::ProbeAnswered(answer(&stray, HOST_MAC)));
    }
    let address = ip(10);
    world.input(Input::ProbeAnswered(ProbeAnswer::Echo { address }));
    assert_eq!(world.take_effects(), [""; 0]);
    world.pass(PROBE_TIME);
    assert_eq!(world.sent[0].yiaddr(), ip(10));
    world.input(Input::ProbeAnswered(answer(&probe, HOST_MAC)));
    assert_eq!(
        world.state(ip(10)),
        Some(LeaseState::Offered),
        "it is too late"
    );
}

/// A host may ignore ARP from a sender address outside its subnet; it answers a probe from 0.0.0.0
/// (RFC 5227).
#[test]
fn c030_c090_the_probe_goes_where_the_request_came_from() {
    let second = Ipv4Addr::new(10, 1, 0, 10);
    let mut elsewhere = subnet();
    elsewhere.prefix = "10.1.0.0/24".parse().expect("a prefix");
    elsewhere.pools = vec![Pool::new(second, second)];
    let mut world = World::with_config(
        shared(vec![(NETWORK, vec![probed(subnet()), probed(elsewhere)])]),
        100,
    );
    let tagged = discover(1).tagged(TRUSTED_VLAN);
    world.message(&tagged);
    assert_eq!(
        (world.probes[0].tags, world.probes[0].way),
        (tagged.ingress.tags, LINK)
    );
    for client in 2..=4 {
        world.message(&discover(client));
    }
    let sender = Ipv4Addr::UNSPECIFIED;
    assert_eq!(
        (world.probes[3].address, world.probes[3].way),
        (second, ProbeWay::Link { sender })
    );
}

#[test]
fn c030_behind_a_relay_agent_it_is_an_echo_by_way_of_the_agent() {
    let mut world = world();
    world.message(&discover(1).relayed(ip(254)));
    let way = ProbeWay::Relay {
        mac: RELAY_MAC,
        source: SERVER,
    };
    assert_eq!(
        (world.probes[0].address, world.probes[0].way),
        (ip(10), way)
    );
    let arp = Probe {
        way: LINK,
        ..world.probes[0]
    };
    world.input(Input::ProbeAnswered(answer(&arp, HOST_MAC)));
    assert_eq!(world.state(ip(10)), Some(LeaseState::Probing));
    world.host_answers(ip(10));
    assert_eq!(world.state(ip(10)), Some(LeaseState::Quarantined));
    world.settle();
    world.pass(PROBE_TIME);
    assert_eq!(
        (world.sent[0].yiaddr(), world.sent[0].egress.destination),
        (ip(11), ip(254))
    );
}

#[test]
fn c040_a_client_that_waits_for_an_offer_no_longer_gets_none() {
    let ends: [fn() -> Message; 6] = [
        || selecting_other(1),
        || init_reboot(1, ip(10)),
        || rebinding(1, ip(10)),
        || release(1, ip(10)),
        || decline(1, ip(10)),
        || decline(1, ip(11)),
    ];
    for end in ends {
        let mut world = world();
        world.message(&discover(1));
        assert_eq!(world.ask_all(&end()), [], "{:?}", end());
        assert_eq!(
            (world.leases.len(), world.engine.next_deadline()),
            (0, None)
        );
        world.host_answers(ip(10));
        world.pass(secs(1));
        assert_eq!((&*world.sent, world.commits.len()), (&[][..], 0));
        assert_eq!(world.count(Counter::Declined), 0);
        expect_offer_after_probe(&mut world, &discover(2), ip(11));
    }
}

#[test]
fn c043_a_client_that_takes_up_an_earlier_offer_ends_the_probe_of_its_own_or_another_address() {
    for last in [10, 11] {
        let mut world = world();
        world.message(&discover(1));
        world.expect_ack(&selecting(1, ip(last)), ip(last));
        world.pass(secs(1));
        assert_eq!((&*world.sent, world.leases.len()), (&[][..], 1));
    }
}

#[test]
fn a_probed_address_is_nobodys_lease() {
    let mut world = world();
    world.message(&discover(1));
    for (id, command) in [(1, Command::Delete(ip(10))), (2, Command::Revoke(ip(10)))] {
        world.command(id, command);
    }
    let outcomes = world.answers.iter().map(|(_, outcome)| *outcome);
    assert_eq!(outcomes.collect::<Vec<_>>(), [CommandOutcome::NoLease; 2]);
    world.expect_nak(&selecting(2, ip(10)));
    world.pass(PROBE_TIME);
    assert_eq!(world.sent[0].yiaddr(), ip(10));
}

#[test]
fn a_restart_forgets_what_is_probed() {
    let mut world = world();
    world.message(&discover(1));
    world.restart();
    assert_eq!(
        (world.leases.len(), world.engine.next_deadline()),
        (0, None)
    );
    world.host_answers(ip(10));
    expect_offer_after_probe(&mut world, &discover(2), ip(10));
}

#[test]
fn c030_it_is_for_each_subnet_to_say_and_can_be_switched_off() {
    let far = |last| Ipv4Addr::new(10, 9, 0, last);
    let behind = Subnet {
        prefix: "10.9.0.0/24".parse().expect("a prefix"),
        pools: vec![Pool::new(far(10), far(12))],
        ..probed(subnet())
    };
    let mut world = World::with_config(config(vec![(NETWORK, subnet()), (9, behind)]), 100);
    world.expect_offer(&discover(1), ip(10));
    expect_offer_after_probe(&mut world, &discover(1).relayed(far(1)), far(10));
    assert_eq!(world.count(Counter::Probed), 1);
}

#[test]
fn c030_beyond_so_many_probes_at_once_an_address_is_offered_without() {
    const AT_ONCE: u16 = 1024;
    let mut world = World::with(Subnet {
        prefix: "10.0.0.0/16".parse().expect("a prefix"),
        pools: vec![Pool::new(ip(10), Ipv4Addr::new(10, 0, 200, 0))],
        ..probed(subnet())
    });
    let client =
        |n: u16| discover(1).option(option::CLIENT_ID, &[&[0][..], &n.to_be_bytes()].concat());
    for n in 0..AT_ONCE {
        world.message(&client(n));
    }
    assert_eq!(
        (world.sent.len(), world.probes.len()),
        (0, usize::from(AT_ONCE))
    );
    world.ask(&client(AT_ONCE));
    assert_eq!(
        (world.probes.len(), world.count(Counter::Unprobed)),
        (usize::from(AT_ONCE), 1)
    );
    world.pass(PROBE_TIME);
    assert_eq!(world.sent.len(), usize::from(AT_ONCE));
    ask_patiently(&mut world, &client(AT_ONCE + 1));
    assert_eq!(world.count(Counter::Unprobed), 1);
}

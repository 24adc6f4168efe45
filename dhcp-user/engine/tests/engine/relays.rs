//! Effects of the sub-options of option 82 and of option 118 on answers.

use std::net::Ipv4Addr;

use dhcp_common::wire::{message_type, option, relay_suboption};
use dhcp_config::{Pool, Subnet};
use dhcp_engine::{Counter, lease_table::LeaseState};
use dhcp_testkit::world::*;

const FAR_NETWORK: u32 = 9;
/// The relay agent's address on the server's side.
const AGENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);
/// The relay agent's address on the clients' side.
const FAR_AGENT: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

fn far(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, 0, last)
}

/// Returns a world with the link of the other tests and a network behind a relay agent.
fn world() -> World {
    let behind = Subnet {
        prefix: "10.9.0.0/24".parse().expect("a prefix"),
        pools: vec![Pool::new(far(10), far(12))],
        ..subnet()
    };
    World::with_config(
        config(vec![(NETWORK, subnet()), (FAR_NETWORK, behind)]),
        100,
    )
}

/// Returns the value of option 82: a circuit id, then these sub-options.
fn info(suboptions: &[(u8, &[u8])]) -> Vec<u8> {
    let mut octets = vec![1, 2, 0, 7];
    for (code, value) in suboptions {
        octets.extend([*code, value.len() as u8]);
        octets.extend(*value);
    }
    octets
}

fn selection(link: Ipv4Addr) -> Vec<u8> {
    info(&[(relay_suboption::LINK_SELECTION, &link.octets())])
}

fn stand_in() -> Vec<u8> {
    let link = FAR_AGENT.octets();
    info(&[
        (relay_suboption::LINK_SELECTION, &link),
        (relay_suboption::SERVER_ID_OVERRIDE, &link),
    ])
}

fn relayed(message: Message, info: &[u8]) -> Message {
    message.option(option::RELAY_INFO, info).relayed(AGENT)
}

#[test]
fn c020_link_selection_counts_more_than_giaddr_which_gets_the_reply() {
    let mut world = world();
    let info = selection(far(0));
    let offer = world.ask(&relayed(discover(1), &info));
    assert_eq!(offer.yiaddr(), far(10));
    assert_eq!(offer.egress.destination, AGENT);
    assert_eq!(offer.egress.destination_port, 67);
    assert_eq!(offer.option(option::RELAY_INFO), Some(info.clone()));
    world.expect_ack(&relayed(selecting(1, far(10)), &info), far(10));
    world.expect_nak(&relayed(init_reboot(1, ip(10)), &info));
    // The client renews without the relay agent: only `ciaddr` selects the subnet.
    world.expect_ack(&renewing(1, far(10)), far(10));
}

#[test]
fn c020_c025_a_link_that_nobody_knows_gets_silence() {
    let mut world = world();
    let unknown = relayed(discover(1), &selection(Ipv4Addr::new(192, 168, 7, 0)));
    world.expect_silence(&unknown, Counter::UnknownLink);
    assert_eq!(world.leases.len(), 0);
}

#[test]
fn c020_c105_clients_select_no_link() {
    let mut world = world();
    let message = discover(1).option(option::RELAY_INFO, &selection(far(0)));
    let offer = world.ask(&message);
    assert_eq!(offer.yiaddr(), ip(10));
    assert_eq!(offer.option(option::RELAY_INFO), Some(selection(far(0))));
    assert_eq!(world.count(Counter::UntrustedRelayInfo), 1);
}

#[test]
fn c085_an_inform_without_ciaddr_goes_back_to_the_relay_agent() {
    let mut world = world();
    let inform = Message::new(1, message_type::INFORM).relayed(AGENT);
    let ack = world.ask(&inform);
    assert_eq!(ack.message_type(), message_type::ACK);
    assert_eq!(ack.egress.destination, AGENT);
    assert_eq!(ack.egress.destination_port, 67);
}

#[test]
fn a_directed_broadcast_is_a_broadcast() {
    let mut world = World::new();
    world.lease(1);
    let mut message = rebinding(2, ip(11));
    message.ingress.destination = Ipv4Addr::new(10, 0, 0, 255);
    world.expect_silence(&message, Counter::UnknownClient);
    let mut own = rebinding(1, ip(10));
    own.ingress.destination = Ipv4Addr::new(10, 0, 0, 255);
    world.expect_ack(&own, ip(10));
}

/// Adds option 118 to a message from a link where it is honoured.
fn selecting_subnet(message: Message, subnet: Ipv4Addr) -> Message {
    message
        .option(option::SUBNET_SELECTION, &subnet.octets())
        .tagged(TRUSTED_VLAN)
}

#[test]
fn c021_subnet_selection_is_off_by_default() {
    let mut world = world();
    let message = discover(1).option(option::SUBNET_SELECTION, &far(0).octets());
    let offer = world.ask(&message);
    assert_eq!(offer.yiaddr(), ip(10));
    assert_eq!(offer.option(option::SUBNET_SELECTION), None);
    // An invalid length is ignored too.
    world.expect_offer(&discover(1).option(option::SUBNET_SELECTION, &[1]), ip(10));
    assert!(
        world.kernel.templates.is_empty(),
        "the program hands it on anyway"
    );
}

#[test]
fn c021_c022_the_selected_subnet_is_used_and_said_again() {
    let mut world = world();
    let subnet = Some(far(0).octets().to_vec());
    for message in [discover(1), discover(1).relayed(AGENT)] {
        let offer = world.ask(&selecting_subnet(message, far(0)));
        assert_eq!(offer.yiaddr(), far(10));
        assert_eq!(offer.option(option::SUBNET_SELECTION), subnet);
    }
    let ack = world.ask(&selecting_subnet(selecting(1, far(10)), far(0)));
    assert_eq!(
        (ack.message_type(), ack.yiaddr()),
        (message_type::ACK, far(10))
    );
    assert_eq!(ack.option(option::SUBNET_SELECTION), subnet);
    let nak = world.ask(&selecting_subnet(init_reboot(1, ip(10)), far(0)));
    assert_eq!(nak.message_type(), message_type::NAK);
    assert_eq!(nak.option(option::SUBNET_SELECTION), None);

    for client in 2..=3 {
        let offer = world.ask(&selecting_subnet(discover(client), far(0)));
        assert_eq!(offer.yiaddr(), far(9 + client));
    }
    let full = selecting_subnet(discover(4), far(0));
    world.expect_silence(&full, Counter::PoolEmpty);
    let unknown = selecting_subnet(discover(4), Ipv4Addr::new(192, 168, 7, 0));
    world.expect_silence(&unknown, Counter::UnknownLink);
    let odd = discover(4).option(option::SUBNET_SELECTION, &[10, 9, 0]);
    world.expect_silence(&odd.tagged(TRUSTED_VLAN), Counter::BadOptionLength);
}

#[test]
fn c021_link_selection_counts_more_than_subnet_selection() {
    let mut world = world();
    let message = relayed(discover(1), &selection(ip(0)));
    let offer = world.ask(&selecting_subnet(message, far(0)));
    assert_eq!(offer.yiaddr(), ip(10));
    assert_eq!(offer.option(option::SUBNET_SELECTION), None);
}

#[test]
fn c020_a_trusted_switch_selects_a_link_too() {
    let mut world = world();
    let message = discover(1).option(option::RELAY_INFO, &selection(far(0)));
    world.expect_offer(&message.tagged(TRUSTED_VLAN), far(10));
}

#[test]
fn c026_the_relay_agent_stands_for_the_server() {
    let mut world = world();
    let info = stand_in();
    let offer = world.ask(&relayed(discover(1), &info));
    let server_id = Some(FAR_AGENT.octets().to_vec());
    assert_eq!(offer.option(option::SERVER_ID), server_id);
    assert_eq!(offer.egress.source, SERVER, "it still comes from us");

    let request = |message_type| Message::new(1, message_type).requested(far(10));
    let selecting = request(message_type::REQUEST).server_id(FAR_AGENT);
    let ack = world.ask(&relayed(selecting.clone(), &info));
    assert_eq!(
        (ack.message_type(), ack.yiaddr()),
        (message_type::ACK, far(10))
    );
    assert_eq!(ack.option(option::SERVER_ID), server_id);
    let nak = world.ask(&relayed(init_reboot(1, ip(10)), &info));
    assert_eq!(nak.message_type(), message_type::NAK);
    assert_eq!(nak.option(option::SERVER_ID), server_id);

    // The server's own address is accepted too. Without a server identifier override, the agent's
    // address counts as another server's.
    let ours = request(message_type::REQUEST).server_id(SERVER);
    world.expect_ack(&relayed(ours, &info), far(10));
    let silent = relayed(selecting, &selection(far(0)));
    world.expect_silence(&silent, Counter::NotSelected);

    let release = Message::new(1, message_type::RELEASE)
        .ciaddr(far(10))
        .server_id(FAR_AGENT);
    assert_eq!(world.state(far(10)), Some(LeaseState::Bound));
    world.ask_all(&relayed(release, &info));
    assert_eq!(world.state(far(10)), None);
}

#[test]
fn c026_c117_no_template_says_what_one_relay_agent_wants() {
    let mut world = world();
    world.ask(&relayed(discover(1), &stand_in()));
    assert_eq!(world.kernel.templates.len(), 2);
    for template in world.kernel.templates.values() {
        assert_eq!(Ipv4Addr::from(template.server_id), SERVER);
        let (start, len) = (196 + 3, template.len as usize);
        assert_eq!(template.image[start..start + 2], [option::SERVER_ID, 4]);
        assert_eq!(template.image[start + 2..start + 6], SERVER.octets());
        let image = &template.image[..len];
        assert!(!image.windows(4).any(|octets| octets == FAR_AGENT.octets()));
    }
}

#[test]
fn m20_the_reply_goes_to_the_port_that_the_relay_agent_sends_from() {
    let mut world = world();
    let port = info(&[(relay_suboption::SOURCE_PORT, &[])]);
    let mut ask = |info: &[u8], source_port| {
        let mut message = relayed(discover(1), info);
        message.ingress.source_port = source_port;
        let offer = world.ask(&message);
        assert_eq!(offer.option(option::RELAY_INFO), Some(info.to_vec()));
        offer.egress.destination_port
    };
    assert_eq!(ask(&port, 30_067), 30_067);
    assert_eq!(ask(&port, 0), 67, "a port of zero is none");
    assert_eq!(ask(&info(&[]), 30_067), 67, "it did not ask for it");
}

#[test]
fn c102_a_broken_sub_option_is_counted_and_echoed() {
    let mut world = world();
    let broken = info(&[(relay_suboption::LINK_SELECTION, &[10, 9])]);
    let offer = world.ask(&relayed(discover(1), &broken));
    assert_eq!(offer.yiaddr(), ip(10), "as if there were none");
    assert_eq!(offer.option(option::RELAY_INFO), Some(broken));
    assert_eq!(world.count(Counter::BrokenRelayInfo), 1);
}

/// The addresses of two redundant relay agents, which both pass on what a client broadcasts.
const PAIR: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 9, 0, 2), Ipv4Addr::new(10, 9, 0, 3)];

/// Returns where the answers went that were sent so far.
fn answered(world: &World, kind: u8) -> Vec<Ipv4Addr> {
    let answers = world
        .sent
        .iter()
        .filter(|reply| reply.message_type() == kind);
    answers.map(|reply| reply.egress.destination).collect()
}

#[test]
fn c085_both_of_two_relay_agents_are_answered_while_the_store_commits() {
    let mut world = world();
    for agent in PAIR {
        world.expect_offer(&discover(1).relayed(agent), far(10));
    }
    world.sent.clear();
    // Each of them sends the message again, too.
    for agent in [PAIR[0], PAIR[1], PAIR[1], PAIR[0]] {
        world.message(&selecting(1, far(10)).relayed(agent));
    }
    assert!(world.sent.is_empty(), "nothing is durable yet");
    world.settle();
    assert_eq!(answered(&world, message_type::ACK), PAIR);
    assert_eq!(world.count(Counter::Acked), 2);
}

#[test]
fn c030_c085_both_of_two_relay_agents_get_the_offer_of_a_probed_address() {
    let behind = Subnet {
        prefix: "10.9.0.0/24".parse().expect("a prefix"),
        pools: vec![Pool::new(far(10), far(12))],
        probe_time: secs(1),
        ..subnet()
    };
    let mut world = World::with_config(
        config(vec![(NETWORK, subnet()), (FAR_NETWORK, behind)]),
        100,
    );
    for agent in PAIR {
        world.message(&discover(1).relayed(agent));
    }
    assert!(world.sent.is_empty(), "the address is being probed");
    world.pass(secs(2));
    assert_eq!(answered(&world, message_type::OFFER), PAIR);
}

#[test]
fn the_copies_of_many_relay_agents_are_bounded() {
    let mut world = world();
    world.expect_offer(&discover(1).relayed(far(100)), far(10));
    world.sent.clear();
    for agent in 100..120 {
        world.message(&selecting(1, far(10)).relayed(far(agent)));
    }
    world.settle();
    let expected = [100, 101, 102, 119].map(far);
    assert_eq!(answered(&world, message_type::ACK), expected);
}

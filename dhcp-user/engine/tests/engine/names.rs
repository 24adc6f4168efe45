//! Names of clients, from options 81 (RFC 4702) and 12.

use dhcp_common::wire::{message_type, option};
use dhcp_engine::Counter;
use dhcp_testkit::world::*;

use crate::replies::codes_after_required;

fn named(message: Message, flags: u8, name: &[u8]) -> Message {
    message.option(option::FQDN, &[&[flags, 0, 0], name].concat())
}

fn kept(world: &World, client: u8) -> Option<String> {
    let address = ip(9 + client);
    let lease = world.leases.get(&address).expect("it has one");
    lease.holder.host_name().map(str::to_owned)
}

#[test]
fn m24_offer_and_ack_answer_option_81_and_the_name_is_kept() {
    let mut world = World::new();
    let name = b"\x06laptop\x07example\0";
    let offer = world.ask(&named(discover(1), 5, name));
    let answer = [&[14, 255, 255][..], name].concat();
    assert_eq!(offer.option(option::FQDN), Some(answer.clone()));
    let request = named(selecting(1, ip(10)), 5, name).option(option::HOST_NAME, b"other");
    let ack = world.ask(&request);
    assert_eq!(ack.option(option::FQDN), Some(answer));
    assert_eq!(kept(&world, 1).as_deref(), Some("laptop.example"));
    let record = &world.store[&ip(10)];
    assert_eq!(record.origin.host_name.as_deref(), Some("laptop.example"));

    world.ask(&named(discover(2), 0, b"desk").option(option::HOST_NAME, b"other"));
    assert_eq!(kept(&world, 2).as_deref(), Some("desk"));
    // The client asks the server to choose its name, which this server does not do.
    world.ask(&named(discover(3), 4, b"").option(option::HOST_NAME, b"other"));
    assert_eq!(kept(&world, 3), None);
    let mut world = World::new();
    world.ask(&discover(1).option(option::HOST_NAME, b"other"));
    assert_eq!(kept(&world, 1).as_deref(), Some("other"));
}

#[test]
fn m24_it_stands_before_the_other_echoes_and_counts_as_one_in_parts() {
    let mut world = World::new();
    let message = discover(1)
        .relayed(SERVER)
        .option(option::RELAY_INFO, &[1, 1, 1])
        .option(option::CLIENT_ID, &[0, 7, 7])
        .option(option::FQDN, &[1, 0])
        .option(option::FQDN, &[0, b'a']);
    let reply = world.ask(&message);
    assert_eq!(reply.codes(), codes_after_required(&[1, 3, 6, 81, 61, 82]));
    assert_eq!(reply.option(option::FQDN), Some(vec![10, 255, 255, b'a']));
}

#[test]
fn m24_who_did_not_send_it_whole_and_who_gets_no_address_does_not_get_it() {
    let mut world = World::new();
    let address = world.lease(1);
    for short in [&[][..], &[1], &[1, 0]] {
        let message = renewing(1, address).option(option::FQDN, short);
        assert_eq!(world.ask(&message).option(option::FQDN), None, "{short:?}");
    }
    let list = [option::FQDN];
    let message = renewing(1, address).option(option::PARAMETER_LIST, &list);
    assert_eq!(world.ask(&message).option(option::FQDN), None);
    let nak = world.ask(&named(renewing(2, address), 0, b"desk"));
    assert_eq!(nak.message_type(), message_type::NAK);
    assert_eq!(nak.option(option::FQDN), None);
    let inform = Message::new(1, message_type::INFORM).ciaddr(address);
    let ack = world.ask(&named(inform, 0, b"desk"));
    assert_eq!(ack.option(option::FQDN), None);
}

#[test]
fn m24_c104_a_name_that_does_not_fit_is_left_out_and_relay_information_stays() {
    let mut world = World::new();
    let message = named(discover(1), 0, &[b'a'; 200])
        .relayed(SERVER)
        .option(option::RELAY_INFO, &[9; 200]);
    let reply = world.ask(&message);
    assert_eq!(reply.option(option::FQDN), None);
    assert_eq!(reply.option(option::RELAY_INFO), Some(vec![9; 200]));
    assert_eq!(world.count(Counter::RelayInfoLeftOut), 0);
}

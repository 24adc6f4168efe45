//! Leasequery: answers to relay agents about leases (RFC 4388).

use std::{net::Ipv4Addr, time::Duration};

use dhcp_common::{
    abi::{BINDING_CHECKS_HARDWARE, BINDING_CHECKS_RELAY_INFO, ClientKey},
    wire::{self, message_type, option, relay_suboption},
};
use dhcp_config::{Class, Condition, Config, Field, OptionValue, Overrides, Pattern, Pool, Subnet};
use dhcp_engine::{Command, Counter, lease_table::LeaseState};
use dhcp_model::LeaseTimes;
use dhcp_testkit::world::*;

/// An address outside every served subnet.
const REQUESTER: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 9);
const FAR_NETWORK: u32 = 9;
const FAR_AGENT: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const CLIENT_ID: &[u8] = b"\xffclient";
const DOMAIN_NAME: u8 = 15;
const TICK: Duration = Duration::from_millis(1);

fn far(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, 0, last)
}

/// Returns the link of the other tests and one behind a relay agent, with these requesters.
fn permitting(requesters: &[&str]) -> Config {
    let behind = Subnet {
        prefix: "10.9.0.0/24".parse().expect("a prefix"),
        pools: vec![Pool::new(far(10), far(12))],
        ..subnet()
    };
    let mut config = config(vec![(NETWORK, subnet()), (FAR_NETWORK, behind)]);
    let requesters = requesters
        .iter()
        .map(|prefix| prefix.parse().expect("a prefix"));
    config.server.leasequery = requesters.collect();
    config
}

fn world_of(config: Config) -> World {
    World::with_config(config, 100)
}

fn world() -> World {
    world_of(permitting(&["10.66.0.9/32"]))
}

/// Returns a query without a hardware address, to be completed by the caller.
fn query() -> Message {
    let mut query = by_mac(0);
    query.payload[1..3].fill(0);
    query.payload[28..44].fill(0);
    query
}

fn by_mac(client: u8) -> Message {
    Message::new(client, message_type::LEASEQUERY).relayed(REQUESTER)
}

fn by_address(address: Ipv4Addr) -> Message {
    query().ciaddr(address).relayed(REQUESTER)
}

fn by_id(id: &[u8]) -> Message {
    query().option(option::CLIENT_ID, id)
}

fn listing(query: Message, codes: &[u8]) -> Message {
    query.option(option::PARAMETER_LIST, codes)
}

fn secs_in(reply: &Received, code: u8) -> Option<u32> {
    let value = reply.option(code)?;
    Some(u32::from_be_bytes(value.try_into().expect("four octets")))
}

fn addresses_in(reply: &Received) -> Vec<Ipv4Addr> {
    let value = reply.option(option::ASSOCIATED_IP).unwrap_or_default();
    let (addresses, rest) = value.as_chunks::<4>();
    assert!(rest.is_empty());
    addresses
        .iter()
        .map(|octets| Ipv4Addr::from(*octets))
        .collect()
}

fn expect_active(world: &mut World, query: &Message, address: Ipv4Addr) -> Received {
    let reply = world.ask(query);
    assert_eq!(
        (reply.message_type(), reply.ciaddr()),
        (message_type::LEASE_ACTIVE, address)
    );
    reply
}

/// Expects an answer with no option but its type, which repeats the fields of the query.
fn expect_nothing_but(world: &mut World, query: &Message, kind: u8) {
    let reply = world.ask(query);
    assert_eq!(reply.options(), [(option::MESSAGE_TYPE, vec![kind])]);
    // `ciaddr`, and the fields from `giaddr` to `chaddr`.
    assert_eq!(reply.payload[12..16], query.payload[12..16]);
    assert_eq!(reply.payload[24..44], query.payload[24..44]);
    assert_eq!(reply.payload[1..3], query.payload[1..3]);
}

/// Leases an address of the far network to a client with a client identifier.
fn lease_far(world: &mut World, client: u8, info: &[u8]) -> Ipv4Addr {
    let relayed = |message: Message| {
        message
            .option(option::CLIENT_ID, CLIENT_ID)
            .option(option::RELAY_INFO, info)
            .relayed(FAR_AGENT)
    };
    let address = world.ask(&relayed(discover(client))).yiaddr();
    world.expect_ack(&relayed(selecting(client, address)), address);
    address
}

#[test]
fn c114_c115_an_address_is_leased_or_free_or_not_ours() {
    let mut world = world();
    let address = world.lease(1);
    let reply = expect_active(&mut world, &by_address(address), address);
    assert_eq!(reply.payload[0..4], [wire::BOOTREPLY, 1, 6, 0]);
    assert_eq!(reply.payload[28..34], mac(1));
    assert_eq!(reply.yiaddr(), Ipv4Addr::UNSPECIFIED);
    assert_eq!(
        reply.option(option::SERVER_ID),
        Some(SERVER.octets().to_vec())
    );

    expect_nothing_but(
        &mut world,
        &by_address(ip(11)),
        message_type::LEASE_UNASSIGNED,
    );
    // An address in no pool, then one in no subnet.
    expect_nothing_but(
        &mut world,
        &by_address(ip(200)),
        message_type::LEASE_UNKNOWN,
    );
    let foreign = Ipv4Addr::new(192, 168, 7, 7);
    expect_nothing_but(
        &mut world,
        &by_address(foreign),
        message_type::LEASE_UNKNOWN,
    );
    for (counter, times) in [
        (Counter::LeaseActive, 1),
        (Counter::LeaseUnassigned, 1),
        (Counter::LeaseUnknown, 2),
    ] {
        assert_eq!(world.count(counter), times, "{counter:?}");
    }
}

#[test]
fn c115_a_reserved_address_is_ours_too() {
    let mut config = permitting(&["10.66.0.9/32"]);
    let reservations = &mut config.networks[0].subnets[0].reservations;
    reservations.push(reservation(key(7), ip(200), None));
    let mut world = world_of(config);
    expect_nothing_but(
        &mut world,
        &by_address(ip(200)),
        message_type::LEASE_UNASSIGNED,
    );
    assert_eq!(world.lease(7), ip(200));
    expect_active(&mut world, &by_mac(7), ip(200));
}

#[test]
fn c114_clients_are_found_on_all_networks_by_each_of_their_names() {
    let mut world = world();
    let near = world.lease(1);
    let address = lease_far(&mut world, 2, &[1, 1, 7]);
    expect_active(&mut world, &by_mac(1), near);
    expect_active(&mut world, &by_mac(2), address);
    let reply = expect_active(&mut world, &by_id(CLIENT_ID), address);
    assert_eq!(reply.payload[1..3], [1, 6]);
    assert_eq!(reply.payload[28..34], mac(2));

    let unknown = message_type::LEASE_UNKNOWN;
    expect_nothing_but(&mut world, &by_mac(3), unknown);
    expect_nothing_but(&mut world, &by_id(&CLIENT_ID[1..]), unknown);
    // The same octets as a client identifier, or with another hardware type, are another client.
    expect_nothing_but(&mut world, &by_id(&mac(1)), unknown);
    let mut other_type = by_mac(1);
    other_type.payload[1] = 6;
    expect_nothing_but(&mut world, &other_type, unknown);
}

#[test]
fn c114_the_answer_goes_to_giaddr_from_the_address_that_was_asked() {
    let mut world = world();
    let near = Ipv4Addr::new(192, 0, 2, 1);
    for (destination, source) in [
        (SERVER, SERVER),
        (near, near),
        // The link's first address.
        (Ipv4Addr::BROADCAST, SERVER),
    ] {
        let mut query = by_address(ip(11)).flags(wire::FLAG_BROADCAST);
        query.ingress.destination = destination;
        query.ingress.source = Ipv4Addr::new(10, 66, 0, 77);
        query.ingress.source_port = 30_067;
        let reply = world.ask(&query);
        let egress = reply.egress;
        assert_eq!((egress.source, egress.destination), (source, REQUESTER));
        assert_eq!(
            (egress.destination_mac, egress.destination_port),
            (RELAY_MAC, wire::SERVER_PORT)
        );
        assert_eq!(reply.payload[8..12], [0; 4], "nobody is to pass it on");

        let info = [relay_suboption::SOURCE_PORT, 0];
        let reply = world.ask(&query.option(option::RELAY_INFO, &info));
        assert_eq!(reply.egress.destination_port, 30_067);
        assert_eq!(
            reply.option(option::RELAY_INFO),
            None,
            "it is the lease's or none"
        );
    }
}

#[test]
fn c114_a_query_is_for_exactly_one_thing() {
    let mut world = world();
    let address = world.lease(1);
    let both = [
        query(),
        by_mac(1).ciaddr(address).relayed(REQUESTER),
        by_mac(1).option(option::CLIENT_ID, CLIENT_ID),
        by_address(address).option(option::CLIENT_ID, CLIENT_ID),
    ];
    for query in both {
        world.expect_silence(&query, Counter::OddLeasequery);
    }
    // A hardware type and length with an address of zeros identify no client.
    let mut plain = by_address(address);
    plain.payload[1..3].copy_from_slice(&[1, 6]);
    expect_active(&mut world, &plain, address);
}

#[test]
fn c115_only_those_may_ask_that_the_configuration_names() {
    let mut world = world_of(permitting(&["10.66.0.9/32", "10.8.0.0/16"]));
    let address = world.lease(1);
    let query = by_address(address);
    for requester in [REQUESTER, Ipv4Addr::new(10, 8, 255, 1)] {
        expect_active(&mut world, &query.clone().relayed(requester), address);
    }
    for stranger in [
        Ipv4Addr::new(10, 66, 0, 8),
        Ipv4Addr::new(10, 9, 0, 1),
        address,
    ] {
        let query = query.clone().relayed(stranger);
        world.expect_silence(&query, Counter::LeasequeryRefused);
    }
    let nowhere = query.relayed(Ipv4Addr::UNSPECIFIED);
    world.expect_silence(&nowhere, Counter::LeasequeryNowhere);

    let mut world = world_of(permitting(&[]));
    world.lease(1);
    world.expect_silence(&by_mac(1), Counter::LeasequeryRefused);
}

#[test]
fn c115_no_query_changes_anything() {
    let mut world = world();
    let address = world.lease(1);
    world.expect_offer(&discover(2), ip(11));
    let kernel = (world.kernel.leases.clone(), world.kernel.templates.len());
    let store = world.store.clone();
    let deadline = world.engine.next_deadline();
    let leases = |world: &World| {
        let mut leases: Vec<_> = world
            .leases
            .iter()
            .map(|l| format!("{l:?}", l = *l))
            .collect();
        leases.sort_unstable();
        leases
    };
    let before = leases(&world);
    world.take_effects();
    let queries = [
        by_address(address),
        by_address(ip(12)),
        by_mac(1),
        by_mac(9),
        by_id(b"xy"),
    ];
    for query in &queries {
        world.ask(&listing(query.clone(), &[1, 3, 51, 58, 82, 92]));
    }
    assert_eq!(world.take_effects(), ["send"; 5]);
    assert_eq!(leases(&world), before);
    assert_eq!(
        kernel,
        (world.kernel.leases.clone(), world.kernel.templates.len())
    );
    assert_eq!(
        (store, deadline),
        (world.store.clone(), world.engine.next_deadline())
    );
}

#[test]
fn c115_what_is_not_a_running_lease_is_not_active() {
    type Before = fn(&mut World);
    let cases: [(LeaseState, Before); 5] = [
        (LeaseState::Offered, |world| {
            world.expect_offer(&discover(1), ip(10));
        }),
        (LeaseState::Committing, |world| {
            world.expect_offer(&discover(1), ip(10));
            world.message(&selecting(1, ip(10)));
        }),
        (LeaseState::Deleted, |world| {
            world.lease(1);
            world.command(1, Command::Delete(ip(10)));
            world.settle();
        }),
        (LeaseState::Revoked, |world| {
            world.lease(1);
            world.command(1, Command::Revoke(ip(10)));
            world.settle();
        }),
        (LeaseState::Quarantined, |world| {
            world.lease(1);
            world.ask_all(&decline(1, ip(10)));
        }),
    ];
    for (state, before) in cases {
        let mut world = world();
        before(&mut world);
        assert_eq!(world.state(ip(10)), Some(state));
        for (query, kind) in [
            (by_address(ip(10)), message_type::LEASE_UNASSIGNED),
            (by_mac(1), message_type::LEASE_UNKNOWN),
        ] {
            world.sent.clear();
            world.message(&query);
            let kinds: Vec<_> = world.sent.iter().map(Received::message_type).collect();
            assert_eq!(kinds, [kind], "{state:?}");
        }
    }
}

#[test]
fn c115_a_lease_that_ended_is_nobodys() {
    let mut world = world();
    let address = world.lease(1);
    world.sleep(secs(u64::from(LEASE_SECS)));
    // The lease's deadline has been reached but not handled yet.
    world.message(&by_address(address));
    assert_eq!(
        world.sent.pop().unwrap().message_type(),
        message_type::LEASE_UNASSIGNED
    );
    world.settle();
    expect_nothing_but(&mut world, &by_mac(1), message_type::LEASE_UNKNOWN);

    let address = world.lease(1);
    world.ask_all(&release(1, address));
    expect_nothing_but(&mut world, &by_mac(1), message_type::LEASE_UNKNOWN);
    // Another client leases the address.
    world.expect_ack(&selecting(2, address), address);
    expect_nothing_but(&mut world, &by_mac(1), message_type::LEASE_UNKNOWN);
    expect_active(&mut world, &by_mac(2), address);
}

#[test]
fn m29_times_are_what_is_left_of_them() {
    let mut world = world();
    let address = world.lease(1);
    world.sleep(secs(100));
    let all = listing(by_address(address), &[51, 58, 59, 91]);
    let reply = expect_active(&mut world, &all, address);
    assert_eq!(reply.codes(), [53, 54, 51, 58, 59, 91]);
    let codes = [51, 58, 59, 91];
    let times = codes.map(|code| secs_in(&reply, code));
    assert_eq!(times, [Some(500), Some(200), Some(425), Some(100)]);

    // T1 has passed, so option 58 is omitted.
    world.sleep(secs(200));
    let reply = expect_active(&mut world, &all, address);
    let times = codes.map(|code| secs_in(&reply, code));
    assert_eq!(times, [Some(300), None, Some(225), Some(300)]);

    // T1 and T2 are omitted if the query does not list them.
    let reply = expect_active(&mut world, &listing(by_mac(1), &[51]), address);
    assert_eq!(reply.codes(), [53, 54, 51, 91]);
}

#[test]
fn m29_what_the_kernel_has_granted_counts() {
    let mut world = world();
    let address = world.lease(1);
    world.sleep(secs(400));
    let granted = world.kernel.renew(&key(1), world.now).unwrap();
    assert!(granted > world.leases.get(&address).unwrap().expires);
    let reply = expect_active(&mut world, &by_mac(1), address);
    let codes = [51, 58, 59, 91];
    let times = codes.map(|code| secs_in(&reply, code));
    assert_eq!(times, [Some(600), Some(300), Some(525), Some(0)]);
    // The kernel rounds granted times up slightly.
    world.sleep(secs(50) + TICK);
    let reply = expect_active(&mut world, &by_mac(1), address);
    let times = codes.map(|code| secs_in(&reply, code));
    assert_eq!(times, [Some(549), Some(249), Some(474), Some(50)]);
}

#[test]
fn m29_what_client_and_relay_agent_said_is_returned() {
    let mut world = world();
    let info = [1, 2, 0, 7];
    let address = lease_far(&mut world, 2, &info);
    // Option 82 of the query describes the requester, not the client that is queried.
    let query = by_address(address).option(option::RELAY_INFO, &[1, 1, 9]);
    let reply = expect_active(&mut world, &query, address);
    assert_eq!(reply.option(option::CLIENT_ID), Some(CLIENT_ID.to_vec()));
    assert_eq!(reply.option(option::RELAY_INFO), Some(info.to_vec()));

    let near = world.lease(1);
    let reply = expect_active(&mut world, &query.ciaddr(near).relayed(REQUESTER), near);
    assert_eq!(reply.option(option::CLIENT_ID), None);
    assert_eq!(reply.option(option::RELAY_INFO), None);
}

#[test]
fn m29_the_last_word_of_the_relay_agent_is_returned() {
    let mut world = world();
    let address = lease_far(&mut world, 2, &[1, 1, 7]);
    let key = ClientKey::client_id(FAR_NETWORK, CLIENT_ID).expect("a short identifier");
    let flags = world.kernel.leases[&key].flags;
    assert_eq!(flags, BINDING_CHECKS_HARDWARE | BINDING_CHECKS_RELAY_INFO);
    let extending = || rebinding(2, address).option(option::CLIENT_ID, CLIENT_ID);
    // The client renews directly, without the relay agent, and then rebinds through another port.
    let steps: [(Message, &[u8]); 2] = [
        (extending().unicast(), &[1, 1, 7]),
        (
            extending()
                .option(option::RELAY_INFO, &[1, 1, 8])
                .relayed(FAR_AGENT),
            &[1, 1, 8],
        ),
    ];
    for (request, info) in steps {
        world.expect_ack(&request, address);
        let reply = expect_active(&mut world, &by_mac(2), address);
        assert_eq!(reply.option(option::RELAY_INFO), Some(info.to_vec()));
    }
    assert_eq!(world.kernel.leases[&key].flags, flags);
    assert_eq!(
        world.store[&address].origin.relay_info.as_deref(),
        Some(&[1, 1, 8][..])
    );
}

#[test]
fn m29_of_several_addresses_the_last_used_is_the_answer_and_all_are_listed() {
    let mut world = world();
    let near = world.lease(1);
    world.sleep(secs(10));
    let mut far_requests = [discover(1), selecting(1, far(10))].map(|m| m.relayed(FAR_AGENT));
    for request in &mut far_requests {
        world.ask(request);
    }
    let reply = expect_active(&mut world, &by_mac(1), far(10));
    assert_eq!(addresses_in(&reply), [far(10), near]);

    world.sleep(secs(10));
    world.kernel.renew(&key(1), world.now).unwrap();
    let reply = expect_active(&mut world, &listing(by_mac(1), &[51]), near);
    assert_eq!(addresses_in(&reply), [near, far(10)], "listed or not");
    // A query by address returns the client's other addresses only if it lists option 92.
    let reply = expect_active(&mut world, &by_address(far(10)), far(10));
    assert!(addresses_in(&reply).is_empty());
    let query = listing(by_address(far(10)), &[51, 92]);
    let reply = expect_active(&mut world, &query, far(10));
    assert_eq!(addresses_in(&reply), [near, far(10)]);

    world.ask_all(&release(1, near));
    let reply = expect_active(&mut world, &listing(by_mac(1), &[92]), far(10));
    assert!(addresses_in(&reply).is_empty(), "it has just one");
}

#[test]
fn m29_as_many_addresses_are_listed_as_one_option_holds() {
    let mut config = permitting(&["10.66.0.9/32"]);
    config.networks[0].subnets[0].pools = vec![Pool::new(ip(10), ip(209))];
    let mut world = World::with_config(config, 300);
    for number in 0..200u8 {
        let named = |message: Message| message.option(option::CLIENT_ID, &[0, number]);
        let address = world.ask(&named(discover(1))).yiaddr();
        world.expect_ack(&named(selecting(1, address)), address);
        world.sleep(secs(1));
    }
    let large = by_mac(1).option(option::MAX_MESSAGE_SIZE, &1400u16.to_be_bytes());
    let reply = expect_active(&mut world, &large, ip(209));
    let latest: Vec<_> = (0..63).map(|before| ip(209 - before)).collect();
    assert_eq!(addresses_in(&reply), latest);

    let most = wire::BOOTP_DEFAULT_MAX_LEN;
    let reply = expect_active(&mut world, &listing(by_mac(1), &[1]), ip(209));
    assert!(reply.payload.len() <= most, "{}", reply.payload.len());
    assert_eq!(addresses_in(&reply), latest);
    assert_eq!(reply.option(option::CLIENT_ID), Some(vec![0, 199]));
}

#[test]
fn m29_a_requester_that_lists_options_gets_those_that_the_client_was_told() {
    let mut world = world();
    let name = discover(1).option(option::HOST_NAME, b"printer");
    world.ask(&name);
    let request = selecting(1, ip(10)).option(option::HOST_NAME, b"printer");
    world.expect_ack(&request, ip(10));
    let query = listing(by_mac(1), &[12, 6, 6, 60, 99, 1]);
    let reply = expect_active(&mut world, &query, ip(10));
    assert_eq!(reply.codes(), [53, 54, 51, 91, 12, 6, 1]);
    assert_eq!(reply.option(option::HOST_NAME), Some(b"printer".to_vec()));
    assert_eq!(reply.option(6), Some(ip(53).octets().to_vec()));

    // A query without a parameter list gets the options that the client would get.
    let reply = expect_active(&mut world, &by_mac(1), ip(10));
    assert_eq!(reply.codes(), [53, 54, 51, 58, 59, 91, 1, 3, 6]);
}

#[test]
fn m29_what_may_depend_on_the_clients_class_is_left_out() {
    let phones = Condition::Is(
        Field::VendorClass,
        vec![Pattern {
            octets: b"Phone".to_vec(),
            is_prefix: true,
        }],
    );
    let class = |overrides| Class {
        name: "phones".to_owned(),
        when: phones.clone(),
        refuse: false,
        overrides,
    };
    let options = [6, DOMAIN_NAME].map(|code| OptionValue {
        code,
        data: b"else".to_vec(),
    });
    let mut config = permitting(&["10.66.0.9/32"]);
    config.classes = vec![class(Overrides {
        options: options.into(),
        ..Overrides::default()
    })];
    let mut world = world_of(config.clone());
    world.lease(1);
    let query = listing(by_mac(1), &[3, 6, DOMAIN_NAME]);
    let reply = expect_active(&mut world, &query, ip(10));
    assert_eq!(reply.codes(), [53, 54, 51, 91, 3]);

    // If classes have lease times, the times of a lease from before a restart are unknown too.
    config.classes = vec![class(Overrides {
        lease: Some(LeaseTimes {
            lease_secs: 60,
            ..subnet().lease
        }),
        ..Overrides::default()
    })];
    world.restart_with(config);
    let reply = expect_active(&mut world, &by_mac(1), ip(10));
    assert_eq!(reply.codes(), [53, 54, 51, 1, 3, 6]);
    world.expect_ack(&renewing(1, ip(10)), ip(10));
    let reply = expect_active(&mut world, &by_mac(1), ip(10));
    assert_eq!(reply.codes(), [53, 54, 51, 58, 59, 91, 1, 3, 6]);
}

#[test]
fn m29_a_lease_without_end_has_no_time_of_its_last_use() {
    let mut config = permitting(&["10.66.0.9/32"]);
    let lease = &mut config.networks[0].subnets[0].lease;
    lease.lease_secs = wire::INFINITE_SECS;
    lease.renewal_secs = wire::INFINITE_SECS;
    lease.rebinding_secs = wire::INFINITE_SECS;
    let mut world = world_of(config);
    world.lease(1);
    let query = listing(by_mac(1), &[51, 58, 59]);
    let reply = expect_active(&mut world, &query, ip(10));
    let times = [51, 58, 59, 91].map(|code| secs_in(&reply, code));
    let infinite = Some(wire::INFINITE_SECS);
    assert_eq!(times, [infinite, infinite, infinite, None]);
}

#[test]
fn c114_m29_leases_are_found_after_a_restart() {
    let mut world = world();
    let near = world.lease(1);
    let address = lease_far(&mut world, 2, &[1, 1, 7]);
    world.sleep(secs(400));
    world.kernel.renew(&key(1), world.now).unwrap();
    world.sleep(secs(30) + TICK);
    world.restart();
    let reply = expect_active(&mut world, &by_mac(1), near);
    let times = [51, 58, 59, 91].map(|code| secs_in(&reply, code));
    assert_eq!(times, [Some(569), Some(269), Some(494), Some(30)]);
    let reply = expect_active(&mut world, &by_id(CLIENT_ID), address);
    assert_eq!(reply.option(option::RELAY_INFO), Some(vec![1, 1, 7]));
    assert_eq!(secs_in(&reply, 91), Some(430));

    // The grants are lost: both leases are held to their horizons, and option 91 is unknown.
    world.kernel = Kernel::default();
    world.restart();
    let horizon = world.store[&near].horizon.since(world.now).as_secs();
    let reply = expect_active(&mut world, &by_mac(1), near);
    let times = [51, 58, 91].map(|code| secs_in(&reply, code));
    assert_eq!(times, [u32::try_from(horizon).ok(), None, None]);
}

#[test]
fn c114_a_client_is_found_by_what_it_said_last() {
    let mut world = world();
    let named = |client: u8, message: fn(u8, Ipv4Addr) -> Message, address| {
        message(client, address).option(option::CLIENT_ID, CLIENT_ID)
    };
    world.ask(&discover(1).option(option::CLIENT_ID, CLIENT_ID));
    world.expect_ack(&named(1, selecting, ip(10)), ip(10));
    // The client's network card is replaced, and the client restarts when the horizon is near.
    world.sleep(secs(590));
    world.expect_ack(&named(2, init_reboot, ip(10)), ip(10));
    world.sleep(secs(590));
    world.expect_ack(&named(2, init_reboot, ip(10)), ip(10));
    world.sleep(secs(590));
    world.expect_ack(&named(2, init_reboot, ip(10)), ip(10));
    expect_active(&mut world, &by_mac(2), ip(10));
    expect_active(&mut world, &by_id(CLIENT_ID), ip(10));
    expect_nothing_but(&mut world, &by_mac(1), message_type::LEASE_UNKNOWN);
}

#[test]
fn c114_a_question_that_cannot_be_read_is_none() {
    let mut world = world();
    world.expect_silence(&by_id(&[1]), Counter::OddLeasequery);
    let mut long = by_mac(1);
    long.payload[2] = 17;
    world.expect_silence(&long, Counter::BadHlen);
}

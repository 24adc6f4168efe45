//! The templates that the kernel replays answers from.

use dhcp_common::{
    abi::{MAX_TEMPLATES, Template},
    checksum, fingerprint,
    wire::{self, message_type, option},
};
use dhcp_config::Subnet;
use dhcp_engine::Counter;
use dhcp_testkit::world::*;

use crate::replies::with_options;

/// Returns the payload that the kernel sends from a template, with its echoes.
fn replay(template: &Template, head: &[u8], echoes: &[u8]) -> Vec<u8> {
    let len = usize::from(template.len);
    let mut payload = [head, &template.image[..len], echoes, &[option::END]].concat();
    payload.resize(payload.len().max(wire::BOOTP_MIN_LEN), 0);
    assert!(payload.len() <= usize::from(template.max_len));
    payload
}

#[test]
fn c117_a_template_replays_the_answer_octet_for_octet() {
    let lists: [&[u8]; 3] = [&[1, 3, 6], &[6], &[3, 1, 43]];
    for list in lists {
        let mut world = World::new();
        let message = discover(1)
            .relayed(SERVER)
            .option(option::PARAMETER_LIST, list)
            .option(option::CLIENT_ID, &[4, 5, 6])
            .option(option::RELAY_INFO, &[1, 1, 1]);
        let echoes = [61, 3, 4, 5, 6, 82, 3, 1, 1, 1];
        let offer = world.ask(&message);
        let field = &message.clone().end().payload[240..];
        let fingerprint = fingerprint::of_options(field, &fingerprint_key()).unwrap();
        assert_eq!(world.kernel.templates.len(), 2, "OFFER and ACK");
        for ((_, of, reply), template) in &world.kernel.templates {
            assert_eq!(*of, fingerprint);
            let mut expected = offer.payload.clone();
            expected[242] = *reply;
            assert_eq!(replay(template, &offer.payload[..44], &echoes), expected);
            let len = usize::from(template.len);
            assert_eq!(
                u64::from(template.sum),
                checksum::sum(&template.image[..len])
            );
            assert_eq!(template.image[len], option::END);
            assert_eq!(usize::from(template.padded_len), (len + 1).max(256));
            assert_eq!(
                (template.lease_secs, template.server_id),
                (LEASE_SECS, SERVER.into())
            );
        }
    }
}

#[test]
fn c117_the_kernels_nak_is_the_engines() {
    let mut world = World::new();
    world.lease(1);
    world.command(1, dhcp_engine::Command::Revoke(ip(10)));
    let nak = world.ask(&renewing(1, ip(10)));
    let ((_, fingerprint, _), template) = world
        .kernel
        .templates
        .iter()
        .find(|((_, _, reply), _)| *reply == message_type::NAK)
        .unwrap();
    assert_eq!(*fingerprint, [0, 0]);
    assert_eq!(template.lease_secs, 0);
    assert_eq!(replay(template, &nak.payload[..44], &[]), nak.payload);
}

#[test]
fn clients_that_ask_alike_share_a_template() {
    let mut world = World::new();
    for client in 1..=3 {
        world.ask(&discover(client).option(option::HOST_NAME, &[b'a' + client]));
    }
    assert_eq!(world.count(Counter::TemplatePublished), 2);
    world.ask(&discover(1).option(60, b"other class"));
    assert_eq!(world.count(Counter::TemplatePublished), 4);
}

#[test]
fn a_template_does_not_depend_on_how_much_its_first_client_echoes() {
    let options = vec![(43, vec![1; 100]), (66, vec![2; 60])];
    let templates = |first: Message| {
        let mut world = with_options(options.clone());
        world.ask(&first);
        world.kernel.templates.into_values().collect::<Vec<_>>()
    };
    let short = templates(discover(1));
    let long = templates(discover(1).option(option::CLIENT_ID, &[1; 120]));
    assert_eq!(short, long);
}

#[test]
fn an_answer_too_long_for_the_map_stays_on_the_slow_path() {
    let mut world = with_options(vec![(43, vec![1; 255]), (66, vec![2; 200])]);
    world.ask(&discover(1).option(option::MAX_MESSAGE_SIZE, &1400u16.to_be_bytes()));
    assert_eq!(world.kernel.templates.len(), 0);
}

#[test]
fn the_same_configuration_gives_the_same_profiles_and_another_gives_others() {
    let profile = |subnet: Subnet| {
        let mut world = World::with(subnet);
        world.lease(1);
        world.published(1).unwrap().profile
    };
    assert_eq!(profile(subnet()), profile(subnet()));
    let mut times = subnet();
    times.lease.renewal_secs -= 1;
    let mut options = subnet();
    options.options[0].data[3] = 9;
    let mut server = subnet();
    server.server_id = Some([192, 0, 2, 1].into());
    for changed in [times, options, server] {
        assert_ne!(profile(changed), profile(subnet()));
    }
}

#[test]
fn a_client_that_varies_its_options_does_not_keep_others_from_the_kernel() {
    let mut world = World::new();
    world.lease(1);
    world.command(1, dhcp_engine::Command::Revoke(ip(10)));
    world.settle();
    let naks = |world: &World| {
        let replies = world.kernel.templates.keys().map(|(_, _, reply)| *reply);
        replies.filter(|reply| *reply == message_type::NAK).count()
    };
    assert_eq!(naks(&world), 1);
    for n in 0..=MAX_TEMPLATES {
        let shape = (n as u16).to_be_bytes();
        world.ask(&discover(2).option(option::PARAMETER_LIST, &[1, shape[0], shape[1]]));
        assert!(world.kernel.templates.len() <= MAX_TEMPLATES as usize);
    }
    assert!(world.count(Counter::TemplatesFull) >= 1);
    assert_eq!(naks(&world), 1, "it is published with its lease only");
    let before = world.kernel.templates.len();
    world.ask(&discover(3).option(option::PARAMETER_LIST, &[6, 3]));
    assert_eq!(world.kernel.templates.len(), before + 2);
}

//! Fuzzes the configuration: any text as a file.

use std::{collections::VecDeque, net::Ipv4Addr, path::Path, sync::Arc};

use dhcp_common::{
    abi::{Grant, NS_PER_SEC},
    wire::{message_type, option},
};
use dhcp_config::{Config, file};
use dhcp_datapath::host::Interface;
use dhcp_engine::{Effect, Engine, Grants, Input, Setup};
use dhcp_model::{Applied, Nanos};
use dhcp_testkit::world::{Message, Received, fingerprint_key};
use xdhcpd::run::links::{self, ServedInterface};

const NOW: Nanos = Nanos(1_000 * NS_PER_SEC);
/// A parameter list that asks for every option.
const EVERYTHING: [u8; 254] = {
    let mut list = [0; 254];
    let mut i = 0;
    while i < list.len() {
        list[i] = i as u8 + 1;
        i += 1;
    }
    list
};

/// The host's address, for links that name none.
const HOST_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// Links and subnets of one file that get clients.
const MOST: usize = 4;

/// Checks the text of a file. If the file is accepted, it derives everything that the server
/// derives at its start, and serves clients.
///
/// # Panics
/// A check failed.
pub fn config(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    match file::parse(Path::new("xdhcpd.toml"), &text, None) {
        Err(problems) => {
            assert!(!problems.0.is_empty(), "a file is refused for a reason");
            let lines = text.lines().count().max(1);
            for problem in &problems.0 {
                let (line, _) = problem.position.expect("each is somewhere in the text");
                assert!((1..=lines + 1).contains(&line), "line {line} of {lines}");
                assert!(!problem.message.is_empty());
            }
            // Every problem can be formatted.
            assert!(!problems.to_string().is_empty());
        }
        Ok(config) => serve(config),
    }
}

/// The kernel's side of a server that has just started.
struct NoGrants;

impl Grants for NoGrants {
    fn grant(&self, _slot: u32) -> Grant {
        Grant::default()
    }
}

fn serve(config: Config) {
    let ports: Vec<ServedInterface> = (0..)
        .zip(&config.interfaces)
        .map(|(index, configured)| {
            let interface = Interface {
                name: configured.name.clone(),
                ifindex: index + 1,
                mac: [2, 0, 0, 0, 0, 1],
                addresses: vec![HOST_ADDRESS],
                queues: 1,
                driver: None,
            };
            links::interface(index, configured, interface, &config).expect("checked before")
        })
        .collect();
    let table = links::table(&ports);
    assert!(!dhcp_engine::relays(&config, &table).is_empty());
    let subnets: Vec<_> = config.subnets().map(|(_, subnet)| subnet.prefix).collect();
    let mut controller = Controller(Engine::new(Setup {
        config: Arc::new(config),
        fingerprint_key: fingerprint_key(),
        links: table,
        max_slots: 16,
    }));
    for (client, (key, _)) in (1..).zip(links::kernel_links(&ports).iter().take(MOST)) {
        let tag = |id: u16| {
            let [high, low] = id.to_be_bytes();
            (id != 0).then_some([0x81, 0, high, low])
        };
        controller.lease(|kind| {
            let mut message = Message::new(client, kind);
            message.ingress.ifindex = key.ifindex;
            message.ingress.tags = [tag(key.outer), tag(key.inner)];
            message
        });
    }
    for (client, prefix) in (100..).zip(subnets.iter().take(MOST)) {
        controller.lease(|kind| {
            let mut message = Message::new(client, kind).relayed(prefix.addr());
            message.ingress.ifindex = 1;
            message
        });
    }
}

/// The engine, whose effects are carried out immediately.
struct Controller(Engine);

impl Controller {
    /// Sends a DISCOVER; a client that gets an offer requests it, and must get the lease with any
    /// message size.
    fn lease(&mut self, from: impl Fn(u8) -> Message) {
        for max_len in [576u16, 1500] {
            let ask = |kind| {
                from(kind)
                    .option(option::MAX_MESSAGE_SIZE, &max_len.to_be_bytes())
                    .option(option::PARAMETER_LIST, &EVERYTHING)
            };
            for offer in self.hear(ask(message_type::DISCOVER)) {
                assert_eq!(offer.message_type(), message_type::OFFER);
                let server = offer.option(option::SERVER_ID).expect("an OFFER has one");
                let request = ask(message_type::REQUEST)
                    .requested(offer.yiaddr())
                    .option(option::SERVER_ID, &server);
                let answers = self.hear(request);
                let [ack] = answers.as_slice() else {
                    panic!("{answers:?} to a client that takes {offer:?}");
                };
                assert_eq!(ack.message_type(), message_type::ACK);
                assert_eq!(ack.yiaddr(), offer.yiaddr());
                assert!(ack.payload.len() <= usize::from(max_len) - 28);
            }
        }
    }

    fn hear(&mut self, message: Message) -> Vec<Received> {
        let message = message.end();
        let mut effects = VecDeque::from(self.input(Input::Message {
            ingress: &message.ingress,
            payload: &message.payload,
        }));
        let mut replies = Vec::new();
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Commit { ticket, changes } => {
                    let result = Ok(vec![Applied::Done; changes.len()]);
                    effects.extend(self.input(Input::Committed { ticket, result }));
                }
                Effect::Withdraw { fence, .. } => effects.extend(self.input(Input::Fenced(fence))),
                Effect::Send { egress, payload } => replies.push(Received { egress, payload }),
                _ => {}
            }
        }
        replies
    }

    fn input(&mut self, input: Input<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.0.handle(input, NOW, &NoGrants, &mut effects);
        effects
    }
}

//! Counts the allocations for a frame on its way through the controller, from the octets received
//! to those sent: none if its client is known. A new client takes memory for its lease and for the
//! change that goes to the store.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::Ipv4Addr;

use dhcp_common::abi::SLOW_FRAME_LEN;
use dhcp_common::wire::{message_type, option};
use dhcp_engine::{Effect, Engine, Input};
use dhcp_frames::frame;
use dhcp_model::{Applied, Nanos};
use dhcp_testkit::alone::{self, IFINDEX, NoGrants, SERVER};
use dhcp_testkit::counts::{Counting, allocations};
use dhcp_testkit::fixtures::{fleet, request::RequestFrame};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const AGENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const CLIENTS: u32 = 2000;

/// The controller without its kernel and its disk: commits succeed at once.
struct Controller {
    engine: Engine,
    effects: Vec<Effect>,
    frame: [u8; SLOW_FRAME_LEN as usize],
    now: Nanos,
}

impl Controller {
    fn new() -> Self {
        Self {
            engine: alone::engine(2 * CLIENTS),
            effects: Vec::new(),
            frame: [0; (SLOW_FRAME_LEN as usize)],
            now: Nanos(1_000_000_000_000),
        }
    }

    /// Receives a frame and writes the frame of the reply. Returns the number of allocations
    /// meanwhile, the type of the reply, and its `yiaddr`.
    fn receive(&mut self, octets: &[u8]) -> (u64, u8, Ipv4Addr) {
        let (allocations, (kind, yiaddr)) = allocations(|| self.answer(octets));
        (allocations, kind, yiaddr)
    }

    fn answer(&mut self, octets: &[u8]) -> (u8, Ipv4Addr) {
        self.now.0 += 1_000_000;
        let Self {
            engine,
            effects,
            frame,
            now,
        } = self;
        let (ingress, payload) = frame::parse(octets, IFINDEX).unwrap();
        let input = Input::Message {
            ingress: &ingress,
            payload: &octets[payload],
        };
        engine.handle(input, *now, &NoGrants, effects);
        let mut reply = (0, Ipv4Addr::UNSPECIFIED);
        let mut commits = Vec::new();
        loop {
            for effect in effects.drain(..) {
                match effect {
                    Effect::Commit { ticket, changes } => commits.push((ticket, changes.len())),
                    Effect::Send { egress, payload } => {
                        frame::build(&egress, [2; 6], &payload, frame).unwrap();
                        let yiaddr: [u8; 4] = payload[16..20].try_into().unwrap();
                        // The message type is the first option.
                        reply = (payload[242], yiaddr.into());
                        engine.recycle(payload);
                    }
                    _ => {}
                }
            }
            let Some((ticket, changes)) = commits.pop() else {
                break;
            };
            let result = Ok(vec![Applied::Done; changes]);
            let committed = Input::Committed { ticket, result };
            engine.handle(committed, *now, &NoGrants, effects);
        }
        reply
    }
}

/// Returns a request of a client behind a relay agent, with option 82.
fn relayed(client: u32, message_type: u8, address: Option<Ipv4Addr>) -> Vec<u8> {
    let mut request = RequestFrame::new(fleet::mac(client), message_type);
    if let Some(address) = address {
        request = request
            .address_option(option::SERVER_ID, SERVER)
            .address_option(option::REQUESTED_ADDRESS, address);
    }
    let circuit = [&[1, 4][..], &client.to_be_bytes()].concat();
    let request = request.option(option::RELAY_INFO, &circuit);
    let (agent_mac, server_mac) = ([2, 0, 0, 0, 0xff, 1], [2, 0, 0, 0, 0xff, 2]);
    request
        .relayed(AGENT, agent_mac, (server_mac, SERVER))
        .frame()
}

#[test]
fn a_frame_of_a_known_client_takes_no_memory() {
    let mut controller = Controller::new();
    let mut of_new_clients = 0;
    let mut addresses = Vec::new();
    for client in 0..CLIENTS {
        let discover = relayed(client, message_type::DISCOVER, None);
        let (offering, offer, address) = controller.receive(&discover);
        assert_eq!(offer, message_type::OFFER);
        let request = relayed(client, message_type::REQUEST, Some(address));
        let (leasing, ack, leased) = controller.receive(&request);
        assert_eq!((ack, leased), (message_type::ACK, address));
        of_new_clients += offering + leasing;
        addresses.push(address);
    }
    println!(
        "{:.2} for a new client",
        of_new_clients as f64 / f64::from(CLIENTS)
    );

    let mut of_known = 0;
    for (client, address) in (0..).zip(&addresses) {
        let discover = relayed(client, message_type::DISCOVER, None);
        let (offering, offer, offered) = controller.receive(&discover);
        assert_eq!((offer, offered), (message_type::OFFER, *address));
        let request = relayed(client, message_type::REQUEST, Some(*address));
        let (leasing, ack, leased) = controller.receive(&request);
        assert_eq!((ack, leased), (message_type::ACK, *address));
        of_known += offering + leasing;
    }
    let each = of_known as f64 / f64::from(2 * CLIENTS);
    println!("{each:.3} for a frame of a known client");
    // Deadlines are kept in a tree, which allocates a node now and then.
    assert!(
        each < 0.25,
        "{each:.3} allocations for each frame of a known client"
    );
    let each = of_new_clients as f64 / f64::from(CLIENTS);
    assert!(each < 12.0, "{each:.2} allocations for each new client");
}

//! The end of a world: faults stop, every client with a lease asks for it, all time passes, and
//! everything must be as it was in the beginning.

use std::{collections::BTreeSet, net::Ipv4Addr, sync::Arc};

use dhcp_common::wire::message_type;
use dhcp_engine::{Effect, Engine, Input, Setup};
use dhcp_frames::frame;
use dhcp_model::{Applied, RecordState};
use dhcp_store::Store as _;

use super::{
    client::Reply,
    clock::SEC,
    faults::Faults,
    kernel::GrantsView,
    model::Invariant,
    program::Run,
    scene::{self, DIRECT, RELAY, RELAY_MAC, RELAYED, SERVER},
    wire::Message,
    world::World,
};
use crate::fixtures::{
    request::RequestFrame,
    world::{IFINDEX, SERVER_MAC},
};
use crate::restore::restore;

/// The time after which all work has ended that is in progress when faults stop: a restart takes
/// longest.
const SETTLE_SECS: u64 = 200;
/// The time within which an answer is immediate.
const ANSWER_SECS: u64 = 2;
/// Longer than anything is kept under any plan.
const ALL_TIME_SECS: u64 = 100_000;
/// Numbers of the clients that arrive at the end.
const FRESH: u8 = 150;

impl World {
    pub fn finish(&mut self) {
        self.note(|_| "everything settles".to_owned());
        self.faults = Faults::default();
        self.disk.full_until = 0;
        self.is_quiet = true;
        self.hosts.clear();
        self.run_for(SETTLE_SECS);
        if let Some(controller) = &self.controller
            && !controller.unanswered().is_empty()
        {
            let commands = controller.unanswered().clone();
            self.model.violate(Invariant::CommandsAreAnswered, || {
                format!("nobody answers {commands:?}")
            });
        }
        self.expect_answers();
        self.note(|_| "everybody leaves".to_owned());
        self.run_for(ALL_TIME_SECS);
        self.expect_nothing_under_way();
        self.expect_all_addresses();
    }

    fn run_for(&mut self, secs: u64) {
        let end = self.clock.now + secs * SEC;
        while !self.model.is_violated() && self.step(end) {}
        self.clock.now = end;
    }

    /// Returns the reply to a request, if it comes in time.
    fn ask(&mut self, request: RequestFrame) -> Option<Reply> {
        let xid = request.xid;
        self.replies.clear();
        self.transmit(request);
        self.run_for(ANSWER_SECS);
        self.replies.iter().find(|reply| reply.xid == xid).cloned()
    }

    /// Checks that every client that believes to have a lease gets it, or an immediate NAK.
    fn expect_answers(&mut self) {
        for index in 0..self.clients.len() {
            let now = self.clock.now;
            let Some(request) = self.clients[index].renew(now) else {
                continue;
            };
            let Some(message) = Message::read(&request.frame()) else {
                continue;
            };
            let (address, Some(client)) = (message.ciaddr, message.client()) else {
                continue;
            };
            let is_revoked = self
                .durable(address)
                .is_some_and(|record| record.state == RecordState::Revoked);
            let is_promised = self.model.promised(address, client, now).is_some()
                && !is_revoked
                && self.plan.allows(&client, address);
            let reply = self.ask(request);
            let is_right = match &reply {
                Some(reply) => !is_promised || reply.kind == message_type::ACK,
                None => false,
            };
            if !is_right {
                self.model.violate(Invariant::ClientsAreAnswered, || {
                    let promised = if is_promised { "has" } else { "had" };
                    format!("{client:?} {promised} {address}, and is answered {reply:?}")
                });
            }
        }
    }

    fn expect_nothing_under_way(&mut self) {
        if self.model.is_violated() {
            return;
        }
        let published = self.kernel.published();
        let records: Vec<_> = self.disk.records().filter(|r| !r.state.is_free()).collect();
        let leases: Vec<_> = self
            .controller
            .iter()
            .flat_map(|c| c.leases.iter().map(|lease| (*lease.key(), lease.state)))
            .collect();
        let is_at_rest = self.controller.as_ref().is_some_and(|c| c.is_at_rest());
        let is_clean = published.is_empty()
            && records.is_empty()
            && leases.is_empty()
            && is_at_rest
            && self.runs.is_empty()
            && self.fencings.is_empty();
        if !is_clean {
            let what = format!(
                "at rest: {is_at_rest}; leases: {leases:?}; published: {published:?}; stored: {records:?}"
            );
            self.model.violate(Invariant::NothingIsLost, || what);
        }
    }

    /// Checks that as many new clients as there are addresses get all of them.
    fn expect_all_addresses(&mut self) {
        for network in [DIRECT, RELAYED] {
            if self.model.is_violated() {
                return;
            }
            let of_network = |address: &Ipv4Addr| scene::network_of(*address) == Some(network);
            let addresses: BTreeSet<_> = self.plan.addresses().filter(of_network).collect();
            self.replies.clear();
            for n in (FRESH..).take(addresses.len()) {
                let discover = RequestFrame::new(scene::mac(n), message_type::DISCOVER);
                self.transmit(if network == RELAYED {
                    discover.relayed(RELAY, RELAY_MAC, (SERVER_MAC, SERVER))
                } else {
                    discover
                });
            }
            // Longer than addresses are probed.
            self.run_for(10);
            let offered: BTreeSet<_> = self.replies.iter().map(|reply| reply.address).collect();
            if offered != addresses {
                self.model.violate(Invariant::NothingIsLost, || {
                    format!("{addresses:?} are free, and {offered:?} are offered")
                });
            }
        }
    }

    /// Returns whether a controller that takes over now would answer a request as the program has.
    pub fn compare(&mut self, run: &Run, octets: &[u8], reply: &Message) {
        let Some(controller) = &self.controller else {
            return;
        };
        // Offers are only in the memory of the controller that made them.
        if reply.kind == message_type::OFFER {
            return;
        }
        let mut records = Vec::new();
        let wall = controller.wall.clone();
        self.disk
            .load(&mut |stored| records.push(wall.record(stored)))
            .expect("reading never fails here");
        let mut engine = Engine::new(Setup {
            config: Arc::new(self.plan.config(self.max_leases)),
            fingerprint_key: scene::meta().fingerprint_key,
            links: scene::links(),
            max_slots: self.max_leases,
        });
        let grants = GrantsView(self.kernel.grants.clone());
        let now = self.clock.boottime();
        restore(&mut engine, records, self.kernel.published(), now, &grants);
        let mut effects = Vec::new();
        let Ok((ingress, payload)) = frame::parse(&run.octets, IFINDEX) else {
            return;
        };
        let input = Input::Message {
            ingress: &ingress,
            payload: run.octets.get(payload).unwrap_or_default(),
        };
        engine.handle(input, now, &grants, &mut effects);
        let mut answers = Vec::new();
        while !effects.is_empty() {
            for effect in std::mem::take(&mut effects) {
                match effect {
                    Effect::Commit { ticket, changes } => {
                        let result = Ok(changes.iter().map(|_| Applied::Done).collect());
                        let input = Input::Committed { ticket, result };
                        engine.handle(input, now, &grants, &mut effects);
                    }
                    Effect::Send { egress, payload } => {
                        let mut answer = vec![0; 2048];
                        let len = frame::build(&egress, SERVER_MAC, &payload, &mut answer);
                        answer.truncate(len.expect("a reply fits a frame"));
                        answers.push(answer);
                    }
                    _ => {}
                }
            }
        }
        self.count("answers compared");
        if answers != [octets] {
            let answers: Vec<_> = answers.iter().map(|octets| Message::read(octets)).collect();
            self.model.violate(Invariant::FastEqualsSlow, || {
                format!("the program answers {reply:?}, the controller {answers:?}")
            });
        }
    }
}

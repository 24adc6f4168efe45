//! The network: packets are lost, duplicated, delayed and reordered.

use super::{
    client::Reply,
    scene::{RIVAL, SERVER},
    wire::Message,
    world::{Event, World},
};
use crate::fixtures::request::RequestFrame;

/// The number of frames that a hostile client keeps.
const MAX_OVERHEARD: usize = 32;

impl World {
    /// Sends a message of a client.
    pub fn transmit(&mut self, message: RequestFrame) {
        let octets = message.frame();
        if let Some(message) = Message::read(&octets) {
            self.note(|_| format!("sent: {}", message.summary()));
        }
        if self.overheard.len() == MAX_OVERHEARD {
            self.overheard.pop_front();
        }
        self.overheard.push_back(message.clone());
        let is_for_all = message.destination.is_broadcast() || !message.giaddr.is_unspecified();
        if is_for_all || message.destination == SERVER {
            for time in self.transits() {
                self.after(time, Event::Frame(octets.clone()));
            }
        }
        if !self.is_quiet && (is_for_all || message.destination == RIVAL) {
            for time in self.transits() {
                self.after(time, Event::Rival(Box::new(message.clone())));
            }
        }
    }

    /// Returns when each copy of a packet arrives.
    pub fn transits(&mut self) -> Vec<u64> {
        let copies = 1 + usize::from(self.dice.chance(self.faults.duplication));
        (0..copies)
            .filter_map(|_| self.faults.transit(&mut self.dice))
            .collect()
    }

    pub fn send_to(&mut self, last_octet: u8, reply: Reply) {
        let index = usize::from(last_octet).wrapping_sub(1);
        if index < self.clients.len() || self.is_quiet {
            for time in self.transits() {
                self.after(time, Event::Reply(index, reply.clone()));
            }
        }
    }

    /// Sends a reply of the server.
    pub fn deliver(&mut self, reply: &Message) {
        let to = reply.chaddr[5];
        let reply = Reply {
            kind: reply.kind,
            xid: reply.xid,
            address: reply.yiaddr,
            server: reply.server_id().unwrap_or(SERVER),
            lease_secs: reply.lease_secs().unwrap_or(0),
        };
        self.send_to(to, reply);
    }
}

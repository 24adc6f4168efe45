//! Carries out the engine's effects, one after the other.

use std::net::Ipv4Addr;

use dhcp_common::{
    abi::{Binding, BindingState, ClientKey},
    wire::message_type,
};
use dhcp_engine::{Command, CommandId, CommandOutcome, Effect, FenceId};
use dhcp_frames::frame;
use dhcp_model::{Nanos, RecordState};

use super::{controller::Controller, model::Invariant, wire::Message, world::World};
use crate::fixtures::world::SERVER_MAC;

/// Octets of a frame.
const FRAME_LEN: usize = 2048;

impl World {
    pub fn carry_out(&mut self, c: &mut Controller, effect: Effect) {
        match effect {
            Effect::Commit { ticket, changes } => {
                self.note(|_| format!("controller: commits {ticket:?} {changes:?}"));
                self.commit(c, ticket, changes);
            }
            Effect::Publish { key, binding } => {
                self.note(|_| format!("controller: publishes {key:?} {binding:?}"));
                if self.dice.chance(self.faults.publish_fails) || !self.kernel.publish(key, binding)
                {
                    self.count("publishing failed");
                    self.kernel.withdraw(&key);
                    return;
                }
                self.check_published(c, key);
            }
            Effect::Withdraw { fence, key } => self.withdraw(c, fence, key),
            Effect::PublishTemplate { key, template } => {
                if !self.dice.chance(self.faults.publish_fails) {
                    self.kernel.publish_template(key, *template);
                }
            }
            Effect::ForgetTemplates => self.kernel.templates.retain(|_, (key, _)| key.is_nak()),
            Effect::Send { egress, payload } => {
                let mut octets = vec![0; FRAME_LEN];
                let len = frame::build(&egress, SERVER_MAC, &payload, &mut octets);
                octets.truncate(len.expect("a reply fits a frame"));
                self.controller_answers(c, octets);
            }
            Effect::Probe(probe) => self.probe(&probe),
            Effect::Answer { id, outcome } => self.answer(c, id, outcome),
        }
    }

    pub fn withdraw(&mut self, c: &mut Controller, fence: FenceId, key: ClientKey) {
        if self.dice.chance(self.faults.withdraw_fails) {
            self.note(|_| format!("controller: cannot withdraw {key:?}"));
            self.count("withdrawing failed");
            c.stuck.push((fence, key));
        } else {
            self.note(|_| format!("controller: withdraws {key:?} {fence:?}"));
            self.kernel.withdraw(&key);
            c.withdrawn.push(fence);
        }
    }

    fn controller_answers(&mut self, c: &Controller, octets: Vec<u8>) {
        let Some(reply) = Message::read(&octets) else {
            return;
        };
        self.note(|_| format!("controller: sends {}", reply.summary()));
        let Some((client, about)) = self.model.asker(reply.xid) else {
            return;
        };
        let now = self.clock.now;
        match reply.kind {
            message_type::ACK => {
                if let Some(ack) = self.model.acknowledgement(&reply, client) {
                    let record = self.durable(ack.address);
                    self.model.acknowledged(ack, record.as_ref(), now);
                    self.count("acknowledged by the controller");
                }
            }
            message_type::NAK => {
                let record = about.and_then(|address| self.durable(address));
                let is_revoked = about.is_some_and(|address| c.is_revoking(address))
                    || record.is_some_and(|record| record.state == RecordState::Revoked);
                if let Some(address) = about.filter(|_| !is_revoked) {
                    self.model.refused(address, client, &self.plan, now);
                }
                self.count("refused by the controller");
            }
            message_type::OFFER => {
                self.model.offered(reply.yiaddr, client, now);
                self.count("offered by the controller");
            }
            _ => {}
        }
        self.deliver(&reply);
    }

    fn answer(&mut self, c: &mut Controller, id: CommandId, outcome: CommandOutcome) {
        self.note(|_| format!("controller: answers {id:?} {outcome:?}"));
        let Some(command) = c.operators.remove(&id) else {
            return;
        };
        let (Command::Delete(address) | Command::Revoke(address)) = command;
        if outcome != CommandOutcome::Done {
            return;
        }
        match (command, self.durable(address)) {
            (Command::Revoke(_), Some(record)) if record.state == RecordState::Revoked => {
                self.count("revoked");
                if c.operators
                    .values()
                    .any(|later| *later == Command::Delete(address))
                {
                    return;
                }
                self.model.revoked.insert((address, record.client));
            }
            (Command::Delete(_), _) => self.count("deleted"),
            _ => {}
        }
    }

    /// Checks the entry that has just been published.
    fn check_published(&mut self, c: &Controller, key: ClientKey) {
        let published = self.kernel.published();
        let Some((_, own)) = published.iter().find(|(of, _)| *of == key).copied() else {
            return;
        };
        for (other, binding) in &published {
            // An entry that the kernel has not removed may be another client's until it is.
            let is_stuck = c
                .stuck
                .iter()
                .any(|(_, stuck)| stuck == other || *stuck == key);
            let is_other = *other != key && !is_stuck;
            if is_other && (binding.address == own.address || binding.slot == own.slot) {
                self.model.violate(Invariant::OneEntryAnAddress, || {
                    format!("{key:?} has {own:?}, and {other:?} has {binding:?}")
                });
            }
        }
        let is_former = |of: &Binding| {
            of.slot == own.slot && (of.epoch, of.address) != (own.epoch, own.address)
        };
        let former = self
            .runs
            .values()
            .find_map(|run| run.from.filter(is_former));
        if let Some(former) = former {
            self.model.violate(Invariant::SlotsAreFenced, || {
                format!("{key:?} has {own:?}, and a run answers from {former:?}")
            });
        }
        self.check_entries_of(own.address.into());
    }

    /// Checks that entries of leases promise no more than the store holds.
    pub fn check_entries_of(&mut self, address: Ipv4Addr) {
        if self.model.unrecorded.contains(&address) {
            return;
        }
        for (client, binding) in self.kernel.published() {
            let answers =
                binding.state == BindingState::Bound as u8 && !self.kernel.is_closed(&binding);
            if !answers || Ipv4Addr::from(binding.address) != address {
                continue;
            }
            let record = self.durable(address);
            let until = self.clock.of_boottime(Nanos(binding.durable_until_ns));
            let is_durable = record.is_some_and(|record| {
                record.client == client
                    && record.state == RecordState::Bound
                    && record.horizon >= until
            });
            if !is_durable {
                self.model.violate(Invariant::PublishedIsDurable, || {
                    format!("{client:?} has {binding:?}, until {until}, committed is {record:?}")
                });
            }
        }
    }
}

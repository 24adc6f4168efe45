//! Disturbances of the server: operators, power failures and coincidences.

use std::{collections::BTreeSet, net::Ipv4Addr};

use dhcp_common::abi::BindingState;
use dhcp_engine::Command;
use dhcp_model::RecordState;

use super::{
    clock::{MS, SEC},
    disk::Committer,
    kernel::Kernel,
    wire::Message,
    world::{Event, World},
};

impl World {
    pub fn operate(&mut self) {
        let addresses: Vec<_> = self
            .model
            .promises
            .keys()
            .map(|(address, _)| *address)
            .collect();
        if addresses.is_empty() {
            return;
        }
        let address = *self.dice.pick(&addresses);
        self.operate_on(address);
    }

    pub fn operate_on(&mut self, address: Ipv4Addr) {
        let command = if self.dice.chance(600) {
            Command::Delete(address)
        } else {
            Command::Revoke(address)
        };
        if let Some(controller) = &mut self.controller {
            controller.commands.push_back(command);
            self.poke();
        }
    }

    /// Restarts all clients at the same time.
    pub fn storm(&mut self) {
        self.count("storms");
        for index in 0..self.clients.len() {
            let on_at = self.clock.now + self.dice.below(50 * MS);
            self.clients[index].power_cycle(on_at);
            self.at(on_at, Event::Wake(index));
        }
    }

    /// Draws an event during the interruption of a run: its frame arrives again on another CPU, the
    /// operator ends its client's lease, other frames arrive, or the controller is killed.
    pub fn coincide(&mut self, octets: Vec<u8>) {
        let client = Message::read(&octets).and_then(|message| message.client());
        let promises = self.model.promises.keys();
        let address = promises
            .filter(|(_, of)| Some(*of) == client)
            .map(|(address, _)| *address)
            .next();
        match (self.dice.below(8), address) {
            (0, _) => self.kill(),
            (1 | 2, Some(address)) => self.operate_on(address),
            (3, Some(address)) => {
                self.operate_on(address);
                self.storm();
            }
            _ => self.after(0, Event::Frame(octets)),
        }
        self.count("coincidences");
    }

    /// Ends the process, if there is one.
    pub fn kill(&mut self) {
        if self.controller.is_some() || self.recording.is_some() {
            self.crash();
        }
    }

    /// Kills the process. The kernel continues; a write in progress may be on disk or not.
    pub fn crash(&mut self) {
        self.note(|_| "the controller is killed".to_owned());
        self.count("crashes");
        self.controller = None;
        self.kernel.is_served = false;
        if self.dice.chance(500) {
            self.disk.fails = self.clock.now < self.disk.full_until;
            self.disk.doubt = None;
            self.settle_batch();
            self.commit_lost();
        }
        self.recording = None;
        // The part that has not been committed is lost.
        let in_use = std::mem::take(&mut self.model.in_use).into_iter();
        self.model.in_use = in_use
            .filter(|address| self.is_quarantined(*address))
            .collect();
        self.committer = Committer::default();
        let time = *self.dice.pick(&[20 * MS, 100 * MS, 120 * SEC]);
        let time = self.dice.between(MS, time);
        self.after(time, Event::Start);
    }

    fn is_quarantined(&self, address: Ipv4Addr) -> bool {
        let record = self.durable(address);
        record.is_some_and(|record| record.state == RecordState::Quarantined)
    }

    /// Loses everything that is not on disk.
    pub fn power_cut(&mut self) {
        self.crash();
        self.note(|_| "the power is cut".to_owned());
        self.count("power cuts");
        self.clock.boot();
        self.wall = None;
        self.runs.clear();
        self.fencings.clear();
        let ring_room = self.faults.ring_room.unwrap_or(usize::MAX);
        let trusts_torn = self.kernel.trusts_torn;
        self.kernel = Kernel::new(&self.plan.config(self.max_leases), ring_room);
        self.kernel.trusts_torn = trusts_torn;
        self.model.forget_unrecorded();
    }

    /// Replaces the store by an empty one. After that only the kernel's entries hold the leases.
    pub fn lose_store(&mut self) {
        self.note(|_| "the store is lost".to_owned());
        self.count("stores lost");
        self.disk.lose_records();
        self.model.in_use.clear();
        let published = self.kernel.published();
        let of_state = |state: BindingState| -> BTreeSet<_> {
            let entries = published.iter();
            entries
                .filter(|(_, binding)| binding.state == state as u8)
                .map(|(client, binding)| (Ipv4Addr::from(binding.address), *client))
                .collect()
        };
        let revoked = of_state(BindingState::Revoked);
        let known: BTreeSet<_> = &of_state(BindingState::Bound) | &revoked;
        self.model.promises.retain(|of, _| known.contains(of));
        self.model.unrecorded = known.iter().map(|(address, _)| *address).collect();
        self.model.revoked.retain(|of| revoked.contains(of));
    }
}

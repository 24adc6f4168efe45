//! Hosts with static addresses, which answer probes, and the answers that the server receives.

use std::net::Ipv4Addr;

use dhcp_engine::{Probe, ProbeAnswer, ProbeWay};

use super::{
    clock::SEC,
    controller::Controller,
    dice::Dice,
    scene,
    world::{Event, World},
};

/// Numbers of their hardware addresses.
const FIRST: u8 = 180;

/// A host that was configured with an address of a pool.
#[derive(Debug)]
pub struct Host {
    address: Ipv4Addr,
    /// Whether it may answer after the server has stopped waiting.
    is_slow: bool,
}

impl Host {
    /// Draws the hosts of a world: each address has one with this probability, per mille.
    pub fn draw_all(
        addresses: impl Iterator<Item = Ipv4Addr>,
        chance: u64,
        dice: &mut Dice,
    ) -> Vec<Self> {
        let mut hosts = Vec::new();
        for address in addresses {
            if dice.chance(chance) {
                let is_slow = dice.chance(300);
                hosts.push(Self { address, is_slow });
            }
        }
        hosts
    }
}

impl World {
    /// Sends a probe. A host with the address answers, or a client that uses it.
    pub fn probe(&mut self, probe: &Probe) {
        self.note(|_| format!("controller: probes {}", probe.address));
        self.count("probes");
        self.model.probed(*probe);
        let hosts = (FIRST..).zip(&self.hosts);
        let mut answers: Vec<_> = hosts
            .filter(|(_, host)| host.address == probe.address)
            .map(|(n, host)| (scene::mac(n), host.is_slow))
            .collect();
        let users = self.clients.iter();
        let users = users.filter(|client| client.uses(probe.address, self.clock.now));
        answers.extend(users.map(|client| (client.mac(), false)));
        for (mac, is_slow) in answers {
            let late = if is_slow { self.dice.below(2 * SEC) } else { 0 };
            for time in self.transits() {
                self.after(time + late, Event::ProbeAnswer(answer(probe, mac)));
            }
        }
    }

    /// Delivers an answer, if there is a process to receive it.
    pub fn probe_answer(&mut self, answer: ProbeAnswer) {
        if let Some(controller) = &mut self.controller {
            controller.answers.push_back(answer);
            self.poke();
        }
    }

    /// Records an answer that the controller is about to take.
    pub fn note_answer(&mut self, c: &Controller, answer: &ProbeAnswer) {
        let address = answer.address();
        let is_client = answer.mac().is_some_and(|mac| {
            let hardware = c.hardware_of(address);
            hardware.is_some_and(|hardware| hardware.octets() == mac)
        });
        if c.is_probing(address) && !is_client && self.model.is_answered(answer) {
            self.note(|_| format!("a host has {address}"));
            self.count("addresses found in use");
            self.model.in_use.insert(address);
        } else {
            self.count("answers to probes of no use");
        }
    }
}

fn answer(probe: &Probe, mac: [u8; 6]) -> ProbeAnswer {
    let address = probe.address;
    match probe.way {
        ProbeWay::Link { .. } => ProbeAnswer::Arp {
            address,
            ifindex: probe.ifindex,
            vlans: [0, 0],
            mac,
        },
        ProbeWay::Relay { .. } => ProbeAnswer::Echo { address },
    }
}

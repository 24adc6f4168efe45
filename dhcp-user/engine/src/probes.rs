//! Probing: whether a host has an address already, before a client is offered it (RFC 2131 §2.2, §3.1(2)).
//!
//! An address that is probed is out of its pool and held for its client, whose DISCOVER waits. If nobody
//! answers in time it becomes an offer; if somebody does it is quarantined as a declined one is, and another
//! address is probed.
//!
//! Not probed is what the client has, is offered, or was the last to have; nor what it names in a REQUEST, for
//! then it has been offered the address, or uses it.

use std::{collections::HashMap, net::Ipv4Addr, time::Duration};

use dhcp_common::abi::ClientKey;
use dhcp_model::Nanos;
use hashlink::LinkedHashMap;

use super::{
    Context, Counter, Effect, Engine,
    effect::{Probe, ProbeAnswer, ProbeWay},
    protocol::Party,
    request::Request,
};
use crate::live::LeaseState;

/// Addresses that are probed at once. What comes beyond is offered without.
const MAX_UNDER_WAY: usize = 1024;
/// For each address, for one may get lost: many routers drop the first packet to a host whose MAC address they
/// have to ask for.
const PROBES: u32 = 2;
/// Addresses in use that one DISCOVER leads to. Then it stays unanswered; the client's next begins anew.
const MAX_IN_USE: u32 = 3;
/// How long a free address that nobody has answered for counts as probed.
const QUIET: Duration = Duration::from_secs(60);
/// Of such addresses the oldest is forgotten, and would be probed again.
const MAX_QUIET: usize = 4096;

/// What is being probed, and what has been.
#[derive(Debug)]
pub(super) struct Probes {
    /// Whether any subnet wants it.
    is_on: bool,
    under_way: HashMap<Ipv4Addr, Waiting>,
    /// When it turned out that nobody has an address; the longest ago first. Only free and offered ones.
    quiet: LinkedHashMap<Ipv4Addr, Nanos>,
}

/// A DISCOVER whose address is probed.
#[derive(Debug)]
struct Waiting {
    /// The last one that came.
    request: Box<Request>,
    party: Party,
    probe: Probe,
    interval: Duration,
    sent: u32,
    /// Addresses before this one that somebody had.
    in_use: u32,
}

impl Probes {
    pub fn new(is_on: bool) -> Self {
        Self {
            is_on,
            under_way: HashMap::new(),
            quiet: LinkedHashMap::new(),
        }
    }

    /// Whether one more address can be probed now.
    pub fn has_room(&self) -> bool {
        self.under_way.len() < MAX_UNDER_WAY
    }

    /// Whether any subnet wants it from now on; what is under way goes on.
    pub const fn set_on(&mut self, is_on: bool) {
        self.is_on = is_on;
    }

    pub fn is_under_way(&self, address: Ipv4Addr) -> bool {
        self.under_way.contains_key(&address)
    }

    fn note_quiet(&mut self, address: Ipv4Addr, now: Nanos) {
        self.quiet.insert(address, now);
        if self.quiet.len() > MAX_QUIET {
            self.quiet.pop_front();
        }
    }

    fn is_quiet(&self, address: Ipv4Addr, now: Nanos) -> bool {
        let since = self.quiet.get(&address);
        since.is_some_and(|since| now.since(*since) < QUIET)
    }

    pub fn cancel(&mut self, address: Ipv4Addr) {
        self.under_way.remove(&address);
    }

    /// Somebody has the address now, or might: it is probed again before it is offered to another client.
    pub fn forget(&mut self, address: Ipv4Addr) {
        self.quiet.remove(&address);
    }
}

impl Engine {
    /// Whether an address that was taken for a client is to be probed first.
    pub(super) fn is_to_be_probed(
        &self,
        party: &Party,
        address: Ipv4Addr,
        cx: &Context<'_>,
    ) -> bool {
        self.probes.is_on
            && !self.probe_time(address).is_zero()
            && !self.clients.is_former(&party.client, address)
            && !self.probes.is_quiet(address, cx.now)
    }

    fn probe_time(&self, address: Ipv4Addr) -> Duration {
        let subnet = self.networks.subnet_of(address);
        subnet.map_or(Duration::ZERO, |subnet| subnet.probe_time)
    }

    /// Probes an address that is held for a client. `in_use` is how many before it somebody had.
    pub(super) fn probe(
        &mut self,
        address: Ipv4Addr,
        party: &Party,
        request: Request,
        in_use: u32,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        let Some(way) = self.probe_way(address, party, &request) else {
            return self.offer(address, party, request, cx);
        };
        let probe = Probe {
            address,
            ifindex: request.ingress.ifindex,
            tags: request.ingress.tags,
            way,
        };
        let time = self.probe_time(address);
        self.update(address, |lease| {
            lease.state = LeaseState::Probing;
            lease.expires = cx.now.plus(time);
        });
        let waiting = Waiting {
            request: Box::new(request),
            party: *party,
            probe,
            interval: time / PROBES,
            sent: 0,
            in_use,
        };
        self.probes.under_way.insert(address, waiting);
        self.count(Counter::Probed);
        self.send_probe(address, cx);
        Ok(())
    }

    /// A host behind a relay agent is not on a link of ours, so that ARP does not reach it.
    fn probe_way(&self, address: Ipv4Addr, party: &Party, request: &Request) -> Option<ProbeWay> {
        if request.giaddr.is_unspecified() {
            let sender = self.networks.our_address_beside(request, address);
            return Some(ProbeWay::Link { sender });
        }
        let profile = self.profile(address, party.reserved)?;
        let terms = self.networks.terms(profile, party.classes, &request.shape);
        Some(ProbeWay::Relay {
            mac: request.ingress.source_mac,
            source: terms.server_id,
        })
    }

    fn send_probe(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        if let Some(waiting) = self.probes.under_way.get_mut(&address) {
            waiting.sent += 1;
            cx.out.push(Effect::Probe(waiting.probe));
            let answered_by = cx.now.plus(waiting.interval);
            self.arm_at(address, answered_by);
        }
    }

    /// A client that asks again while its address is probed is answered once, and as it asked last.
    pub(super) fn wait_for_probe(
        &mut self,
        address: Ipv4Addr,
        party: &Party,
        request: Request,
    ) -> Counter {
        if let Some(waiting) = self.probes.under_way.get_mut(&address) {
            waiting.party = *party;
            *waiting.request = request;
        }
        Counter::Retransmitted
    }

    /// The time for an answer to a probe is over.
    pub(super) fn probe_due(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        match self.probes.under_way.get(&address) {
            Some(waiting) if waiting.sent < PROBES => self.send_probe(address, cx),
            _ => {
                self.probes.note_quiet(address, cx.now);
                self.offer_probed(address, cx);
            }
        }
    }

    fn offer_probed(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let Some(Waiting { request, party, .. }) = self.probes.under_way.remove(&address) else {
            return;
        };
        self.set_state(address, LeaseState::Offered);
        if let Err(silence) = self.offer(address, &party, *request, cx) {
            self.count(silence);
        }
    }

    /// Somebody has the address.
    pub(super) fn probe_answered(&mut self, answer: &ProbeAnswer, cx: &mut Context<'_>) {
        let address = answer.address();
        let waiting = self.probes.under_way.get(&address);
        let Some(waiting) = waiting.filter(|waiting| waiting.probe.is_answered_by(answer)) else {
            return;
        };
        // The client itself, which had the address from elsewhere, or before this server's records.
        if answer
            .mac()
            .is_some_and(|mac| waiting.request.hardware.octets() == mac)
        {
            return self.offer_probed(address, cx);
        }
        let Some(waiting) = self.probes.under_way.remove(&address) else {
            return;
        };
        let Waiting { request, party, .. } = waiting;
        if let Some(held) = self.held(address) {
            tracing::warn!(%address, host = ?answer.mac(), client = ?party.client, "in use by another host: not offered");
            self.count(Counter::AddressInUse);
            self.set_aside(address, &held, cx);
            self.commit_quarantine(address, cx);
        }
        let in_use = waiting.in_use + 1;
        let offered = if in_use < MAX_IN_USE {
            self.offer_new(&party, *request, in_use, cx)
        } else {
            Err(Counter::ProbesGivenUp)
        };
        if let Err(silence) = offered {
            self.count(silence);
        }
    }

    /// The client no longer waits for an offer, and none has been made: the address is free.
    pub(super) fn cancel_probe(&mut self, client: &ClientKey, cx: &mut Context<'_>) {
        if self.probes.under_way.is_empty() {
            return;
        }
        if let Some((address, held)) = self.current(client)
            && held.state == LeaseState::Probing
        {
            self.lapse(address, cx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_quiet_addresses_the_oldest_is_forgotten() {
        let mut probes = Probes::new(true);
        let address = |n: usize| Ipv4Addr::from_bits(n as u32);
        for n in 0..MAX_QUIET {
            probes.note_quiet(address(n), Nanos(n as u64));
        }
        // It is noted again, and so the newest.
        probes.note_quiet(address(0), Nanos(MAX_QUIET as u64));
        assert!(probes.is_quiet(address(1), Nanos(MAX_QUIET as u64)));
        probes.note_quiet(address(MAX_QUIET), Nanos(MAX_QUIET as u64));
        let quiet = [0, 1, 2].map(|n| probes.is_quiet(address(n), Nanos(MAX_QUIET as u64)));
        assert_eq!(quiet, [true, false, true]);
        assert_eq!(probes.quiet.len(), MAX_QUIET);
    }
}

//! Probing: checks whether a host uses an address before it is offered (RFC 2131 §2.2, §3.1(2)).
//!
//! An address that is probed is out of its pool and held for its client, whose DISCOVER waits. If
//! no host answers in time it becomes an offer; if one does it is quarantined as a declined one is,
//! and another address is probed.
//!
//! An address is not probed if the client has it, is offered it, or was the last to have it. It is
//! not probed for a REQUEST that names it either, because such a client was offered the address or
//! uses it.

use std::{collections::HashMap, net::Ipv4Addr, time::Duration};

use dhcp_model::Nanos;
use hashlink::LinkedHashMap;

use super::{Requester, View};
use crate::{
    effect::{Probe, ProbeAnswer, ProbeWay},
    request::{Copies, Request},
};

/// The most addresses probed at a time. Further ones are offered without a probe.
const MAX_IN_PROGRESS: usize = 1024;
/// Probes of each address. One may get lost: many routers drop the first packet to a host whose MAC
/// address they must resolve.
pub const PROBES: u32 = 2;
/// The most addresses found in use for one DISCOVER. After that it stays unanswered; the client's
/// next DISCOVER starts over.
pub const MAX_IN_USE: u32 = 3;
/// How long a free address counts as probed after no host has answered.
const QUIET: Duration = Duration::from_secs(60);
/// The most such addresses that are recorded; the oldest is dropped, and would be probed again.
const MAX_QUIET: usize = 4096;

/// Addresses that are being probed, and those that have been.
#[derive(Debug)]
pub struct Probes {
    /// Whether any subnet enables probing.
    is_on: bool,
    in_progress: HashMap<Ipv4Addr, Waiting>,
    /// Free and offered addresses that no host answered for, and when; the oldest first.
    quiet: LinkedHashMap<Ipv4Addr, Nanos>,
}

/// A DISCOVER whose address is probed.
#[derive(Debug)]
pub struct Waiting {
    pub requests: Copies,
    /// The sender of the first one.
    pub requester: Requester,
    pub probe: Probe,
    pub interval: Duration,
    pub sent: u32,
    /// Addresses before this one that turned out to be in use.
    pub in_use: u32,
}

/// The next step when the time for an answer is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Probe,
    Offer,
}

/// Who has answered a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answerer {
    /// The client itself, which had the address from elsewhere, or before this server's records.
    Client,
    OtherHost,
}

impl Probes {
    pub fn new(is_on: bool) -> Self {
        Self {
            is_on,
            in_progress: HashMap::new(),
            quiet: LinkedHashMap::new(),
        }
    }

    /// Returns whether one more address can be probed now.
    pub fn has_room(&self) -> bool {
        self.in_progress.len() < MAX_IN_PROGRESS
    }

    /// Sets whether any subnet enables probing from now on; probes in progress continue.
    pub const fn set_on(&mut self, is_on: bool) {
        self.is_on = is_on;
    }

    pub fn are_any(&self) -> bool {
        !self.in_progress.is_empty()
    }

    pub fn is_in_progress(&self, address: Ipv4Addr) -> bool {
        self.in_progress.contains_key(&address)
    }

    pub fn begin(&mut self, waiting: Waiting) {
        self.in_progress.insert(waiting.probe.address, waiting);
    }

    /// Adds a DISCOVER of the same client to those that wait.
    pub fn add(&mut self, address: Ipv4Addr, request: Request, now: Nanos) {
        if let Some(waiting) = self.in_progress.get_mut(&address) {
            waiting.requests.add(request, now);
        }
    }

    /// Returns the probe of an address that is to be sent now, and how long an answer is awaited.
    pub fn send(&mut self, address: Ipv4Addr) -> Option<(Probe, Duration)> {
        let waiting = self.in_progress.get_mut(&address)?;
        waiting.sent += 1;
        Some((waiting.probe, waiting.interval))
    }

    /// Returns the next step if no host has answered by now.
    pub fn due(&mut self, address: Ipv4Addr, now: Nanos) -> Next {
        match self.in_progress.get(&address) {
            Some(waiting) if waiting.sent < PROBES => Next::Probe,
            _ => {
                self.note_quiet(address, now);
                Next::Offer
            }
        }
    }

    /// Returns which host has answered; `None` if the message answers no probe in progress.
    pub fn answerer(&self, answer: &ProbeAnswer) -> Option<Answerer> {
        let waiting = self.in_progress.get(&answer.address())?;
        if !waiting.probe.is_answered_by(answer) {
            return None;
        }
        let is_client = answer
            .mac()
            .zip(waiting.requests.first())
            .is_some_and(|(mac, request)| request.hardware.octets() == mac);
        Some(if is_client {
            Answerer::Client
        } else {
            Answerer::OtherHost
        })
    }

    /// Ends the probe of an address, and returns the DISCOVER that waits for it.
    pub fn take(&mut self, address: Ipv4Addr) -> Option<Waiting> {
        self.in_progress.remove(&address)
    }

    /// Discards the result that no host uses an address: one may use it now.
    pub fn forget(&mut self, address: Ipv4Addr) {
        self.quiet.remove(&address);
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

    /// Returns whether an address that is free for a client is probed before it is offered.
    pub fn is_wanted(&self, view: View<'_>, requester: &Requester, address: Ipv4Addr) -> bool {
        self.is_on
            && !probe_time(view, address).is_zero()
            && !view.table.is_former(&requester.client, address)
            && !self.is_quiet(address, view.now)
    }
}

/// Returns how long answers to the probes of an address are awaited.
pub fn probe_time(view: View<'_>, address: Ipv4Addr) -> Duration {
    let subnet = view.networks.subnet_of(address);
    subnet.map_or(Duration::ZERO, |subnet| subnet.probe_time)
}

/// Returns how an address is probed. ARP does not reach a host behind a relay agent.
pub fn probe(
    view: View<'_>,
    address: Ipv4Addr,
    requester: &Requester,
    request: &Request,
) -> Option<Probe> {
    let way = if request.giaddr.is_unspecified() {
        let sender = view.networks.our_address_beside(request, address);
        ProbeWay::Link { sender }
    } else {
        let profile = view.profile(address, &requester.reserved)?;
        let terms = view
            .networks
            .terms(&profile, requester.classes, &request.shape);
        ProbeWay::Relay {
            mac: request.ingress.source_mac,
            source: terms.server_id,
        }
    };
    Some(Probe {
        address,
        ifindex: request.ingress.ifindex,
        tags: request.ingress.tags,
        way,
    })
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
        // It is recorded again, which makes it the newest.
        probes.note_quiet(address(0), Nanos(MAX_QUIET as u64));
        assert!(probes.is_quiet(address(1), Nanos(MAX_QUIET as u64)));
        probes.note_quiet(address(MAX_QUIET), Nanos(MAX_QUIET as u64));
        let quiet = [0, 1, 2].map(|n| probes.is_quiet(address(n), Nanos(MAX_QUIET as u64)));
        assert_eq!(quiet, [true, false, true]);
        assert_eq!(probes.quiet.len(), MAX_QUIET);
    }
}

//! Offers: an address is chosen, probed, held and offered (RFC 2131 §4.3.1).

use std::{net::Ipv4Addr, time::Duration};

use dhcp_model::Nanos;

use super::{Context, Engine, bind::new_lease};
use crate::{
    counters::{Counter, Silence},
    effect::ProbeAnswer,
    lease_table::{EndReason, Event, Holder, LeaseState},
    policy::{
        Requester,
        offers::{self, Kept},
        probes::{self, Answerer, MAX_IN_USE, Next, PROBES, Waiting},
    },
    reply::Answer,
    request::{Copies, Request},
};

/// The pause between two log lines about empty pools.
const EMPTY_PAUSE: Duration = Duration::from_secs(1);

impl Engine {
    pub(super) fn discover(
        &mut self,
        requester: &Requester,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        if self.journal.is_failing(cx.now) && !offers::is_bound(self.view(cx), &requester.client) {
            // An offer that it takes keeps the client from a server that can lease it an address.
            return Err(Silence::StoreFailing);
        }
        let kept = offers::kept(self.view(cx), requester);
        let kept = self.keep(kept, requester, cx);
        if let Some(profile) = offers::ipv6_only(self.view(cx), requester, kept, &request) {
            self.end_offer(requester, cx);
            return self.respond_from(&profile, Answer::Ipv6Only, requester, &request, cx);
        }
        match kept {
            Some(address) if self.probes.is_in_progress(address) => {
                self.probes.add(address, request, cx.now);
                Err(Silence::Retransmitted)
            }
            Some(address) => self.offer(address, requester, request, cx),
            None => self.offer_new(requester, request, 0, cx),
        }
    }

    /// Ends an offer or lease that the client is not to have again. Returns the address that it is
    /// offered again.
    fn keep(
        &mut self,
        kept: Kept,
        requester: &Requester,
        cx: &mut Context<'_>,
    ) -> Option<Ipv4Addr> {
        match kept {
            Kept::Nothing => None,
            Kept::Address(address) => Some(address),
            Kept::Withdrawn(address) => {
                self.step(address, Event::OfferAgain, cx);
                Some(address)
            }
            Kept::OtherOffer(address) => {
                self.step(address, Event::Lapse, cx);
                None
            }
            Kept::OtherLease(address) => {
                if let Some(held) = self.table.held(address) {
                    self.withdraw(address, &held, cx);
                }
                None
            }
            Kept::Revoked(address) => {
                self.step(address, Event::End(EndReason::Removed), cx);
                self.table.forget_client(&requester.client);
                None
            }
        }
    }

    /// Offers an address that is not the client's yet, once no other host is known to use it.
    /// `in_use` is the number of addresses found in use so far.
    fn offer_new(
        &mut self,
        requester: &Requester,
        request: Request,
        in_use: u32,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        let Some(address) = self.take_for(requester, &request, cx) else {
            self.log_empty_pool(requester, cx.now);
            return Err(Silence::PoolEmpty);
        };
        let lease = new_lease(requester, &request, cx.now);
        let view = self.view(cx);
        let mut probe = None;
        if self.probes.is_wanted(view, requester, address) {
            if self.probes.has_room() {
                probe = probes::probe(view, address, requester, &request);
            } else {
                self.count(Counter::Unprobed);
            }
        }
        let Some(probe) = probe else {
            self.step(address, Event::Offer(lease), cx);
            return self.offer_held(address, requester, request, cx);
        };
        let time = probes::probe_time(self.view(cx), address);
        self.step(address, Event::Probe(lease), cx);
        self.table.set_expiry(address, cx.now.plus(time));
        self.probes.begin(Waiting {
            requests: Copies::new(request, cx.now),
            requester: requester.clone(),
            probe,
            interval: time / PROBES,
            sent: 0,
            in_use,
        });
        self.count(Counter::Probed);
        self.send_probe(address, cx);
        Ok(())
    }

    /// Takes an address out of its pool: the reserved, the former, the requested, or else any one.
    fn take_for(
        &mut self,
        requester: &Requester,
        request: &Request,
        cx: &Context<'_>,
    ) -> Option<Ipv4Addr> {
        let wishes = offers::wishes(self.view(cx), requester, request);
        let network = self.networks.get_mut(requester.network)?;
        if let Some(reserved) = requester.reserved.address
            && !self.table.contains(reserved)
        {
            return Some(reserved);
        }
        wishes
            .into_iter()
            .find(|address| {
                network.may_have(requester.reserved.address, requester.classes, *address)
                    && network.take(*address)
            })
            .or_else(|| network.take_any(requester.subnet, requester.classes))
    }

    /// Logs at most a line a second: a flood of DISCOVERs empties the pools, and must not fill the
    /// log as well. The counter has them all.
    fn log_empty_pool(&mut self, requester: &Requester, now: Nanos) {
        if now >= self.quiet_until {
            tracing::warn!(network = requester.network, client = ?requester.client, "no free address");
            self.quiet_until = now.plus(EMPTY_PAUSE);
        }
    }

    /// Offers an address that is already the client's, even if it is attached elsewhere now, or
    /// acknowledges it if the client asks for rapid commit.
    fn offer(
        &mut self,
        address: Ipv4Addr,
        requester: &Requester,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        let held = self.table.held(address);
        let is_offered = held.is_some_and(|held| held.state == LeaseState::Offered);
        if is_offered && !offers::commits_rapidly(self.view(cx), address, requester, &request) {
            let holder = Holder::new(&requester.client, request.origin());
            self.table.set_holder(address, holder);
        }
        self.offer_held(address, requester, request, cx)
    }

    /// Offers an address that is held for the client where it is attached now; see
    /// [`Engine::offer`].
    fn offer_held(
        &mut self,
        address: Ipv4Addr,
        requester: &Requester,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        let state = self.table.held(address).map(|held| held.state);
        if offers::commits_rapidly(self.view(cx), address, requester, &request) {
            return match state {
                Some(LeaseState::Bound) => self.renew(address, request, cx),
                _ => self.bind(address, request, cx),
            };
        }
        if state == Some(LeaseState::Offered) {
            self.hold_offer(address, cx);
        }
        self.respond_as_template(Answer::Offer(address), address, requester, &request, cx)
    }

    /// Ends an offer to a client, or the probe before it. Returns whether an address was offered.
    pub(super) fn end_offer(&mut self, requester: &Requester, cx: &mut Context<'_>) -> bool {
        let Some((address, held)) = self.table.current(&requester.client) else {
            return false;
        };
        match held.state {
            LeaseState::Probing | LeaseState::Offered => {
                self.step(address, Event::Lapse, cx);
            }
            LeaseState::Withdrawn => {
                self.step(address, Event::OfferDeclined, cx);
            }
            LeaseState::Committing
            | LeaseState::Bound
            | LeaseState::Deleted
            | LeaseState::Revoked
            | LeaseState::Quarantined => {}
        }
        held.state == LeaseState::Offered
    }

    fn send_probe(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        if let Some((probe, interval)) = self.probes.send(address) {
            self.emit_probe(probe, cx);
            self.table.arm_at(address, cx.now.plus(interval));
        }
    }

    /// Handles the end of the time for an answer to a probe.
    pub(super) fn probe_due(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        match self.probes.due(address, cx.now) {
            Next::Probe => self.send_probe(address, cx),
            Next::Offer => self.offer_probed(address, cx),
        }
    }

    fn offer_probed(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        if let Some(waiting) = self.probes.take(address) {
            self.step(address, Event::NoAnswer, cx);
            for (request, _) in waiting.requests {
                let view = self.view(cx);
                let client = waiting.requester.client;
                let requester = Requester::of_lease(view, address, client, &request);
                let offered = self.offer(address, &requester, *request, cx);
                self.count_silence(offered);
            }
        }
    }

    /// Handles the answer of a host to a probe.
    pub(super) fn probe_answered(&mut self, answer: &ProbeAnswer, cx: &mut Context<'_>) {
        let address = answer.address();
        match self.probes.answerer(answer) {
            None => return,
            Some(Answerer::Client) => return self.offer_probed(address, cx),
            Some(Answerer::OtherHost) => {}
        }
        let Some(waiting) = self.probes.take(address) else {
            return;
        };
        tracing::warn!(
            %address,
            host = ?answer.mac(),
            client = ?waiting.requester.client,
            "address is in use by another host and not offered"
        );
        self.count(Counter::AddressInUse);
        self.set_aside(address, cx);
        let in_use = waiting.in_use + 1;
        if in_use == MAX_IN_USE {
            return self.count_silence(Err(Silence::ProbesGivenUp));
        }
        let mut requests = waiting.requests.into_iter();
        if let Some((request, _)) = requests.next() {
            let offered = self.offer_new(&waiting.requester, *request, in_use, cx);
            self.count_silence(offered);
        }
        // The others wait for the same address now.
        for (request, _) in requests {
            let offered = self.discover(&waiting.requester, *request, cx);
            self.count_silence(offered);
        }
    }

    /// Takes an address out of service, because another host has it.
    pub(super) fn set_aside(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let until = self.decline_until(address, cx.now);
        self.step(address, Event::InUse { until }, cx);
    }

    /// Returns until when an address is out of service that another host has.
    pub(super) fn decline_until(&self, address: Ipv4Addr, now: Nanos) -> Nanos {
        let subnet = self.networks.subnet_of(address);
        now.plus(subnet.map_or(Duration::ZERO, |subnet| subnet.decline_time))
    }
}

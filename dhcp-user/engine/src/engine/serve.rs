//! Messages: carries out what policy decides about each.

use std::{net::Ipv4Addr, sync::Arc};

use super::{Context, Engine};
use crate::{
    counters::{Counter, Silence},
    effect::Ingress,
    lease_table::{EndReason, Event, LeaseState},
    policy::{
        Requester, bootp,
        protocol::{self, Decision},
    },
    reply::Answer,
    request::{MessageType, Request},
};

impl Engine {
    /// Handles a message.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) fn message(
        &mut self,
        ingress: &Ingress,
        payload: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        let mut request = {
            let tested = self.networks.classes().tested();
            Request::decode(ingress, payload, &self.fingerprint_key, tested)?
        };
        if self.networks.is_directed_broadcast(ingress.destination) {
            request.ingress.destination = Ipv4Addr::BROADCAST;
        }
        for oddity in request.oddities.counters() {
            self.count(oddity);
        }
        if request.relay_info.is_some() && !self.networks.trusts_relay_info(&request) {
            request.distrust_relay_info();
            self.count(Counter::UntrustedRelayInfo);
        }
        if request.relay.is_broken {
            self.count(Counter::BrokenRelayInfo);
        }
        if request.message_type == MessageType::LeaseQuery {
            return self.respond_to_query(&request, cx);
        }
        if !self.networks.honours_subnet_selection(&request) {
            request.subnet_selection = None;
        }
        if let Some(settings) = self.networks.proxy(&request)?.map(Arc::clone) {
            return self.respond_to_firmware(&settings, &request, cx);
        }
        let (network, subnet) = self.networks.of(&request)?;
        if !network.match_client_id && request.hardware.len == 0 {
            return Err(Silence::NoIdentity);
        }
        let client = request.client(network.id, network.match_client_id);
        let view = self.view(cx);
        if request.has_gone_past_the_relay() {
            request.recorded_relay_info = protocol::recorded_relay_info(view, &client);
        }
        let requester = Requester::new(view, client, subnet, &request);
        let intent = protocol::intent(view, &client, &request)?;
        if intent.ends_probe() {
            self.end_probe(&requester, cx);
        }
        let decision = protocol::decide(self.view(cx), &requester, intent)?;
        if let (Decision::Nak(_), Some(address)) = (decision, intent.requested()) {
            self.note_refusal(address, &requester);
        }
        self.serve(decision, &requester, request, cx)
    }

    fn serve(
        &mut self,
        decision: Decision,
        requester: &Requester,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        match decision {
            Decision::Discover => self.discover(requester, request, cx),
            // RFC 2131 §3.1(4): an address that was only offered is free at once; a lease stays,
            // because it has not been released.
            Decision::EndOffer => {
                if self.end_offer(requester, cx) {
                    self.count(Counter::OfferDeclined);
                }
                Err(Silence::NotSelected)
            }
            Decision::Renew(address) => self.renew(address, request, cx),
            Decision::Bind(address) => self.bind(address, request, cx),
            Decision::BindFree(address) => self.bind_free(address, requester, request, cx),
            Decision::Nak(reason) => self.nak(reason, requester, &request, cx),
            Decision::Decline(address) => {
                self.decline(address, requester, cx);
                Ok(())
            }
            Decision::Release(address) => {
                self.step(address, Event::End(EndReason::Released), cx);
                self.count(Counter::Released);
                Ok(())
            }
            Decision::Ignore(silence) => {
                self.open_again(requester, silence, cx);
                Err(silence)
            }
            Decision::Inform => {
                let mut ways = [request.ciaddr, request.giaddr, request.ingress.source].into_iter();
                if ways.all(|address| address.is_unspecified()) {
                    return Err(Silence::InformNowhere);
                }
                self.respond(Answer::Inform, requester, &request, cx)
            }
            Decision::Bootp => {
                let answer = bootp::answer(self.view(cx), requester, &request)?;
                self.respond(answer, requester, &request, cx)
            }
        }
    }

    /// Notes a lease that is refused to its own client.
    fn note_refusal(&mut self, address: Ipv4Addr, requester: &Requester) {
        let held = self.table.held(address);
        if held
            .is_some_and(|held| held.client == requester.client && held.state == LeaseState::Bound)
        {
            self.left_behind.refuse(requester.client, address);
        }
    }

    /// Frees the address that is being probed for a client which no longer waits for an offer.
    fn end_probe(&mut self, requester: &Requester, cx: &mut Context<'_>) {
        if !self.probes.are_any() {
            return;
        }
        if let Some((address, held)) = self.table.current(&requester.client)
            && held.state == LeaseState::Probing
        {
            self.step(address, Event::Lapse, cx);
        }
    }

    /// Handles a DECLINE (RFC 2131 §4.3.3): the address is in use by another host.
    fn decline(&mut self, address: Ipv4Addr, requester: &Requester, cx: &mut Context<'_>) {
        tracing::warn!(%address, client = ?requester.client, "address declined: another host uses it");
        self.set_aside(address, cx);
        self.count(Counter::Declined);
    }

    /// Opens the entry of a client again. The kernel answers nothing more from an entry once it has
    /// seen a RELEASE or DECLINE, although the lease continues.
    fn open_again(&mut self, requester: &Requester, silence: Silence, cx: &mut Context<'_>) {
        tracing::debug!(client = ?requester.client, reason = silence.counter().label(), "message ignored");
        if let Some((address, held)) = self.table.current(&requester.client)
            && self.view(cx).is_closed(&held)
        {
            self.withdraw(address, &held, cx);
        }
    }
}

//! Replies, and the templates from which the kernel repeats them.

use std::{net::Ipv4Addr, time::Duration};

use dhcp_common::abi::{Template, TemplateKey};
use dhcp_config::Overrides;
use dhcp_model::Nanos;

use super::{Context, Engine};
use crate::{
    counters::{Counter, Silence},
    effect::{CommandId, CommandOutcome, Effect, Probe},
    networks::Profile,
    policy::{Requester, leasequery, proxy},
    publisher::TemplateRoom,
    reply::{self, Answer, LeftOut, Reply, boot::BootReply, leasequery::Finding},
    request::{MessageType, Request},
    template,
};

/// The pause between two log lines about an option that was left out.
const LEFT_OUT_PAUSE: Duration = Duration::from_secs(60);

const fn counter(answer: Answer) -> Counter {
    match answer {
        Answer::Offer(_) => Counter::Offered,
        Answer::Ipv6Only => Counter::Ipv6Only,
        Answer::Ack(_) => Counter::Acked,
        Answer::Inform => Counter::Informed,
        Answer::Nak(_) => Counter::NakSent,
        Answer::Bootp(_) => Counter::BootpAnswered,
    }
}

impl Engine {
    /// Answers a request. The options are those of the address's own subnet: a client that keeps
    /// its address may have been moved to another subnet of its link.
    pub(super) fn respond(
        &mut self,
        answer: Answer,
        requester: &Requester,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        let network = self
            .networks
            .get(requester.network)
            .ok_or(Silence::UnknownNetwork)?;
        let address = answer.about(request);
        let index = network.index_of(address).unwrap_or(requester.subnet);
        let profile = network
            .profile(&requester.reserved, index, address)
            .ok_or(Silence::UnknownNetwork)?;
        self.respond_from(&profile, answer, requester, request, cx)
    }

    /// Answers a request from a certain profile.
    pub(super) fn respond_from(
        &mut self,
        profile: &Profile,
        answer: Answer,
        requester: &Requester,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        let terms = self
            .networks
            .terms(profile, requester.classes, &request.shape);
        let buffer = self.spare.pop().unwrap_or_default();
        let reply = reply::encode(answer, &terms, request, buffer)?;
        self.send(reply, counter(answer), cx);
        Ok(())
    }

    /// Answers a relay agent's query about leases.
    pub(super) fn respond_to_query(
        &mut self,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        let (finding, source) = leasequery::finding(self.view(cx), request)?;
        let reply = reply::leasequery::encode(&finding, source, request)?;
        let counter = match finding {
            Finding::Active(_) => Counter::LeaseActive,
            Finding::Unassigned => Counter::LeaseUnassigned,
            Finding::Unknown => Counter::LeaseUnknown,
        };
        self.send(reply, counter, cx);
        Ok(())
    }

    /// Tells firmware what to boot, on a link where another server gives the addresses. Nothing
    /// is kept about it.
    pub(super) fn respond_to_firmware(
        &mut self,
        settings: &Overrides,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        let (kind, reply) = {
            let (answer, terms) = proxy::answer(self.view(cx), settings, request)?;
            (answer.kind, reply::boot::encode(answer, &terms, request)?)
        };
        let counter = match kind {
            BootReply::Offer => Counter::BootOffered,
            BootReply::Ack => Counter::BootAcked,
        };
        self.send(reply, counter, cx);
        Ok(())
    }

    fn send(&mut self, reply: Reply, counter: Counter, cx: &mut Context<'_>) {
        if reply.relay_info_left_out {
            self.count(Counter::RelayInfoLeftOut);
        }
        for out in &reply.left_out {
            self.count(Counter::OptionLeftOut);
            self.log_left_out(*out, reply.egress.destination, cx.now);
        }
        cx.out.push(Effect::Send {
            egress: reply.egress,
            payload: reply.payload,
        });
        self.count(counter);
    }

    /// Logs at most a line a minute about each code. The counter has them all.
    fn log_left_out(&mut self, out: LeftOut, destination: Ipv4Addr, now: Nanos) {
        let quiet_until = self.left_out_quiet.entry(out.code).or_default();
        if now >= *quiet_until {
            tracing::warn!(
                option = out.code,
                octets = out.len,
                %destination,
                "option left out: the reply has no room for it"
            );
            *quiet_until = now.plus(LEFT_OUT_PAUSE);
        }
    }

    /// Answers a request, and publishes the answer as a template for requests of the same shape.
    pub(super) fn respond_as_template(
        &mut self,
        answer: Answer,
        address: Ipv4Addr,
        requester: &Requester,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        self.respond(answer, requester, request, cx)?;
        self.publish_templates(address, requester, request, cx);
        Ok(())
    }

    /// Publishes both kinds of answer, because most clients ask for the same in DISCOVER and
    /// REQUEST.
    fn publish_templates(
        &mut self,
        address: Ipv4Addr,
        requester: &Requester,
        request: &Request,
        cx: &mut Context<'_>,
    ) {
        let Some(fingerprint) = request.fingerprint else {
            return;
        };
        let profile = self.view(cx).profile(address, &requester.reserved);
        let Some(profile) = profile else {
            return;
        };
        let id = profile.id_for(requester.origin);
        // Such a DISCOVER leads to a commit here, and must not be answered with a repeated OFFER.
        let is_rapid = profile.rapid_commit && request.shape.rapid_commit;
        let nowhere = Ipv4Addr::UNSPECIFIED;
        for (answer, kind) in [
            (Answer::Offer(nowhere), MessageType::Discover),
            (Answer::Ack(nowhere), MessageType::Request),
        ] {
            let Some(reply) = answer.message_type() else {
                continue;
            };
            let key = TemplateKey::new(fingerprint, id, reply);
            if self.publisher.has_template(&key) {
                continue;
            }
            // Where classes depend on what the fingerprint does not cover, the next request with it
            // may have another answer.
            let classes = requester.certain_classes(self.view(cx), request, kind);
            let Some(classes) = classes.filter(|classes| !self.networks.is_refused(*classes))
            else {
                continue;
            };
            let terms = self.networks.terms(&profile, classes, &request.shape);
            // A client without a lease must not be offered an address here.
            let is_ipv6_only = reply::is_ipv6_only(&terms, &request.shape);
            if (is_rapid || is_ipv6_only) && kind == MessageType::Discover {
                continue;
            }
            let rendered = template::template(answer, id, &terms, &request.shape, fingerprint);
            if let Some((key, template)) = rendered {
                self.add_template(key, template, cx);
            }
        }
    }

    /// Publishes the NAK that the kernel gives to the client of a revoked lease.
    pub(super) fn publish_nak_template(
        &mut self,
        profile: &Profile,
        id: u64,
        cx: &mut Context<'_>,
    ) {
        if let Some((key, template)) = template::nak(profile, id)
            && !self.publisher.has_template(&key)
        {
            self.add_template(key, template, cx);
        }
    }

    fn add_template(&mut self, key: TemplateKey, template: Box<Template>, cx: &mut Context<'_>) {
        let room = self.publisher.add_template(key);
        if room != TemplateRoom::Free {
            self.count(Counter::TemplatesFull);
        }
        match room {
            TemplateRoom::None => return,
            TemplateRoom::AfterForgetting => cx.out.push(Effect::ForgetTemplates),
            TemplateRoom::Free => {}
        }
        cx.out.push(Effect::PublishTemplate { key, template });
        self.count(Counter::TemplatePublished);
    }

    /// Asks whether a host has an address.
    pub(super) fn emit_probe(&self, probe: Probe, cx: &mut Context<'_>) {
        cx.out.push(Effect::Probe(probe));
    }

    /// Answers the command of an operator.
    pub(super) fn answer_operator(
        &self,
        id: CommandId,
        outcome: CommandOutcome,
        cx: &mut Context<'_>,
    ) {
        cx.out.push(Effect::Answer { id, outcome });
    }
}

//! What the kernel is told.

use std::{net::Ipv4Addr, sync::Arc};

use dhcp_common::abi::{
    Binding, BindingState, ClientDigest, ClientKey, MAX_TEMPLATES, Template, TemplateKey,
};
use dhcp_config::Classes;
use dhcp_model::Nanos;

use super::{
    Context, Counter, Effect, Engine, Held, NO_SLOT,
    profile::Profile,
    protocol::Party,
    reply::{self, Answer},
    request::Request,
    slots::fresh_epoch,
    template,
};
use crate::live::LeaseState;

impl Engine {
    /// Publishes a binding as it now is, if the kernel may answer from it. While an earlier entry is on
    /// its way out nothing is published; [`Engine::fenced`] comes back here.
    pub(super) fn publish(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        if let Some(held) = self.held(address)
            && self.is_publishable(address, &held)
        {
            self.publish_as(address, &held, cx);
        }
    }

    /// As [`Engine::publish`], of what is known to be publishable.
    pub(super) fn publish_as(&mut self, address: Ipv4Addr, held: &Held, cx: &mut Context<'_>) {
        let (state, expires, durable_until) = match held.state {
            LeaseState::Offered => (
                BindingState::Offered,
                middle(cx.now, held.expires),
                Nanos(0),
            ),
            LeaseState::Bound => (BindingState::Bound, held.expires, held.durable_until),
            LeaseState::Revoked => (BindingState::Revoked, held.expires, held.durable_until),
            _ => return,
        };
        if self.has_fence(address) {
            return;
        }
        if self.is_closed(held, cx) {
            // A new epoch opens it again; a run under the old one may still grant until the fence.
            self.withdraw(address, cx);
            return;
        }
        let client = self.digest(&held.client);
        let Some((slot, epoch)) = self.slot_for(address, held, client, cx) else {
            return self.count(Counter::TableFull);
        };
        let Some(place) = self.place(address) else {
            return;
        };
        if state == BindingState::Revoked {
            self.publish_nak_template(address, cx);
        }
        let binding = Binding {
            seal: 0,
            address: address.into(),
            slot,
            profile: place.profile,
            state: state as u8,
            flags: place.flags,
            epoch,
            hardware: place.hardware,
            relay_info: place.relay_info,
            expires_ns: expires.0,
            durable_until_ns: durable_until.0,
        };
        let binding = binding.sealed_for(client);
        cx.out.push(Effect::Publish {
            key: held.client,
            binding,
        });
        self.count(Counter::Published);
    }

    /// Not an address that the configuration has taken away, or that its client is to exchange: the
    /// kernel would go on answering.
    pub(super) fn is_publishable(&self, address: Ipv4Addr, held: &Held) -> bool {
        self.clients.is_at(&held.client, address)
            && self.is_still_its(address, held, self.reserved_for(address))
    }

    /// Whether an address may be that of the client which has it, and for which one may be reserved.
    pub(super) fn is_still_its(
        &self,
        address: Ipv4Addr,
        held: &Held,
        reserved: Option<Ipv4Addr>,
    ) -> bool {
        self.networks
            .get(held.client.network())
            .is_some_and(|network| network.may_have(reserved, Classes::MAX, address))
            && reserved.is_none_or(|reserved| reserved == address)
    }

    fn slot_for(
        &mut self,
        address: Ipv4Addr,
        held: &Held,
        client: ClientDigest,
        cx: &Context<'_>,
    ) -> Option<(u32, u16)> {
        if held.slot != NO_SLOT {
            return Some((held.slot, held.epoch));
        }
        let slot = self.slots.take(client, address)?;
        let epoch = fresh_epoch(cx.kernel.grant(slot));
        self.update(address, |lease| {
            lease.slot = slot;
            lease.epoch = epoch;
        });
        Some((slot, epoch))
    }

    pub(super) fn digest(&self, client: &ClientKey) -> ClientDigest {
        ClientDigest::new(client, &self.fingerprint_key)
    }

    /// What the answers about an address are made from.
    pub(super) fn profile(
        &self,
        address: Ipv4Addr,
        reserved: Option<Ipv4Addr>,
    ) -> Option<&Arc<Profile>> {
        let (network, index) = self.networks.containing(address)?;
        network.profile(reserved, index, address)
    }

    pub(super) fn is_closed(&self, held: &Held, cx: &Context<'_>) -> bool {
        held.slot != NO_SLOT && cx.kernel.grant(held.slot).is_closed(held.epoch)
    }

    /// Lets the kernel give the like of an answer to all that ask so. Both kinds of answer, for most
    /// clients ask for the same in DISCOVER and REQUEST.
    pub(super) fn publish_templates(
        &mut self,
        address: Ipv4Addr,
        party: &Party,
        request: &Request,
        cx: &mut Context<'_>,
    ) {
        let Some(fingerprint) = request.fingerprint else {
            return;
        };
        let Some(profile) = self.profile(address, party.reserved).cloned() else {
            return;
        };
        let id = profile.id_for(party.marks);
        // Such a DISCOVER is to be committed here, and not repeated an OFFER.
        let is_rapid = profile.rapid_commit && request.shape.rapid_commit;
        let is_offer = |answer| matches!(answer, Answer::Offer(_));
        let nowhere = Ipv4Addr::UNSPECIFIED;
        let terms = self.networks.terms(&profile, party.classes, &request.shape);
        // Who has no lease is to be offered no address here.
        let is_ipv6_only = reply::is_ipv6_only(&terms, &request.shape);
        for answer in [Answer::Offer(nowhere), Answer::Ack(nowhere)] {
            let Some(reply) = answer.message_type() else {
                continue;
            };
            let is_kept_back = (is_rapid || is_ipv6_only) && is_offer(answer);
            let key = TemplateKey::new(fingerprint, id, reply);
            if is_kept_back || self.templates.contains(&key) {
                continue;
            }
            let rendered = template::template(answer, id, &terms, &request.shape, fingerprint);
            if let Some((key, template)) = rendered {
                self.add_template(key, template, cx);
            }
        }
    }

    /// Whether a rendered answer that an earlier run has published is what this engine would publish; it
    /// then counts as published.
    pub fn adopt_template(&mut self, key: TemplateKey) -> bool {
        let is_current = self.networks.has_profile(key.profile());
        if is_current {
            self.templates.insert(key);
            self.count(Counter::TemplateAdopted);
        }
        is_current
    }

    fn publish_nak_template(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let Some(place) = self.place(address) else {
            return;
        };
        let Some(profile) = self.profile(address, self.reserved_for(address)) else {
            return;
        };
        if let Some((key, template)) = template::nak(profile, place.profile)
            && !self.templates.contains(&key)
        {
            self.add_template(key, template, cx);
        }
    }

    /// A client that varies its options can fill any map. When this one is full all shapes make room: those
    /// in use come back with their next request. A NAK stays, for it is published with its lease.
    fn add_template(&mut self, key: TemplateKey, template: Box<Template>, cx: &mut Context<'_>) {
        if self.templates.len() >= MAX_TEMPLATES as usize {
            self.count(Counter::TemplatesFull);
            self.templates.retain(TemplateKey::is_nak);
            if self.templates.len() >= MAX_TEMPLATES as usize {
                return;
            }
            cx.out.push(Effect::ForgetTemplates);
        }
        self.templates.insert(key);
        cx.out.push(Effect::PublishTemplate { key, template });
        self.count(Counter::TemplatePublished);
    }
}

const fn middle(from: Nanos, to: Nanos) -> Nanos {
    Nanos(from.0 + to.0.saturating_sub(from.0) / 2)
}

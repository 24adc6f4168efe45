//! Decides what to answer: only what the published binding says, for the client, the address, the
//! time and the shape of request that it covers. One match over message type and state of RFC 2131
//! §4.3.

use dhcp_common::{
    abi::{
        Binding, BindingState, ClientDigest, ClientKey, Event, EventKind, FOREVER_NS, Grant, Meta,
        NS_PER_SEC, Template, TemplateKey,
    },
    outcome::{Answer, Silence},
    wire::{Be32, INFINITE_SECS, message_type},
};

use crate::{ingress::Ingress, origin, scratch::Scratch, tables::Tables};

/// A reply to be written; everything except its length has been checked.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    pub answer: Answer,
    pub template: &'a Template,
    /// `ciaddr` of the reply.
    pub ciaddr: Be32,
    /// `yiaddr` of the reply.
    pub yiaddr: Be32,
    /// The lease time that an ACK promises.
    pub promise: Option<Promise>,
}

impl Decision<'_> {
    #[inline(always)]
    pub fn is_nak(&self) -> bool {
        matches!(self.answer, Answer::NakSent)
    }
}

/// The time that an ACK grants to a client.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    slot: u32,
    epoch: u16,
    until_ns: u64,
    lease_ns: u64,
    durable_until_ns: u64,
}

/// Attempts of a run to record what it grants. Each one fails only because another CPU succeeded.
const MAX_SWAPS: usize = 4;

/// The client state that a REQUEST implies (RFC 2131 §4.3.2, table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Selecting,
    InitReboot,
    Renewing,
    Rebinding,
}

/// Decides about a DISCOVER or REQUEST.
///
/// # Errors
/// Nothing that is published answers it.
#[inline(always)]
pub fn decide<'a, T: Tables>(
    ingress: &Ingress<'_>,
    message: u8,
    meta: &Meta,
    scratch: &mut Scratch,
    tables: &'a T,
) -> Result<Decision<'a>, Silence> {
    if !matches!(message, message_type::DISCOVER | message_type::REQUEST) {
        return Err(Silence::MessageType);
    }
    let binding = binding(&scratch.client, meta, tables)?;
    let state = BindingState::from_raw(binding.state).ok_or(Silence::Torn)?;
    origin::check(ingress, &binding, meta, scratch)?;
    if message == message_type::DISCOVER {
        return discover(scratch, &binding, state, tables);
    }

    let (claim, address) = claim(scratch, &binding)?;
    if claim == Claim::Selecting && !names_us(ingress, scratch, tables) {
        // The client took another server's offer. Only the controller can free a pending offer
        // here.
        return Err(match state {
            BindingState::Offered => Silence::OfferPending,
            BindingState::Bound | BindingState::Revoked => Silence::NotSelected,
        });
    }
    if address != binding.address {
        return Err(Silence::AddressMismatch);
    }
    match state {
        BindingState::Offered => Err(Silence::OfferPending),
        BindingState::Revoked => nak(&binding, tables),
        BindingState::Bound => {
            let template = template(scratch, &binding, message_type::ACK, tables)?;
            let promise = promise(&binding, template, tables)?;
            Ok(Decision {
                answer: match claim {
                    Claim::Selecting => Answer::AckedSelecting,
                    Claim::InitReboot => Answer::AckedRebooting,
                    Claim::Renewing => Answer::AckedRenewing,
                    Claim::Rebinding => Answer::AckedRebinding,
                },
                template,
                ciaddr: scratch.packet.head.bootp.ciaddr,
                yiaddr: binding.address,
                promise: Some(promise),
            })
        }
    }
}

/// Returns whether something is published for a client.
#[inline(always)]
pub fn is_known<T: Tables>(client: &ClientKey, meta: &Meta, tables: &T) -> bool {
    !matches!(binding(client, meta, tables), Err(Silence::UnknownClient))
}

/// Returns a copy of what is published for a client, whose seal is right.
#[inline(always)]
fn binding<T: Tables>(client: &ClientKey, meta: &Meta, tables: &T) -> Result<Binding, Silence> {
    let digest = ClientDigest::new(client, &meta.fingerprint_key);
    let binding = tables
        .binding(client, digest, meta)
        .ok_or(Silence::UnknownClient)?;
    if !binding.is_sealed_for(digest) {
        return Err(Silence::Torn);
    }
    Ok(binding)
}

/// Answers a DISCOVER (RFC 2131 §4.3.1). An offer is repeated while it is held; a client with a
/// lease is offered its address, even if it requests another one.
#[inline(always)]
fn discover<'a, T: Tables>(
    scratch: &Scratch,
    binding: &Binding,
    state: BindingState,
    tables: &'a T,
) -> Result<Decision<'a>, Silence> {
    let template = match state {
        BindingState::Revoked => return Err(Silence::RevokedClient),
        BindingState::Offered => {
            let grant = tables.grant(binding.slot).ok_or(Silence::Torn)?;
            if grant.is_closed(binding.epoch) {
                return Err(Silence::Closed);
            }
            if binding.expires_ns <= tables.now_ns() {
                return Err(Silence::Expired);
            }
            template(scratch, binding, message_type::OFFER, tables)?
        }
        BindingState::Bound => {
            let template = template(scratch, binding, message_type::OFFER, tables)?;
            promise(binding, template, tables)?;
            template
        }
    };
    Ok(Decision {
        answer: Answer::Offered,
        template,
        ciaddr: Be32::new(0),
        yiaddr: binding.address,
        promise: None,
    })
}

/// Returns the client state that a REQUEST implies, and the address that it requests. Clients send
/// options 54 and 50 and `ciaddr` in every combination; `docs/REQUESTS.md` has them all.
#[inline(always)]
fn claim(scratch: &Scratch, binding: &Binding) -> Result<(Claim, Be32), Silence> {
    let walk = &scratch.walk;
    let bootp = &scratch.packet.head.bootp;
    let ciaddr = bootp.ciaddr;
    if walk.server_id.is_some() {
        return Ok((Claim::Selecting, walk.requested.unwrap_or(ciaddr)));
    }
    if let Some(requested) = walk.requested
        && ciaddr != binding.address
    {
        return Ok((Claim::InitReboot, requested));
    }
    if ciaddr.is_zero() {
        return Err(Silence::OddRequest);
    }
    // A request that a relay agent forwards was broadcast by the client.
    let is_broadcast = scratch.packet.head.ip.is_broadcast() || !bootp.giaddr.is_zero();
    let claim = if is_broadcast {
        Claim::Rebinding
    } else {
        Claim::Renewing
    };
    Ok((claim, ciaddr))
}

/// Returns whether option 54 names an address of this server.
#[inline(always)]
fn names_us<T: Tables>(ingress: &Ingress<'_>, scratch: &Scratch, tables: &T) -> bool {
    scratch
        .walk
        .server_id
        .is_some_and(|server_id| tables.is_ours(ingress.link, server_id))
}

#[inline(always)]
fn template<'a, T: Tables>(
    scratch: &Scratch,
    binding: &Binding,
    reply: u8,
    tables: &'a T,
) -> Result<&'a Template, Silence> {
    let key = TemplateKey::new(scratch.walk.fingerprint(), binding.profile, reply);
    tables.template(&key).ok_or(Silence::NoTemplate)
}

#[inline(always)]
fn nak<'a, T: Tables>(binding: &Binding, tables: &'a T) -> Result<Decision<'a>, Silence> {
    let key = TemplateKey::new([0; 2], binding.profile, message_type::NAK);
    Ok(Decision {
        answer: Answer::NakSent,
        template: tables.template(&key).ok_or(Silence::NoTemplate)?,
        ciaddr: Be32::new(0),
        yiaddr: Be32::new(0),
        promise: None,
    })
}

/// Returns the promise of a full lease from now, if the lease is active and the full time is
/// durable.
#[inline(always)]
fn promise<T: Tables>(
    binding: &Binding,
    template: &Template,
    tables: &T,
) -> Result<Promise, Silence> {
    let grant = tables.grant(binding.slot).ok_or(Silence::Torn)?;
    if grant.is_closed(binding.epoch) {
        return Err(Silence::Closed);
    }
    let granted = grant.granted_for(binding.epoch).unwrap_or(0);
    let now_ns = tables.now_ns();
    if binding.expires_ns.max(granted) <= now_ns {
        return Err(Silence::Expired);
    }
    let (lease_ns, until_ns) = if template.lease_secs == INFINITE_SECS {
        (FOREVER_NS, FOREVER_NS)
    } else {
        let lease_ns = u64::from(template.lease_secs) * NS_PER_SEC;
        (lease_ns, now_ns.saturating_add(lease_ns))
    };
    if until_ns > binding.durable_until_ns {
        return Err(Silence::BeyondHorizon);
    }
    Ok(Promise {
        slot: binding.slot,
        epoch: binding.epoch,
        until_ns,
        lease_ns,
        durable_until_ns: binding.durable_until_ns,
    })
}

impl Promise {
    /// Records the granted time, which the controller reads after a fence or when the lease is due,
    /// and asks once for each horizon that is near to be extended.
    ///
    /// # Errors
    /// The time was not recorded, so it must not be promised.
    #[inline(always)]
    pub fn keep<T: Tables>(&self, tables: &T) -> Result<(), Silence> {
        let grant = self.record(tables).ok_or(Silence::WriteFailed)?;
        let is_near = self.durable_until_ns - self.until_ns < self.lease_ns;
        let asked = Grant::pack(self.durable_until_ns, self.epoch);
        let is_asked = grant.asked == asked || grant.is_closed(self.epoch);
        if self.durable_until_ns == FOREVER_NS || !is_near || is_asked {
            return Ok(());
        }
        let event = Event {
            kind: EventKind::HorizonLow as u32,
            slot: self.slot,
            epoch: u32::from(self.epoch),
            reserved: 0,
            granted_ns: self.until_ns,
            durable_until_ns: self.durable_until_ns,
        };
        // If the ring is full, the next renewal asks again.
        if tables.notify(&event) {
            // A release on another CPU in the meantime is kept.
            tables.swap_asked(self.slot, grant.asked, asked);
        }
        Ok(())
    }

    /// Raises the recorded time, unless it is later already: another CPU may serve the same client,
    /// and a slower run must not take back what the faster one has promised. Returns the grant as
    /// it was before, or `None` if other CPUs were faster each time.
    #[inline(always)]
    fn record<T: Tables>(&self, tables: &T) -> Option<Grant> {
        let word = Grant::pack(self.until_ns, self.epoch);
        for _ in 0..MAX_SWAPS {
            let grant = tables.grant(self.slot)?;
            let before = grant.granted_for(self.epoch).unwrap_or(0);
            if self.until_ns <= before || tables.swap_granted(self.slot, grant.granted, word) {
                return Some(grant);
            }
        }
        None
    }
}

/// Closes the entry of a client that releases or declines its address, before the controller
/// receives the message: no later packet of the client may be answered from it (RFC 2131 §4.3.3,
/// §4.3.4).
#[inline(always)]
pub fn close<T: Tables>(
    ingress: &Ingress<'_>,
    message: u8,
    meta: &Meta,
    scratch: &Scratch,
    tables: &T,
) {
    let walk = &scratch.walk;
    let address = match message {
        message_type::RELEASE => scratch.packet.head.bootp.ciaddr,
        message_type::DECLINE => match walk.requested {
            Some(requested) => requested,
            None => return,
        },
        _ => return,
    };
    if walk.server_id.is_some() && !names_us(ingress, scratch, tables) {
        return;
    }
    let Ok(binding) = binding(&scratch.client, meta, tables) else {
        return;
    };
    if binding.address == address && binding.state != BindingState::Revoked as u8 {
        tables.set_asked(binding.slot, Grant::pack(Grant::CLOSED, binding.epoch));
    }
}

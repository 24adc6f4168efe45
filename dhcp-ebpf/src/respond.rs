//! The life of a frame, from its arrival to its one outcome.
//!
//! Continue with the controller, `dhcp-user/xdhcpd/src/run/mod.rs`.

use dhcp_common::{
    abi::{ABI_VERSION, META_SLOW_ONLY, Meta},
    outcome::{Action, Answer, Outcome, Silence},
    wire::IPV4_BROADCAST,
};

use crate::{
    decide,
    frame::Frame,
    ingress::{Ingress, NETWORK_OFFSET_MASK, ingress},
    limit, parse, reply,
    scratch::Scratch,
    tables::Tables,
    verifier::forgotten,
};

/// The end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub outcome: Outcome,
    /// Index into `SLOW` of the socket that takes a frame for the controller.
    pub slow_index: u32,
}

/// Handles one frame that arrived on `queue` of `ifindex`.
///
/// The frame is rewritten if it is answered, and otherwise left as it was. This is the one place
/// where answers and silences become the outcome that is counted.
#[inline(always)]
pub fn respond<F: Frame, T: Tables>(
    frame: &mut F,
    ifindex: u32,
    queue: u32,
    tables: &T,
    scratch: &mut Scratch,
) -> Verdict {
    let mut slow_index = 0;
    let outcome = match try_respond(frame, ifindex, queue, tables, scratch, &mut slow_index) {
        Ok(answer) => Outcome::from(answer),
        Err(silence) => Outcome::from(silence),
    };
    Verdict {
        outcome,
        slow_index,
    }
}

#[inline(always)]
fn try_respond<F: Frame, T: Tables>(
    frame: &mut F,
    ifindex: u32,
    queue: u32,
    tables: &T,
    scratch: &mut Scratch,
    slow_index: &mut u32,
) -> Result<Answer, Silence> {
    let mut ingress = ingress(frame, ifindex, tables)?;
    let network_offset = forgotten(&mut scratch.number, ingress.network_offset);
    ingress.network_offset = network_offset & NETWORK_OFFSET_MASK;
    let meta = tables.meta().ok_or(Silence::BadMeta)?;
    if meta.abi_version != ABI_VERSION {
        return Err(Silence::BadMeta);
    }

    let mut message = None;
    let silence = match answer(frame, &ingress, meta, tables, scratch, &mut message) {
        Ok(answer) => return Ok(answer),
        Err(silence) => silence,
    };
    if silence.action() != Action::Slow {
        return Err(silence);
    }
    *slow_index = ingress.link.slow_base.wrapping_add(queue);
    if !tables.is_served(*slow_index) {
        return Err(Silence::Unserved);
    }
    // The sender of a request that is not understood is not known either.
    let is_known = silence != Silence::UnknownClient
        && message.is_some()
        && decide::is_known(&scratch.client, meta, tables);
    if !limit::admit(&ingress, &scratch.packet, is_known, meta, tables) {
        return Err(Silence::Limited);
    }
    if let Some(message) = message {
        decide::close(&ingress, message, meta, scratch, tables);
    }
    Err(silence)
}

/// Answers a request. Stores its message type in `parsed` if the request was understood.
#[inline(always)]
fn answer<F: Frame, T: Tables>(
    frame: &mut F,
    ingress: &Ingress<'_>,
    meta: &Meta,
    tables: &T,
    scratch: &mut Scratch,
    parsed: &mut Option<u8>,
) -> Result<Answer, Silence> {
    parse::load(frame, ingress, scratch)?;
    if ingress.is_directed_broadcast {
        // From here on it is a broadcast like any other.
        scratch.packet.head.ip.destination = IPV4_BROADCAST;
    }
    let message = parse::parse(ingress, meta, tables, scratch)?;
    *parsed = Some(message);
    if meta.flags & META_SLOW_ONLY != 0 {
        return Err(Silence::SlowOnly);
    }
    let decision = decide::decide(ingress, message, meta, scratch, tables)?;
    reply::reply(frame, ingress, scratch, &decision, tables)?;
    if let Some(promise) = decision.promise {
        promise.keep(tables)?;
    }
    Ok(decision.answer)
}

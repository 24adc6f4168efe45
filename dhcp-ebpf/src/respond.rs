//! The life of a frame, from its arrival to its one outcome.
//!
//! To read on: `dhcp-user/xdhcpd/src/run/mod.rs`, where the controller starts.

use dhcp_common::{
    abi::{ABI_VERSION, META_SLOW_ONLY, Meta},
    outcome::{Action, Outcome},
};

use crate::{
    decide,
    frame::Frame,
    ingress::{Ingress, NETWORK_OFFSET_MASK, ingress},
    limit,
    packet::forgotten,
    parse::{self, Scratch},
    reply,
    tables::Tables,
};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub outcome: Outcome,
    /// Where in `SLOW` a frame goes whose outcome says so.
    pub slow_index: u32,
}

/// Handles one frame that came by `queue` of `ifindex`. It is rewritten where the outcome is to transmit
/// it, and else left as it was.
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
        Ok(outcome) | Err(outcome) => outcome,
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
) -> Result<Outcome, Outcome> {
    let mut ingress = ingress(frame, ifindex, tables)?;
    let network_offset = forgotten(&mut scratch.number, ingress.network_offset);
    ingress.network_offset = network_offset & NETWORK_OFFSET_MASK;
    let meta = tables.meta().ok_or(Outcome::BadMeta)?;
    if meta.abi_version != ABI_VERSION {
        return Err(Outcome::BadMeta);
    }

    let mut message = None;
    let outcome = match answer(frame, &ingress, meta, tables, scratch, &mut message) {
        Ok(outcome) | Err(outcome) => outcome,
    };
    if outcome.action() != Action::Slow {
        return Ok(outcome);
    }
    *slow_index = ingress.link.slow_base.wrapping_add(queue);
    if !tables.is_served(*slow_index) {
        return Err(Outcome::Unserved);
    }
    // Who sends what is not understood is not known either.
    let is_known = outcome != Outcome::UnknownClient
        && message.is_some()
        && decide::is_known(&scratch.client, meta, tables);
    if !limit::admit(&ingress, &scratch.packet, is_known, meta, tables) {
        return Err(Outcome::Limited);
    }
    if let Some(message) = message {
        decide::close(&ingress, message, meta, scratch, tables);
    }
    Ok(outcome)
}

/// Answers, or says why not. Leaves its type in `parsed` if the request was understood.
#[inline(always)]
fn answer<F: Frame, T: Tables>(
    frame: &mut F,
    ingress: &Ingress<'_>,
    meta: &Meta,
    tables: &T,
    scratch: &mut Scratch,
    parsed: &mut Option<u8>,
) -> Result<Outcome, Outcome> {
    parse::load(frame, ingress, scratch)?;
    let message = parse::parse(ingress, meta, tables, scratch)?;
    *parsed = Some(message);
    if meta.flags & META_SLOW_ONLY != 0 {
        return Err(Outcome::SlowOnly);
    }
    let answer = decide::decide(ingress, message, meta, scratch, tables)?;
    reply::reply(frame, ingress, scratch, &answer, tables)?;
    if let Some(promise) = answer.promise {
        promise.keep(tables)?;
    }
    Ok(answer.outcome)
}

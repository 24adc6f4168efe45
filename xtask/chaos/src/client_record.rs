//! What a client has done and been told, and until when its address must be on disk.

use std::{collections::VecDeque, fmt::Write as _, net::Ipv4Addr, time::Duration};

use dhcproto::v4::{Message, MessageType, Opcode};

use super::{
    conditions::{Conditions, Moment},
    exchange::Claim,
};

/// What the controller has at most to commit a horizon that the kernel has asked for.
const EXTENSION: Duration = Duration::from_secs(1);

/// Messages of one client that are told with a violation.
const MAX_REMEMBERED: usize = 12;

/// A message that passed.
#[derive(Clone, Copy, Debug)]
struct Note {
    at: Moment,
    kind: MessageType,
    address: Ipv4Addr,
}

#[derive(Clone, Debug, Default)]
pub struct ClientRecord {
    /// When it last gave an address up.
    given_up: Option<Moment>,
    /// When it was last acknowledged a lease that it could use.
    acknowledged: Option<Moment>,
    /// Whether the server may know of a lease of it.
    is_known: bool,
    /// Its first REQUEST since the server has known nothing of it.
    unknown_since: Option<Moment>,
    /// Until when its address is on disk, at least.
    horizon: Moment,
    /// When an ACK came, and the horizon that follows if nothing happened to the server just then.
    extensions: Vec<(Moment, Moment)>,
    last: VecDeque<Note>,
}

impl ClientRecord {
    /// A message of it, or to it, passes.
    pub fn note(&mut self, message: &Message, kind: MessageType, at: Moment) {
        if self.last.len() == MAX_REMEMBERED {
            self.last.pop_front();
        }
        let address = match message.opcode() {
            Opcode::BootReply => message.yiaddr(),
            _ => Claim::of(message).1,
        };
        self.last.push_back(Note { at, kind, address });
    }

    /// What passed last, in seconds before a time.
    pub fn history(&self, at: Moment) -> String {
        let mut text = String::new();
        for note in &self.last {
            let before = at.as_secs_f64() - note.at.as_secs_f64();
            let _ = write!(
                text,
                "{:?} {} {before:.3} s before, ",
                note.kind, note.address
            );
        }
        text
    }

    /// It sends a REQUEST, or a DISCOVER. Until when its address is on disk, at least.
    pub fn asks(&mut self, is_discover: bool, at: Moment, conditions: &Conditions) -> Moment {
        self.promote(at, conditions);
        if !is_discover && !self.is_known {
            self.unknown_since.get_or_insert(at);
        }
        self.horizon
    }

    /// It is acknowledged a lease until a time; one that is new, and not only to the client, is on disk for so
    /// many lease times more (`horizon-leases`) before it is told.
    pub fn is_acknowledged(
        &mut self,
        at: Moment,
        (until, lease_time): (Moment, Duration),
        horizon_leases: u32,
        conditions: &Conditions,
    ) {
        self.promote(at, conditions);
        let unknown_since = self.unknown_since.take();
        if !self.is_known && unknown_since.is_some_and(|since| conditions.is_whole(since, at)) {
            self.horizon = until + lease_time * horizon_leases;
        }
        self.is_known = true;
        self.acknowledged = Some(at);
        // Whatever is granted, one lease time more is on disk, or soon will be.
        self.extensions.push((at, until + lease_time));
    }

    /// It gives its address up. Where nobody hears that the lease goes on as it was.
    pub fn gives_up(&mut self, at: Moment, conditions: &Conditions) {
        *self = Self {
            given_up: Some(at),
            acknowledged: self.acknowledged,
            last: std::mem::take(&mut self.last),
            is_known: !conditions.is_whole(at, at),
            ..Self::default()
        };
    }

    pub fn has_given_up_since(&self, at: Moment) -> bool {
        self.given_up.is_some_and(|given_up| given_up >= at)
    }

    pub fn is_acknowledged_since(&self, at: Moment) -> bool {
        self.acknowledged.is_some_and(|ack| ack >= at)
    }

    /// Takes over what horizons have been extended by now.
    fn promote(&mut self, now: Moment, conditions: &Conditions) {
        let Self {
            extensions,
            horizon,
            ..
        } = self;
        extensions.retain(|(at, until)| {
            if now < *at + EXTENSION {
                return true;
            }
            if conditions.is_whole(*at, *at + EXTENSION) {
                *horizon = (*horizon).max(*until);
            }
            false
        });
    }
}

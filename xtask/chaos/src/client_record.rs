//! The messages of a client, and the time until which its lease must be on disk.

use std::{collections::VecDeque, fmt::Write as _, net::Ipv4Addr, time::Duration};

use dhcproto::v4::{Message, MessageType, Opcode};

use super::{
    conditions::{Conditions, Moment},
    exchange::Claim,
};

/// Longest time in which the controller commits a horizon that the kernel has asked for.
const EXTENSION: Duration = Duration::from_secs(1);

/// Messages of a client that a violation reports.
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
    /// When the client last gave an address up.
    given_up: Option<Moment>,
    /// When the client was last acknowledged a usable lease.
    acknowledged: Option<Moment>,
    /// Whether the server may know of a lease of this client.
    is_known: bool,
    /// The client's first REQUEST since the server has known nothing of it.
    unknown_since: Option<Moment>,
    /// Until when the client's lease is on disk, at least.
    horizon: Moment,
    /// Time of each ACK, and the horizon that follows from it if there was no fault then.
    extensions: Vec<(Moment, Moment)>,
    last: VecDeque<Note>,
}

impl ClientRecord {
    /// Records a message from or to the client.
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

    /// Describes the last messages, in seconds before a time.
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

    /// Records a DISCOVER or REQUEST. Returns until when the client's lease is on disk, at least.
    pub fn asks(&mut self, is_discover: bool, at: Moment, conditions: &Conditions) -> Moment {
        self.promote(at, conditions);
        if !is_discover && !self.is_known {
            self.unknown_since.get_or_insert(at);
        }
        self.horizon
    }

    /// Records an ACK for a lease until `until`. A lease that is new to the server, and not only to
    /// the client, is committed for `horizon-leases` more lease times before the ACK is sent.
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
        // For any grant, one more lease time is on disk or will be soon.
        self.extensions.push((at, until + lease_time));
    }

    /// Records that the client gives its address up. If the server does not receive this, the lease
    /// remains.
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

    /// Applies the extensions of the horizon that are committed by now.
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

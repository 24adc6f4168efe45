//! A client: the state machine of RFC 2131 §4.4 with shorter times, and users who act at random.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use anyhow::Result;
use dhcproto::v4::{DhcpOption, MessageType, OptionCode};
use rand::{Rng as _, rngs::StdRng};
use xtask_lab::raw::Reply;

use super::machine::Machine;

/// Factor by which the retransmission times of RFC 2131 §4.1 are shortened: leases last seconds.
const HURRY: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_secs(4);
const MAX_DOUBLINGS: u32 = 3;
const JITTER: Duration = Duration::from_secs(1);
/// RFC 2131 §3.1(5): pause before the client starts again after a DECLINE.
const AFTER_DECLINE: Duration = Duration::from_secs(10);
/// Transmissions of a REQUEST until the client starts again, and in INIT-REBOOT until it continues
/// with the lease that it has.
const TRIES: u32 = 4;
/// RFC 2131 §4.4.5 waits half of the remaining time and at least a minute. These leases are
/// shorter.
const LEAST_RENEWAL_PAUSE: Duration = Duration::from_secs(1);
/// Pause after a RELEASE.
const RESTART: Duration = Duration::from_millis(100);
/// Longest time for which a client is off that has released its lease or ignored an offer.
const SHORT_ABSENCE: Duration = Duration::from_secs(3);

/// Whether clients act at random or only as required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Wild,
    Steady,
}

/// The context of a client's next step.
#[derive(Debug)]
pub struct Turn<'a> {
    pub now: Instant,
    pub mood: Mood,
    pub dice: &'a mut StdRng,
}

impl Turn<'_> {
    fn is_whim(&mut self, probability: f64) -> bool {
        self.mood == Mood::Wild && self.dice.random_bool(probability)
    }

    fn within(&mut self, first: Duration, last: Duration) -> Instant {
        self.now + self.dice.random_range(first..=last.max(first))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Switched off.
    Off,
    /// Switched off for good.
    Gone,
    Init,
    Selecting,
    Requesting(Ipv4Addr),
    Rebooting,
    Bound,
    /// RENEWING, or REBINDING after T2.
    Renewing,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    address: Ipv4Addr,
    /// When the client sent the REQUEST that was acknowledged.
    since: Instant,
    lease: Duration,
}

impl Held {
    fn until(&self) -> Instant {
        self.since + self.lease
    }

    fn renewal(&self) -> Instant {
        self.since + self.lease / 2
    }

    fn rebinding(&self) -> Instant {
        self.since + self.lease * 7 / 8
    }
}

/// The frame to be sent, if any.
type Frame = Result<Option<Vec<u8>>>;

#[derive(Debug)]
pub struct Client {
    machine: Machine,
    state: State,
    tries: u32,
    xid: u32,
    /// When the client first sent the request whose answer it waits for.
    sent: Instant,
    held: Option<Held>,
    /// When the client acts next. Wake-ups for another time are outdated.
    pub wakes_at: Instant,
}

impl Client {
    pub const fn new(machine: Machine, wakes_at: Instant) -> Self {
        Self {
            machine,
            state: State::Init,
            tries: 0,
            xid: 0,
            sent: wakes_at,
            held: None,
            wakes_at,
        }
    }

    pub const fn mac(&self) -> [u8; 6] {
        self.machine.mac
    }

    /// Acts when its time has come.
    ///
    /// # Errors
    /// A frame cannot be encoded.
    pub fn wake(&mut self, turn: &mut Turn<'_>) -> Frame {
        let valid = self.held.filter(|held| held.until() > turn.now);
        match (self.state, valid) {
            (State::Gone, _) => {
                self.wakes_at = turn.now + Duration::from_secs(3600);
                Ok(None)
            }
            (State::Off, _) => self.switch_on(turn),
            (State::Selecting, _) => self.discover(turn),
            (State::Requesting(address), _) if self.tries < TRIES => self.select(address, turn),
            (State::Rebooting, _) if self.tries < TRIES => self.reboot(turn),
            (State::Rebooting, Some(held)) => {
                // RFC 2131 §3.2: without an answer the client may continue to use its address.
                self.state = State::Bound;
                self.wakes_at = held.renewal().max(turn.now + RESTART);
                Ok(None)
            }
            (State::Bound, Some(held)) if turn.mood == Mood::Wild => self.live(held, turn),
            (State::Bound | State::Renewing, Some(held)) => self.extend(held, turn),
            (State::Init | State::Requesting(_), _)
            | (State::Rebooting | State::Bound | State::Renewing, None) => {
                self.held = None;
                self.enter(State::Selecting, turn);
                self.discover(turn)
            }
        }
    }

    /// Handles an answer.
    ///
    /// # Errors
    /// As [`Client::wake`].
    pub fn receive(&mut self, reply: &Reply, turn: &mut Turn<'_>) -> Frame {
        if reply.message.xid() != self.xid {
            return Ok(None);
        }
        match (self.state, reply.kind()) {
            (State::Selecting, Some(MessageType::Offer)) if turn.is_whim(0.02) => {
                // The client accepts another server's offer, or none.
                self.switch_off(SHORT_ABSENCE, turn);
                Ok(None)
            }
            (State::Selecting, Some(MessageType::Offer)) => {
                let address = reply.address();
                // The transaction continues, and the lease counts from here.
                (self.state, self.tries) = (State::Requesting(address), 0);
                self.sent = turn.now;
                self.select(address, turn)
            }
            (State::Requesting(_) | State::Rebooting | State::Renewing, Some(MessageType::Ack)) => {
                self.acknowledged(reply, turn)
            }
            (State::Requesting(_) | State::Rebooting | State::Renewing, Some(MessageType::Nak)) => {
                self.held = None;
                self.state = State::Init;
                self.wakes_at = turn.now + RESTART;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Releases the lease and starts again.
    ///
    /// # Errors
    /// As [`Client::wake`].
    pub fn restart(&mut self, turn: &mut Turn<'_>) -> Frame {
        self.state = State::Init;
        self.wakes_at = turn.now + RESTART;
        self.release(turn)
    }

    /// Asks for the client's lease, or for a new one, within a time.
    pub fn ask_within(&mut self, time: Duration, turn: &mut Turn<'_>) {
        self.wakes_at = turn.within(Duration::ZERO, time);
    }

    /// Switches the client off for good, in half of the cases without a RELEASE.
    ///
    /// # Errors
    /// As [`Client::wake`].
    pub fn leave(&mut self, turn: &mut Turn<'_>) -> Frame {
        self.state = State::Gone;
        self.wakes_at = turn.now;
        if turn.dice.random_bool(0.5) {
            self.held = None;
        }
        self.release(turn)
    }

    /// Acts at random, when a renewal is due or earlier.
    fn live(&mut self, held: Held, turn: &mut Turn<'_>) -> Frame {
        match turn.dice.random_range(0..1000) {
            0..40 => {
                self.switch_off(SHORT_ABSENCE, turn);
                self.release(turn)
            }
            // Some of them for longer than their lease.
            40..100 => {
                self.switch_off(held.lease * 2, turn);
                Ok(None)
            }
            100..130 => {
                self.enter(State::Rebooting, turn);
                self.reboot(turn)
            }
            // The client sleeps until T2.
            130..200 if turn.now < held.rebinding() => {
                self.wakes_at = held.rebinding();
                Ok(None)
            }
            _ => self.extend(held, turn),
        }
    }

    fn switch_off(&mut self, longest: Duration, turn: &mut Turn<'_>) {
        self.state = State::Off;
        self.wakes_at = turn.within(RESTART, longest);
    }

    /// Switches the client on. Some clients return with an address that is no longer theirs.
    fn switch_on(&mut self, turn: &mut Turn<'_>) -> Frame {
        if self.held.is_some() {
            self.enter(State::Rebooting, turn);
            return self.reboot(turn);
        }
        self.enter(State::Selecting, turn);
        self.discover(turn)
    }

    /// Begins a transaction.
    fn enter(&mut self, state: State, turn: &mut Turn<'_>) {
        self.state = state;
        self.tries = 0;
        self.xid = turn.dice.random();
        self.sent = turn.now;
    }

    /// Doubles the pause, with a random part (RFC 2131 §4.1).
    fn back_off(&mut self, turn: &mut Turn<'_>) {
        let pause = FIRST_PAUSE * (1 << self.tries.min(MAX_DOUBLINGS));
        self.tries += 1;
        self.wakes_at = turn.within((pause - JITTER) / HURRY, (pause + JITTER) / HURRY);
    }

    fn discover(&mut self, turn: &mut Turn<'_>) -> Frame {
        self.back_off(turn);
        self.machine.discover(self.xid).map(Some)
    }

    fn select(&mut self, address: Ipv4Addr, turn: &mut Turn<'_>) -> Frame {
        self.back_off(turn);
        self.machine.select(self.xid, address).map(Some)
    }

    fn reboot(&mut self, turn: &mut Turn<'_>) -> Frame {
        self.back_off(turn);
        let reboot = |held: Held| self.machine.reboot(self.xid, held.address);
        self.held.map(reboot).transpose()
    }

    /// Renews, or after T2 rebinds. Each REQUEST is a separate transaction, because the lease
    /// counts from it.
    fn extend(&mut self, held: Held, turn: &mut Turn<'_>) -> Frame {
        self.enter(State::Renewing, turn);
        let is_renewing = turn.now < held.rebinding();
        let next = if is_renewing {
            held.rebinding()
        } else {
            held.until()
        };
        let left = next.saturating_duration_since(turn.now);
        self.wakes_at = turn.now + (left / 2).max(LEAST_RENEWAL_PAUSE).min(left.max(RESTART));
        if is_renewing {
            self.machine.renew(self.xid, held.address).map(Some)
        } else {
            self.machine.rebind(self.xid, held.address).map(Some)
        }
    }

    fn release(&mut self, turn: &mut Turn<'_>) -> Frame {
        let held = self.held.take().filter(|held| held.until() > turn.now);
        self.xid = turn.dice.random();
        let release = |held: Held| self.machine.release(self.xid, held.address);
        held.map(release).transpose()
    }

    fn acknowledged(&mut self, reply: &Reply, turn: &mut Turn<'_>) -> Frame {
        let lease = match reply.message.opts().get(OptionCode::AddressLeaseTime) {
            Some(DhcpOption::AddressLeaseTime(secs)) => Duration::from_secs(u64::from(*secs)),
            _ => return Ok(None),
        };
        if matches!(self.state, State::Requesting(_)) && turn.is_whim(0.01) {
            // ARP finds another host with this address (RFC 2131 §3.1(5)).
            self.held = None;
            self.state = State::Init;
            self.wakes_at = turn.now + AFTER_DECLINE / HURRY;
            self.xid = turn.dice.random();
            return self.machine.decline(self.xid, reply.address()).map(Some);
        }
        let held = Held {
            address: reply.address(),
            since: self.sent,
            lease,
        };
        self.held = Some(held);
        self.state = State::Bound;
        let renewal = held.renewal().saturating_duration_since(turn.now);
        // Some clients renew before T1.
        let first = if turn.is_whim(0.1) { RESTART } else { renewal };
        self.wakes_at = turn.within(first, renewal + JITTER / HURRY);
        Ok(None)
    }
}

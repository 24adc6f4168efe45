//! A client: the state machine of [`dhcp_client`] with shorter times, and users who act at random.

use std::{net::Ipv4Addr, ops::RangeInclusive};

use anyhow::Result;
use dhcp_client::{Answer, Event, Lease, Message, Policy, Renewals, SEC_NS, Sending, State, Step};
use dhcproto::v4::{DhcpOption, OptionCode};
use rand::{Rng as _, rngs::StdRng};
use xtask_lab::raw::Reply;

use super::machine::Machine;

/// Factor by which the retransmission times of RFC 2131 §4.1 are shortened: leases last seconds.
const HURRY: u64 = 8;
/// §4.4.5 waits half of the remaining time and at least a minute. These leases are shorter.
const POLICY: Policy = Policy {
    renewals: Renewals::HalfOfRest { least_ns: SEC_NS },
    ..Policy {
        longest_ns: 32 * SEC_NS,
        requests: 4,
        reboots: 4,
        ..Policy::RFC_2131
    }
    .scaled(1.0 / HURRY as f64)
};
/// RFC 2131 §3.1(5): pause before the client starts again after a DECLINE.
const AFTER_DECLINE_NS: u64 = 10 * SEC_NS / HURRY;
/// Pause before the client starts again otherwise.
const RESTART_NS: u64 = SEC_NS / 10;
/// Longest time for which a client is off that has released its lease or ignored an offer.
const SHORT_ABSENCE_NS: u64 = 3 * SEC_NS;
const NEVER_NS: u64 = u64::MAX;

/// Whether clients act at random or only as required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Wild,
    Steady,
}

/// The context of a client's next step.
#[derive(Debug)]
pub struct Turn<'a> {
    /// Time since the fleet was started.
    pub now_ns: u64,
    pub mood: Mood,
    pub dice: &'a mut StdRng,
}

impl Turn<'_> {
    fn is_whim(&mut self, probability: f64) -> bool {
        self.mood == Mood::Wild && self.dice.random_bool(probability)
    }

    /// Draws a time from a range of delays.
    fn within(&mut self, delays_ns: RangeInclusive<u64>) -> u64 {
        self.now_ns + self.dice.random_range(delays_ns)
    }

    fn step(&mut self) -> dhcp_client::Turn {
        dhcp_client::Turn {
            now_ns: self.now_ns,
            xid: self.dice.random(),
            random: self.dice.random(),
        }
    }
}

/// The frame to be sent, if any.
type Frame = Result<Option<Vec<u8>>>;

#[derive(Debug)]
pub struct Client {
    machine: Machine,
    protocol: dhcp_client::Client,
    /// Switched off for good.
    is_gone: bool,
    /// When the client acts next. Wake-ups for another time are outdated.
    pub wakes_at_ns: u64,
}

impl Client {
    pub const fn new(machine: Machine, wakes_at_ns: u64) -> Self {
        Self {
            machine,
            protocol: dhcp_client::Client::new(0),
            is_gone: false,
            wakes_at_ns,
        }
    }

    pub const fn mac(&self) -> [u8; 6] {
        self.machine.mac
    }

    /// Acts when its time has come. A client that was switched off is switched on: some return with
    /// an address that is no longer theirs.
    ///
    /// # Errors
    /// A frame cannot be encoded.
    pub fn wake(&mut self, turn: &mut Turn<'_>) -> Frame {
        if self.is_gone {
            self.wakes_at_ns = NEVER_NS;
            return Ok(None);
        }
        match self.protocol.valid_lease(turn.now_ns) {
            Some(lease) if turn.mood == Mood::Wild && self.protocol.state() == State::Bound => {
                self.live(lease, turn)
            }
            _ => self.go_on(turn),
        }
    }

    /// Handles an answer.
    ///
    /// # Errors
    /// As [`Client::wake`].
    pub fn receive(&mut self, reply: &Reply, turn: &mut Turn<'_>) -> Frame {
        let lease_secs = match reply.message.opts().get(OptionCode::AddressLeaseTime) {
            Some(DhcpOption::AddressLeaseTime(secs)) => *secs,
            _ => 0,
        };
        let answer = Answer {
            kind: reply.kind().map_or(0, u8::from),
            xid: reply.message.xid(),
            address: reply.address(),
            server: reply.server().unwrap_or(Ipv4Addr::UNSPECIFIED),
            lease_secs,
        };
        match self.protocol.hear(&answer) {
            // The client accepts another server's offer, or none.
            Event::Offered { .. } if turn.is_whim(0.02) => {
                self.switch_off(SHORT_ABSENCE_NS, turn);
                Ok(None)
            }
            Event::Offered { address, server } => {
                let accepted = self
                    .protocol
                    .accept((address, server), &POLICY, turn.step());
                accepted.map_or(Ok(None), |sending| self.send(sending))
            }
            // ARP finds another host with this address (RFC 2131 §3.1(5)).
            Event::Acknowledged {
                state: State::Requesting,
                ..
            } if turn.is_whim(0.01) => {
                self.wakes_at_ns = turn.now_ns + AFTER_DECLINE_NS;
                let decline = self.protocol.decline();
                self.say(decline, turn)
            }
            Event::Acknowledged { lease, .. } => {
                let renewal_ns = lease.renewal_ns().saturating_sub(turn.now_ns);
                let last_ns = renewal_ns + POLICY.jitter_ns;
                // Some clients renew before T1.
                let is_early = turn.is_whim(0.1);
                let first_ns = if is_early { RESTART_NS } else { renewal_ns };
                self.wakes_at_ns = turn.within(first_ns..=last_ns.max(first_ns));
                Ok(None)
            }
            Event::Refused => {
                self.wakes_at_ns = turn.now_ns + RESTART_NS;
                Ok(None)
            }
            Event::Ignored(_) => Ok(None),
        }
    }

    /// Releases the lease and starts again.
    ///
    /// # Errors
    /// As [`Client::wake`].
    pub fn restart(&mut self, turn: &mut Turn<'_>) -> Frame {
        self.wakes_at_ns = turn.now_ns + RESTART_NS;
        self.release(turn)
    }

    /// Asks for the client's lease, or for a new one, within a time.
    pub fn ask_within(&mut self, time_ns: u64, turn: &mut Turn<'_>) {
        self.wakes_at_ns = turn.within(0..=time_ns);
    }

    /// Switches the client off for good, in half of the cases without a RELEASE.
    ///
    /// # Errors
    /// As [`Client::wake`].
    pub fn leave(&mut self, turn: &mut Turn<'_>) -> Frame {
        self.is_gone = true;
        self.wakes_at_ns = NEVER_NS;
        if turn.dice.random_bool(0.5) {
            self.protocol.start_again();
            return Ok(None);
        }
        self.release(turn)
    }

    /// Acts at random, when a renewal is due or earlier.
    fn live(&mut self, lease: Lease, turn: &mut Turn<'_>) -> Frame {
        match turn.dice.random_range(0..1000) {
            0..40 => {
                let release = self.release(turn);
                self.switch_off(SHORT_ABSENCE_NS, turn);
                release
            }
            // Some of them for longer than their lease.
            40..100 => {
                let lease_ns = lease.until_ns().saturating_sub(lease.since_ns);
                self.switch_off(lease_ns.saturating_mul(2), turn);
                Ok(None)
            }
            100..130 => {
                self.protocol.restart();
                self.go_on(turn)
            }
            // The client sleeps until T2.
            130..200 if turn.now_ns < lease.rebinding_ns() => {
                self.wakes_at_ns = lease.rebinding_ns();
                Ok(None)
            }
            _ => self.go_on(turn),
        }
    }

    /// Switches the client off, and on again within a time.
    fn switch_off(&mut self, longest_ns: u64, turn: &mut Turn<'_>) {
        self.protocol.restart();
        self.wakes_at_ns = turn.within(RESTART_NS..=longest_ns.max(RESTART_NS));
    }

    /// Does what the client's state requires.
    fn go_on(&mut self, turn: &mut Turn<'_>) -> Frame {
        match self.protocol.wake(&POLICY, turn.step()) {
            Step::Send(sending) => self.send(sending),
            Step::Continue(lease) => {
                self.wakes_at_ns = lease.renewal_ns().max(turn.now_ns + RESTART_NS);
                Ok(None)
            }
            Step::StartAgain(_) => self.go_on(turn),
        }
    }

    fn send(&mut self, sending: Sending) -> Frame {
        self.wakes_at_ns = sending.wakes_at_ns;
        self.machine.frame(sending.message, sending.xid).map(Some)
    }

    fn release(&mut self, turn: &mut Turn<'_>) -> Frame {
        let release = self.protocol.release(turn.now_ns);
        self.say(release, turn)
    }

    /// Sends a message that nobody answers.
    fn say(&self, message: Option<Message>, turn: &mut Turn<'_>) -> Frame {
        let xid = turn.dice.random();
        let frame = message.map(|message| self.machine.frame(message, xid));
        frame.transpose()
    }
}

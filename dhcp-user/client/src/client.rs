//! The states, and what changes them.

use core::{net::Ipv4Addr, num::NonZeroU32};

use dhcp_common::wire::message_type;

use crate::{Answer, Event, Ignored, Lease, Message, Policy, Reason, Renewals, Sending, Step};

/// A state of RFC 2131 figure 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Init,
    /// The client remembers an address and will ask for it.
    InitReboot,
    Selecting,
    Requesting,
    Rebooting,
    Bound,
    Renewing,
    Rebinding,
}

impl State {
    /// Returns whether the client waits for the answer to a REQUEST.
    const fn awaits_ack(self) -> bool {
        matches!(
            self,
            Self::Requesting | Self::Rebooting | Self::Renewing | Self::Rebinding
        )
    }
}

/// The context of a step.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    pub now_ns: u64,
    /// The transaction id of a message that begins a transaction.
    pub xid: u32,
    /// A word of which every value has the same probability.
    pub random: u64,
}

/// A client.
///
/// | state | woken | OFFER | ACK | NAK |
/// | --- | --- | --- | --- | --- |
/// | INIT | DISCOVER, SELECTING | – | – | – |
/// | INIT-REBOOT | REQUEST, REBOOTING | – | – | – |
/// | SELECTING | DISCOVER again; without an answer INIT | can be accepted: REQUEST, REQUESTING | – | – |
/// | REQUESTING | REQUEST again; without an answer INIT | – | BOUND | INIT |
/// | REBOOTING | REQUEST again; without an answer BOUND while the lease lasts, then INIT | – | BOUND | INIT |
/// | BOUND | REQUEST, RENEWING or after T2 REBINDING; INIT at the end of the lease | – | – | – |
/// | RENEWING, REBINDING | the same | – | BOUND | INIT |
///
/// In every state the host can restart, and the client can release its lease or start again. A dash
/// is [`Event::Ignored`].
///
/// With one of `XIDS` a message that is sent again keeps its transaction id, as RFC 2131 §4.1
/// permits, and the REQUEST for an offer has the id of the offer (table 5). With more each message
/// has its own id, and the last so many are waited for: the client of a test that wants late
/// answers to count.
#[derive(Clone, Copy, Debug)]
pub struct Client<const XIDS: usize = 1> {
    /// The lease that the client has, or remembers.
    lease: Option<Lease>,
    /// When the message with each of [`Self::xids`] was first sent.
    sent_ns: [u64; XIDS],
    /// Transaction ids, the last one first.
    xids: [u32; XIDS],
    /// The address that the client asks for or has, and its server.
    address: Ipv4Addr,
    server: Ipv4Addr,
    state: State,
    /// Transmissions of the present message.
    attempts: u8,
    /// How many of [`Self::xids`] may still be answered.
    awaited: u8,
}

/// The load generator holds millions.
const _: () = assert!(size_of::<Client>() == 48);

/// What an answer says that the client waits for.
enum Said {
    Offer,
    Ack(Lease),
    Nak,
}

impl<const XIDS: usize> Client<XIDS> {
    /// Returns a client in INIT. `xid` is its last transaction id until it sends a message.
    pub const fn new(xid: u32) -> Self {
        const {
            assert!(XIDS > 0 && XIDS < u8::MAX as usize);
        }
        Self {
            lease: None,
            sent_ns: [0; XIDS],
            xids: [xid; XIDS],
            address: Ipv4Addr::UNSPECIFIED,
            server: Ipv4Addr::UNSPECIFIED,
            state: State::Init,
            attempts: 0,
            awaited: 0,
        }
    }

    pub const fn state(&self) -> State {
        self.state
    }

    /// Returns the lease that the client has, or remembers after its end.
    pub const fn lease(&self) -> Option<Lease> {
        self.lease
    }

    /// Returns the lease if it has not ended.
    pub fn valid_lease(&self, now_ns: u64) -> Option<Lease> {
        self.lease.filter(|lease| lease.is_valid(now_ns))
    }

    /// Returns the address that the client asks for or has. Only REQUESTING and later states have
    /// one.
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Returns the transaction id of the last message.
    pub fn last_xid(&self) -> u32 {
        self.xids.first().copied().unwrap_or_default()
    }

    /// Returns when the message with the last transaction id was first sent.
    pub fn asked_ns(&self) -> u64 {
        self.sent_ns.first().copied().unwrap_or_default()
    }

    /// Enters INIT. The address of a lease that has not ended is a hint to the servers.
    pub const fn start_again(&mut self) {
        self.enter(State::Init);
        self.awaited = 0;
    }

    /// Restarts the client's host: the client enters INIT-REBOOT if it remembers a lease, which may
    /// have ended, and INIT otherwise.
    pub const fn restart(&mut self) {
        self.start_again();
        if let Some(lease) = self.lease {
            (self.address, self.server) = (lease.address, lease.server);
            self.state = State::InitReboot;
        }
    }

    /// Gives the lease back, and enters INIT. Returns the RELEASE if the lease has not ended.
    pub fn release(&mut self, now_ns: u64) -> Option<Message> {
        let lease = self.valid_lease(now_ns);
        self.lease = None;
        self.start_again();
        lease.map(
            |Lease {
                 address, server, ..
             }| Message::Release { address, server },
        )
    }

    /// Refuses the lease of BOUND, because another host has its address (RFC 2131 §3.1(5)), and
    /// enters INIT. Returns the DECLINE.
    pub fn decline(&mut self) -> Option<Message> {
        if self.state != State::Bound {
            return None;
        }
        let lease = self.lease.take();
        self.start_again();
        lease.map(
            |Lease {
                 address, server, ..
             }| Message::Decline { address, server },
        )
    }

    /// Acts because the time has come that the last step named, or earlier. In BOUND that time is
    /// T1 of the lease; before T1 a client may renew too (RFC 2131 §4.4.5).
    pub fn wake(&mut self, policy: &Policy, turn: Turn) -> Step {
        match self.state {
            State::Init => self.enter(State::Selecting),
            State::InitReboot => self.enter(State::Rebooting),
            State::Bound | State::Renewing | State::Rebinding => return self.extend(policy, turn),
            State::Selecting | State::Requesting | State::Rebooting => {
                if let Some(step) = self.give_up(policy, turn.now_ns) {
                    return step;
                }
            }
        }
        let delay_ns = policy.delay_ns(self.attempts, turn.random);
        Step::Send(self.send(turn, turn.now_ns.saturating_add(delay_ns)))
    }

    /// Accepts an offer of SELECTING, an address and its server: the client enters REQUESTING.
    pub fn accept(
        &mut self,
        (address, server): (Ipv4Addr, Ipv4Addr),
        policy: &Policy,
        turn: Turn,
    ) -> Option<Sending> {
        if self.state != State::Selecting {
            return None;
        }
        self.enter(State::Requesting);
        (self.address, self.server) = (address, server);
        let delay_ns = policy.delay_ns(0, turn.random);
        Some(self.send(turn, turn.now_ns.saturating_add(delay_ns)))
    }

    /// Handles an answer.
    pub fn hear(&mut self, answer: &Answer) -> Event {
        match self.read(answer) {
            Err(why) => Event::Ignored(why),
            Ok(Said::Offer) => Event::Offered {
                address: answer.address,
                server: answer.server,
            },
            Ok(Said::Ack(lease)) => {
                let state = self.state;
                self.lease = Some(lease);
                (self.address, self.server) = (lease.address, lease.server);
                self.enter(State::Bound);
                self.awaited = 0;
                Event::Acknowledged { lease, state }
            }
            Ok(Said::Nak) => {
                self.lease = None;
                self.start_again();
                Event::Refused
            }
        }
    }

    /// Returns whether the client would handle an answer, and otherwise why not.
    ///
    /// # Errors
    /// The client does not wait for it.
    pub fn expects(&self, answer: &Answer) -> Result<(), Ignored> {
        self.read(answer).map(|_| ())
    }

    fn read(&self, answer: &Answer) -> Result<Said, Ignored> {
        let awaited = self.xids.iter().zip(self.sent_ns);
        let since_ns = awaited
            .take(self.awaited.into())
            .find(|(xid, _)| **xid == answer.xid)
            .map(|(_, sent_ns)| sent_ns)
            .ok_or(Ignored::OtherTransaction)?;
        match answer.kind {
            message_type::OFFER if self.state == State::Selecting => Ok(Said::Offer),
            message_type::ACK if self.state.awaits_ack() => {
                let lease_secs = NonZeroU32::new(answer.lease_secs).ok_or(Ignored::NoLease)?;
                Ok(Said::Ack(Lease {
                    address: answer.address,
                    server: answer.server,
                    since_ns,
                    lease_secs,
                }))
            }
            message_type::NAK if self.state.awaits_ack() => Ok(Said::Nak),
            _ => Err(Ignored::OtherState),
        }
    }

    const fn enter(&mut self, state: State) {
        self.state = state;
        self.attempts = 0;
    }

    /// Stops asking if the attempts are used up.
    fn give_up(&mut self, policy: &Policy, now_ns: u64) -> Option<Step> {
        let most = match self.state {
            State::Selecting => policy.discovers?,
            State::Rebooting => policy.reboots,
            _ => policy.requests,
        };
        if self.attempts < most {
            return None;
        }
        if self.state == State::Rebooting {
            if let Some(lease) = self.valid_lease(now_ns) {
                self.enter(State::Bound);
                return Some(Step::Continue(lease));
            }
            self.lease = None;
        }
        self.start_again();
        Some(Step::StartAgain(Reason::NoAnswer))
    }

    /// Asks for more time: in RENEWING, and after T2 in REBINDING.
    fn extend(&mut self, policy: &Policy, turn: Turn) -> Step {
        let now_ns = turn.now_ns;
        let Some(lease) = self.valid_lease(now_ns) else {
            self.lease = None;
            self.start_again();
            return Step::StartAgain(Reason::LeaseEnded);
        };
        let (state, next_ns) = if now_ns < lease.rebinding_ns() {
            (State::Renewing, lease.rebinding_ns())
        } else {
            (State::Rebinding, lease.until_ns())
        };
        let wakes_at_ns = match policy.renewals {
            Renewals::HalfOfRest { least_ns } => {
                // A separate transaction each, for the lease counts from its REQUEST.
                self.attempts = 0;
                let rest_ns = next_ns.saturating_sub(now_ns);
                now_ns.saturating_add((rest_ns / 2).max(least_ns).min(rest_ns))
            }
            Renewals::LikeOthers { attempts } => {
                if self.attempts >= attempts && self.state != State::Bound {
                    self.enter(State::Bound);
                    return Step::Continue(lease);
                }
                now_ns.saturating_add(policy.delay_ns(self.attempts, turn.random))
            }
        };
        self.state = state;
        Step::Send(self.send(turn, wakes_at_ns))
    }

    /// Sends the message of the state.
    fn send(&mut self, turn: Turn, wakes_at_ns: u64) -> Sending {
        let is_first = self.attempts == 0;
        if XIDS > 1 || is_first && self.state != State::Requesting {
            self.xids.rotate_right(1);
            self.sent_ns.rotate_right(1);
            self.awaited = self.awaited.saturating_add(1).min(XIDS as u8);
            if let Some(xid) = self.xids.first_mut() {
                *xid = turn.xid;
            }
        }
        if let Some(sent_ns) = self.sent_ns.first_mut().filter(|_| XIDS > 1 || is_first) {
            *sent_ns = turn.now_ns;
        }
        self.attempts = self.attempts.saturating_add(1);
        Sending {
            message: self.message(turn.now_ns),
            xid: self.last_xid(),
            wakes_at_ns,
        }
    }

    /// Returns the message of the state, or that which leads out of it.
    fn message(&self, now_ns: u64) -> Message {
        let Self {
            address, server, ..
        } = *self;
        match self.state {
            State::Init | State::Selecting => Message::Discover {
                hint: self.valid_lease(now_ns).map(|lease| lease.address),
            },
            State::Requesting => Message::Select { address, server },
            State::InitReboot | State::Rebooting => Message::Reboot { address },
            State::Bound | State::Renewing => Message::Renew { address, server },
            State::Rebinding => Message::Rebind { address },
        }
    }
}

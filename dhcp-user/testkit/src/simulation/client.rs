//! An honest client: the state machine of [`dhcp_client`], its frames, and the actions of its user.

use std::{mem, net::Ipv4Addr};

use dhcp_client::{Answer, Event, Lease, Message, Policy, Reason, Renewals, State, Step, Turn};
use dhcp_common::wire::{message_type, option};

use super::{
    clock::{MS, SEC},
    dice::Dice,
    scene::{self, RELAY, RELAY_MAC, SERVER},
};
use crate::fixtures::{request::RequestFrame, world::SERVER_MAC};

/// Each message has its own transaction id; the last three may still be answered.
const MAX_XIDS: usize = 3;
/// Servers are away for minutes here, and leases last no longer, so clients give up sooner than RFC
/// 2131 suggests.
const POLICY: Policy = Policy {
    discovers: Some(6),
    requests: 4,
    reboots: 3,
    renewals: Renewals::HalfOfRest { least_ns: 5 * SEC },
    ..Policy::RFC_2131
};
/// Values of option 55 of different clients.
const LISTS: [&[u8]; 3] = [&[1, 3, 6, 15], &[1, 3, 15], &[1, 3, 15, 51, 58, 59]];

/// A reply, from either server.
#[derive(Clone, Debug)]
pub struct Reply {
    pub kind: u8,
    pub xid: u32,
    pub address: Ipv4Addr,
    pub server: Ipv4Addr,
    pub lease_secs: u32,
}

#[derive(Debug)]
pub struct Client {
    pub n: u8,
    client_id: Option<Vec<u8>>,
    has_spare_hardware: bool,
    is_relayed: bool,
    port: usize,
    list: usize,
    /// Option 51.
    wish: Option<u32>,
    broadcasts: bool,
    machine: dhcp_client::Client<MAX_XIDS>,
    is_off: bool,
    /// Offers of which it will choose one.
    offers: Vec<(Ipv4Addr, Ipv4Addr)>,
    sent: u32,
    /// When it acts next; a wake-up for another time is outdated.
    pub wakes_at: u64,
}

impl Client {
    pub fn new(n: u8, dice: &mut Dice) -> Self {
        let has_id = n != scene::RESERVED_CLIENT && dice.chance(400);
        Self {
            n,
            client_id: has_id.then(|| vec![0, n, n, n]),
            has_spare_hardware: false,
            is_relayed: n != scene::RESERVED_CLIENT && dice.chance(400),
            port: dice.index(2),
            list: dice.index(LISTS.len()),
            wish: None,
            broadcasts: dice.chance(300),
            machine: dhcp_client::Client::new(0),
            is_off: false,
            offers: Vec::new(),
            sent: 0,
            wakes_at: dice.below(60 * SEC),
        }
    }

    pub fn mac(&self) -> [u8; 6] {
        if self.has_spare_hardware {
            scene::spare_mac(self.n)
        } else {
            scene::mac(self.n)
        }
    }

    /// Returns the lease that it has, or remembers after its end.
    pub const fn lease(&self) -> Option<Lease> {
        self.machine.lease()
    }

    /// Returns whether it answers ARP for an address, because it has leased it from either server.
    pub fn uses(&self, address: Ipv4Addr, now: u64) -> bool {
        let lease = self.machine.valid_lease(now);
        !self.is_off && lease.is_some_and(|lease| lease.address == address)
    }

    /// Returns the transaction id of the next message.
    const fn xid(&self) -> u32 {
        (self.n as u32) << 24 | (self.sent + 1)
    }

    fn turn(&self, now: u64, dice: &mut Dice) -> Turn {
        Turn {
            now_ns: now,
            xid: self.xid(),
            random: dice.word(),
        }
    }

    /// Starts a message of a new transaction.
    fn message(&mut self, kind: u8) -> RequestFrame {
        let xid = self.xid();
        self.sent += 1;
        let mut message = RequestFrame::new(self.mac(), kind).with(|m| {
            m.xid = xid;
            m.options[1].1 = LISTS[self.list].to_vec();
            m.flags = if self.broadcasts { 0x8000 } else { 0 };
        });
        if let Some(id) = &self.client_id {
            message = message.option(option::CLIENT_ID, id);
        }
        if let Some(secs) = self
            .wish
            .filter(|_| matches!(kind, message_type::DISCOVER | message_type::REQUEST))
        {
            message = message.option(option::LEASE_TIME, &secs.to_be_bytes());
        }
        message
    }

    /// Addresses all servers, through the relay agent if there is one.
    fn broadcast(&self, message: RequestFrame) -> RequestFrame {
        if !self.is_relayed {
            return message;
        }
        message
            .option(option::RELAY_INFO, &scene::ports()[self.port])
            .relayed(RELAY, RELAY_MAC, (SERVER_MAC, SERVER))
    }

    /// Addresses the server of its lease.
    fn unicast(&self, message: RequestFrame, address: Ipv4Addr, server: Ipv4Addr) -> RequestFrame {
        message.with(|m| {
            m.ciaddr = address;
            m.source = address;
            if self.is_relayed {
                m.source_mac = RELAY_MAC;
            }
            (m.destination_mac, m.destination) = (SERVER_MAC, server);
        })
    }

    /// Builds the frame of a message.
    fn frame(&mut self, message: Message) -> RequestFrame {
        let kind = match message {
            Message::Discover { .. } => message_type::DISCOVER,
            Message::Decline { .. } => message_type::DECLINE,
            Message::Release { .. } => message_type::RELEASE,
            _ => message_type::REQUEST,
        };
        let frame = self.message(kind);
        let requested = |frame: RequestFrame, a| frame.address_option(option::REQUESTED_ADDRESS, a);
        let named = |frame: RequestFrame, a| frame.address_option(option::SERVER_ID, a);
        match message {
            Message::Discover { hint: None } => self.broadcast(frame),
            Message::Discover {
                hint: Some(address),
            }
            | Message::Reboot { address } => self.broadcast(requested(frame, address)),
            Message::Select { address, server } | Message::Decline { address, server } => {
                self.broadcast(named(requested(frame, address), server))
            }
            Message::Renew { address, server } => self.unicast(frame, address, server),
            Message::Rebind { address } => {
                let frame = frame.with(|r| {
                    r.ciaddr = address;
                    r.source = address;
                });
                self.broadcast(frame)
            }
            Message::Release { address, server } => {
                self.unicast(named(frame, server), address, server)
            }
        }
    }

    /// Handles its deadline; returns what it sends.
    pub fn wake(&mut self, now: u64, dice: &mut Dice) -> Option<RequestFrame> {
        let lease = self.machine.valid_lease(now);
        // Some forget what they had while they were off.
        if mem::take(&mut self.is_off) && !(lease.is_some() && dice.chance(700)) {
            self.machine.start_again();
        }
        match (self.machine.state(), lease) {
            (State::Selecting, _) if !self.offers.is_empty() => {
                let offer = *dice.pick(&self.offers);
                let turn = self.turn(now, dice);
                let sending = self.machine.accept(offer, &POLICY, turn)?;
                self.wakes_at = sending.wakes_at_ns;
                return Some(self.frame(sending.message));
            }
            (State::Bound, Some(lease)) if now < lease.renewal_ns() => {
                return self.whim(&lease, now, dice);
            }
            _ => {}
        }
        self.go_on(now, dice)
    }

    /// Does what its state requires.
    fn go_on(&mut self, now: u64, dice: &mut Dice) -> Option<RequestFrame> {
        if self.machine.state() == State::Init {
            self.offers.clear();
        }
        let turn = self.turn(now, dice);
        match self.machine.wake(&POLICY, turn) {
            Step::Send(sending) => {
                self.wakes_at = sending.wakes_at_ns;
                if matches!(self.machine.state(), State::Renewing | State::Rebinding) {
                    self.wakes_at += dice.below(SEC);
                }
                Some(self.frame(sending.message))
            }
            Step::Continue(lease) => {
                self.wait_bound(&lease, now, dice);
                None
            }
            Step::StartAgain(Reason::LeaseEnded) => self.go_on(now, dice),
            Step::StartAgain(Reason::NoAnswer) => {
                self.pause(now, dice);
                None
            }
        }
    }

    /// Handles a power failure: it starts again.
    pub fn power_cycle(&mut self, on_at: u64) {
        self.machine.restart();
        self.is_off = true;
        self.wakes_at = on_at;
    }

    /// Waits in INIT.
    fn pause(&mut self, now: u64, dice: &mut Dice) {
        self.wakes_at = now + dice.between(SEC, 20 * SEC);
    }

    /// Asks for the address that it has.
    fn reboot(&mut self, now: u64, dice: &mut Dice) -> Option<RequestFrame> {
        self.machine.restart();
        self.go_on(now, dice)
    }

    fn wait_bound(&mut self, lease: &Lease, now: u64, dice: &mut Dice) {
        let renewal = lease.renewal_ns().max(now + SEC);
        self.wakes_at = match dice.below(10) {
            0..=3 => dice.between(now + SEC, renewal),
            // A machine that was asleep wakes up when its lease is nearly over.
            4 => (lease.until_ns() - dice.below(20 * MS)).max(now),
            _ => renewal + dice.below(SEC),
        };
    }

    /// Decides what happens to the client between two renewals.
    fn whim(&mut self, lease: &Lease, now: u64, dice: &mut Dice) -> Option<RequestFrame> {
        self.wait_bound(lease, now, dice);
        match dice.below(10) {
            0 => {
                let release = self.machine.release(now)?;
                self.power_cycle(now + dice.below(600 * SEC));
                return Some(self.frame(release));
            }
            // It is switched off without a RELEASE, and on again some time later.
            1 => self.power_cycle(now + dice.below(1500 * SEC)),
            2 | 3 => return self.reboot(now, dice),
            4 => self.list = dice.index(LISTS.len()),
            5 => self.wish = *dice.pick(&[None, Some(30), Some(3000)]),
            6 => self.has_spare_hardware ^= self.client_id.is_some(),
            7 => self.port = dice.index(2),
            8 if self.n != scene::RESERVED_CLIENT => {
                // It moves to another network.
                self.is_relayed ^= true;
                return self.reboot(now, dice);
            }
            _ => {
                let inform = self.message(message_type::INFORM);
                return Some(self.unicast(inform, lease.address, lease.server));
            }
        }
        None
    }

    /// Handles a reply; returns what it sends.
    pub fn receive(&mut self, reply: &Reply, now: u64, dice: &mut Dice) -> Option<RequestFrame> {
        let answer = Answer {
            kind: reply.kind,
            xid: reply.xid,
            address: reply.address,
            server: reply.server,
            lease_secs: reply.lease_secs,
        };
        match self.machine.hear(&answer) {
            Event::Offered { address, server } => {
                if self.offers.is_empty() {
                    // More offers may come.
                    self.wakes_at = now + dice.below(3 * SEC);
                }
                self.offers.push((address, server));
            }
            // ARP finds another host that has the address (RFC 2131 §3.1(5)).
            Event::Acknowledged {
                state: State::Requesting,
                ..
            } if dice.chance(30) => {
                let decline = self.machine.decline()?;
                self.pause(now, dice);
                return Some(self.frame(decline));
            }
            Event::Acknowledged { lease, .. } => self.wait_bound(&lease, now, dice),
            Event::Refused => self.pause(now, dice),
            Event::Ignored(_) => {}
        }
        None
    }

    /// Returns a renewal that only this server may answer.
    pub fn renew(&mut self, now: u64) -> Option<RequestFrame> {
        let lease = self.machine.valid_lease(now);
        let Lease {
            address, server, ..
        } = lease.filter(|lease| lease.server == SERVER)?;
        Some(self.frame(Message::Renew { address, server }))
    }
}

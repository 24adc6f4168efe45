//! An honest client: the state machine of RFC 2131 §4.4, and the actions of its user.

use std::net::Ipv4Addr;

use dhcp_common::wire::{message_type, option};

use super::{
    clock::{MS, SEC},
    dice::Dice,
    scene::{self, RELAY, RELAY_MAC, SERVER},
};
use crate::fixtures::{request::RequestFrame, world::SERVER_MAC};

/// Transactions that may still be answered.
const MAX_XIDS: usize = 3;
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Switched off.
    Off,
    Init,
    Selecting,
    Requesting(Ipv4Addr, Ipv4Addr),
    Rebooting,
    Bound,
    Renewing,
    Rebinding,
}

#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub address: Ipv4Addr,
    pub server: Ipv4Addr,
    /// When it sent the REQUEST that was acknowledged: its lease counts from then (RFC 2131
    /// §4.4.1).
    since: u64,
    lease_ns: u64,
}

impl Held {
    pub const fn until(&self) -> u64 {
        self.since + self.lease_ns
    }
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
    state: State,
    tries: u32,
    offers: Vec<(Ipv4Addr, Ipv4Addr)>,
    xids: Vec<(u32, u64)>,
    sent: u32,
    pub held: Option<Held>,
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
            state: State::Init,
            tries: 0,
            offers: Vec::new(),
            xids: Vec::new(),
            sent: 0,
            held: None,
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

    /// Returns whether it answers ARP for an address, because it has leased it from either server.
    pub fn uses(&self, address: Ipv4Addr, now: u64) -> bool {
        let held = self.held.filter(|held| held.until() > now);
        self.state != State::Off && held.is_some_and(|held| held.address == address)
    }

    /// Starts a message of a new transaction.
    fn message(&mut self, kind: u8, now: u64) -> RequestFrame {
        self.sent += 1;
        let xid = u32::from(self.n) << 24 | self.sent;
        if self.xids.len() == MAX_XIDS {
            self.xids.remove(0);
        }
        self.xids.push((xid, now));
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
    fn unicast(&self, message: RequestFrame, held: &Held) -> RequestFrame {
        message.with(|m| {
            m.ciaddr = held.address;
            m.source = held.address;
            if self.is_relayed {
                m.source_mac = RELAY_MAC;
            }
            (m.destination_mac, m.destination) = (SERVER_MAC, held.server);
        })
    }

    /// Handles its deadline; returns what it sends.
    pub fn wake(&mut self, now: u64, dice: &mut Dice) -> Vec<RequestFrame> {
        if self.held.is_some_and(|held| held.until() <= now) {
            self.held = None;
            if matches!(
                self.state,
                State::Bound | State::Renewing | State::Rebinding
            ) {
                self.enter(State::Init);
            }
        }
        match (self.state, self.held) {
            (State::Off, Some(_)) if dice.chance(700) => {
                self.enter(State::Rebooting);
                self.reboot(now, dice)
            }
            (State::Off | State::Init, _) => {
                self.enter(State::Selecting);
                self.offers.clear();
                self.discover(now, dice)
            }
            (State::Selecting, _) => self.select(now, dice),
            (State::Requesting(..), _) if self.tries > 3 => self.start_again(now, dice),
            (State::Requesting(address, server), _) => self.request(address, server, now, dice),
            (State::Rebooting, Some(held)) if self.tries > 2 => {
                // RFC 2131 §3.2: without an answer it may continue to use its address.
                self.enter(State::Bound);
                self.wait_bound(&held, now, dice);
                Vec::new()
            }
            (State::Rebooting, Some(_)) => self.reboot(now, dice),
            (State::Bound, Some(held)) if now < renewal(&held) => self.whim(&held, now, dice),
            (State::Bound | State::Renewing | State::Rebinding, Some(held)) => {
                self.extend(&held, now, dice)
            }
            (State::Rebooting | State::Bound | State::Renewing | State::Rebinding, None) => {
                self.start_again(now, dice)
            }
        }
    }

    /// Handles a power failure: it starts again.
    pub fn power_cycle(&mut self, on_at: u64) {
        self.enter(State::Off);
        self.wakes_at = on_at;
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.tries = 0;
    }

    fn start_again(&mut self, now: u64, dice: &mut Dice) -> Vec<RequestFrame> {
        self.enter(State::Init);
        self.wakes_at = now + dice.between(SEC, 20 * SEC);
        Vec::new()
    }

    /// Returns the delay before a retransmission (RFC 2131 §4.1): exponential, randomized.
    fn back_off(&mut self, now: u64, dice: &mut Dice) {
        let secs = 4u64 << self.tries.min(4);
        self.tries += 1;
        self.wakes_at = now + secs * SEC - SEC + dice.below(2 * SEC);
    }

    fn discover(&mut self, now: u64, dice: &mut Dice) -> Vec<RequestFrame> {
        let mut discover = self.message(message_type::DISCOVER, now);
        if let Some(held) = self.held {
            discover = discover.address_option(option::REQUESTED_ADDRESS, held.address);
        }
        self.back_off(now, dice);
        vec![self.broadcast(discover)]
    }

    fn select(&mut self, now: u64, dice: &mut Dice) -> Vec<RequestFrame> {
        if self.offers.is_empty() {
            if self.tries > 5 {
                return self.start_again(now, dice);
            }
            return self.discover(now, dice);
        }
        let (address, server) = *dice.pick(&self.offers);
        self.enter(State::Requesting(address, server));
        self.request(address, server, now, dice)
    }

    fn request(
        &mut self,
        address: Ipv4Addr,
        server: Ipv4Addr,
        now: u64,
        dice: &mut Dice,
    ) -> Vec<RequestFrame> {
        let request = self
            .message(message_type::REQUEST, now)
            .address_option(option::REQUESTED_ADDRESS, address)
            .address_option(option::SERVER_ID, server);
        self.back_off(now, dice);
        vec![self.broadcast(request)]
    }

    fn reboot(&mut self, now: u64, dice: &mut Dice) -> Vec<RequestFrame> {
        let Some(held) = self.held else {
            return self.start_again(now, dice);
        };
        let request = self
            .message(message_type::REQUEST, now)
            .address_option(option::REQUESTED_ADDRESS, held.address);
        self.back_off(now, dice);
        vec![self.broadcast(request)]
    }

    /// Continues in RENEWING and, when that time is over, in REBINDING.
    fn extend(&mut self, held: &Held, now: u64, dice: &mut Dice) -> Vec<RequestFrame> {
        let rebinding = held.since + held.lease_ns / 8 * 7;
        let (state, next) = if now < rebinding {
            (State::Renewing, rebinding)
        } else {
            (State::Rebinding, held.until())
        };
        self.state = state;
        let request = self.message(message_type::REQUEST, now);
        let half = (next - now) / 2;
        self.wakes_at = now
            + half
                .max(5 * SEC + dice.below(SEC))
                .min(next - now + dice.below(SEC));
        if state == State::Renewing {
            vec![self.unicast(request, held)]
        } else {
            let request = request.with(|r| {
                r.ciaddr = held.address;
                r.source = held.address;
            });
            vec![self.broadcast(request)]
        }
    }

    fn wait_bound(&mut self, held: &Held, now: u64, dice: &mut Dice) {
        let renewal = renewal(held).max(now + SEC);
        self.wakes_at = match dice.below(10) {
            0..=3 => dice.between(now + SEC, renewal),
            // A machine that was asleep wakes up when its lease is nearly over.
            4 => (held.until() - dice.below(20 * MS)).max(now),
            _ => renewal + dice.below(SEC),
        };
    }

    /// Decides what happens to the client between two renewals.
    fn whim(&mut self, held: &Held, now: u64, dice: &mut Dice) -> Vec<RequestFrame> {
        self.wait_bound(held, now, dice);
        match dice.below(10) {
            0 => {
                let release = self
                    .message(message_type::RELEASE, now)
                    .address_option(option::SERVER_ID, held.server);
                let release = self.unicast(release, held);
                self.held = None;
                self.enter(State::Off);
                self.wakes_at = now + dice.below(600 * SEC);
                return vec![release];
            }
            1 => {
                // It is switched off without a RELEASE, and on again some time later.
                self.enter(State::Off);
                self.wakes_at = now + dice.below(1500 * SEC);
            }
            2 | 3 => {
                self.enter(State::Rebooting);
                return self.reboot(now, dice);
            }
            4 => self.list = dice.index(LISTS.len()),
            5 => self.wish = *dice.pick(&[None, Some(30), Some(3000)]),
            6 => self.has_spare_hardware ^= self.client_id.is_some(),
            7 => self.port = dice.index(2),
            8 if self.n != scene::RESERVED_CLIENT => {
                // It moves to another network.
                self.is_relayed ^= true;
                self.enter(State::Rebooting);
                return self.reboot(now, dice);
            }
            _ => {
                let inform = self.message(message_type::INFORM, now);
                return vec![self.unicast(inform, held)];
            }
        }
        Vec::new()
    }

    /// Handles a reply; returns what it sends.
    pub fn receive(&mut self, reply: &Reply, now: u64, dice: &mut Dice) -> Vec<RequestFrame> {
        let Some((_, sent)) = self.xids.iter().find(|(xid, _)| *xid == reply.xid).copied() else {
            return Vec::new();
        };
        match (self.state, reply.kind) {
            (State::Selecting, message_type::OFFER) => {
                if self.offers.is_empty() {
                    // More offers may come.
                    self.wakes_at = now + dice.below(3 * SEC);
                }
                self.offers.push((reply.address, reply.server));
            }
            (
                State::Requesting(..) | State::Rebooting | State::Renewing | State::Rebinding,
                message_type::ACK,
            ) if reply.lease_secs > 0 => return self.acknowledged(reply, sent, now, dice),
            (
                State::Requesting(..) | State::Rebooting | State::Renewing | State::Rebinding,
                message_type::NAK,
            ) => {
                self.held = None;
                self.start_again(now, dice);
            }
            _ => {}
        }
        Vec::new()
    }

    fn acknowledged(
        &mut self,
        reply: &Reply,
        sent: u64,
        now: u64,
        dice: &mut Dice,
    ) -> Vec<RequestFrame> {
        self.xids.clear();
        let held = Held {
            address: reply.address,
            server: reply.server,
            since: sent,
            lease_ns: u64::from(reply.lease_secs) * SEC,
        };
        if matches!(self.state, State::Requesting(..)) && dice.chance(30) {
            // ARP finds another host that has the address (RFC 2131 §3.1(5)).
            let decline = self
                .message(message_type::DECLINE, now)
                .address_option(option::REQUESTED_ADDRESS, reply.address)
                .address_option(option::SERVER_ID, reply.server);
            self.held = None;
            self.start_again(now, dice);
            return vec![self.broadcast(decline)];
        }
        self.held = Some(held);
        self.enter(State::Bound);
        self.wait_bound(&held, now, dice);
        Vec::new()
    }

    /// Returns a renewal that only this server may answer.
    pub fn renew(&mut self, now: u64) -> Option<RequestFrame> {
        let held = self
            .held
            .filter(|held| held.server == SERVER && held.until() > now)?;
        let request = self.message(message_type::REQUEST, now);
        Some(self.unicast(request, &held))
    }
}

const fn renewal(held: &Held) -> u64 {
    held.since + held.lease_ns / 2
}

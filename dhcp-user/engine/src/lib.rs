//! The engine: decides on every message, without I/O and without a clock.
//!
//! Messages, times and the results of earlier effects go in ([`Input`]), effects come out ([`Effect`]).
//! The same inputs give the same effects. Start with [`protocol`], the one dispatch over message and
//! state in the words of RFC 2131; then [`leases`] and [`endings`], how a lease begins, goes on and ends.
//!
//! Effects leave in the order commit, publish, reply. For one address at most one fence is under way,
//! and while it is nothing is published for it; what was decided meanwhile is done when it has passed.

mod backlog;
mod bootp;
mod classes;
mod clients;
mod commands;
mod commits;
mod counters;
pub mod effect;
mod endings;
mod fences;
mod fqdn;
mod horizons;
mod leasequery;
mod leases;
mod links;
pub mod live;
mod lost;
mod network;
mod networks;
mod offers;
mod place;
pub mod pool;
mod probes;
mod profile;
mod protocol;
mod publish;
mod relay_info;
mod relays;
mod reload;
mod reply;
mod request;
mod restore;
mod slots;
mod template;
mod timers;

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    net::Ipv4Addr,
    sync::Arc,
};

use dhcp_common::{
    abi::{ClientKey, TemplateKey},
    fingerprint,
};
// Nobody but this server and who configures it says what their keys are.
use hashbrown::HashMap;
use smallvec::SmallVec;

use self::{
    backlog::Backlog,
    clients::Clients,
    commits::{Item, Work},
    fences::Fence,
    leasequery::Requesters,
    probes::Probes,
    slots::Slots,
};

pub use self::{
    classes::Marks,
    counters::{Counter, Counters},
    effect::{
        Command, CommandId, CommandOutcome, Effect, Egress, FenceId, Grants, Ingress, Input, Probe,
        ProbeAnswer, ProbeWay,
    },
    links::{Link, LinkTable},
    lost::unrecorded,
    networks::Networks,
    relays::{NO_NETWORK, network_ref, relays},
    reload::{Fates, Preview},
    restore::{Reconciliation, Restoration},
    slots::NO_SLOT,
};
use crate::{
    live::{Lease, LeaseState, Live},
    timers::Timers,
};
use dhcp_config::Config;
use dhcp_model::{Nanos, Record, Ticket};

/// Deadlines handled in one call; [`Engine::next_deadline`] then says that there are more.
const MAX_DUE: usize = 1024;

/// Replies whose memory is kept: those of a turn of the controller's loop.
const MAX_SPARE: usize = 256;

/// What an engine is made from.
#[derive(Debug)]
pub struct Setup {
    pub config: Arc<Config>,
    /// Empty, and written by the engine only.
    pub live: Arc<Live>,
    pub fingerprint_key: [u64; fingerprint::KEY_WORDS],
    pub links: LinkTable,
    /// How many bindings the kernel's maps hold.
    pub max_slots: u32,
}

/// See the module.
#[derive(Debug)]
pub struct Engine {
    networks: Networks,
    fingerprint_key: [u64; fingerprint::KEY_WORDS],
    live: Arc<Live>,
    clients: Clients,
    requesters: Requesters,
    timers: Timers,
    slots: Slots,
    /// What is under way, by address; most leases have nothing.
    work: HashMap<Ipv4Addr, Work>,
    fences: HashMap<FenceId, Fence>,
    /// Addresses of which a command is under way, and those that wait for its end.
    commands: HashMap<Ipv4Addr, VecDeque<(CommandId, Command)>>,
    tickets: HashMap<Ticket, SmallVec<[Item; 1]>>,
    /// Leases whose horizon is to be extended. A set in order, so that effects are in order too.
    low: BTreeSet<Ipv4Addr>,
    backlog: Backlog,
    probes: Probes,
    /// Until when nothing more is said of empty pools.
    empty_said: Nanos,
    templates: HashSet<TemplateKey>,
    /// What the store holds of addresses that no subnet has.
    foreign: Vec<Record>,
    /// Memory of replies that have been sent.
    spare: Vec<Vec<u8>>,
    counters: Arc<Counters>,
    last_ticket: u64,
    last_fence: u64,
}

/// What every step needs: the time, the kernel's side, and where effects go.
struct Context<'a> {
    now: Nanos,
    kernel: &'a dyn Grants,
    out: &'a mut Vec<Effect>,
}

/// The part of a [`Lease`] that decisions depend on.
#[derive(Clone, Copy, Debug)]
struct Held {
    client: ClientKey,
    state: LeaseState,
    expires: Nanos,
    durable_until: Nanos,
    slot: u32,
    epoch: u16,
}

impl Engine {
    pub fn new(setup: Setup) -> Self {
        Self {
            networks: Networks::new(&setup.config, setup.links),
            fingerprint_key: setup.fingerprint_key,
            clients: Clients::new(Arc::clone(&setup.live)),
            live: setup.live,
            requesters: Requesters::new(setup.config.server.leasequery.clone()),
            timers: Timers::default(),
            slots: Slots::new(setup.max_slots),
            work: HashMap::new(),
            fences: HashMap::new(),
            commands: HashMap::new(),
            tickets: HashMap::new(),
            low: BTreeSet::new(),
            backlog: Backlog::default(),
            probes: Probes::new(setup.config.has_probes()),
            empty_said: Nanos::default(),
            templates: HashSet::new(),
            foreign: Vec::new(),
            spare: Vec::new(),
            counters: Arc::default(),
            last_ticket: 0,
            last_fence: 0,
        }
    }

    /// Takes one input in. `out` is added to, and carried out in its order before the next call.
    pub fn handle(
        &mut self,
        input: Input<'_>,
        now: Nanos,
        kernel: &impl Grants,
        out: &mut Vec<Effect>,
    ) {
        let cx = &mut Context { now, kernel, out };
        match input {
            Input::Message { ingress, payload } => self.message(ingress, payload, cx),
            Input::Committed { ticket, result } => self.committed(ticket, result, cx),
            Input::Fenced(fence) => self.fenced(fence, cx),
            Input::HorizonLow { slot, epoch } => self.horizon_low(slot, epoch, cx),
            Input::ProbeAnswered(answer) => self.probe_answered(&answer, cx),
            Input::Command { id, command } => self.command(id, command, cx),
        }
    }

    /// Does what is due. To be called when [`Engine::next_deadline`] has come, after all inputs that are
    /// there: what they have collected then goes into one commit.
    pub fn handle_timeout(&mut self, now: Nanos, kernel: &impl Grants, out: &mut Vec<Effect>) {
        let cx = &mut Context { now, kernel, out };
        self.work_off(cx);
        for _ in 0..MAX_DUE {
            let Some(address) = self.timers.pop_due(now) else {
                break;
            };
            self.update(address, |lease| lease.deadline = Nanos::FOREVER);
            self.due(address, cx);
        }
    }

    /// Takes back the memory of a reply that was sent, for a later one.
    pub fn recycle(&mut self, payload: Vec<u8>) {
        if self.spare.len() < MAX_SPARE {
            self.spare.push(payload);
        }
    }

    /// When [`Engine::handle_timeout`] is to be called next; a time in the past means at once.
    pub fn next_deadline(&self) -> Option<Nanos> {
        let deadlines = [self.timers.next_deadline(), self.backlog_deadline()];
        deadlines.into_iter().flatten().min()
    }

    pub const fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    fn count(&self, counter: Counter) {
        self.counters.count(counter);
    }

    fn held(&self, address: Ipv4Addr) -> Option<Held> {
        self.live.get(&address).map(|lease| Held {
            client: lease.holder.client(),
            state: lease.state,
            expires: lease.expires,
            durable_until: lease.durable_until,
            slot: lease.slot,
            epoch: lease.epoch,
        })
    }

    fn update(&self, address: Ipv4Addr, change: impl FnOnce(&mut Lease)) {
        if let Some(mut lease) = self.live.get_mut(&address) {
            change(&mut lease);
        }
    }

    /// Has [`Engine::due`] called for an address at a time; any other time of its is forgotten.
    fn arm_at(&mut self, address: Ipv4Addr, deadline: Nanos) {
        if let Some(mut lease) = self.live.get_mut(&address) {
            let former = std::mem::replace(&mut lease.deadline, deadline);
            self.timers.move_to(address, former, deadline);
        }
    }

    fn disarm(&mut self, address: Ipv4Addr) {
        self.arm_at(address, Nanos::FOREVER);
    }

    fn set_state(&self, address: Ipv4Addr, state: LeaseState) {
        self.update(address, |lease| lease.state = state);
    }

    /// The address that a client has here, in whichever state.
    fn current(&self, client: &ClientKey) -> Option<(Ipv4Addr, Held)> {
        let address = self.clients.get(client)?;
        let held = self.held(address)?;
        (held.client == *client).then_some((address, held))
    }

    /// Until when the client may use the address: the kernel may have granted more than was published.
    fn effective_expiry(&self, held: &Held, cx: &Context<'_>) -> Nanos {
        if held.slot == NO_SLOT {
            return held.expires;
        }
        let granted = cx.kernel.grant(held.slot).granted_for(held.epoch);
        held.expires.max(granted.map_or(Nanos::default(), Nanos))
    }
}

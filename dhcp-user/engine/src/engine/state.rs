//! The parts of the engine, and the context of every step.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use dhcp_common::{abi::TemplateKey, fingerprint};
use dhcp_config::Config;
use dhcp_model::{Nanos, Record};
use hashbrown::HashMap;

use super::commands::Commands;
use crate::{
    counters::{Counter, Counters, Silence},
    effect::{Effect, Grants},
    journal::Journal,
    lease_table::{LeaseTable, Leases},
    left_behind::LeftBehind,
    networks::{LinkTable, Networks},
    policy::{View, probes::Probes},
    publisher::Publisher,
    queriers::Queriers,
    request::Copies,
};

/// The most replies whose memory is kept: those of one iteration of the controller's loop.
const MAX_SPARE: usize = 256;

/// The arguments that an engine is created from.
#[derive(Debug)]
pub struct Setup {
    pub config: Arc<Config>,
    pub fingerprint_key: [u64; fingerprint::KEY_WORDS],
    pub links: LinkTable,
    /// How many bindings the kernel's maps hold.
    pub max_slots: u32,
}

/// Decides on inputs and returns effects; see [`super`].
#[derive(Debug)]
pub struct Engine {
    pub(super) networks: Networks,
    pub(super) fingerprint_key: [u64; fingerprint::KEY_WORDS],
    pub(super) table: LeaseTable,
    pub(super) journal: Journal<Ipv4Addr>,
    pub(super) publisher: Publisher<Ipv4Addr>,
    pub(super) queriers: Queriers,
    pub(super) commands: Commands,
    pub(super) probes: Probes,
    pub(super) left_behind: LeftBehind,
    /// REQUESTs that wait for a commit, by address.
    pub(super) requests: HashMap<Ipv4Addr, Copies>,
    /// Until when nothing more is logged about empty pools.
    pub(super) quiet_until: Nanos,
    /// Until when nothing more is logged about an option that was left out of a reply, by code.
    pub(super) left_out_quiet: BTreeMap<u8, Nanos>,
    /// Records of addresses that are in no subnet.
    pub(super) foreign: Vec<Record>,
    /// Memory of replies that have been sent.
    pub(super) spare: Vec<Vec<u8>>,
    pub(super) counters: Arc<Counters>,
}

/// The context of every step: the time, the kernel's state, and the list of effects.
pub(super) struct Context<'a> {
    pub now: Nanos,
    pub kernel: &'a dyn Grants,
    pub out: &'a mut Vec<Effect>,
}

impl Engine {
    pub fn new(setup: Setup) -> Self {
        Self {
            networks: Networks::new(&setup.config, setup.links),
            fingerprint_key: setup.fingerprint_key,
            table: LeaseTable::new(setup.max_slots),
            journal: Journal::default(),
            publisher: Publisher::default(),
            queriers: Queriers::new(setup.config.server.leasequery.clone()),
            commands: Commands::default(),
            probes: Probes::new(setup.config.has_probes()),
            left_behind: LeftBehind::default(),
            requests: HashMap::new(),
            quiet_until: Nanos::default(),
            left_out_quiet: BTreeMap::new(),
            foreign: Vec::new(),
            spare: Vec::new(),
            counters: Arc::default(),
        }
    }

    /// Takes back the memory of a reply that was sent, for a later one.
    pub fn recycle(&mut self, payload: Vec<u8>) {
        if self.spare.len() < MAX_SPARE {
            self.spare.push(payload);
        }
    }

    pub const fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Returns the leases, which any thread can read at any time.
    pub const fn leases(&self) -> &Arc<Leases> {
        self.table.leases()
    }

    /// Counts a template as published that an earlier run has published, if it is what this engine
    /// would publish. Returns whether it is.
    pub fn adopt_template(&mut self, key: TemplateKey) -> bool {
        let is_current = self.networks.has_profile(key.profile());
        if is_current {
            self.publisher.adopt_template(key);
            self.count(Counter::TemplateAdopted);
        }
        is_current
    }

    pub(super) fn count(&self, counter: Counter) {
        self.counters.count(counter);
    }

    /// Counts the reason why a message is not answered whose sender is not that of this input.
    pub(super) fn count_silence(&self, answered: Result<(), Silence>) {
        if let Err(silence) = answered {
            self.count(silence.counter());
        }
    }

    pub(super) fn view<'a>(&'a self, cx: &'a Context<'_>) -> View<'a> {
        View {
            networks: &self.networks,
            table: &self.table,
            queriers: &self.queriers,
            fingerprint_key: &self.fingerprint_key,
            kernel: cx.kernel,
            now: cx.now,
        }
    }
}

//! An engine, and the maps as its effects leave them.

use std::{
    collections::{BTreeMap, VecDeque},
    net::Ipv4Addr,
    ops::Range,
    sync::Arc,
    time::Duration,
};

use dhcp_common::{
    abi::{ClientKey, EventKind, Grant},
    outcome::Outcome,
};
use dhcp_config::Config;
use dhcp_engine::{
    Command, CommandId, CommandOutcome, Counter, Effect, Engine, Grants, Ingress, Input, LinkTable,
    Setup,
    lease_table::{LeaseState, Leases},
};
use dhcp_frames::frame;
use dhcp_model::{Applied, Change, Nanos, Record};

use super::networks;
use crate::fixtures::{
    host::{HostFrame, HostTables},
    program::{Program, Run},
    world::SERVER_MAC,
};
use crate::restore::restore;

/// The controller's side. Effects are carried out at once, and their results are the next inputs.
pub struct Sides {
    pub engine: Engine,
    pub leases: Arc<Leases>,
    pub tables: HostTables,
    pub store: BTreeMap<Ipv4Addr, Record>,
    /// Frames that have been sent.
    pub sent: Vec<Vec<u8>>,
    pub commits: usize,
    pub answers: Vec<CommandOutcome>,
}

/// The state that a controller finds when it starts.
#[derive(Clone)]
pub struct Snapshot {
    tables: HostTables,
    store: BTreeMap<Ipv4Addr, Record>,
}

/// The fields of a lease that an answer may depend on.
pub type LeaseView = (Ipv4Addr, ClientKey, LeaseState, Nanos, Nanos);

struct KernelSide<'a>(&'a HostTables);

impl Grants for KernelSide<'_> {
    fn grant(&self, slot: u32) -> Grant {
        let grants = self.0.grants.borrow();
        grants.get(&slot).copied().unwrap_or_default()
    }
}

fn engine(config: &Config, tables: &HostTables) -> Engine {
    Engine::new(Setup {
        config: Arc::new(config.clone()),
        fingerprint_key: tables.meta.unwrap().fingerprint_key,
        links: LinkTable::new(networks::links()),
        max_slots: tables.max_leases,
    })
}

impl Sides {
    /// Starts a controller for the first time, at a time.
    pub fn new(config: &Config, now: Nanos) -> Self {
        let tables = networks::tables(config);
        let snapshot = Snapshot {
            tables,
            store: BTreeMap::new(),
        };
        Self::restore(config, &snapshot, now)
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            tables: self.tables.clone(),
            store: self.store.clone(),
        }
    }

    /// Starts a controller that takes over from another.
    pub fn restore(config: &Config, snapshot: &Snapshot, now: Nanos) -> Self {
        let Snapshot { tables, store } = snapshot.clone();
        let engine = engine(config, &tables);
        let mut sides = Self {
            leases: Arc::clone(engine.leases()),
            engine,
            tables,
            store,
            sent: Vec::new(),
            commits: 0,
            answers: Vec::new(),
        };
        sides.tables.now_ns = now.0;
        let published = sides.tables.leases.clone();
        let records = sides.store.values().cloned();
        let kernel = KernelSide(&sides.tables);
        let effects = restore(&mut sides.engine, records, published, now, &kernel);
        for key in sides.tables.templates.keys() {
            assert!(sides.engine.adopt_template(*key), "of the same profiles");
        }
        sides.carry_out(effects);
        sides
    }

    pub fn now(&self) -> Nanos {
        Nanos(self.tables.now_ns)
    }

    /// Lets time pass and handles the deadlines in it.
    pub fn pass_to(&mut self, now: Nanos) {
        while let Some(deadline) = self.engine.next_deadline().filter(|due| *due <= now) {
            self.tables.now_ns = self.tables.now_ns.max(deadline.0);
            self.timeout();
        }
        self.sleep_to(now);
    }

    pub fn pass(&mut self, duration: Duration) {
        self.pass_to(self.now().plus(duration));
    }

    /// Lets time pass without handling anything.
    pub fn sleep_to(&mut self, now: Nanos) {
        assert!(now >= self.now());
        self.tables.now_ns = now.0;
    }

    fn timeout(&mut self) {
        let mut effects = Vec::new();
        let kernel = KernelSide(&self.tables);
        self.engine
            .handle_timeout(Nanos(self.tables.now_ns), &kernel, &mut effects);
        self.carry_out(effects);
    }

    fn input(&mut self, input: Input<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let kernel = KernelSide(&self.tables);
        self.engine
            .handle(input, Nanos(self.tables.now_ns), &kernel, &mut effects);
        effects
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Commit { ticket, changes } => {
                    self.commits += 1;
                    let result = Ok(changes.iter().map(|change| self.apply(change)).collect());
                    effects.extend(self.input(Input::Committed { ticket, result }));
                }
                Effect::Publish { key, binding } => {
                    self.tables.leases.insert(key, binding);
                }
                Effect::Withdraw { fence, key } => {
                    self.tables.leases.remove(&key);
                    effects.extend(self.input(Input::Fenced(fence)));
                }
                Effect::PublishTemplate { key, template } => {
                    self.tables.templates.insert(key, *template);
                }
                Effect::ForgetTemplates => {
                    self.tables.templates.retain(|key, _| key.is_nak());
                }
                Effect::Send { egress, payload } => {
                    let mut octets = vec![0xee; 4096];
                    let len = frame::build(&egress, SERVER_MAC, &payload, &mut octets).unwrap();
                    octets.truncate(len);
                    self.sent.push(octets);
                }
                Effect::Probe(probe) => panic!("{probe:?}, though it is switched off"),
                Effect::Answer { outcome, .. } => self.answers.push(outcome),
            }
        }
    }

    fn apply(&mut self, change: &Change) -> Applied {
        match change {
            Change::Put(record) => {
                self.store.insert(record.address, (**record).clone());
            }
            Change::Remove { address, .. } => {
                self.store.remove(address);
            }
        }
        Applied::Done
    }

    /// Passes a frame to the controller, as the program does.
    ///
    /// # Errors
    ///
    /// The frame holds no message that could reach the engine.
    pub fn ask(&mut self, octets: &[u8]) -> Result<(), Outcome> {
        let (ingress, message): (Ingress, Range<usize>) = frame::parse(octets, networks::IFINDEX)?;
        let effects = self.input(Input::Message {
            ingress: &ingress,
            payload: &octets[message],
        });
        self.carry_out(effects);
        Ok(())
    }

    /// Returns the frames that answer a frame.
    pub fn answers_to(&mut self, octets: &[u8]) -> Vec<Vec<u8>> {
        self.sent.clear();
        // A frame without a message has no answer.
        let _ = self.ask(octets);
        std::mem::take(&mut self.sent)
    }

    pub fn command(&mut self, command: Command) -> CommandOutcome {
        let id = CommandId(0);
        let effects = self.input(Input::Command { id, command });
        self.carry_out(effects);
        self.answers.pop().expect("every command is answered")
    }

    /// Runs the fast path on the host; its writes stay in the tables.
    pub fn host(&self, octets: &[u8]) -> (Outcome, Vec<u8>) {
        let mut frame = HostFrame(octets.to_vec());
        let outcome = self.tables.respond(&mut frame, networks::IFINDEX).outcome;
        (outcome, frame.0)
    }

    /// Runs the loaded program over these maps. Its grants and events go to the engine.
    pub fn kernel(&mut self, program: &mut Program, octets: &[u8]) -> Run {
        program.install(&self.tables).unwrap();
        let run = program.run(octets).unwrap();
        for binding in self.tables.leases.values() {
            let grant = program.grant(binding.slot).unwrap();
            self.tables.grants.borrow_mut().insert(binding.slot, grant);
        }
        for event in program.events() {
            assert_eq!(event.kind, EventKind::HorizonLow as u32);
            let (slot, epoch) = (event.slot, u16::try_from(event.epoch).unwrap());
            let effects = self.input(Input::HorizonLow { slot, epoch });
            self.carry_out(effects);
        }
        run
    }

    /// Returns all leases of the engine, in order.
    pub fn lease_views(&self) -> Vec<LeaseView> {
        let mut lease_views: Vec<_> = self
            .leases
            .iter()
            .map(|lease| {
                let (address, lease) = lease.pair();
                (
                    *address,
                    lease.holder.client(),
                    lease.state,
                    lease.expires,
                    lease.durable_until,
                )
            })
            .collect();
        lease_views.sort_unstable_by_key(|(address, ..)| *address);
        lease_views
    }

    pub fn state(&self, address: Ipv4Addr) -> Option<LeaseState> {
        self.leases.get(&address).map(|lease| lease.state)
    }

    /// Returns all counters.
    pub fn counts(&self) -> Vec<(Counter, u64)> {
        let counters = self.engine.counters();
        Counter::ALL
            .iter()
            .map(|counter| (*counter, counters.get(*counter)))
            .collect()
    }
}

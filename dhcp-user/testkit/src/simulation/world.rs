//! The world: all events in one order, at simulated times.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::Ipv4Addr,
};

use dhcp_engine::{FenceId, ProbeAnswer};
use dhcp_model::Record;
use dhcp_store::wall_clock::WallClock;

use super::{
    client::{Client, Reply},
    clock::{Clock, SEC},
    controller::Controller,
    dice::Dice,
    disk::{Committer, Disk},
    faults::{self, Faults},
    hostile,
    hosts::Host,
    kernel::Kernel,
    model::{Durable, Model},
    program::Run,
    rival::Rival,
    scene::Plan,
};
use crate::fixtures::request::RequestFrame;

/// Declares the defects, so that their list and their labels are complete.
macro_rules! sabotages {
    ($($(#[$doc:meta])* $name:ident = $label:literal,)*) => {
        /// A deliberate defect, to show that it would be noticed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Sabotage {
            $($(#[$doc])* $name,)*
        }

        impl Sabotage {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)*
                }
            }
        }
    };
}

sabotages! {
    /// The fence does not wait for runs that are under way.
    FenceAtOnce = "fence-at-once",
    /// A commit is reported as done when it has only been requested.
    PromiseBeforeCommit = "promise-before-commit",
    /// A controller that takes over ignores the kernel's grants.
    ForgetGrants = "forget-grants",
    /// A controller that takes over drops leases that are not in the store.
    FreeUnrecorded = "free-unrecorded",
    /// A controller that takes over keeps such leases in memory only.
    RecordNothing = "record-nothing",
    /// A controller that takes over does not wait for runs that began before.
    StartAtOnce = "start-at-once",
    /// The answer of a host to a probe is not reported to the engine.
    OfferInUse = "offer-in-use",
    /// The program accepts copies whose halves are of different entries.
    TrustTorn = "trust-torn",
    /// A commit whose result is unknown is reported as failed.
    DoubtIsFailure = "doubt-is-failure",
}

/// Withdrawn entries that wait for the fence.
#[derive(Debug)]
pub struct Fencing {
    pub life: u32,
    pub fences: Vec<FenceId>,
    /// Runs that were under way when it began.
    pub waits_for: BTreeSet<u64>,
}

#[derive(Debug)]
pub enum Event {
    /// A frame arrives at the server's interface.
    Frame(Vec<u8>),
    /// An interrupted run continues.
    Resume(u64),
    /// A message arrives at the other server.
    Rival(Box<RequestFrame>),
    Reply(usize, Reply),
    ProbeAnswer(ProbeAnswer),
    Wake(usize),
    /// A step of the process with this number.
    Turn(u32),
    Written(u32),
    Fenced(Fencing),
    Start,
    /// The end of the wait for runs, up to a frame, at a start.
    Barrier(u64),
    /// The disk has stored the leases that a starting process found in the kernel's map only.
    Recorded(u32),
    Crash,
    /// Like a crash, but not recurring.
    Kill,
    PowerCut,
    WallStep,
    /// The committer checks the wall clock.
    Tick,
    Storm,
    Operator,
    Hostile,
    /// A run with this frame is interrupted.
    Coincidence(Vec<u8>),
}

impl Event {
    const fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Crash
                | Self::Kill
                | Self::PowerCut
                | Self::WallStep
                | Self::Storm
                | Self::Operator
                | Self::Hostile
                | Self::Coincidence(_)
        )
    }
}

pub struct World {
    pub dice: Dice,
    pub clock: Clock,
    pub faults: Faults,
    pub plan: Plan,
    pub max_leases: u32,
    pub sabotage: Option<Sabotage>,
    events: BTreeMap<(u64, u64), Event>,
    last_event: u64,
    pub kernel: Kernel,
    pub runs: BTreeMap<u64, Run>,
    /// Frames that have arrived.
    pub arrivals: u64,
    pub fencings: Vec<Fencing>,
    pub disk: Disk,
    pub committer: Committer,
    /// The store's time in this boot, once it is known.
    pub wall: Option<WallClock>,
    pub controller: Option<Controller>,
    /// The changes that a starting process commits before anything else.
    pub recording: Option<Vec<Record>>,
    pub lives: u32,
    pub clients: Vec<Client>,
    pub hosts: Vec<Host>,
    rival: Rival,
    pub overheard: VecDeque<RequestFrame>,
    pub model: Model,
    /// Whether faults have stopped, and clients act only on request.
    pub is_quiet: bool,
    /// Replies that have arrived since it became quiet.
    pub replies: Vec<Reply>,
    pub tally: BTreeMap<&'static str, u64>,
    /// The events so far, if they are recorded.
    pub trace: Option<Vec<String>>,
}

impl World {
    pub fn new(seed: u64, sabotage: Option<Sabotage>) -> Self {
        let mut dice = Dice::new(seed);
        let faults = Faults::draw(&mut dice);
        let plan = Plan::draw(&mut dice);
        let max_leases = *dice.pick(&[2, 4, 16, 16]);
        let ring_room = faults.ring_room.unwrap_or(usize::MAX);
        let mut kernel = Kernel::new(&plan.config(max_leases), ring_room);
        kernel.trusts_torn = sabotage == Some(Sabotage::TrustTorn);
        let clients = (1..=dice.between(2, 8) as u8)
            .map(|n| Client::new(n, &mut dice))
            .collect();
        let hosts = Host::draw_all(plan.addresses(), faults.squatting, &mut dice);
        let mut world = Self {
            dice,
            clock: Clock::new(),
            faults,
            plan,
            max_leases,
            sabotage,
            events: BTreeMap::new(),
            last_event: 0,
            kernel,
            runs: BTreeMap::new(),
            arrivals: 0,
            fencings: Vec::new(),
            disk: Disk::default(),
            committer: Committer::default(),
            wall: None,
            controller: None,
            recording: None,
            lives: 0,
            clients,
            hosts,
            rival: Rival::default(),
            overheard: VecDeque::new(),
            model: Model::default(),
            is_quiet: false,
            replies: Vec::new(),
            tally: BTreeMap::new(),
            trace: None,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        self.after(0, Event::Start);
        self.after(10 * SEC, Event::Tick);
        for index in 0..self.clients.len() {
            self.at(self.clients[index].wakes_at, Event::Wake(index));
        }
        for event in [
            Event::Crash,
            Event::PowerCut,
            Event::WallStep,
            Event::Storm,
            Event::Operator,
            Event::Hostile,
        ] {
            self.again(event);
        }
    }

    pub fn at(&mut self, time: u64, event: Event) {
        self.last_event += 1;
        self.events.insert((time, self.last_event), event);
    }

    pub fn after(&mut self, time: u64, event: Event) {
        self.at(self.clock.now + time, event);
    }

    /// Returns the next time of a recurring event.
    fn again(&mut self, event: Event) {
        if self.is_quiet {
            return;
        }
        let secs = match event {
            Event::Crash => self.faults.crash_secs,
            Event::PowerCut => self.faults.power_cut_secs,
            Event::WallStep => self.faults.wall_step_secs,
            Event::Storm => self.faults.storm_secs,
            Event::Operator => self.faults.operator_secs,
            Event::Hostile => self.faults.hostile_secs,
            _ => 0,
        };
        if secs > 0 {
            let time = faults::after_about(secs, &mut self.dice);
            self.after(time, event);
        }
    }

    pub fn note(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let now = self.clock.now;
            let line = format!("{:>6}.{:09} {}", now / SEC, now % SEC, line(self));
            self.trace.get_or_insert_default().push(line);
        }
    }

    pub fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// Handles the next event. Returns `false` if there is none before `end`.
    pub fn step(&mut self, end: u64) -> bool {
        let is_due = |(time, _): &&(u64, u64)| *time <= end;
        let Some(key) = self.events.keys().next().filter(is_due).copied() else {
            return false;
        };
        let Some(event) = self.events.remove(&key) else {
            return false;
        };
        self.clock.now = key.0;
        self.happen(event);
        true
    }

    fn happen(&mut self, event: Event) {
        if self.is_quiet && event.is_fault() {
            return;
        }
        match event {
            Event::Frame(octets) => self.frame(octets),
            Event::Resume(arrival) => {
                if let Some(run) = self.runs.remove(&arrival) {
                    self.run(run);
                }
            }
            Event::Rival(message) => {
                if let Some(reply) = self.rival.answer(&message, &mut self.dice) {
                    self.send_to(message.chaddr[5], reply);
                }
            }
            Event::Reply(index, reply) => {
                if self.is_quiet {
                    self.replies.push(reply);
                    return;
                }
                let client = &mut self.clients[index];
                let sent = client.receive(&reply, self.clock.now, &mut self.dice);
                self.note(|world| {
                    format!(
                        "client {} receives {reply:?}: {:?}",
                        index + 1,
                        world.clients[index].lease()
                    )
                });
                self.client_did(index, sent);
            }
            Event::ProbeAnswer(answer) => self.probe_answer(answer),
            Event::Wake(index) => {
                if self.clients[index].wakes_at == self.clock.now && !self.is_quiet {
                    let sent = self.clients[index].wake(self.clock.now, &mut self.dice);
                    self.client_did(index, sent);
                }
            }
            Event::Turn(life) => self.turn(life),
            Event::Written(life) => self.written(life),
            Event::Fenced(fencing) => self.fenced(fencing),
            Event::Start => self.start(self.arrivals),
            Event::Barrier(arrivals) => self.start(arrivals),
            Event::Recorded(life) => self.recorded(life),
            Event::Crash => {
                self.kill();
                self.again(Event::Crash);
            }
            Event::Kill => self.kill(),
            Event::PowerCut => {
                self.power_cut();
                self.again(Event::PowerCut);
            }
            // A step before the first start in a boot cannot be told from time that has passed
            // (`dhcp-user/store/src/wall_clock.rs`).
            Event::WallStep if self.controller.is_none() => self.again(Event::WallStep),
            Event::WallStep => {
                let by = self.dice.between(0, 7200 * SEC) as i64 - 3600 * SEC as i64;
                self.note(|_| format!("the wall clock steps by {by}"));
                self.clock.step_wall(by);
                self.count("steps of the wall clock");
                self.again(Event::WallStep);
            }
            Event::Tick => {
                self.disk.fails = self.clock.now < self.disk.full_until;
                self.disk.doubt = None;
                self.keep_anchor();
                if !self.is_quiet {
                    self.after(10 * SEC, Event::Tick);
                }
            }
            Event::Operator => {
                self.operate();
                self.again(Event::Operator);
            }
            Event::Storm => {
                self.storm();
                self.again(Event::Storm);
            }
            Event::Coincidence(octets) => self.coincide(octets),
            Event::Hostile => {
                for message in hostile::messages(&mut self.dice, &self.overheard, &self.plan) {
                    self.transmit(message);
                }
                self.count("hostile messages");
                self.again(Event::Hostile);
            }
        }
    }

    fn client_did(&mut self, index: usize, sent: Option<RequestFrame>) {
        if let Some(message) = sent {
            self.transmit(message);
        }
        self.at(self.clients[index].wakes_at, Event::Wake(index));
    }

    /// Returns the committed record of an address.
    pub fn durable(&self, address: Ipv4Addr) -> Option<Durable> {
        let record = self.disk.record(self.wall.as_ref()?, address)?;
        Some(Durable::new(
            &record,
            self.clock.of_boottime(record.horizon),
        ))
    }
}

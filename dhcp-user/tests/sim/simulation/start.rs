//! The controller's start, as in `src/run/mod.rs`.

use std::{
    collections::{BTreeMap, VecDeque},
    net::Ipv4Addr,
    sync::Arc,
};

use dhcp_user::{
    engine::{Effect, Engine, Setup},
    live::Live,
    store::{Store as _, wall::Wall},
};

use super::{
    clock::{MS, SEC},
    controller::Controller,
    kernel::GrantsView,
    scene,
    world::{Event, Sabotage, World},
};

impl World {
    /// The process starts, and waits for the runs that its predecessor has not waited for
    /// (`datapath::fence::Barrier::new`): nothing of what they grant is seen too late then.
    pub fn start(&mut self, arrivals: u64) {
        if self.controller.is_some() {
            return;
        }
        let is_waiting = self.runs.keys().any(|arrival| *arrival <= arrivals);
        if is_waiting && self.sabotage != Some(Sabotage::StartAtOnce) {
            self.count("starts that waited for a run");
            self.after(10 * MS, Event::Barrier(arrivals));
        } else {
            self.take_over();
        }
    }

    /// What the store and the kernel hold is taken over.
    fn take_over(&mut self) {
        self.disk.fails = self.clock.now < self.disk.full_until;
        let boot_id = self.clock.boot_id();
        let Ok(wall) = Wall::resume(&mut self.disk, &boot_id, self.clock.sample()) else {
            self.after(5 * SEC, Event::Start);
            return;
        };
        self.wall = Some(wall.clone());
        self.clock.keep_wall();
        if self.dice.chance(self.faults.config_change) {
            self.plan = scene::Plan::draw(&mut self.dice);
            self.count("configurations changed");
        }
        let config = Arc::new(self.plan.config(self.max_leases));
        self.note(|_| format!("starts with {config:?}"));
        self.kernel.configure(&config);
        if self.dice.chance(self.faults.store_loss) {
            self.lose_store();
        }
        if self.sabotage == Some(Sabotage::ForgetGrants) {
            self.kernel.grants.borrow_mut().clear();
        }
        let mut records = Vec::new();
        self.disk
            .load(&mut |stored| records.push(wall.record(stored)))
            .expect("reading never fails here");
        if self.sabotage == Some(Sabotage::FreeUnrecorded) {
            for (key, binding) in self.kernel.published() {
                let mut all = records.iter();
                if !all.any(|r| r.client == key && r.address == Ipv4Addr::from(binding.address)) {
                    self.kernel.withdraw(&key);
                }
            }
        }
        self.lives += 1;
        let live = Arc::new(Live::new());
        let mut controller = Controller {
            life: self.lives,
            engine: Engine::new(Setup {
                config,
                live: Arc::clone(&live),
                fingerprint_key: scene::meta().fingerprint_key,
                links: scene::links(),
                max_slots: self.max_leases,
            }),
            live,
            grants: GrantsView(self.kernel.grants.clone()),
            wall,
            frames: VecDeque::new(),
            committed: VecDeque::new(),
            fenced: VecDeque::new(),
            commands: VecDeque::new(),
            operators: BTreeMap::new(),
            last_command: 0,
            effects: VecDeque::new(),
            stuck: Vec::new(),
            withdrawn: Vec::new(),
            turns_at: None,
        };
        let mut effects = Vec::new();
        let published = self.kernel.published();
        let now = self.clock.boottime();
        controller
            .engine
            .restore(records, published, now, &controller.grants, &mut effects);
        self.kernel
            .templates
            .retain(|_, (key, _)| controller.engine.adopt_template(*key));
        // As `Controller::start`: publishing goes first.
        effects.sort_by_key(|effect| !matches!(effect, Effect::Publish { .. }));
        controller.effects.extend(effects);
        self.controller = Some(controller);
        self.kernel.is_served = true;
        self.count("starts");
        self.poke();
    }
}

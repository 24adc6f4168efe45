//! The maps, as the kernel keeps them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use dhcp_common::{
    abi::{
        Binding, ClientKey, Event, Grant, Link, LinkKey, Meta, NetworkRef, Template, TemplateKey,
        lease_homes, lease_slots,
    },
    wire::Be32,
};
use dhcp_config::Config;
use dhcp_engine::{Grants, relays};

use super::{program::Run, scene};
use crate::fixtures::world::digest;

pub type SharedGrants = Rc<RefCell<BTreeMap<u32, Grant>>>;

#[derive(Debug)]
pub struct Kernel {
    pub meta: Meta,
    pub link: (LinkKey, Link),
    pub relays: Vec<(u32, Be32, NetworkRef)>,
    /// The slot of each client's binding.
    pub index: BTreeMap<ClientKey, u32>,
    /// By slot, the binding that a run reads now from a slot that it has found.
    pub elements: Vec<Binding>,
    pub templates: BTreeMap<KeyOrder, (TemplateKey, Rc<Template>)>,
    pub grants: SharedGrants,
    pub buckets: RefCell<BTreeMap<u64, u64>>,
    pub events: RefCell<VecDeque<Event>>,
    pub ring_room: usize,
    /// Everything that has been published since the boot.
    history: BTreeMap<ClientKey, Vec<Binding>>,
    /// Slots and epochs that a RELEASE or DECLINE has closed, and how many frames had arrived by
    /// then.
    closed: RefCell<BTreeMap<(u32, u16), u64>>,
    /// Until when the program has acknowledged a lease of this boot, by slot and epoch.
    acknowledged: RefCell<BTreeMap<(u32, u16), u64>>,
    /// Whether a controller receives frames.
    pub is_served: bool,
    /// Set by the test that shows what seals are for.
    pub trusts_torn: bool,
    homes: u32,
    pub slots: u32,
}

/// Keys of templates have no order.
pub type KeyOrder = (u64, u8, [u64; 2]);

pub fn order_of(key: &TemplateKey) -> KeyOrder {
    (key.profile(), key.reply(), key.fingerprint)
}

impl Kernel {
    pub fn new(config: &Config, ring_room: usize) -> Self {
        let slots = lease_slots(config.server.max_leases);
        let mut kernel = Self {
            meta: scene::meta(),
            link: scene::kernel_link(config),
            relays: Vec::new(),
            index: BTreeMap::new(),
            elements: vec![Binding::default(); slots as usize],
            templates: BTreeMap::new(),
            grants: SharedGrants::default(),
            buckets: RefCell::default(),
            events: RefCell::default(),
            ring_room,
            history: BTreeMap::new(),
            closed: RefCell::default(),
            acknowledged: RefCell::default(),
            is_served: false,
            trusts_torn: false,
            homes: lease_homes(config.server.max_leases),
            slots,
        };
        kernel.configure(config);
        kernel
    }

    pub fn configure(&mut self, config: &Config) {
        let relays = relays(config, &scene::links()).into_iter();
        self.relays = relays
            .map(|(prefix, network)| {
                let len = u32::from(prefix.prefix_len());
                (len, prefix.network().into(), network)
            })
            .collect();
    }

    /// Writes a binding into its slot. `false` if the slot is not one of its client's, or
    /// another's.
    pub fn publish(&mut self, key: ClientKey, binding: Binding) -> bool {
        let is_place = digest(&key).slots(self.homes).contains(&binding.slot);
        let mut entries = self.index.iter();
        if !is_place || entries.any(|(other, slot)| *other != key && *slot == binding.slot) {
            return false;
        }
        let former = self.index.insert(key, binding.slot);
        let is_new_use = former.is_none_or(|former| {
            let former = &self.elements[former as usize];
            (former.slot, former.epoch) != (binding.slot, binding.epoch)
        });
        if is_new_use {
            let new_use = (binding.slot, binding.epoch);
            self.closed.borrow_mut().remove(&new_use);
            self.acknowledged.borrow_mut().remove(&new_use);
        }
        if let Some(former) = former {
            self.elements[former as usize] = Binding::default();
        }
        self.elements[binding.slot as usize] = binding;
        self.history.entry(key).or_default().push(binding);
        true
    }

    pub fn withdraw(&mut self, key: &ClientKey) {
        if let Some(slot) = self.index.remove(key) {
            self.elements[slot as usize] = Binding::default();
        }
    }

    pub fn published(&self) -> Vec<(ClientKey, Binding)> {
        let entries = self.index.iter();
        entries
            .map(|(key, slot)| (*key, self.elements[*slot as usize]))
            .collect()
    }

    pub fn publish_template(&mut self, key: TemplateKey, template: Template) {
        let entry = self.templates.entry(order_of(&key));
        entry.or_insert_with(|| (key, Rc::new(template)));
    }

    /// Returns whether the binding that a run has answered from was published in this form for its
    /// client.
    pub fn answered_from_published(&self, client: &ClientKey, run: &Run) -> bool {
        let history = self.history.get(client);
        let from = run.from;
        history.is_some_and(|history| history.iter().any(|binding| Some(*binding) == from))
    }

    /// Records the time that a run has acknowledged.
    pub fn note_acknowledged(&self, run: &Run, until_ns: u64) {
        if let Some(from) = run.use_of_slot() {
            let mut all = self.acknowledged.borrow_mut();
            let acknowledged = all.entry(from).or_default();
            *acknowledged = until_ns.max(*acknowledged);
        }
    }

    /// Returns where `GRANTS` understates what was acknowledged, after a run.
    pub fn forgotten(&self, run: &Run) -> Option<(Grant, u64)> {
        let (slot, epoch) = run.use_of_slot()?;
        let acknowledged = *self.acknowledged.borrow().get(&(slot, epoch))?;
        let grant = *self.grants.borrow().get(&slot)?;
        let is_noted = grant
            .granted_for(epoch)
            .is_some_and(|granted| granted >= acknowledged);
        (!is_noted).then_some((grant, acknowledged))
    }

    /// Returns whether an entry is closed, so that no run answers from it.
    pub fn is_closed(&self, binding: &Binding) -> bool {
        let grants = self.grants.borrow();
        let grant = grants.get(&binding.slot);
        grant.is_some_and(|grant| grant.is_closed(binding.epoch))
    }

    /// Returns whether a run that has answered came after a RELEASE or DECLINE of the same client.
    pub fn answered_from_closed(&self, run: &Run) -> bool {
        let closed = self.closed.borrow();
        run.use_of_slot()
            .and_then(|from| closed.get(&from))
            .is_some_and(|closed| run.arrival > *closed)
    }

    /// Records the entry that a run has closed: later frames must not be answered from it.
    pub fn note_closed(&self, run: &Run, arrivals: u64) {
        if let Some((slot, epoch)) = run.use_of_slot() {
            let grants = self.grants.borrow();
            if grants
                .get(&slot)
                .is_some_and(|grant| grant.is_closed(epoch))
            {
                let mut closed = self.closed.borrow_mut();
                closed.entry((slot, epoch)).or_insert(arrivals);
            }
        }
    }
}

/// `GRANTS` as the controller sees it.
#[derive(Debug)]
pub struct GrantsView(pub SharedGrants);

impl Grants for GrantsView {
    fn grant(&self, slot: u32) -> Grant {
        self.0.borrow().get(&slot).copied().unwrap_or_default()
    }
}

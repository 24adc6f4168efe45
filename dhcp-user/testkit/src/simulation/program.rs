//! The real program over the simulated maps, with other CPUs and the controller in between.
//!
//! A run is interrupted at a lookup in a map by repeating it from the beginning: what it has found
//! so far is in its [`Run::past`], the next lookups see the maps as they are by then, and at its
//! interruption its results are discarded.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use dhcp_common::{
    abi::{
        Binding, ClientDigest, ClientKey, Event, Grant, Link, LinkKey, Meta, NetworkRef, Template,
        TemplateKey,
    },
    checksum,
    outcome::Outcome,
    wire::Be32,
};
use dhcp_ebpf::{packet::Packet, respond::respond, tables::Tables};

use super::kernel::{Kernel, order_of};
use crate::fixtures::{
    host::{HostFrame, scratch},
    world::{IFINDEX, digest},
};

/// A frame that the program processes.
#[derive(Debug)]
pub struct Run {
    /// The number of the frame since the world began.
    pub arrival: u64,
    pub arrived: u64,
    pub octets: Vec<u8>,
    /// How far its clock is ahead.
    pub lead_ns: u64,
    past: Vec<Look>,
    was_interrupted: bool,
    /// The binding that it answers from, once found.
    pub from: Option<Binding>,
}

impl Run {
    pub fn new(arrival: u64, arrived: u64, octets: Vec<u8>, lead_ns: u64) -> Self {
        Self {
            arrival,
            arrived,
            octets,
            lead_ns,
            past: Vec::new(),
            was_interrupted: false,
            from: None,
        }
    }

    /// Returns slot and epoch of the binding that it answers from.
    pub fn use_of_slot(&self) -> Option<(u32, u16)> {
        self.from.map(|binding| (binding.slot, binding.epoch))
    }

    pub const fn was_interrupted(&self) -> bool {
        self.was_interrupted
    }
}

/// The result of a run's lookup in a map, or a write to one.
#[derive(Clone, Debug)]
enum Look {
    /// Some fields of a binding; the others are copied later.
    Half {
        slot: u32,
        found: Binding,
        fields: u16,
    },
    Binding(Option<Binding>),
    Template(Option<Rc<Template>>),
    Grant(Grant),
    Bucket(Option<u64>),
    Notified(bool),
    Swapped(bool),
    Served(bool),
    Now(u64),
    Wrote,
}

/// The progress of a run.
#[derive(Debug)]
pub enum Progress {
    Interrupted,
    /// It has ended, with the frame as it is now.
    Ended(Outcome, Vec<u8>),
}

/// How many lookups a run has before it is interrupted, and which fields of a binding it copies
/// before that.
#[derive(Clone, Copy, Debug)]
pub struct Leash {
    pub looks: usize,
    pub fields: u16,
}

impl Leash {
    pub const NONE: Self = Self {
        looks: usize::MAX,
        fields: 0,
    };
}

impl Kernel {
    /// Continues a run until it ends or is interrupted.
    pub fn advance(&self, run: &mut Run, now_ns: u64, leash: Leash) -> Progress {
        let tables = RunTables {
            kernel: self,
            past: &run.past,
            looks: Cell::new(0),
            left: Cell::new(leash.looks),
            fields: leash.fields,
            is_interrupted: Cell::new(false),
            fresh: RefCell::default(),
            now_ns: now_ns + run.lead_ns,
        };
        let mut frame = HostFrame(run.octets.clone());
        let mut scratch = scratch();
        let verdict = respond(&mut frame, IFINDEX, 0, &tables, &mut scratch);
        let is_interrupted = tables.is_interrupted.get();
        let fresh = tables.fresh.into_inner();
        run.past.extend(fresh);
        run.from = run.past.iter().rev().find_map(|look| match look {
            Look::Binding(binding) => {
                binding.filter(|found| found.is_sealed_for(digest(&scratch.client)))
            }
            _ => None,
        });
        if is_interrupted {
            run.was_interrupted = true;
            return Progress::Interrupted;
        }
        Progress::Ended(verdict.outcome, frame.0)
    }
}

/// The maps as one run sees them.
struct RunTables<'a> {
    kernel: &'a Kernel,
    past: &'a [Look],
    /// How many lookups there have been.
    looks: Cell<usize>,
    /// How many more there are before it is interrupted.
    left: Cell<usize>,
    fields: u16,
    is_interrupted: Cell<bool>,
    fresh: RefCell<Vec<Look>>,
    now_ns: u64,
}

/// The kind of a lookup.
enum Turn<'a> {
    Again(&'a Look),
    New,
    /// The run is interrupted; later results do not count.
    Never,
}

impl<'a> RunTables<'a> {
    fn turn(&self) -> Turn<'a> {
        if self.is_interrupted.get() {
            return Turn::Never;
        }
        let index = self.looks.replace(self.looks.get() + 1);
        if let Some(look) = self.past.get(index) {
            return Turn::Again(look);
        }
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => {
                self.is_interrupted.set(true);
                return Turn::Never;
            }
        }
        Turn::New
    }

    fn note(&self, look: Look) {
        self.fresh.borrow_mut().push(look);
    }

    /// Looks up a value that is read atomically.
    fn read<V: Copy + Default>(
        &self,
        again: impl FnOnce(&Look) -> Option<V>,
        new: impl FnOnce() -> V,
        look: impl FnOnce(V) -> Look,
    ) -> V {
        match self.turn() {
            Turn::Again(found) => {
                again(found).unwrap_or_else(|| panic!("a run is not repeated: {found:?}"))
            }
            Turn::New => {
                let value = new();
                self.note(look(value));
                value
            }
            Turn::Never => V::default(),
        }
    }

    fn write(&self, write: impl FnOnce()) {
        if matches!(self.turn(), Turn::New) {
            write();
            self.note(Look::Wrote);
        }
    }

    fn swap(
        &self,
        slot: u32,
        before: u64,
        after: u64,
        word: impl FnOnce(&mut Grant) -> &mut u64,
    ) -> bool {
        self.read(
            |look| match look {
                Look::Swapped(is_swapped) => Some(*is_swapped),
                _ => None,
            },
            || {
                let mut grants = self.kernel.grants.borrow_mut();
                let word = word(grants.entry(slot).or_default());
                let is_unchanged = *word == before;
                if is_unchanged {
                    *word = after;
                }
                is_unchanged
            },
            Look::Swapped,
        )
    }

    /// Copies the remaining fields, from the present contents of the slot.
    fn second_half(
        &self,
        key: &ClientKey,
        slot: u32,
        found: &Binding,
        fields: u16,
    ) -> Option<Binding> {
        match self.turn() {
            Turn::Again(Look::Binding(binding)) => *binding,
            Turn::New => {
                let mut binding = torn(found, &self.kernel.elements[slot as usize], fields);
                if self.kernel.trusts_torn {
                    binding = binding.sealed_for(digest(key));
                }
                self.note(Look::Binding(Some(binding)));
                Some(binding)
            }
            Turn::Again(_) | Turn::Never => None,
        }
    }
}

/// Returns a copy in which these fields were read earlier than the others.
fn torn(earlier: &Binding, later: &Binding, fields: u16) -> Binding {
    let mut bit = 0;
    macro_rules! of {
        ($($field:ident),+) => {
            Binding { $($field: {
                bit += 1;
                if fields & 1 << (bit - 1) != 0 { earlier.$field } else { later.$field }
            }),+ }
        };
    }
    of!(
        seal,
        address,
        slot,
        profile,
        state,
        flags,
        epoch,
        hardware,
        relay_info,
        expires_ns,
        durable_until_ns
    )
}

impl Tables for RunTables<'_> {
    fn meta(&self) -> Option<&Meta> {
        Some(&self.kernel.meta)
    }

    fn link(&self, key: &LinkKey) -> Option<&Link> {
        let (link_key, link) = &self.kernel.link;
        (link_key == key).then_some(link)
    }

    fn relay(&self, address: Be32) -> Option<NetworkRef> {
        let covers = |len: u32, prefix: Be32| {
            let mask = u32::MAX.checked_shl(32 - len).unwrap_or(0);
            (address.get() ^ prefix.get()) & mask == 0
        };
        let relays = self.kernel.relays.iter();
        relays
            .filter(|(len, prefix, _)| covers(*len, *prefix))
            .max_by_key(|(len, ..)| *len)
            .map(|(.., network)| *network)
    }

    fn binding(&self, key: &ClientKey, _digest: ClientDigest, _meta: &Meta) -> Option<Binding> {
        match self.turn() {
            Turn::Again(Look::Binding(binding)) => *binding,
            Turn::Again(Look::Half {
                slot,
                found,
                fields,
            }) => self.second_half(key, *slot, found, *fields),
            Turn::New => {
                let slot = self.kernel.index.get(key).copied();
                let found = slot.map(|slot| (slot, self.kernel.elements[slot as usize]));
                match found {
                    Some((slot, found)) if self.fields != 0 => {
                        self.note(Look::Half {
                            slot,
                            found,
                            fields: self.fields,
                        });
                        self.is_interrupted.set(true);
                        None
                    }
                    _ => {
                        let binding = found.map(|(_, binding)| binding);
                        self.note(Look::Binding(binding));
                        binding
                    }
                }
            }
            Turn::Again(_) | Turn::Never => None,
        }
    }

    fn template(&self, key: &TemplateKey) -> Option<&Template> {
        match self.turn() {
            Turn::Again(Look::Template(template)) => template.as_deref(),
            Turn::New => {
                let template = self.kernel.templates.get(&order_of(key));
                self.note(Look::Template(
                    template.map(|(_, template)| Rc::clone(template)),
                ));
                template.map(|(_, template)| &**template)
            }
            Turn::Again(_) | Turn::Never => None,
        }
    }

    fn grant(&self, slot: u32) -> Option<Grant> {
        let grants = &self.kernel.grants;
        (slot < self.kernel.slots).then(|| {
            self.read(
                |look| match look {
                    Look::Grant(grant) => Some(*grant),
                    _ => None,
                },
                || grants.borrow().get(&slot).copied().unwrap_or_default(),
                Look::Grant,
            )
        })
    }

    fn swap_granted(&self, slot: u32, before: u64, word: u64) -> bool {
        self.swap(slot, before, word, |grant| &mut grant.granted)
    }

    fn swap_asked(&self, slot: u32, before: u64, word: u64) {
        self.swap(slot, before, word, |grant| &mut grant.asked);
    }

    fn set_asked(&self, slot: u32, word: u64) {
        self.write(|| {
            self.kernel
                .grants
                .borrow_mut()
                .entry(slot)
                .or_default()
                .asked = word
        });
    }

    fn bucket(&self, source: u64) -> Option<u64> {
        self.read(
            |look| match look {
                Look::Bucket(bucket) => Some(*bucket),
                _ => None,
            },
            || self.kernel.buckets.borrow().get(&source).copied(),
            Look::Bucket,
        )
    }

    fn set_bucket(&self, source: u64, bucket: u64) {
        self.write(|| {
            self.kernel.buckets.borrow_mut().insert(source, bucket);
        });
    }

    fn notify(&self, event: &Event) -> bool {
        self.read(
            |look| match look {
                Look::Notified(is_taken) => Some(*is_taken),
                _ => None,
            },
            || {
                let mut events = self.kernel.events.borrow_mut();
                let is_room = events.len() < self.kernel.ring_room;
                if is_room {
                    events.push_back(*event);
                }
                is_room
            },
            Look::Notified,
        )
    }

    fn is_served(&self, _slow_index: u32) -> bool {
        self.read(
            |look| match look {
                Look::Served(is_served) => Some(*is_served),
                _ => None,
            },
            || self.kernel.is_served,
            Look::Served,
        )
    }

    fn now_ns(&self) -> u64 {
        self.read(
            |look| match look {
                Look::Now(now_ns) => Some(*now_ns),
                _ => None,
            },
            || self.now_ns,
            Look::Now,
        )
    }

    fn sum_options(&self, packet: &Packet, offset: usize, len: usize) -> u64 {
        let options = packet.options.slice(offset, len);
        checksum::sum(options.expect("inside, or the program is wrong"))
    }
}

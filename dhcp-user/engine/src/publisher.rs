//! The publisher: templates in the kernel's map, and withdrawn entries that wait for a fence.
//!
//! At most one fence is in progress for an address, and nothing is published for the address
//! meanwhile; later decisions are carried out when the fence has passed.

use std::collections::HashSet;

use dhcp_common::abi::{MAX_TEMPLATES, TemplateKey};
use dhcp_model::Address;
use hashbrown::HashMap;

use crate::effect::FenceId;

/// A withdrawn entry. It keeps the slot, which may be used again only after the fence.
#[derive(Clone, Copy, Debug)]
pub struct Fence<A> {
    pub address: A,
    /// `None` for an entry whose slot is not this engine's to use.
    pub slot: Option<u32>,
    pub epoch: u16,
}

/// The step that must precede the publication of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateRoom {
    Free,
    /// The map is full, and must be cleared of all but NAKs.
    AfterForgetting,
    /// The map is full of NAKs.
    None,
}

/// Keeps track of fences and templates; see the module.
#[derive(Debug)]
pub struct Publisher<A> {
    fences: HashMap<FenceId, Fence<A>>,
    /// The fence that an address waits for.
    waiting: HashMap<A, FenceId>,
    last_fence: u64,
    templates: HashSet<TemplateKey>,
}

impl<A> Default for Publisher<A> {
    fn default() -> Self {
        Self {
            fences: HashMap::new(),
            waiting: HashMap::new(),
            last_fence: 0,
            templates: HashSet::new(),
        }
    }
}

impl<A: Address> Publisher<A> {
    /// Begins to withdraw an entry that belongs to no lease.
    pub fn withdraw_stray(&mut self, fence: Fence<A>) -> FenceId {
        self.last_fence += 1;
        let id = FenceId(self.last_fence);
        self.fences.insert(id, fence);
        id
    }

    /// Begins to withdraw the entry of an address, which waits for the fence.
    pub fn withdraw(&mut self, fence: Fence<A>) -> FenceId {
        let id = self.withdraw_stray(fence);
        self.waiting.insert(fence.address, id);
        id
    }

    /// Removes and returns a fence that has passed, and whether its address still waits for it.
    pub fn passed(&mut self, id: FenceId) -> Option<(Fence<A>, bool)> {
        let fence = self.fences.remove(&id)?;
        let is_awaited = self.waiting.get(&fence.address) == Some(&id);
        if is_awaited {
            self.waiting.remove(&fence.address);
        }
        Some((fence, is_awaited))
    }

    /// Returns whether an address waits for a fence.
    pub fn is_fencing(&self, address: A) -> bool {
        self.waiting.contains_key(&address)
    }

    /// Makes a fence in progress give back only its slot: the address is free already.
    pub fn disregard(&mut self, address: A) {
        self.waiting.remove(&address);
    }

    /// Returns how many fences are in progress.
    pub fn in_progress(&self) -> usize {
        self.fences.len()
    }

    pub fn has_template(&self, key: &TemplateKey) -> bool {
        self.templates.contains(key)
    }

    /// Counts a template as published that an earlier run has published.
    pub fn adopt_template(&mut self, key: TemplateKey) {
        self.templates.insert(key);
    }

    /// Counts a template as published, if there is room. A client that varies its options can fill
    /// any map; when this one is full all others make room, and those in use come back with their
    /// next request. A NAK stays, because it is published with its lease.
    pub fn add_template(&mut self, key: TemplateKey) -> TemplateRoom {
        let mut room = TemplateRoom::Free;
        if self.templates.len() >= MAX_TEMPLATES as usize {
            self.templates.retain(TemplateKey::is_nak);
            if self.templates.len() >= MAX_TEMPLATES as usize {
                return TemplateRoom::None;
            }
            room = TemplateRoom::AfterForgetting;
        }
        self.templates.insert(key);
        room
    }
}

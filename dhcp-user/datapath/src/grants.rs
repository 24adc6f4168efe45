//! Reads the program's grants from the map's memory.

use std::{
    os::fd::{AsFd, AsRawFd},
    sync::{
        Arc,
        atomic::{self, AtomicU64, Ordering},
    },
};

use aya::maps::MapData;
use dhcp_common::abi::{Grant, map};
use dhcp_engine::effect::Grants;
use memmap2::{MmapOptions, MmapRaw};

use super::{error::DatapathError, pins::at};

const WORDS: usize = 2;
const _: () = assert!(
    size_of::<Grant>() == WORDS * size_of::<u64>(),
    "granted and asked"
);

/// `GRANTS`, mapped read-only.
#[derive(Clone, Debug)]
pub struct KernelGrants {
    memory: Arc<MmapRaw>,
    slots: u32,
}

impl KernelGrants {
    /// Maps the memory of the map, which has `slots` entries.
    pub(super) fn map(data: &MapData, slots: u32) -> Result<Self, DatapathError> {
        let len = slots as usize * size_of::<Grant>();
        let memory = MmapOptions::new()
            .len(len)
            .map_raw_read_only(data.fd().as_fd().as_raw_fd())
            .map_err(at("mapping", map::GRANTS.as_ref()))?;
        Ok(Self {
            memory: Arc::new(memory),
            slots,
        })
    }

    fn word(&self, slot: u32, word: usize) -> u64 {
        debug_assert!(slot < self.slots && word < WORDS);
        let words = self.memory.as_ptr().cast::<AtomicU64>();
        let index = slot as usize * WORDS + word;
        // SAFETY: the mapping holds `slots` times `WORDS` words, begins on a page and so is
        // aligned, and lives as long as `self.memory`. This process never makes a plain reference
        // to it; the program writes each word atomically. Relaxed loads of this size are sound on
        // read-only pages (core::sync::atomic, "Atomic accesses to read-only memory").
        unsafe { &*words.add(index) }.load(Ordering::Relaxed)
    }
}

impl Grants for KernelGrants {
    fn grant(&self, slot: u32) -> Grant {
        if slot >= self.slots {
            return Grant::default();
        }
        let grant = Grant {
            granted: self.word(slot, 0),
            asked: self.word(slot, 1),
        };
        // Later operations, such as publishing again, must not overtake the read.
        atomic::fence(Ordering::Acquire);
        grant
    }
}

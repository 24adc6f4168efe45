//! The maps that the controller writes, and the counters that it reads.
//!
//! This is the only writer of each of them, so that values read here stay valid until they are
//! written here.

use std::{collections::HashMap as StdHashMap, hash::Hash, os::fd::AsRawFd, sync::Arc};

use aya::{
    Ebpf,
    maps::{Array, HashMap, LpmTrie, Map, MapData, MapError, PerCpuArray, XskMap, lpm_trie::Key},
};
use dhcp_common::{
    abi::{
        Limit, Link, LinkKey, META_INDEX, META_SLOW_ONLY, Meta, NetworkRef, RelayKey, Template,
        TemplateKey, map,
    },
    outcome::Outcome,
    wire::Be32,
};
use ipnet::Ipv4Net;

use super::{
    error::DatapathError,
    fence::Barrier,
    leases::Leases,
    templates::{PublishError, Templates},
};

// include/uapi/linux/bpf.h.
const BPF_ANY: u64 = 0;

/// Returns the flags of [`Meta`].
pub(super) const fn flags(fast_path: bool) -> u32 {
    if fast_path { 0 } else { META_SLOW_ONLY }
}

/// All maps except those with their own reader.
pub struct Maps {
    meta: Array<MapData, Meta>,
    pub leases: Leases,
    templates: Templates,
    links: HashMap<MapData, LinkKey, Link>,
    relays: LpmTrie<MapData, RelayKey, NetworkRef>,
    outcomes: Arc<Outcomes>,
    slow: XskMap<MapData>,
    barrier: Barrier,
}

impl std::fmt::Debug for Maps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Maps").finish_non_exhaustive()
    }
}

/// Takes a map out of the loaded object.
pub(super) fn take<M>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, DatapathError>
where
    M: TryFrom<Map, Error = MapError>,
{
    let map = ebpf.take_map(name).ok_or(DatapathError::Incomplete {
        what: "the map",
        name,
    })?;
    M::try_from(map).map_err(at(name))
}

fn at(map: &'static str) -> impl FnOnce(MapError) -> DatapathError {
    move |source| DatapathError::Map { map, source }
}

impl Maps {
    pub(super) fn take(
        ebpf: &mut Ebpf,
        leases: Leases,
        meta: Array<MapData, Meta>,
    ) -> Result<Self, DatapathError> {
        Ok(Self {
            meta,
            leases,
            templates: Templates::new(
                take(ebpf, map::TEMPLATE_INDEX)?,
                take(ebpf, map::TEMPLATES)?,
            )
            .map_err(at(map::TEMPLATE_INDEX))?,
            links: take(ebpf, map::LINKS)?,
            relays: take(ebpf, map::RELAYS)?,
            outcomes: Arc::new(Outcomes(take(ebpf, map::OUTCOMES)?)),
            slow: take(ebpf, map::SLOW)?,
            barrier: Barrier::new()?,
        })
    }

    /// Adds a rendered answer. One that exists already is the same: see [`TemplateKey::profile`].
    ///
    /// # Errors
    /// There is no room for it. Such requests take the slow path.
    pub fn publish_template(
        &mut self,
        key: &TemplateKey,
        template: &Template,
    ) -> Result<(), PublishError> {
        self.templates.publish(key, template)
    }

    /// Removes the rendered answers that `keep` does not select, and returns when no program run
    /// copies from one of them any more: only then may their places be used again.
    ///
    /// # Errors
    /// Some may be left.
    pub fn retain_templates(
        &mut self,
        keep: impl FnMut(&TemplateKey) -> bool,
    ) -> Result<(), DatapathError> {
        let removed = self
            .templates
            .remove_unless(keep)
            .map_err(at(map::TEMPLATE_INDEX))?;
        self.barrier.wait().map_err(DatapathError::Fence)?;
        self.templates.reuse(removed);
        Ok(())
    }

    /// Sets whether the program may answer, and how many requests it passes to the controller.
    ///
    /// # Errors
    /// The kernel refused, and nothing has changed.
    pub fn set_limits(
        &mut self,
        fast_path: bool,
        client_limit: Limit,
        relay_limit: Limit,
        unknown_limit: Limit,
    ) -> Result<(), DatapathError> {
        let meta = self.meta.get(&META_INDEX, 0).map_err(at(map::META))?;
        let wanted = Meta {
            flags: flags(fast_path),
            client_limit,
            relay_limit,
            unknown_limit,
            ..meta
        };
        self.meta.set(META_INDEX, wanted, 0).map_err(at(map::META))
    }

    /// Makes `LINKS` hold exactly `wanted`. The program reads its elements in place, so that one
    /// which was replaced or removed is not used again before a fence.
    ///
    /// # Errors
    /// Some may be missing, or left.
    pub fn sync_links(&mut self, wanted: &[(LinkKey, Link)]) -> Result<(), DatapathError> {
        let present: Result<Vec<_>, _> = self.links.iter().collect();
        let (put, stale) = differences(present.map_err(at(map::LINKS))?, wanted);
        for (key, link) in put {
            // A new key frees no element, so that a start with thousands of them does not wait.
            let replaces = self.links.get(key, 0).is_ok();
            self.links
                .insert(key, link, BPF_ANY)
                .map_err(at(map::LINKS))?;
            if replaces {
                self.barrier.wait().map_err(DatapathError::Fence)?;
            }
        }
        for key in stale {
            self.links.remove(&key).map_err(at(map::LINKS))?;
            self.barrier.wait().map_err(DatapathError::Fence)?;
        }
        Ok(())
    }

    /// Makes `RELAYS` hold exactly `wanted`.
    ///
    /// # Errors
    /// Some may be missing, or left.
    pub fn sync_relays(&mut self, wanted: &[(Ipv4Net, NetworkRef)]) -> Result<(), DatapathError> {
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(prefix, network)| {
                let address = Be32::from(prefix.network());
                ((u32::from(prefix.prefix_len()), address), *network)
            })
            .collect();
        let present: Result<Vec<_>, _> = self
            .relays
            .iter()
            .map(|entry| entry.map(|(key, network)| ((key.prefix_len(), key.data()), network)))
            .collect();
        let (put, stale) = differences(present.map_err(at(map::RELAYS))?, &wanted);
        for ((len, address), network) in put {
            self.relays
                .insert(&Key::new(*len, *address), network, BPF_ANY)
                .map_err(at(map::RELAYS))?;
        }
        for (len, address) in stale {
            self.relays
                .remove(&Key::new(len, address))
                .map_err(at(map::RELAYS))?;
        }
        Ok(())
    }

    /// Returns the counters, for the metrics.
    pub fn outcomes(&self) -> Arc<Outcomes> {
        Arc::clone(&self.outcomes)
    }

    /// Sends the frames of one receive queue to a bound AF_XDP socket. The kernel removes the entry
    /// when the socket is closed.
    ///
    /// # Errors
    /// `index` is beyond the map, or the socket is of another kind.
    pub fn register_slow(
        &mut self,
        index: u32,
        socket: &impl AsRawFd,
    ) -> Result<(), DatapathError> {
        self.slow
            .set(index, socket.as_raw_fd(), BPF_ANY)
            .map_err(at(map::SLOW))
    }
}

/// The map `OUTCOMES`.
pub struct Outcomes(PerCpuArray<MapData, u64>);

impl std::fmt::Debug for Outcomes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Outcomes").finish_non_exhaustive()
    }
}

impl Outcomes {
    /// Returns how often each outcome has occurred, on all CPUs together, since the maps were made.
    ///
    /// # Errors
    /// The kernel did not let the map be read.
    pub fn read(&self) -> Result<Vec<(Outcome, u64)>, DatapathError> {
        Outcome::ALL
            .iter()
            .map(|outcome| {
                let counts = self.0.get(&(*outcome as u32), 0)?;
                let total = counts
                    .iter()
                    .fold(0, |sum: u64, count| sum.wrapping_add(*count));
                Ok((*outcome, total))
            })
            .collect::<Result<_, _>>()
            .map_err(at(map::OUTCOMES))
    }
}

/// Returns which of `wanted` are missing or different in `present`, and which keys are in excess.
fn differences<K: Copy + Eq + Hash, V: PartialEq>(
    present: Vec<(K, V)>,
    wanted: &[(K, V)],
) -> (Vec<&(K, V)>, Vec<K>) {
    let mut present: StdHashMap<K, V> = present.into_iter().collect();
    let put = wanted
        .iter()
        .filter(|(key, value)| present.remove(key).as_ref() != Some(value))
        .collect();
    (put, present.into_keys().collect())
}

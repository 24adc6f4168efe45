//! The start: restores the state of an earlier run from the store and the kernel's map.
//!
//! The store is read record by record, so that a million of them are not in memory twice. The map
//! is read at the same time.

use std::{net::Ipv4Addr, thread, time::Instant};

use anyhow::{Context as _, anyhow};
use dhcp_common::abi::Binding;
use dhcp_datapath::{Datapath, Leases};
use dhcp_engine::{Effect, Engine, Restoration};
use dhcp_store::{
    Store,
    wall_clock::{Wall, boottime},
};

use super::recovery;

/// Restores the engine from store and map, and publishes leases that the map lacks. Returns all
/// other effects of the engine.
pub async fn take_over(
    engine: &mut Engine,
    store: &mut impl Store,
    wall: &Wall,
    datapath: &mut Datapath,
) -> anyhow::Result<Vec<Effect>> {
    let mut restoration = Restoration::new(engine, boottime());
    let (began, mut records) = (Instant::now(), 0u64);
    let leases = &datapath.maps.leases;
    let entries = thread::scope(|scope| {
        let reader = scope.spawn(|| entries(leases));
        store
            .load(&mut |stored| {
                records += 1;
                restoration.record(wall.record(stored));
            })
            .map_err(anyhow::Error::from_boxed)
            .context("reading the store")?;
        reader
            .join()
            .map_err(|_| anyhow!("the thread that reads the map panicked"))
    })?;
    tracing::info!(records, took = ?began.elapsed(), "read the store");

    let began = Instant::now();
    let (published, mut missing) = (entries.len(), 0);
    let mut effects = Vec::new();
    let grants = &datapath.grants;
    let (mut lost, mut lost_entries) = (Vec::new(), Vec::new());
    let mut others = Vec::new();
    for entry in entries {
        if !restoration.entry_of_its_lease(&entry, grants, &mut effects) {
            others.push(entry);
        }
    }
    for binding in others {
        let client = leases.client(binding.slot);
        if let Some(record) = restoration.entry(client, &binding, grants, &mut effects) {
            lost.push(record);
            lost_entries.push((client, binding));
        }
    }
    for record in recovery::commit(store, wall, lost).await? {
        restoration.record(record);
    }
    for (client, binding) in lost_entries {
        restoration.entry(client, &binding, grants, &mut effects);
    }
    let mut reconciliation = restoration.reconcile();
    let mut some = Vec::new();
    loop {
        let is_more = reconciliation.some(grants, &mut some);
        let mut bindings = Vec::new();
        for effect in some.drain(..) {
            match effect {
                Effect::Publish { key, binding } => bindings.push((key, binding)),
                other => effects.push(other),
            }
        }
        missing += bindings.len();
        let mut refused = None;
        let leases = &mut datapath.maps.leases;
        leases.publish(bindings, |_, error| refused = Some(error));
        if let Some(error) = refused {
            tracing::warn!(%error, "cannot publish all leases; the controller answers these clients");
        }
        if !is_more {
            break;
        }
    }
    tracing::info!(
        adopted = datapath.adopted,
        published,
        missing,
        took = ?began.elapsed(),
        "reconciled the kernel's map with the store"
    );
    Ok(effects)
}

/// Returns the entries of the map in the order of their addresses, in which the engine has its
/// leases. Their keys are left out, because they are those of the leases.
fn entries(leases: &Leases) -> Vec<Binding> {
    let mut entries = Vec::new();
    leases.for_each(|binding| entries.push(binding));
    entries.sort_unstable_by_key(|binding| Ipv4Addr::from(binding.address));
    entries
}

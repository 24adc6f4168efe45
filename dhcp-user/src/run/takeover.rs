//! The start: from the store and the kernel's map the engine learns what an earlier run has left.
//!
//! Both are read entry by entry, so that nothing of a million leases is in memory twice.

use std::time::Instant;

use anyhow::Context as _;

use super::lost;
use crate::{
    clock::Nanos,
    datapath::Datapath,
    engine::{Effect, Engine, Restoration},
    store::{Store, wall::Wall},
};

/// Publishes what is to be in the kernel's map and is not. What else the engine decided comes back.
pub async fn take_over(
    engine: &mut Engine,
    store: &mut impl Store,
    wall: &Wall,
    datapath: &mut Datapath,
) -> anyhow::Result<Vec<Effect>> {
    let mut restoration = Restoration::new(engine, Nanos::now());
    let (began, mut records) = (Instant::now(), 0u64);
    store
        .load(&mut |stored| {
            records += 1;
            restoration.record(wall.record(stored));
        })
        .map_err(anyhow::Error::from_boxed)
        .context("reading the store")?;
    tracing::info!(records, took = ?began.elapsed(), "read the store");

    let (began, mut published, mut missing) = (Instant::now(), 0u64, 0);
    let (mut lost, mut lost_entries) = (Vec::new(), Vec::new());
    let mut effects = Vec::new();
    let grants = &datapath.grants;
    datapath.maps.for_each_published(|client, binding| {
        published += 1;
        if let Some(record) = restoration.entry(client, &binding, grants, &mut effects) {
            lost.push(record);
            lost_entries.push((client, binding));
        }
    })?;
    for record in lost::commit(store, wall, lost).await? {
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
        if let Err(error) = datapath.maps.publish_all(bindings) {
            tracing::warn!(%error, "some clients will be served by the controller alone");
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

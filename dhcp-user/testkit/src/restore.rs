//! Starts an engine as the server does.

use std::{collections::HashSet, net::Ipv4Addr};

use dhcp_common::abi::{Binding, ClientKey};
use dhcp_engine::{Effect, Engine, Grants, Restoration};
use dhcp_model::{Nanos, Record};

/// Starts an engine; every published entry must have a record, see [`unrecorded`].
pub fn restore(
    engine: &mut Engine,
    records: impl IntoIterator<Item = Record>,
    published: impl IntoIterator<Item = (ClientKey, Binding)>,
    now: Nanos,
    kernel: &impl Grants,
) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut restoration = Restoration::new(engine, now);
    for record in records {
        restoration.record(record);
    }
    let mut others: Vec<_> = published.into_iter().collect();
    others.retain(|(_, binding)| !restoration.entry_of_its_lease(binding, kernel, &mut effects));
    for (client, binding) in others {
        let unrecorded = restoration.entry(client, &binding, kernel, &mut effects);
        assert_eq!(unrecorded, None);
    }
    let mut reconciliation = restoration.reconcile();
    while reconciliation.some(kernel, &mut effects) {}
    effects
}

/// Returns new records for the published entries that have none.
#[allow(dead_code, reason = "where no store is lost nothing is")]
pub fn unrecorded(
    records: &[Record],
    published: &[(ClientKey, Binding)],
    now: Nanos,
    kernel: &impl Grants,
) -> Vec<Record> {
    let recorded = records.iter().filter(|record| !record.state.is_free());
    let recorded: HashSet<_> = recorded.map(|record| record.address).collect();
    let published = published.iter();
    published
        .filter(|(_, binding)| !recorded.contains(&Ipv4Addr::from(binding.address)))
        .filter_map(|(client, binding)| dhcp_engine::unrecorded(*client, binding, now, kernel))
        .collect()
}

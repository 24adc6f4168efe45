//! The counters for `xdhcpd stats`, gathered on request.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Instant};

use dhcp_common::outcome::{Action, Outcome};
use dhcp_config::Pool;
use dhcp_control::{InterfaceStats, PoolUse, Stats};
use dhcp_datapath::{LinkMode, Outcomes};
use dhcp_engine::{Counter, Counters, lease_table::Leases};
use dhcp_store::committer;

use super::serving::Serving;
use crate::control::store_stats;

/// The sources of all counters.
pub struct StatsSource {
    pub started: Instant,
    pub serving: Arc<Serving>,
    pub leases: Arc<Leases>,
    pub outcomes: Arc<Outcomes>,
    pub engine: Arc<Counters>,
    pub store: Arc<committer::Counters>,
}

impl StatsSource {
    /// Returns a function that gathers all counters.
    pub fn into_fn(self) -> impl Fn() -> Stats + Send + Sync {
        move || self.gather()
    }

    fn gather(&self) -> Stats {
        let kernel = self.outcomes.read().unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read the kernel's counters");
            Vec::new()
        });
        let (leases, pools) = self.leases();
        Stats {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_secs: self.started.elapsed().as_secs(),
            kernel_share: kernel_share(&kernel),
            kernel: kernel
                .iter()
                .map(|(outcome, count)| (outcome.label().to_owned(), *count))
                .collect(),
            engine: Counter::ALL
                .iter()
                .map(|counter| (counter.label().to_owned(), self.engine.get(*counter)))
                .collect(),
            leases,
            pools,
            store: store_stats(&self.store),
            templates: self.engine.get(Counter::TemplatePublished)
                + self.engine.get(Counter::TemplateAdopted),
            interfaces: self.interfaces(),
            slow_path_sockets: self
                .serving
                .interfaces()
                .iter()
                .map(|interface| interface.sockets as u64)
                .sum(),
        }
    }

    /// Returns the leases by the label of their state, and the use of each subnet's pools.
    fn leases(&self) -> (BTreeMap<String, u64>, Vec<PoolUse>) {
        let config = self.serving.config();
        let mut pools: Vec<_> = config
            .subnets()
            .map(|(_, subnet)| PoolUse {
                subnet: subnet.prefix.to_string(),
                size: subnet.pools.iter().map(size).sum(),
                used: 0,
            })
            .collect();
        // Ranges are disjoint: only the last one that begins at or before an address can contain
        // it.
        let subnets = config.subnets().enumerate();
        let ranges: BTreeMap<Ipv4Addr, (Ipv4Addr, usize)> = subnets
            .flat_map(|(index, (_, subnet))| {
                let pools = subnet.pools.iter();
                pools.map(move |pool| (pool.first, (pool.last, index)))
            })
            .collect();
        let mut leases: BTreeMap<&str, u64> = BTreeMap::new();
        for lease in self.leases.iter() {
            *leases.entry(lease.state.label()).or_insert(0) += 1;
            let address = lease.key();
            if let Some((_, (last, index))) = ranges.range(..=address).next_back()
                && address <= last
            {
                pools[*index].used += 1;
            }
        }
        let leases = leases.into_iter();
        let leases = leases.map(|(label, count)| (label.to_owned(), count));
        (leases.collect(), pools)
    }

    fn interfaces(&self) -> Vec<InterfaceStats> {
        let interfaces = self.serving.interfaces().into_iter();
        interfaces
            .map(|interface| InterfaceStats {
                name: interface.name,
                mode: match interface.mode {
                    LinkMode::Native => dhcp_control::LinkMode::Native,
                    LinkMode::Generic => dhcp_control::LinkMode::Generic,
                },
            })
            .collect()
    }
}

fn size(pool: &Pool) -> u64 {
    u64::from(u32::from(pool.last) - u32::from(pool.first)) + 1
}

fn kernel_share(kernel: &[(Outcome, u64)]) -> Option<f64> {
    let counted = |action| {
        let counted = kernel
            .iter()
            .filter(|(outcome, _)| outcome.action() == action);
        counted.map(|(_, count)| count).sum::<u64>()
    };
    let by_kernel = counted(Action::Transmit);
    let all = by_kernel + counted(Action::Slow);
    (all != 0).then(|| by_kernel as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_the_requests_that_were_taken() {
        let counted = [
            (Outcome::AckedRenewing, 5),
            (Outcome::Offered, 2),
            (Outcome::NoTemplate, 1),
            (Outcome::Limited, 90),
            (Outcome::NotDhcp, 900),
        ];
        assert_eq!(kernel_share(&counted), Some(0.875));
        assert_eq!(kernel_share(&counted[3..]), None);
    }
}

//! A subnet with its pools.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use dhcp_config::{Classes, Overrides};
use dhcp_model::LeaseTimes;
use ipnet::Ipv4Net;

use super::profile::Profile;
use crate::{lease_table::Leases, pool::Pool};

/// A subnet with its pools.
#[derive(Debug)]
pub struct Subnet {
    pub prefix: Ipv4Net,
    pub lease: LeaseTimes,
    pub offer_time: Duration,
    pub probe_time: Duration,
    pub decline_time: Duration,
    pub authoritative: bool,
    /// Whether BOOTP is served.
    pub bootp: bool,
    /// The profile of addresses that are in no pool.
    pub(super) profile: Arc<Profile>,
    /// In the order in which a client takes from them: those for its class before those for all
    /// clients, otherwise that of the file.
    pub(super) pools: Vec<KindOfPool>,
}

/// The ranges that are for the same clients and have the same overrides.
#[derive(Debug)]
pub(super) struct KindOfPool {
    /// The classes that it is for; if empty, it is for all clients.
    pub classes: Classes,
    pub pool: Pool<Ipv4Addr>,
    pub profile: Arc<Profile>,
}

impl KindOfPool {
    pub const fn is_for(&self, classes: Classes) -> bool {
        self.classes == 0 || self.classes & classes != 0
    }
}

impl Subnet {
    pub(super) fn pool_of(&self, address: Ipv4Addr) -> Option<&KindOfPool> {
        self.pools.iter().find(|pool| pool.pool.contains(address))
    }

    pub(super) fn profile_of(&self, address: Ipv4Addr) -> &Arc<Profile> {
        self.pool_of(address)
            .map_or(&self.profile, |pool| &pool.profile)
    }

    /// Returns the pool that an address is in.
    pub fn fill(&self, address: Ipv4Addr) -> Option<&Pool<Ipv4Addr>> {
        Some(&self.pool_of(address)?.pool)
    }

    /// Returns whether everything that affects a lease is the same as in another configuration.
    pub(super) fn says_the_same(&self, former: &Self) -> bool {
        let kinds = |subnet: &Self| -> Vec<_> {
            let pools = subnet.pools.iter();
            pools.map(|kind| (kind.classes, kind.profile.id)).collect()
        };
        self.prefix == former.prefix
            && self.profile.id == former.profile.id
            && kinds(self) == kinds(former)
            && self
                .pools
                .iter()
                .zip(&former.pools)
                .all(|(kind, former)| kind.pool.is_of_the_same(&former.pool))
    }

    /// Copies which addresses are free: whole pools if they have the same addresses; otherwise the
    /// addresses that are not leased, in the order in which they were given back.
    pub(super) fn take_over(&mut self, former: Option<&mut Self>, leases: &Leases) {
        let mut former = former.map(|former| std::mem::take(&mut former.pools));
        let former = former.get_or_insert_default();
        for kind in &mut self.pools {
            let mut counterparts = former.iter_mut();
            match counterparts.find(|former| former.pool.is_of_the_same(&kind.pool)) {
                Some(same) => std::mem::swap(&mut kind.pool, &mut same.pool),
                None => kind.pool.fill(
                    leases.addresses_between(self.prefix.network(), self.prefix.broadcast()),
                    former.iter().flat_map(|former| former.pool.given_back()),
                ),
            }
        }
    }

    pub(super) fn take_any(&mut self, classes: Classes) -> Option<Ipv4Addr> {
        let pools = self.pools.iter_mut();
        pools
            .filter(|pool| pool.is_for(classes))
            .find_map(|pool| pool.pool.take_any())
    }
}

/// Returns classes, overrides and ranges of each kind of pool, those for certain classes first.
pub(super) fn kinds_of_pools(
    pools: &[dhcp_config::Pool],
) -> Vec<(Classes, &Overrides, Vec<&dhcp_config::Pool>)> {
    let mut kinds: Vec<(Classes, &Overrides, Vec<_>)> = Vec::new();
    for pool in pools {
        let same = |(classes, overrides, _): &&mut (Classes, &Overrides, Vec<_>)| {
            *classes == pool.classes && **overrides == pool.overrides
        };
        match kinds.iter_mut().find(same) {
            Some((.., ranges)) => ranges.push(pool),
            None => kinds.push((pool.classes, &pool.overrides, vec![pool])),
        }
    }
    kinds.sort_by_key(|(classes, ..)| *classes == 0);
    kinds
}

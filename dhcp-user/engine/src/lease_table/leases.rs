//! All addresses that are not free, with their clients. The engine writes them, and any thread may
//! read them.

use std::{net::Ipv4Addr, num::NonZeroU8};

use dashmap::{
    DashMap,
    mapref::{multiple::RefMulti, one::Ref},
};
use dhcp_model::{Address, LeaseTimes, Nanos};

use super::{hasher::AddressHasher, holder::Holder, slots::NO_SLOT, state::LeaseState};

/// A lease, an offer, or an address out of service.
#[derive(Clone, Debug)]
pub struct Lease {
    pub holder: Holder,
    pub state: LeaseState,
    pub since: Nanos,
    /// The end as last known; the kernel may have granted more, see `GRANTS`.
    pub expires: Nanos,
    /// The horizon that the store has committed.
    pub durable_until: Nanos,
    /// When the engine handles it next, or [`Nanos::FOREVER`].
    pub deadline: Nanos,
    /// The times that it was last given for; not known after a restart.
    pub times: Option<PackedTimes>,
    /// Index into `LEASES` and `GRANTS`, or [`NO_SLOT`].
    pub slot: u32,
    pub epoch: u16,
}

// The memory of a million leases depends on it.
const _: () = assert!(
    size_of::<Lease>() <= 72,
    "80 octets with the allocator's header"
);

impl Lease {
    pub const fn is_published(&self) -> bool {
        self.slot != NO_SLOT
    }
}

/// [`LeaseTimes`] as they were given, in less memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedTimes {
    lease_secs: u32,
    renewal_secs: u32,
    rebinding_secs: u32,
    horizon_leases: NonZeroU8,
}

impl From<LeaseTimes> for PackedTimes {
    fn from(times: LeaseTimes) -> Self {
        let horizon_leases = u8::try_from(times.horizon_leases).ok();
        Self {
            lease_secs: times.lease_secs,
            renewal_secs: times.renewal_secs,
            rebinding_secs: times.rebinding_secs,
            // The configuration allows 1 to 8.
            horizon_leases: horizon_leases
                .and_then(NonZeroU8::new)
                .unwrap_or(NonZeroU8::MIN),
        }
    }
}

impl From<PackedTimes> for LeaseTimes {
    fn from(times: PackedTimes) -> Self {
        Self {
            lease_secs: times.lease_secs,
            renewal_secs: times.renewal_secs,
            rebinding_secs: times.rebinding_secs,
            horizon_leases: u32::from(times.horizon_leases.get()),
            range: None,
        }
    }
}

/// Leases by address. Only [`super::LeaseTable`] writes it. The control interface and the metrics
/// read it at any time, without involving the engine.
#[derive(Debug)]
pub struct Leases<A: Address = Ipv4Addr>(
    // In boxes, because up to half of a table is empty.
    DashMap<A, Box<Lease>, AddressHasher>,
);

impl<A: Address> Default for Leases<A> {
    fn default() -> Self {
        Self(DashMap::default())
    }
}

impl<A: Address> Leases<A> {
    pub fn get(&self, address: &A) -> Option<Ref<'_, A, Box<Lease>>> {
        self.0.get(address)
    }

    pub fn contains(&self, address: A) -> bool {
        self.0.contains_key(&address)
    }

    /// Returns all leases, in no order.
    pub fn iter(&self) -> impl Iterator<Item = RefMulti<'_, A, Box<Lease>>> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the addresses in a range, its ends included, that are not free, in no order.
    pub fn addresses_between(&self, first: A, last: A) -> Vec<A> {
        if A::count(first, last) <= self.len() as u64 {
            let all = std::iter::successors(Some(first), |address| address.successor());
            let all = all.take_while(|address| *address <= last);
            return all.filter(|address| self.contains(*address)).collect();
        }
        let all = self.iter().map(|lease| *lease.key());
        all.filter(|address| (first..=last).contains(address))
            .collect()
    }

    pub(super) fn insert(&self, address: A, lease: Box<Lease>) {
        self.0.insert(address, lease);
    }

    pub(super) fn remove(&self, address: A) {
        self.0.remove(&address);
    }

    pub(super) fn update<R>(&self, address: A, change: impl FnOnce(&mut Lease) -> R) -> Option<R> {
        self.0.get_mut(&address).map(|mut lease| change(&mut lease))
    }
}

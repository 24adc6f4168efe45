//! Offers: which address a client is offered, and for how long it is held (RFC 2131 §4.3.1).

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use dhcp_common::abi::ClientKey;

use super::{Requester, View};
use crate::{
    lease_table::LeaseState,
    networks::{Networks, Profile},
    pool::Pool,
    reply,
    request::Request,
};

/// The minimum time for which an offer is held, even if the pool is empty.
const MIN_HOLD: Duration = Duration::from_secs(2);
/// The part of the configured time that is left in a pool without free addresses.
const FULL_POOL_DIVISOR: u32 = 10;

/// The address that a client has when it sends a DISCOVER (c027, c029).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing that it can be offered.
    Nothing,
    /// An address that it is offered again.
    Address(Ipv4Addr),
    /// An address that it is offered again although it is on its way to the pool.
    Withdrawn(Ipv4Addr),
    /// An offer of an address that is no longer for this client. The offer ends.
    OtherOffer(Ipv4Addr),
    /// A lease of an address that is no longer for this client. The lease stays until it expires,
    /// because the client may still use it; the kernel stops renewing it.
    OtherLease(Ipv4Addr),
    /// A lease that an operator has revoked. It ends, because the client has started again.
    Revoked(Ipv4Addr),
}

/// Returns the address that the client has already.
pub fn kept(view: View<'_>, requester: &Requester) -> Kept {
    let Some((address, held)) = view.table.current(&requester.client) else {
        return Kept::Nothing;
    };
    let Some(network) = view.networks.get(requester.network) else {
        return Kept::Nothing;
    };
    let moves = requester
        .reserved
        .address
        .is_some_and(|reserved| reserved != address && !view.table.contains(reserved));
    match held.state {
        LeaseState::Revoked => Kept::Revoked(address),
        LeaseState::Quarantined => Kept::Nothing,
        _ if moves || !network.may_have(requester.reserved.address, requester.to_keep, address) => {
            if held.state.is_offer() {
                Kept::OtherOffer(address)
            } else {
                Kept::OtherLease(address)
            }
        }
        LeaseState::Withdrawn => Kept::Withdrawn(address),
        _ => Kept::Address(address),
    }
}

/// Returns whether the client has an active lease.
pub fn is_bound(view: View<'_>, client: &ClientKey) -> bool {
    let current = view.table.current(client);
    current.is_some_and(|(_, held)| held.state == LeaseState::Bound)
}

/// Returns the profile of an offer that tells a client without a lease to do without IPv4, if
/// client and subnet permit it; `kept` is the address that the client has (RFC 8925 §3.3).
pub fn ipv6_only(
    view: View<'_>,
    requester: &Requester,
    kept: Option<Ipv4Addr>,
    request: &Request,
) -> Option<Arc<Profile>> {
    let suits = |profile: &Profile| is_ipv6_only(view, profile, requester, request);
    let profile = match kept {
        Some(address) => match view.table.held(address)?.state {
            LeaseState::Probing | LeaseState::Offered | LeaseState::Withdrawn => {
                view.profile(address, &requester.reserved)?
            }
            _ => return None,
        },
        None => {
            let network = view.networks.get(requester.network)?;
            let reserved = requester
                .reserved
                .address
                .filter(|reserved| !view.table.contains(*reserved));
            let wishes = reserved.into_iter().chain(wishes(view, requester, request));
            network.prospect(
                &requester.reserved,
                requester.classes,
                requester.subnet,
                wishes,
                suits,
            )?
        }
    };
    suits(&profile).then_some(profile)
}

fn is_ipv6_only(
    view: View<'_>,
    profile: &Profile,
    requester: &Requester,
    request: &Request,
) -> bool {
    let terms = view
        .networks
        .terms(profile, requester.classes, &request.shape);
    reply::is_ipv6_only(&terms, &request.shape)
}

/// Returns whether a DISCOVER is answered as a REQUEST for its address would be (RFC 4039 §3.1).
/// It is not if the client is told to do without an IPv4 address (RFC 8925 §3.3).
pub fn commits_rapidly(
    view: View<'_>,
    address: Ipv4Addr,
    requester: &Requester,
    request: &Request,
) -> bool {
    request.shape.rapid_commit
        && view
            .profile(address, &requester.reserved)
            .is_some_and(|profile| {
                profile.rapid_commit && !is_ipv6_only(view, &profile, requester, request)
            })
}

/// Returns the addresses that a client prefers, if they are free: the one that it had last, and the
/// one that it requests.
pub fn wishes(
    view: View<'_>,
    requester: &Requester,
    request: &Request,
) -> impl Iterator<Item = Ipv4Addr> + use<> {
    let former = view.table.address_of(&requester.client);
    let former = former.filter(|address| view.table.is_former(&requester.client, *address));
    [former, request.requested].into_iter().flatten()
}

/// Returns how long an offer of an address is held.
pub fn hold_time(networks: &Networks, address: Ipv4Addr) -> Option<Duration> {
    let subnet = networks.subnet_of(address)?;
    Some(hold(subnet.offer_time, subnet.fill(address)))
}

/// Returns how long an offer is held: the configured time while at least half of the pool is free,
/// from there on less in proportion, down to a tenth when nothing is free; never under
/// [`MIN_HOLD`], or the configured time if that is shorter.
fn hold(offer_time: Duration, pool: Option<&Pool<Ipv4Addr>>) -> Duration {
    /// Resolution of the scale from half free to none free.
    const STEPS: u64 = 1000;
    let least = offer_time / FULL_POOL_DIVISOR;
    let free = pool.and_then(|pool| {
        let free = u128::from(pool.free()) * 2 * u128::from(STEPS);
        free.checked_div(pool.size().into())
    });
    let free = free.map_or(STEPS, |free| free.min(STEPS.into()) as u64);
    let scaled = least + (offer_time - least) * free as u32 / STEPS as u32;
    scaled.max(MIN_HOLD.min(offer_time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hold_shrinks_as_the_pool_empties() {
        let first = Ipv4Addr::new(10, 0, 0, 1);
        let last = Ipv4Addr::new(10, 0, 0, 100);
        let mut pool = Pool::new([(first, last)], []);
        let secs = Duration::from_secs;
        let mut held = Vec::new();
        for taken in 0..=100 {
            if [0, 50, 75, 100].contains(&taken) {
                held.push(hold(secs(60), Some(&pool)));
            }
            pool.take_any();
        }
        assert_eq!(held, [secs(60), secs(60), secs(33), secs(6)]);
        assert_eq!(
            hold(secs(10), Some(&pool)),
            secs(2),
            "not under the minimum"
        );
        assert_eq!(
            hold(secs(1), Some(&pool)),
            secs(1),
            "not over what is configured"
        );
    }

    #[test]
    fn a_reserved_address_is_held_as_if_all_were_free() {
        let time = Duration::from_secs(60);
        assert_eq!(hold(time, None), time);
        assert_eq!(hold(time, Some(&Pool::new([], []))), time);
    }
}

//! LEASEQUERY: queries of relay agents about leases (RFC 4388).

use std::{cmp::Reverse, net::Ipv4Addr};

use dhcp_common::{
    abi::NS_PER_SEC,
    wire::{INFINITE_SECS, option},
};

use dhcp_model::{ClientOrigin, LeaseTimes, Nanos};

use super::View;
use crate::{
    counters::Silence,
    lease_table::LeaseState,
    queriers::Identity,
    reply::leasequery::{Finding, Leased},
    request::Request,
};

/// Tolerance for times in the future: the kernel records times slightly ahead (`CLOCK_LEAD_NS`),
/// and times from the store are rounded. A time further ahead is not that of a client's message.
const MAX_AHEAD_NS: u64 = NS_PER_SEC;

/// The subject of a query.
#[derive(Clone, Copy, Debug)]
enum Query<'a> {
    Address(Ipv4Addr),
    Client(Identity<'a>),
}

impl<'a> Query<'a> {
    /// Returns the subject: "exactly one" of three (RFC 4388 §6.3). Type and length of a hardware
    /// address are ignored if the address is absent.
    fn of(ciaddr: Ipv4Addr, origin: &'a ClientOrigin) -> Option<Self> {
        let address = Some(ciaddr).filter(|address| !address.is_unspecified());
        let asked = [
            address.map(Self::Address),
            Identity::hardware(origin).map(Self::Client),
            Identity::client_id(origin).map(Self::Client),
        ];
        let mut asked = asked.into_iter().flatten();
        asked.next().filter(|_| asked.next().is_none())
    }
}

/// An active lease.
#[derive(Debug)]
struct Active {
    address: Ipv4Addr,
    origin: ClientOrigin,
    since: Nanos,
    /// The end, including time that the kernel has granted.
    expires: Nanos,
    times: Option<LeaseTimes>,
    /// When it was last granted to its client.
    granted_at: Option<Nanos>,
}

/// Returns the result of a relay agent's query, and the address that the answer comes from.
///
/// # Errors
/// Why there is no answer.
pub fn finding(view: View<'_>, request: &Request) -> Result<(Finding, Ipv4Addr), Silence> {
    if request.giaddr.is_unspecified() {
        return Err(Silence::LeasequeryNowhere);
    }
    if !view.queriers.may_ask(request.giaddr) {
        return Err(Silence::LeasequeryRefused);
    }
    let asker = request.origin().into();
    let query = Query::of(request.ciaddr, &asker).ok_or(Silence::OddLeasequery)?;
    let finding = find(view, query, request);
    let source = view
        .networks
        .answering(&request.ingress)
        .ok_or(Silence::UnknownNetwork)?;
    Ok((finding, source))
}

/// Finds the subject of a query (RFC 4388 §6.4, §6.4.1).
fn find(view: View<'_>, query: Query<'_>, request: &Request) -> Finding {
    let found = match query {
        Query::Address(address) => active(view, address).map(|active| {
            let addresses = addresses_if_listed(view, &active, request);
            (active, addresses)
        }),
        Query::Client(identity) => {
            let actives = actives_of(view, identity);
            let addresses = actives.iter().map(|active| active.address).collect();
            actives.into_iter().next().map(|last| (last, addresses))
        }
    };
    if let Some((active, addresses)) = found
        && let Some(leased) = leased(view, active, addresses)
    {
        return Finding::Active(Box::new(leased));
    }
    match query {
        Query::Address(address) if manages(view, address) => Finding::Unassigned,
        Query::Address(_) | Query::Client(_) => Finding::Unknown,
    }
}

/// Returns whether the address is one that this server leases, or did.
fn manages(view: View<'_>, address: Ipv4Addr) -> bool {
    let containing = view.networks.containing(address);
    containing.is_some_and(|(network, _)| network.is_leased_out(address))
        || view.table.contains(address)
}

/// Returns all addresses of the client that has this one, if the query lists them: a query by
/// address does not ask for them by itself.
fn addresses_if_listed(view: View<'_>, active: &Active, request: &Request) -> Vec<Ipv4Addr> {
    let origin = &active.origin;
    let identity = Identity::client_id(origin).or_else(|| Identity::hardware(origin));
    let parameters = request.shape.parameters.as_deref().unwrap_or_default();
    match identity {
        Some(identity) if parameters.contains(&option::ASSOCIATED_IP) => {
            let actives = actives_of(view, identity);
            actives.iter().map(|active| active.address).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the leases of a client, the last one used first.
fn actives_of(view: View<'_>, identity: Identity<'_>) -> Vec<Active> {
    let addresses = view.queriers.addresses(identity);
    let mut actives: Vec<_> = addresses
        .filter_map(|address| active(view, address))
        .filter(|active| identity.is_of(&active.origin))
        .collect();
    actives.sort_by_key(|active| {
        let used = active.granted_at.unwrap_or(active.since);
        (Reverse(used), active.address)
    });
    actives
}

/// Returns the lease of an address, if it is active. One that the operator has deleted or revoked
/// is not, although the client may still use the address.
fn active(view: View<'_>, address: Ipv4Addr) -> Option<Active> {
    let held = view.table.held(address)?;
    let expires = view.effective_expiry(&held);
    if held.state != LeaseState::Bound || expires <= view.now {
        return None;
    }
    let (origin, since, times) = {
        let lease = view.table.leases().get(&address)?;
        (lease.holder.origin(), lease.since, lease.times)
    };
    let times = times.map(LeaseTimes::from);
    let times = times.or_else(|| certain_times(view, address));
    let granted_at = times.and_then(|times| granted_at(expires, times, view.now));
    Some(Active {
        address,
        origin,
        since,
        expires,
        times,
        granted_at,
    })
}

/// Returns the times of a lease from before this engine was started. They follow from its address,
/// unless they can depend on what its client sent.
fn certain_times(view: View<'_>, address: Ipv4Addr) -> Option<LeaseTimes> {
    let profile = view.profile(address, &view.reserved_for(address))?;
    view.networks.certain_times(&profile)
}

/// Returns the contents of the answer. They ignore the client's classes, which are not kept.
fn leased(view: View<'_>, active: Active, addresses: Vec<Ipv4Addr>) -> Option<Leased> {
    let profile = view.profile(active.address, &view.reserved_for(active.address))?;
    let until = |secs_of: fn(&LeaseTimes) -> u32| {
        let times = active.times?;
        if active.expires.is_forever() {
            return Some(INFINITE_SECS);
        }
        let time = active.granted_at?.plus_lease(secs_of(&times));
        (time > view.now).then(|| secs(view.now, time))
    };
    Some(Leased {
        address: active.address,
        remaining_secs: secs(view.now, active.expires),
        renewal_secs: until(|times| times.renewal_secs),
        rebinding_secs: until(|times| times.rebinding_secs),
        silent_secs: active.granted_at.map(|at| secs(at, view.now)),
        addresses,
        terms: view.networks.certain_terms(&profile),
        origin: active.origin,
    })
}

/// Returns when a lease with this end was granted. It is not known for one that never ends, nor for
/// one that is held to its horizon because the kernel's grant is lost.
fn granted_at(expires: Nanos, times: LeaseTimes, now: Nanos) -> Option<Nanos> {
    if expires.is_forever() || times.lease_secs == INFINITE_SECS {
        return None;
    }
    let lease_ns = u64::from(times.lease_secs) * NS_PER_SEC;
    let at = Nanos(expires.0.checked_sub(lease_ns)?);
    (at.0 <= now.0.saturating_add(MAX_AHEAD_NS)).then(|| at.min(now))
}

/// Returns whole seconds; a finite time never becomes the value for infinity.
fn secs(from: Nanos, to: Nanos) -> u32 {
    if to.is_forever() {
        return INFINITE_SECS;
    }
    let secs = to.since(from).as_secs();
    u32::try_from(secs).map_or(INFINITE_SECS - 1, |secs| secs.min(INFINITE_SECS - 1))
}

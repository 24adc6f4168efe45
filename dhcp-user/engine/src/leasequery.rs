//! LEASEQUERY: what relay agents ask about leases (RFC 4388). Nothing here changes one.

use std::{cmp::Reverse, net::Ipv4Addr};

use dhcp_common::{
    abi::NS_PER_SEC,
    wire::{INFINITE_SECS, option},
};

use self::requesters::Identity;

pub use self::requesters::Requesters;
use super::{
    Context, Counter, Effect, Engine,
    reply::{
        self,
        leasequery::{Finding, Leased},
    },
    request::Request,
};
use crate::live::LeaseState;
use dhcp_model::{ClientOrigin, LeaseTimes, Nanos};

mod requesters;

/// The kernel notes times that are a little ahead (`CLOCK_LEAD_NS`), and the store's come back a little
/// different; what is ahead by more is no time at which a client was heard.
const MAX_AHEAD_NS: u64 = NS_PER_SEC;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
enum Query<'a> {
    Address(Ipv4Addr),
    Client(Identity<'a>),
}

impl<'a> Query<'a> {
    /// RFC 4388 §6.3: "exactly one" of the three. Types and lengths of hardware addresses that are not
    /// there do no harm.
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

/// A lease that runs.
#[derive(Debug)]
struct Active {
    address: Ipv4Addr,
    origin: ClientOrigin,
    since: Nanos,
    /// With what the kernel has granted.
    expires: Nanos,
    times: Option<LeaseTimes>,
    /// When its client was last given time.
    granted_at: Option<Nanos>,
}

impl Engine {
    /// # Errors
    /// Why there is no answer.
    pub(super) fn leasequery(
        &self,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        if request.giaddr.is_unspecified() {
            return Err(Counter::LeasequeryNowhere);
        }
        if !self.requesters.may_ask(request.giaddr) {
            return Err(Counter::LeasequeryRefused);
        }
        let asker = request.origin().into();
        let query = Query::of(request.ciaddr, &asker).ok_or(Counter::OddLeasequery)?;
        let finding = self.find(query, request, cx);
        let source = self
            .networks
            .answering(&request.ingress)
            .ok_or(Counter::UnknownNetwork)?;
        let reply = reply::leasequery::encode(&finding, source, request)?;
        self.count(match finding {
            Finding::Active(_) => Counter::LeaseActive,
            Finding::Unassigned => Counter::LeaseUnassigned,
            Finding::Unknown => Counter::LeaseUnknown,
        });
        cx.out.push(Effect::Send {
            egress: reply.egress,
            payload: reply.payload,
        });
        Ok(())
    }

    /// RFC 4388 §6.4, §6.4.1.
    fn find(&self, query: Query<'_>, request: &Request, cx: &Context<'_>) -> Finding {
        let found = match query {
            Query::Address(address) => self.active(address, cx).map(|active| {
                let addresses = self.addresses_if_listed(&active, request, cx);
                (active, addresses)
            }),
            Query::Client(identity) => {
                let actives = self.actives_of(identity, cx);
                let addresses = actives.iter().map(|active| active.address).collect();
                actives.into_iter().next().map(|last| (last, addresses))
            }
        };
        if let Some((active, addresses)) = found
            && let Some(leased) = self.leased(active, addresses, cx)
        {
            return Finding::Active(Box::new(leased));
        }
        match query {
            Query::Address(address) if self.manages(address) => Finding::Unassigned,
            Query::Address(_) | Query::Client(_) => Finding::Unknown,
        }
    }

    /// Whether the address is this server's to lease, or was.
    fn manages(&self, address: Ipv4Addr) -> bool {
        let containing = self.networks.containing(address);
        containing.is_some_and(|(network, _)| network.is_leased_out(address))
            || self.live.contains_key(&address)
    }

    /// All addresses of the client that has this one, which a question for an address does not ask for
    /// by itself.
    fn addresses_if_listed(
        &self,
        active: &Active,
        request: &Request,
        cx: &Context<'_>,
    ) -> Vec<Ipv4Addr> {
        let origin = &active.origin;
        let identity = Identity::client_id(origin).or_else(|| Identity::hardware(origin));
        let parameters = request.shape.parameters.as_deref().unwrap_or_default();
        match identity {
            Some(identity) if parameters.contains(&option::ASSOCIATED_IP) => {
                let actives = self.actives_of(identity, cx);
                actives.iter().map(|active| active.address).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The leases of a client, the last one used first.
    fn actives_of(&self, identity: Identity<'_>, cx: &Context<'_>) -> Vec<Active> {
        let addresses = self.requesters.addresses(identity);
        let mut actives: Vec<_> = addresses
            .filter_map(|address| self.active(address, cx))
            .filter(|active| identity.is_of(&active.origin))
            .collect();
        actives.sort_by_key(|active| {
            let used = active.granted_at.unwrap_or(active.since);
            (Reverse(used), active.address)
        });
        actives
    }

    /// The lease of an address, if it runs. One that the operator has taken away does not, whoever may
    /// still use the address.
    fn active(&self, address: Ipv4Addr, cx: &Context<'_>) -> Option<Active> {
        let held = self.held(address)?;
        let expires = self.effective_expiry(&held, cx);
        if held.state != LeaseState::Bound || expires <= cx.now {
            return None;
        }
        let (origin, since, terms) = {
            let lease = self.live.get(&address)?;
            (lease.holder.origin(), lease.since, lease.terms)
        };
        let times = terms.map(Into::into);
        let times = times.or_else(|| self.certain_times(address));
        let granted_at = times.and_then(|times| granted_at(expires, times, cx.now));
        Some(Active {
            address,
            origin,
            since,
            expires,
            times,
            granted_at,
        })
    }

    /// The times that a lease from before this engine was given for. They follow from its address, if they
    /// cannot depend on what its client said.
    fn certain_times(&self, address: Ipv4Addr) -> Option<LeaseTimes> {
        let profile = self.profile(address, self.reserved_for(address))?;
        self.networks.certain_times(profile)
    }

    /// What the requester is told. The classes of whoever has a lease are not kept.
    fn leased(&self, active: Active, addresses: Vec<Ipv4Addr>, cx: &Context<'_>) -> Option<Leased> {
        let profile = self.profile(active.address, self.reserved_for(active.address))?;
        let until = |secs_of: fn(&LeaseTimes) -> u32| {
            let times = active.times?;
            if active.expires.is_forever() {
                return Some(INFINITE_SECS);
            }
            let time = active.granted_at?.plus_lease(secs_of(&times));
            (time > cx.now).then(|| secs(cx.now, time))
        };
        Some(Leased {
            address: active.address,
            remaining_secs: secs(cx.now, active.expires),
            renewal_secs: until(|times| times.renewal_secs),
            rebinding_secs: until(|times| times.rebinding_secs),
            silent_secs: active.granted_at.map(|at| secs(at, cx.now)),
            addresses,
            terms: self.networks.certain_terms(profile),
            origin: active.origin,
        })
    }
}

/// When a lease that ends then was given. Nobody knows of one that never ends, nor of one that is held
/// to its horizon because the kernel's word is lost.
fn granted_at(expires: Nanos, times: LeaseTimes, now: Nanos) -> Option<Nanos> {
    if expires.is_forever() || times.lease_secs == INFINITE_SECS {
        return None;
    }
    let lease_ns = u64::from(times.lease_secs) * NS_PER_SEC;
    let at = Nanos(expires.0.checked_sub(lease_ns)?);
    (at.0 <= now.0.saturating_add(MAX_AHEAD_NS)).then(|| at.min(now))
}

/// Whole seconds, which never are infinity by chance.
fn secs(from: Nanos, to: Nanos) -> u32 {
    if to.is_forever() {
        return INFINITE_SECS;
    }
    let secs = to.since(from).as_secs();
    u32::try_from(secs).map_or(INFINITE_SECS - 1, |secs| secs.min(INFINITE_SECS - 1))
}

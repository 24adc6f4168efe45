//! Offers: which address a client is offered, and for how long it is held (RFC 2131 §4.3.1).

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use dhcp_common::abi::ClientKey;
use dhcp_model::Nanos;

use super::{
    Context, Counter, Engine, NO_SLOT,
    endings::Ending,
    profile::Profile,
    protocol::Party,
    reply::{self, Answer},
    request::Request,
};
use crate::{
    live::{Holder, Lease, LeaseState},
    pool::Pool,
};

/// However empty the pool, a client has that long to answer.
const MIN_HOLD: Duration = Duration::from_secs(2);
/// Of the configured time, in a pool without free addresses.
const FULL_POOL_DIVISOR: u32 = 10;

/// Between two lines about empty pools.
const EMPTY_PAUSE: Duration = Duration::from_secs(1);

/// How long an offer is held: the configured time while at least half of the pool is free, from there
/// on less in proportion, down to a tenth when nothing is free; never under [`MIN_HOLD`], or the
/// configured time if that is shorter.
fn hold(offer_time: Duration, pool: Option<&Pool>) -> Duration {
    /// Parts in which the way from half to full is counted.
    const STEPS: u64 = 1000;
    let least = offer_time / FULL_POOL_DIVISOR;
    let free = pool.and_then(|pool| (pool.free() * 2 * STEPS).checked_div(pool.size()));
    let free = free.unwrap_or(STEPS).min(STEPS);
    let scaled = least + (offer_time - least) * free as u32 / STEPS as u32;
    scaled.max(MIN_HOLD.min(offer_time))
}

impl Engine {
    pub(super) fn discover(
        &mut self,
        party: &Party,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        if self.is_store_failing(cx.now) && !self.is_bound(&party.client) {
            // An offer that it takes keeps the client from a server that can lease it an address.
            return Err(Counter::StoreFailing);
        }
        let kept = self.kept_for(party, cx);
        if let Some(profile) = self.ipv6_only(party, kept, &request) {
            self.drop_offer(party, cx);
            self.send_from(&profile, Answer::Ipv6Only, party, &request, cx)?;
            self.count(Counter::Ipv6Only);
            return Ok(());
        }
        match kept {
            Some(address) if self.probes.is_under_way(address) => {
                Err(self.wait_for_probe(address, party, request))
            }
            Some(address) => self.offer(address, party, request, cx),
            None => self.offer_new(party, request, 0, cx),
        }
    }

    /// Offers an address that is not the client's yet, once it is known that nobody else has it. `in_use`
    /// is how many turned out to be somebody's.
    pub(super) fn offer_new(
        &mut self,
        party: &Party,
        request: Request,
        in_use: u32,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        let Some(address) = self.take_for(party, &request) else {
            self.say_empty(party, cx.now);
            return Err(Counter::PoolEmpty);
        };
        self.hold_offer(party, address, &request, cx);
        if self.is_to_be_probed(party, address, cx) {
            if self.probes.has_room() {
                return self.probe(address, party, request, in_use, cx);
            }
            self.count(Counter::Unprobed);
        }
        self.offer_held(address, party, request, cx)
    }

    /// OFFER of an address that is the client's, wherever it now asks from, or ACK if that is what it asked for.
    pub(super) fn offer(
        &mut self,
        address: Ipv4Addr,
        party: &Party,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        let is_offered = self.held(address).map(|held| held.state) == Some(LeaseState::Offered);
        if is_offered && !self.commits_rapidly(address, party, &request) {
            let holder = Holder::new(&party.client, request.origin());
            self.update(address, |lease| lease.holder = holder);
        }
        self.offer_held(address, party, request, cx)
    }

    /// As [`Engine::offer`], of an address that is held for who asks so.
    fn offer_held(
        &mut self,
        address: Ipv4Addr,
        party: &Party,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        let state = self.held(address).map(|held| held.state);
        if self.commits_rapidly(address, party, &request) {
            return match state {
                Some(LeaseState::Bound) => self.renew(address, request, cx),
                _ => self.bind(address, request, cx),
            };
        }
        if state == Some(LeaseState::Offered) {
            self.rearm_offer(address, cx);
        }
        self.send(Answer::Offer(address), party, &request, cx)?;
        self.count(Counter::Offered);
        self.publish_templates(address, party, &request, cx);
        Ok(())
    }

    /// A line a second, at most: who floods a network empties its pools, and is not to fill the log as well. The counter
    /// has them all.
    fn say_empty(&mut self, party: &Party, now: Nanos) {
        if now >= self.empty_said {
            tracing::warn!(network = party.network, client = ?party.client, "no free address");
            self.empty_said = now.plus(EMPTY_PAUSE);
        }
    }

    fn is_bound(&self, client: &ClientKey) -> bool {
        self.current(client)
            .is_some_and(|(_, held)| held.state == LeaseState::Bound)
    }

    /// Whether a DISCOVER is answered as a REQUEST for its address would be (RFC 4039 §3.1). Not where the client
    /// hears that it can do without the address (RFC 8925 §3.3).
    fn commits_rapidly(&self, address: Ipv4Addr, party: &Party, request: &Request) -> bool {
        request.shape.rapid_commit
            && self
                .profile(address, party.reserved)
                .is_some_and(|profile| {
                    profile.rapid_commit && !self.is_ipv6_only(profile, party, request)
                })
    }

    /// What a client without a lease is answered from that can do without IPv4 where its address would be from;
    /// `kept` is the address that it has (RFC 8925 §3.3).
    fn ipv6_only(
        &self,
        party: &Party,
        kept: Option<Ipv4Addr>,
        request: &Request,
    ) -> Option<Arc<Profile>> {
        let suits = |profile: &Profile| self.is_ipv6_only(profile, party, request);
        let profile = match kept {
            Some(address) => match self.held(address)?.state {
                LeaseState::Probing | LeaseState::Offered | LeaseState::Withdrawn => {
                    self.profile(address, party.reserved)?
                }
                _ => return None,
            },
            None => {
                let network = self.networks.get(party.network)?;
                let reserved = party
                    .reserved
                    .filter(|reserved| !self.live.contains_key(reserved));
                let wishes = reserved.into_iter().chain(self.wishes(party, request));
                network.prospect(party.reserved, party.classes, party.subnet, wishes, suits)?
            }
        };
        suits(profile).then(|| Arc::clone(profile))
    }

    fn is_ipv6_only(&self, profile: &Profile, party: &Party, request: &Request) -> bool {
        let terms = self.networks.terms(profile, party.classes, &request.shape);
        reply::is_ipv6_only(&terms, &request.shape)
    }

    /// The address that is this client's already, in whichever way (c027, c029).
    fn kept_for(&mut self, party: &Party, cx: &mut Context<'_>) -> Option<Ipv4Addr> {
        let (address, held) = self.current(&party.client)?;
        let network = self.networks.get(party.network)?;
        let moves = party
            .reserved
            .is_some_and(|reserved| reserved != address && !self.live.contains_key(&reserved));
        match held.state {
            LeaseState::Revoked => {
                self.end(address, Ending::Removed, cx);
                self.clients.remove(&party.client);
                None
            }
            LeaseState::Quarantined => None,
            _ if moves || !network.may_have(party.reserved, party.classes, address) => {
                self.abandon(address, &held, cx);
                None
            }
            LeaseState::Withdrawn => {
                self.work_mut(address).reoffer = true;
                Some(address)
            }
            _ => Some(address),
        }
    }

    /// The client gets another address. A mere offer of this one ends; a lease stays until its time,
    /// for the client may still use it.
    fn abandon(&mut self, address: Ipv4Addr, held: &super::Held, cx: &mut Context<'_>) {
        if held.state.is_offer() {
            self.lapse(address, cx);
        } else {
            self.withdraw(address, cx);
        }
    }

    /// Reservation, former address, requested address, any.
    fn take_for(&mut self, party: &Party, request: &Request) -> Option<Ipv4Addr> {
        let wishes = self.wishes(party, request);
        let network = self.networks.get_mut(party.network)?;
        if let Some(reserved) = party.reserved
            && !self.live.contains_key(&reserved)
        {
            return Some(reserved);
        }
        wishes
            .into_iter()
            .find(|address| {
                network.may_have(party.reserved, party.classes, *address) && network.take(*address)
            })
            .or_else(|| network.take_any(party.subnet, party.classes))
    }

    /// The former address, and the one requested.
    fn wishes(&self, party: &Party, request: &Request) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let former = self.clients.get(&party.client);
        let former = former.filter(|address| self.clients.is_former(&party.client, *address));
        let wishes = [former, request.requested];
        wishes.into_iter().flatten()
    }

    /// A taken address becomes an offer. It is in memory only: nothing has been promised.
    pub(super) fn hold_offer(
        &mut self,
        party: &Party,
        address: Ipv4Addr,
        request: &Request,
        cx: &Context<'_>,
    ) {
        let lease = Lease {
            holder: Holder::new(&party.client, request.origin()),
            state: LeaseState::Offered,
            since: cx.now,
            expires: cx.now,
            durable_until: Nanos::default(),
            deadline: Nanos::FOREVER,
            terms: None,
            slot: NO_SLOT,
            epoch: 0,
        };
        self.live.insert(address, Box::new(lease));
        self.clients.insert(&party.client, address);
    }

    /// Holds an offer from now on, and lets the kernel repeat it for the first half of that time: what
    /// comes later comes here, and prolongs the hold.
    pub(super) fn rearm_offer(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let Some(subnet) = self.networks.subnet_of(address) else {
            return;
        };
        let expires = cx.now.plus(hold(subnet.offer_time, subnet.fill(address)));
        self.update(address, |lease| lease.expires = expires);
        self.arm_at(address, expires);
        self.publish(address, cx);
    }

    /// The client has chosen another server (RFC 2131 §3.1(4)): what was only offered is free at once; a
    /// lease stays, for it has not been released.
    pub(super) fn offer_declined(
        &mut self,
        party: &Party,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        if self.drop_offer(party, cx) {
            self.count(Counter::OfferDeclined);
        }
        Err(Counter::NotSelected)
    }

    /// Ends what is offered to a client, or is to be. Whether anything was.
    fn drop_offer(&mut self, party: &Party, cx: &mut Context<'_>) -> bool {
        let Some((address, held)) = self.current(&party.client) else {
            return false;
        };
        match held.state {
            LeaseState::Probing | LeaseState::Offered => self.lapse(address, cx),
            LeaseState::Withdrawn => self.work_mut(address).reoffer = false,
            _ => {}
        }
        held.state == LeaseState::Offered
    }

    /// Ends an offer, or the probe before it. Its address is free before the fence, unlike that of a lease: the kernel only
    /// repeats OFFERs from such an entry, and whoever answers one with a REQUEST is answered here.
    /// Just the slot waits for the fence.
    pub(super) fn lapse(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        self.probes.cancel(address);
        self.withdraw(address, cx);
        let client = self.held(address).map(|held| held.client);
        let is_former = client.is_some() && self.clients.former(address) == client.as_ref();
        self.free(address, is_former);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hold_shrinks_as_the_pool_empties() {
        let first = Ipv4Addr::new(10, 0, 0, 1);
        let last = Ipv4Addr::new(10, 0, 0, 100);
        let mut pool = Pool::new(&[dhcp_config::Pool::new(first, last)], []);
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
        assert_eq!(hold(time, Some(&Pool::new(&[], []))), time);
    }
}

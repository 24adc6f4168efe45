//! How a lease begins and goes on; [`super::endings`] is how it ends.
//!
//! ```text
//! probing ─► offered ─► committing ─► bound ─► withdrawn ─► free
//!    │                                │  ▲        │
//!    ▼                                ▼  └────────┘ the kernel had granted more, or the client asked again
//! quarantined             deleted, revoked, quarantined
//! ```

use std::net::Ipv4Addr;

use dhcp_model::{LeaseTimes, Nanos, Record, RecordState, horizon};

use super::{
    Context, Counter, Engine, Held, commits::Purpose, protocol::Party, reply::NakReason,
    request::Request,
};
use crate::live::{Holder, LeaseState};

impl Engine {
    /// Leases an address that nobody has to a client that may have it.
    pub(super) fn bind_free(
        &mut self,
        party: &Party,
        address: Ipv4Addr,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        let network = self
            .networks
            .get_mut(party.network)
            .ok_or(Counter::UnknownNetwork)?;
        // Reserved ones are in no pool, and free if they are not in the live table.
        if network.is_in_pool(address) && !network.take(address) {
            return self.nak(NakReason::NotAvailable, party, &request, cx);
        }
        self.hold_offer(party, address, &request, cx);
        self.bind(address, request, cx)
    }

    /// Commits a lease; the ACK follows the commit. A client that asks again meanwhile is answered once.
    pub(super) fn bind(
        &mut self,
        address: Ipv4Addr,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        let held = self.held(address).ok_or(Counter::OddRequest)?;
        let lease = self
            .terms(address, &held, &request)
            .ok_or(Counter::UnknownNetwork)?;
        let work = self.work_mut(address);
        if work.request.is_some() {
            work.request = Some((Box::new(request), cx.now));
            return Err(Counter::Retransmitted);
        }
        work.before = Some(held.state);
        work.reoffer = false;
        let granted = cx.now.plus_lease(lease.lease_secs);
        let expires = match held.state {
            LeaseState::Offered => granted,
            // An earlier promise is kept even if leases have become shorter.
            _ => granted.max(self.effective_expiry(&held, cx)),
        };
        // Until this is committed the kernel may still grant up to the horizon that it was told.
        let horizon = horizon(expires, &lease).max(held.durable_until);
        let mut since = cx.now;
        self.update(address, |lease| {
            if lease.state == LeaseState::Offered {
                lease.since = cx.now;
            }
            if lease.state != LeaseState::Bound {
                lease.state = LeaseState::Committing;
            }
            since = lease.since;
        });
        self.disarm(address);
        let record = Record {
            address,
            client: held.client,
            state: RecordState::Bound,
            origin: request.origin().into(),
            since,
            expires,
            horizon,
        };
        let work = self.work_mut(address);
        work.holder = Some(Holder::new(&held.client, request.origin()));
        work.request = Some((Box::new(request), cx.now));
        self.commit_one(record, Purpose::Bind { expires, horizon }, cx);
        Ok(())
    }

    /// ACK of an active lease: at once if the horizon covers it, or else after a commit.
    pub(super) fn renew(
        &mut self,
        address: Ipv4Addr,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Counter> {
        let held = self.held(address).ok_or(Counter::OddRequest)?;
        let lease = self
            .terms(address, &held, &request)
            .ok_or(Counter::UnknownNetwork)?;
        let granted = cx.now.plus_lease(lease.lease_secs);
        if granted > held.durable_until || self.has_moved(address, &request) {
            return self.bind(address, request, cx);
        }
        let expires = granted.max(self.effective_expiry(&held, cx));
        self.update(address, |lease| lease.expires = expires);
        self.arm_at(address, expires);
        if self.is_low(address, &Held { expires, ..held }) {
            // The kernel asks only for what it grants itself, and may be alone from here on.
            self.low.insert(address);
        }
        self.publish(address, cx);
        let party = self.party_of(address, &held, &request);
        self.ack(address, &party, &request, cx)
    }

    pub(super) fn bound(
        &mut self,
        address: Ipv4Addr,
        expires: Nanos,
        horizon: Nanos,
        cx: &mut Context<'_>,
    ) {
        let work = self.work_mut(address);
        let request = work.request.take();
        let was_offered = work.before.take() == Some(LeaseState::Offered);
        let holder = work.holder.take();
        if let Some(holder) = &holder
            && self.requesters.are_any()
        {
            self.requesters.note(address, &holder.origin());
        }
        self.update(address, |lease| {
            // The kernel may have granted more meanwhile; how long an offer was held counts no more.
            lease.expires = if was_offered {
                expires
            } else {
                lease.expires.max(expires)
            };
            lease.state = LeaseState::Bound;
            lease.durable_until = horizon;
            if let Some(holder) = holder {
                lease.holder = holder;
            }
        });
        let Some(held) = self.held(address) else {
            return;
        };
        self.probes.forget(address);
        self.clients.insert(&held.client, address);
        self.clients.forget_former(address);
        let expires = self.effective_expiry(&held, cx);
        self.update(address, |lease| lease.expires = expires);
        self.arm(address);
        match request {
            Some((request, received)) => self.acknowledge(address, *request, received, cx),
            None => self.publish(address, cx),
        }
        if !self.has_fence(address) {
            self.answer_superseded(address, cx);
        }
    }

    /// A client counts its lease from when it last sent its REQUEST (RFC 2131 §4.4.1). If it did so
    /// again while the first was being committed that may be beyond the horizon.
    fn acknowledge(
        &mut self,
        address: Ipv4Addr,
        request: Request,
        received: Nanos,
        cx: &mut Context<'_>,
    ) {
        let Some(held) = self.held(address) else {
            return;
        };
        let Some(lease) = self.terms(address, &held, &request) else {
            return;
        };
        let granted = received.plus_lease(lease.lease_secs);
        let is_durable = granted <= held.durable_until;
        if is_durable {
            self.update(address, |lease| lease.expires = lease.expires.max(granted));
            self.arm(address);
        }
        // The entry tells the next controller of all that this one promises.
        self.publish(address, cx);
        let answered = if is_durable {
            let party = self.party_of(address, &held, &request);
            self.ack(address, &party, &request, cx)
        } else {
            self.bind(address, request, cx)
        };
        if let Err(silence) = answered {
            self.count(silence);
        }
    }

    /// The lease could not be committed: back to where it was, an offer with what is left of its time. The
    /// client gets no answer and asks again, but for one that is promised no more than is durable.
    pub(super) fn not_bound(&mut self, address: Ipv4Addr, cx: &mut Context<'_>) {
        let work = self.work_mut(address);
        let request = work.request.take();
        let before = work.before.take().unwrap_or(LeaseState::Offered);
        work.holder = None;
        self.set_state(address, before);
        match before {
            LeaseState::Withdrawn => self.put_off(address),
            LeaseState::Bound => {
                self.low.insert(address);
                self.arm(address);
                if let Some((request, received)) = request {
                    self.acknowledge_durable(address, *request, received, cx);
                }
            }
            _ => self.arm(address),
        }
    }

    /// As a client that has moved: its lease is the same.
    fn acknowledge_durable(
        &mut self,
        address: Ipv4Addr,
        request: Request,
        received: Nanos,
        cx: &mut Context<'_>,
    ) {
        let durable_until = self.held(address).map(|held| held.durable_until);
        let lease = self.lease_times(address);
        if let (Some(durable_until), Some(lease)) = (durable_until, lease)
            && received.plus_lease(lease.lease_secs) <= durable_until
        {
            self.acknowledge(address, request, received, cx);
        }
    }

    /// The store knows the address as another's: the client must start again, and the address is kept
    /// out of service, or it would be offered again at once.
    pub(super) fn conflicted(&mut self, address: Ipv4Addr, held: &Held, cx: &mut Context<'_>) {
        self.count(Counter::StoreConflict);
        tracing::error!(%address, client = ?held.client, "the store holds this address for another client");
        let request = self.work_mut(address).request.take();
        self.withdraw(address, cx);
        self.set_aside(address, held, cx);
        if let Some((request, _)) = request {
            let party = self.party_of(address, held, &request);
            if let Err(silence) = self.nak(NakReason::NotAvailable, &party, &request, cx) {
                self.count(silence);
            }
        }
    }

    /// The times that a client gets who asks so, kept with its lease.
    fn terms(&self, address: Ipv4Addr, held: &Held, request: &Request) -> Option<LeaseTimes> {
        let party = self.party_of(address, held, request);
        let profile = self.profile(address, party.reserved)?;
        let terms = self.networks.terms(profile, party.classes, &request.shape);
        let terms = terms.lease;
        self.update(address, |lease| lease.terms = Some(terms.into()));
        Some(terms)
    }

    /// The times that a lease was last given for; its subnet's if that was before this engine.
    pub(super) fn lease_times(&self, address: Ipv4Addr) -> Option<LeaseTimes> {
        let terms = self.live.get(&address).and_then(|lease| lease.terms);
        terms
            .map(Into::into)
            .or_else(|| self.networks.subnet_of(address).map(|subnet| subnet.lease))
    }

    pub(super) fn arm(&mut self, address: Ipv4Addr) {
        if let Some(held) = self.held(address) {
            self.arm_at(address, held.expires);
        }
    }
}

//! Begins and continues leases: commits, and acknowledgements of durable bindings.

use std::net::Ipv4Addr;

use dhcp_model::Nanos;

use super::{Context, Engine};
use crate::{
    counters::Silence,
    lease_table::{Event, Holder, NewLease},
    policy::{
        Requester,
        leases::{self, Renewal},
    },
    reply::{Answer, NakReason},
    request::{Copies, Request},
};

impl Engine {
    /// Leases a free address to a client that may have it.
    pub(super) fn bind_free(
        &mut self,
        address: Ipv4Addr,
        requester: &Requester,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        let network = self
            .networks
            .get_mut(requester.network)
            .ok_or(Silence::UnknownNetwork)?;
        // Reserved ones are in no pool, and free if they are not in the lease table.
        if network.is_in_pool(address) && !network.take(address) {
            return self.nak(NakReason::NotAvailable, requester, &request, cx);
        }
        let lease = new_lease(requester, &request, cx.now);
        self.step(address, Event::Offer(lease), cx);
        self.bind(address, request, cx)
    }

    /// Commits a lease; the ACK follows the commit. A client that asks again meanwhile is answered
    /// once, or once through each of the relay agents that pass on what it sends.
    pub(super) fn bind(
        &mut self,
        address: Ipv4Addr,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        let held = self.table.held(address).ok_or(Silence::OddRequest)?;
        let times = {
            let view = self.view(cx);
            let requester = Requester::of_lease(view, address, held.client, &request);
            leases::times(view, &requester, address, &request).ok_or(Silence::UnknownNetwork)?
        };
        self.table.set_times(address, times);
        if let Some(waiting) = self.requests.get_mut(&address) {
            waiting.add(request, cx.now);
            return Err(Silence::Retransmitted);
        }
        let binding = leases::requested(self.view(cx), &held, &times, &request);
        self.requests.insert(address, Copies::new(request, cx.now));
        self.step(address, Event::Request(binding), cx);
        Ok(())
    }

    /// Acknowledges an active lease: at once if the horizon covers it, or else after a commit.
    pub(super) fn renew(
        &mut self,
        address: Ipv4Addr,
        request: Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        let held = self.table.held(address).ok_or(Silence::OddRequest)?;
        let view = self.view(cx);
        let requester = Requester::of_lease(view, address, held.client, &request);
        let times =
            leases::times(view, &requester, address, &request).ok_or(Silence::UnknownNetwork)?;
        let renewal = leases::renewal(view, address, &held, &times, &request);
        let Renewal::Now { expires, is_low } = renewal else {
            return self.bind(address, request, cx);
        };
        self.table.set_times(address, times);
        if is_low {
            self.journal.extend(address);
        }
        self.left_behind.forget(&held.client, address);
        self.step(address, Event::Renew { expires }, cx);
        self.ack(address, &requester, &request, cx)
    }

    /// Acknowledges a lease that has been committed, and tells the kernel.
    ///
    /// A client counts its lease from when it last sent its REQUEST (RFC 2131 §4.4.1). If it did so
    /// again while the first was being committed that may be beyond the horizon.
    pub(super) fn acknowledge(
        &mut self,
        address: Ipv4Addr,
        request: Request,
        received: Nanos,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        let held = self.table.held(address).ok_or(Silence::OddRequest)?;
        let view = self.view(cx);
        let requester = Requester::of_lease(view, address, held.client, &request);
        let times =
            leases::times(view, &requester, address, &request).ok_or(Silence::UnknownNetwork)?;
        self.table.set_times(address, times);
        let granted = received.plus_lease(times.lease_secs);
        let is_durable = granted <= held.durable_until;
        if is_durable {
            self.table.set_expiry(address, held.expires.max(granted));
            self.table.arm(address);
        }
        // The entry tells the next controller everything that this one promises.
        self.publish(address, cx);
        if is_durable {
            self.ack(address, &requester, &request, cx)
        } else {
            self.bind(address, request, cx)
        }
    }

    fn ack(
        &mut self,
        address: Ipv4Addr,
        requester: &Requester,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        self.respond_as_template(Answer::Ack(address), address, requester, request, cx)
    }

    /// Tells a client to start again.
    pub(super) fn nak(
        &mut self,
        reason: NakReason,
        requester: &Requester,
        request: &Request,
        cx: &mut Context<'_>,
    ) -> Result<(), Silence> {
        self.respond(Answer::Nak(reason), requester, request, cx)
    }
}

/// Returns a new lease in the state of an offer. It is in memory only: nothing has been promised.
pub(super) fn new_lease(requester: &Requester, request: &Request, now: Nanos) -> NewLease {
    NewLease {
        holder: Holder::new(&requester.client, request.origin()),
        since: now,
        expires: now,
        durable_until: Nanos::default(),
        is_current: true,
    }
}

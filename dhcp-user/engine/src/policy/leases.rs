//! Lease times: what a REQUEST is granted, and what must be durable first.

use std::net::Ipv4Addr;

use dhcp_model::{LeaseTimes, Nanos, Record, RecordState, horizon};

use super::{Requester, View};
use crate::{
    lease_table::{Held, Holder, LeaseState, RequestedBinding},
    request::Request,
};

/// The decision about a REQUEST for an active lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It is acknowledged at once: the horizon covers it. `is_low` if the horizon is to be
    /// extended.
    Now { expires: Nanos, is_low: bool },
    /// It is acknowledged after a commit.
    AfterCommit,
}

/// Returns the times of a lease for the client that asks for it.
pub fn times(
    view: View<'_>,
    requester: &Requester,
    address: Ipv4Addr,
    request: &Request,
) -> Option<LeaseTimes> {
    let profile = view.profile(address, &requester.reserved)?;
    let terms = view
        .networks
        .terms(&profile, requester.classes, &request.shape);
    Some(terms.lease)
}

/// Returns the decision about a REQUEST for an active lease.
pub fn renewal(
    view: View<'_>,
    address: Ipv4Addr,
    held: &Held,
    times: &LeaseTimes,
    request: &Request,
) -> Renewal {
    let granted = view.now.plus_lease(times.lease_secs);
    if granted > held.durable_until || has_moved(view, address, request) {
        return Renewal::AfterCommit;
    }
    let expires = granted.max(view.effective_expiry(held));
    // The kernel requests extensions only for its own grants, and the controller may stop after
    // this.
    let is_low = is_low(expires, held.durable_until, times);
    Renewal::Now { expires, is_low }
}

/// Returns the binding that must be committed before a REQUEST is acknowledged.
pub fn requested(
    view: View<'_>,
    held: &Held,
    times: &LeaseTimes,
    request: &Request,
) -> RequestedBinding {
    let granted = view.now.plus_lease(times.lease_secs);
    let expires = match held.state {
        LeaseState::Offered => granted,
        // An earlier promise is kept even if leases have become shorter.
        _ => granted.max(view.effective_expiry(held)),
    };
    RequestedBinding {
        holder: Holder::new(&held.client, request.origin()),
        at: view.now,
        expires,
        // Until this is committed the kernel may still grant up to the published horizon.
        horizon: horizon(expires, times).max(held.durable_until),
    }
}

/// Returns whether less than a lease time is left between the end of a lease and its horizon.
pub fn is_low(expires: Nanos, durable_until: Nanos, times: &LeaseTimes) -> bool {
    expires.plus_lease(times.lease_secs) > durable_until
}

/// Returns the binding to commit if the horizon of an active lease must be extended.
pub fn extension(view: View<'_>, address: Ipv4Addr) -> Option<Record> {
    let held = view.table.held(address)?;
    let times = view.times(address)?;
    if held.state != LeaseState::Bound {
        return None;
    }
    let expires = view.effective_expiry(&held);
    let least = expires.max(view.now.plus_lease(times.lease_secs));
    let ahead = horizon(least, &times);
    if ahead <= held.durable_until {
        return None;
    }
    view.table
        .record(address, RecordState::Bound, expires, ahead)
}

/// Returns whether a request's origin differs from the one that the client's lease was given at,
/// and the answer depends on it.
fn has_moved(view: View<'_>, address: Ipv4Addr, request: &Request) -> bool {
    let Some(lease) = view.table.leases().get(&address) else {
        return false;
    };
    let holder = &lease.holder;
    let client = holder.client();
    let is_other_hardware = holder.hardware() != request.hardware;
    let is_other_relay_info = holder.relay_info() != request.origin().relay_info;
    (is_other_hardware && view.checks_hardware(&client))
        || (is_other_relay_info && view.checks_relay_info(&client))
}

//! Applies the steps of [`life`] to leases.

use dhcp_model::{Address, Nanos};

use super::{
    Held, LeaseTable, PendingOperation, Transition,
    event::{Event, Facts, Impossible},
    leases::Lease,
    slots::NO_SLOT,
    state::{EndReason, LeaseState},
    transition::life,
};

impl<A: Address> LeaseTable<A> {
    /// Applies an event to a lease: the one place where its state changes.
    ///
    /// # Errors
    /// The pair of state and event cannot happen; nothing has changed.
    pub fn transition(&mut self, address: A, event: Event) -> Result<Transition, Impossible> {
        let was = self.held(address);
        let state = was.map(|held| held.state);
        let facts = self.facts(address, was.as_ref(), &event);
        let (next, actions) = life(state, &event, facts)?;
        match (was, next) {
            (None, None) => {}
            (None, Some(next)) => self.begin(address, next, event),
            (Some(was), None) => self.remove(address, &was),
            (Some(was), Some(next)) => self.apply(address, &was, next, event),
        }
        Ok(Transition { was, actions })
    }

    fn facts(&self, address: A, was: Option<&Held>, event: &Event) -> Facts {
        let (Some(was), Some(pending)) = (was, self.pending.get(&address)) else {
            return Facts::default();
        };
        let now = match event {
            Event::Settle { now } => *now,
            _ => Nanos::FOREVER,
        };
        Facts {
            before: pending.before,
            has_time_left: pending.reason == EndReason::Expired && was.expires > now,
            is_offered_again: pending.is_offered_again
                && pending.reason != EndReason::Removed
                && self.clients.is_at(&was.client, address),
        }
    }

    fn begin(&mut self, address: A, state: LeaseState, event: Event) {
        let (Event::Offer(new) | Event::Probe(new) | Event::Recorded(_, new)) = event else {
            return;
        };
        let client = new.is_current.then(|| new.holder.client());
        let lease = Lease {
            holder: new.holder,
            state,
            since: new.since,
            expires: new.expires,
            durable_until: new.durable_until,
            deadline: Nanos::FOREVER,
            times: None,
            slot: NO_SLOT,
            epoch: 0,
        };
        self.leases.insert(address, Box::new(lease));
        if let Some(client) = client {
            self.clients.insert(&client, address);
        }
    }

    fn apply(&mut self, address: A, was: &Held, next: LeaseState, event: Event) {
        let pending = self.pending.remove(&address).unwrap_or_default();
        let pending = match event {
            Event::InUse { until } | Event::Conflict { until } => {
                self.clients.forget_former(address);
                if self.clients.is_at(&was.client, address) {
                    self.clients.remove(&was.client);
                }
                self.leases.update(address, |lease| lease.expires = until);
                PendingOperation::default()
            }
            Event::Request(binding) => {
                if was.state == LeaseState::Offered {
                    self.leases
                        .update(address, |lease| lease.since = binding.at);
                }
                PendingOperation {
                    before: Some(was.state),
                    binding: Some(binding),
                    reason: pending.reason,
                    is_offered_again: false,
                }
            }
            Event::Renew { expires } => {
                self.leases.update(address, |lease| lease.expires = expires);
                pending
            }
            Event::Committed { granted } => {
                self.bind(address, pending, granted);
                PendingOperation::default()
            }
            Event::NotCommitted | Event::MaybeCommitted => PendingOperation {
                // A binding that may be in the store is freed there as after a release.
                reason: match pending.before {
                    Some(LeaseState::Withdrawn) => pending.reason,
                    _ => EndReason::Released,
                },
                ..PendingOperation::default()
            },
            Event::End(reason) => PendingOperation {
                reason,
                ..PendingOperation::default()
            },
            Event::Delete | Event::Revoke => PendingOperation::default(),
            Event::OfferAgain | Event::OfferDeclined => PendingOperation {
                is_offered_again: matches!(event, Event::OfferAgain),
                ..pending
            },
            Event::Fenced { granted } => {
                if was.state != LeaseState::Quarantined {
                    self.leases
                        .update(address, |lease| lease.expires = lease.expires.max(granted));
                }
                pending
            }
            Event::Freed => {
                self.clients.set_former(address, was.client);
                self.leases
                    .update(address, |lease| lease.durable_until = Nanos::default());
                PendingOperation::default()
            }
            Event::Extended { horizon, granted } => {
                self.leases.update(address, |lease| {
                    lease.durable_until = horizon;
                    lease.expires = lease.expires.max(granted);
                });
                pending
            }
            Event::Recorded(..)
            | Event::Offer(_)
            | Event::Probe(_)
            | Event::NoAnswer
            | Event::Lapse
            | Event::Settle { .. }
            | Event::NotFreed
            | Event::SetAside
            | Event::NotSetAside
            | Event::NotExtended
            | Event::Ordered
            | Event::NotOrdered(_)
            | Event::MaybeOrdered => pending,
        };
        self.leases.update(address, |lease| lease.state = next);
        if next == LeaseState::Withdrawn || pending.binding.is_some() {
            self.pending.insert(address, pending);
        }
    }

    fn bind(&mut self, address: A, pending: PendingOperation, granted: Nanos) {
        let Some(binding) = pending.binding else {
            return;
        };
        let client = binding.holder.client();
        let was_offered = pending.before == Some(LeaseState::Offered);
        self.leases.update(address, |lease| {
            // The kernel may have granted more meanwhile; the time of the offer no longer counts.
            let expires = if was_offered {
                binding.expires
            } else {
                lease.expires.max(binding.expires)
            };
            lease.expires = expires.max(granted);
            lease.durable_until = binding.horizon;
            lease.holder = binding.holder;
        });
        self.clients.insert(&client, address);
        self.clients.forget_former(address);
    }

    /// The address is free. Its client finds it again while it is, unless it must not have it.
    fn remove(&mut self, address: A, was: &Held) {
        let is_former = match was.state {
            LeaseState::Probing | LeaseState::Offered => {
                self.clients.is_former(&was.client, address)
            }
            _ => !self.is_removed(address),
        };
        self.pending.remove(&address);
        self.disarm(address);
        let is_current = self.clients.is_at(&was.client, address);
        if is_current && is_former {
            self.clients.leave(&was.client, address);
        } else if is_current {
            self.clients.remove(&was.client);
        }
        if !is_former && self.clients.is_former(&was.client, address) {
            self.clients.forget_former(address);
        }
        self.leases.remove(address);
    }
}

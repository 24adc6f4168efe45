//! Publication: the kernel's entry for a lease.
//!
//! Classes and reservations may depend on hardware addresses and on data from relay agents, and
//! answers to a LEASEQUERY contain the latest of both (RFC 4388 §6.7). The fingerprint covers
//! neither. A binding therefore contains the origin that its answers are for
//! (`dhcp-ebpf/src/origin.rs` compares it), and each set of satisfied conditions has its own
//! profile number.

use std::net::Ipv4Addr;

use dhcp_common::{
    abi::{BINDING_CHECKS_HARDWARE, BINDING_CHECKS_RELAY_INFO, Binding, BindingState, NS_PER_SEC},
    fingerprint,
    wire::option,
};
use dhcp_model::{Hardware, Nanos};

use super::View;
use crate::{
    lease_table::{Held, LeaseState},
    networks::Reserved,
};

/// Times are stored in UTC and read back slightly different; a horizon that differs by less is the
/// same one.
const CLOCK_DRIFT_NS: u64 = NS_PER_SEC;

/// State, end and horizon of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publication {
    pub state: BindingState,
    expires: Nanos,
    durable_until: Nanos,
}

/// The part of a [`Binding`] that follows from the origin of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginCheck {
    pub profile: u64,
    flags: u8,
    hardware: u32,
    relay_info: u64,
}

/// Returns the entry to publish for a lease; `None` if the kernel does not answer from it.
pub fn publication(held: &Held, now: Nanos) -> Option<Publication> {
    let (state, expires, durable_until) = match held.state {
        // The kernel repeats an offer for the first half of its time: the engine answers later
        // requests and prolongs the hold.
        LeaseState::Offered => (
            BindingState::Offered,
            middle(now, held.expires),
            Nanos::default(),
        ),
        LeaseState::Bound => (BindingState::Bound, held.expires, held.durable_until),
        LeaseState::Revoked => (BindingState::Revoked, held.expires, held.durable_until),
        LeaseState::Probing
        | LeaseState::Committing
        | LeaseState::Deleted
        | LeaseState::Quarantined
        | LeaseState::Withdrawn => return None,
    };
    Some(Publication {
        state,
        expires,
        durable_until,
    })
}

const fn middle(from: Nanos, to: Nanos) -> Nanos {
    Nanos(from.0 + to.0.saturating_sub(from.0) / 2)
}

impl Publication {
    /// Returns the binding, not yet sealed.
    pub fn binding(
        self,
        address: Ipv4Addr,
        slot: u32,
        epoch: u16,
        origin: &OriginCheck,
    ) -> Binding {
        Binding {
            seal: 0,
            address: address.into(),
            slot,
            profile: origin.profile,
            state: self.state as u8,
            flags: origin.flags,
            epoch,
            hardware: origin.hardware,
            relay_info: origin.relay_info,
            expires_ns: self.expires.0,
            durable_until_ns: self.durable_until.0,
        }
    }
}

/// Returns whether the kernel may answer about an address. It may not if the configuration no
/// longer assigns the address to its client, because it would continue to renew the lease.
pub fn is_publishable(view: View<'_>, address: Ipv4Addr, held: &Held) -> bool {
    view.table.is_at(&held.client, address)
        && view.is_still_its(address, held, view.reserved_for(address).address)
}

/// Returns the entry that a start publishes for a lease; none for offers and expired leases.
pub fn wanted_at_start(held: &Held, now: Nanos) -> Option<BindingState> {
    match held.state {
        LeaseState::Bound if held.expires > now => Some(BindingState::Bound),
        LeaseState::Revoked => Some(BindingState::Revoked),
        _ => None,
    }
}

/// Returns whether an entry of an earlier run equals the one to publish for a lease.
pub fn is_right(view: View<'_>, address: Ipv4Addr, held: &Held, binding: &Binding) -> bool {
    let reserved = view.reserved_for(address);
    wanted_at_start(held, view.now).is_some_and(|state| state as u8 == binding.state)
        && binding.durable_until_ns.abs_diff(held.durable_until.0) < CLOCK_DRIFT_NS
        && !view.is_closed(held)
        && view.is_still_its(address, held, reserved.address)
        && origin_check(view, address, &reserved).is_some_and(|origin| origin.is_of(binding))
}

impl OriginCheck {
    const fn is_of(&self, binding: &Binding) -> bool {
        self.profile == binding.profile
            && self.flags == binding.flags
            && self.hardware == binding.hardware
            && self.relay_info == binding.relay_info
    }
}

/// Returns the part of a binding that depends on its client's origin when the lease was given;
/// something may be reserved for the client.
pub fn origin_check(view: View<'_>, address: Ipv4Addr, reserved: &Reserved) -> Option<OriginCheck> {
    let profile = view.profile(address, reserved)?;
    let lease = view.table.leases().get(&address)?;
    let client = lease.holder.client();
    let hardware = lease.holder.hardware();
    let relay_info = lease.holder.relay_info();
    let facts = view.facts(&client, &lease.holder.origin_ref(), reserved);
    let origin = view.networks.classes().matches(&facts);
    let mut check = OriginCheck {
        profile: profile.id_for(origin),
        flags: 0,
        hardware: 0,
        relay_info: 0,
    };
    let key = view.fingerprint_key;
    if view.checks_hardware(&client) {
        check.flags |= BINDING_CHECKS_HARDWARE;
        check.hardware = digest_of(&hardware, key);
    }
    if view.checks_relay_info(&client) {
        check.flags |= BINDING_CHECKS_RELAY_INFO;
        check.relay_info = relay_info.map_or(0, |value| {
            fingerprint::of_option(option::RELAY_INFO, value, key)
        });
    }
    Some(check)
}

fn digest_of(hardware: &Hardware, key: &[u64; fingerprint::KEY_WORDS]) -> u32 {
    let (words, _) = hardware.chaddr.as_chunks();
    let word = |index: usize| words.get(index).map_or(0, |word| u64::from_le_bytes(*word));
    fingerprint::of_hardware(hardware.htype, hardware.len, [word(0), word(1)], key)
}

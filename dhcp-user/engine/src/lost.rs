//! What the store has lost and the kernel's map still has, as after the loss of the store's file.
//!
//! Clients may use these addresses, and the kernel goes on renewing them, up to the horizon that the lost
//! record had. Records are made of the entries, and committed before anything else: until then the map alone
//! knows of the leases, and nothing may be taken out of it.

use dhcp_common::abi::{Binding, BindingState, ClientKey, Identity};
use dhcp_model::{ClientOrigin, Hardware, Nanos, Record, RecordState};

use super::Grants;

/// A record for a published lease that the store does not know, to be committed and then
/// taken in with the others. `None` where nothing is left of it that the kernel could grant.
///
/// What only the lost record knew, such as the port where its client is, comes back with the client's next request
/// to the controller.
pub fn unrecorded(
    client: ClientKey,
    binding: &Binding,
    now: Nanos,
    kernel: &impl Grants,
) -> Option<Record> {
    let state = match BindingState::from_raw(binding.state)? {
        BindingState::Bound => RecordState::Bound,
        BindingState::Revoked => RecordState::Revoked,
        BindingState::Offered => return None,
    };
    let granted = kernel.grant(binding.slot).granted_for(binding.epoch);
    let expires = binding.expires_ns.max(granted.unwrap_or_default());
    // A run may still grant up to there, even from an entry that has expired meanwhile.
    let horizon = expires.max(binding.durable_until_ns);
    (horizon > now.0).then(|| Record {
        address: binding.address.into(),
        client,
        state,
        origin: origin(&client),
        since: now,
        expires: Nanos(expires),
        horizon: Nanos(horizon),
    })
}

/// What a client is known by is all that is left of what it said.
fn origin(client: &ClientKey) -> ClientOrigin {
    let (octets, len) = client.id();
    let mut origin = ClientOrigin::default();
    match client.identity() {
        Identity::Hardware => {
            let mut chaddr = [0; 16];
            let len = len.min(chaddr.len());
            chaddr[..len].copy_from_slice(&octets[..len]);
            origin.hardware = Hardware {
                htype: client.htype(),
                len: len as u8,
                chaddr,
            };
        }
        Identity::ClientId => origin.client_id = octets.get(..len).map(Into::into),
        Identity::ClientIdDigest => {}
    }
    origin
}

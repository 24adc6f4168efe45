//! Leases that the store has lost and the kernel's map still has, for instance after the store's
//! file was lost.
//!
//! Clients may use these addresses, and the kernel continues to renew them up to the horizon of the
//! lost record. Records are made from the entries and committed before anything else: until then
//! only the map knows the leases, and nothing may be taken out of it.

use dhcp_common::abi::{Binding, BindingState, ClientKey, Identity};

use dhcp_model::{ClientOrigin, Hardware, Nanos, Record, RecordState};

use crate::effect::Grants;

/// Returns a record for a published lease that the store does not have, to be committed and then
/// taken in with the others; `None` if the kernel can grant nothing more from it.
///
/// Data that only the lost record had, such as the client's option 82, is recorded again at the
/// client's next request to the controller.
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

/// Returns the part of a client's origin that its key contains.
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

//! The decision about each message in each state: RFC 2131 §4.3.
//!
//! To read on: `dhcp-user/engine/src/lease_table/transition.rs`, the life of a lease.

use std::net::Ipv4Addr;

use dhcp_common::abi::ClientKey;

use super::{Requester, View};
use crate::{
    counters::Silence,
    lease_table::LeaseState,
    reply::NakReason,
    request::{MessageType, Octets, Request},
};

/// The intent of a message (RFC 2131 §4.3.2, table 4), with the address that it names.
#[derive(Clone, Copy, Debug)]
pub enum Intent {
    Discover,
    /// REQUEST that names us: it takes up our offer, or extends a lease of ours.
    Selecting(Ipv4Addr),
    /// REQUEST that takes up another server's offer.
    SelectingOther,
    /// REQUEST that verifies an address from before.
    InitReboot(Ipv4Addr),
    /// REQUEST sent to this server, to extend.
    Renewing(Ipv4Addr),
    /// REQUEST sent to all servers, to extend.
    Rebinding(Ipv4Addr),
    Decline(Ipv4Addr),
    Release(Ipv4Addr),
    Inform,
    Bootp,
}

impl Intent {
    /// Returns the address that a REQUEST to this server is about.
    pub const fn requested(self) -> Option<Ipv4Addr> {
        match self {
            Self::Selecting(address)
            | Self::InitReboot(address)
            | Self::Renewing(address)
            | Self::Rebinding(address) => Some(address),
            Self::Discover
            | Self::SelectingOther
            | Self::Decline(_)
            | Self::Release(_)
            | Self::Inform
            | Self::Bootp => None,
        }
    }

    /// Returns whether the client no longer waits for an offer.
    pub const fn ends_probe(self) -> bool {
        !matches!(self, Self::Discover | Self::Inform)
    }
}

/// The status of an address for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AddressStatus {
    /// Offered to it.
    Offered,
    /// Being committed for it.
    Committing,
    /// Leased to it.
    Bound,
    /// No longer leased, but still kept for it: deleted by the operator, or on the way to the pool.
    Kept,
    Revoked,
    /// Free, and the client may have it.
    Free,
    /// Another client's, or out of service; or this client has another address.
    Unavailable,
    /// On its network, but not for this client: the configuration says so, or it is offered
    /// another.
    NotGrantable,
    /// Not on its network.
    OffNetwork,
}

/// The decision about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Offer an address.
    Discover,
    /// End the offer to the client.
    EndOffer,
    /// Acknowledge an active lease, after a commit if the horizon does not cover it.
    Renew(Ipv4Addr),
    /// Commit a lease of an address that is held for the client.
    Bind(Ipv4Addr),
    /// Commit a lease of a free address: the offer has expired, or the lease has ended.
    BindFree(Ipv4Addr),
    Nak(NakReason),
    Decline(Ipv4Addr),
    Release(Ipv4Addr),
    /// A RELEASE or DECLINE that matches no lease. The lease continues, but the kernel may have
    /// closed its entry.
    Ignore(Silence),
    Inform,
    Bootp,
}

/// Returns the intent of a message of a client. `docs/REQUESTS.md` has the REQUESTs.
///
/// # Errors
/// The message fits no state of RFC 2131 §4.3.2.
pub fn intent(view: View<'_>, client: &ClientKey, request: &Request) -> Result<Intent, Silence> {
    let ciaddr = Some(request.ciaddr).filter(|ciaddr| !ciaddr.is_unspecified());
    let is_ours = request.server_id.map(|id| {
        // The relay agent acts on behalf of this server (RFC 5107 §4).
        view.networks.is_ours(id) || request.relay.server_id_override == Some(id)
    });
    match (request.message_type, is_ours, request.requested, ciaddr) {
        (MessageType::Discover, ..) => Ok(Intent::Discover),
        // Whatever else the request has: it answers an offer, or it is a renewal that names its
        // server.
        (MessageType::Request, Some(true), requested, ciaddr) => requested
            .or(ciaddr)
            .map(Intent::Selecting)
            .ok_or(Silence::OddRequest),
        // It need not satisfy the rules for a REQUEST to this server: the offer is not taken in any
        // case.
        (MessageType::Request, Some(false), ..) => Ok(Intent::SelectingOther),
        (MessageType::Request, None, Some(requested), None) => Ok(Intent::InitReboot(requested)),
        // A renewal that repeats the address, or that asks for another one although the client has
        // this one. Otherwise option 50 counts, as with an address that is not the client's.
        (MessageType::Request, None, Some(requested), Some(ciaddr))
            if requested != ciaddr && !is_its(view, client, ciaddr) =>
        {
            Ok(Intent::InitReboot(requested))
        }
        (MessageType::Request, None, _, Some(ciaddr)) if request.is_unicast() => {
            Ok(Intent::Renewing(ciaddr))
        }
        (MessageType::Request, None, _, Some(ciaddr)) => Ok(Intent::Rebinding(ciaddr)),
        (MessageType::Request, None, None, None) => Err(Silence::OddRequest),
        // No client has this address: the mismatch is handled where the lease is known.
        (MessageType::Decline, Some(false), ..) => Ok(Intent::Decline(Ipv4Addr::UNSPECIFIED)),
        // lwIP names no server. Only the address that is its own is out of service then.
        (MessageType::Decline, _, requested, _) => {
            Ok(Intent::Decline(requested.unwrap_or(Ipv4Addr::UNSPECIFIED)))
        }
        (MessageType::Release, Some(false), ..) => Ok(Intent::Release(Ipv4Addr::UNSPECIFIED)),
        (MessageType::Release, ..) => Ok(Intent::Release(request.ciaddr)),
        (MessageType::Inform, ..) => Ok(Intent::Inform),
        (MessageType::Bootp, ..) => Ok(Intent::Bootp),
        // It queries leases and changes none.
        (MessageType::LeaseQuery, ..) => Err(Silence::OddRequest),
    }
}

/// Returns the decision about a message, from its intent and the status of the address.
///
/// # Errors
/// Why there is no answer, and nothing to do.
pub fn decide(view: View<'_>, requester: &Requester, intent: Intent) -> Result<Decision, Silence> {
    use AddressStatus as S;
    use Decision as D;
    use Intent as I;

    let status = match intent {
        I::Selecting(address)
        | I::InitReboot(address)
        | I::Renewing(address)
        | I::Rebinding(address)
        | I::Decline(address)
        | I::Release(address) => status(view, requester, address),
        I::Discover | I::SelectingOther | I::Inform | I::Bootp => S::Free,
    };
    // Refused classes do not matter for RELEASE and DECLINE, nor for a client with a revoked lease,
    // which must get its NAK: the program sends it to any class.
    let is_ending = matches!(intent, I::Decline(_) | I::Release(_)) || status == S::Revoked;
    if view.networks.is_refused(requester.classes) && !is_ending {
        return Err(Silence::ClassRefused);
    }

    match (intent, status) {
        (I::Discover, _) => Ok(D::Discover),

        (I::SelectingOther, _) => Ok(D::EndOffer),

        (
            I::Selecting(address)
            | I::InitReboot(address)
            | I::Renewing(address)
            | I::Rebinding(address),
            S::Bound,
        ) => Ok(D::Renew(address)),
        (
            I::Selecting(address)
            | I::InitReboot(address)
            | I::Renewing(address)
            | I::Rebinding(address),
            S::Offered | S::Committing | S::Kept,
        ) => Ok(D::Bind(address)),

        // An expired offer, or a lease that ended, with the address still free.
        (I::Selecting(address) | I::Renewing(address), S::Free) => Ok(D::BindFree(address)),
        (I::InitReboot(address) | I::Rebinding(address), S::Free) if speaks_to(view, requester) => {
            Ok(D::BindFree(address))
        }

        (I::Selecting(_) | I::InitReboot(_) | I::Renewing(_) | I::Rebinding(_), S::Revoked) => {
            Ok(D::Nak(NakReason::Revoked))
        }
        (I::Selecting(_) | I::InitReboot(_) | I::Renewing(_) | I::Rebinding(_), S::Unavailable)
        | (I::Selecting(_) | I::Renewing(_), S::NotGrantable) => {
            Ok(D::Nak(NakReason::NotAvailable))
        }
        (I::InitReboot(_) | I::Rebinding(_), S::NotGrantable) if speaks_to(view, requester) => {
            Ok(D::Nak(NakReason::NotAvailable))
        }
        (I::Selecting(_) | I::InitReboot(_) | I::Renewing(_), S::OffNetwork) => {
            Ok(D::Nak(NakReason::WrongNetwork))
        }
        (I::Rebinding(_), S::OffNetwork) if speaks_to(view, requester) => {
            Ok(D::Nak(NakReason::WrongNetwork))
        }
        // RFC 2131 §4.3.2: it "MUST remain silent", another server may know the client.
        (I::InitReboot(_) | I::Rebinding(_), S::Free | S::NotGrantable | S::OffNetwork) => {
            Err(Silence::UnknownClient)
        }

        (I::Decline(address), S::Offered | S::Committing | S::Bound | S::Kept) => {
            Ok(D::Decline(address))
        }
        (
            I::Decline(_),
            S::Revoked | S::Free | S::Unavailable | S::NotGrantable | S::OffNetwork,
        ) => Ok(D::Ignore(Silence::DeclineMismatch)),

        (I::Release(address), S::Bound | S::Committing | S::Kept) => Ok(D::Release(address)),
        (
            I::Release(_),
            S::Offered | S::Revoked | S::Free | S::Unavailable | S::NotGrantable | S::OffNetwork,
        ) => Ok(D::Ignore(Silence::ReleaseMismatch)),

        (I::Inform, _) => Ok(D::Inform),
        (I::Bootp, _) => Ok(D::Bootp),
    }
}

/// Returns option 82 that a client's lease was given with.
pub fn recorded_relay_info(view: View<'_>, client: &ClientKey) -> Option<Octets> {
    let lease = view.table.leases().get(&view.table.address_of(client)?)?;
    let is_its = lease.holder.client() == *client;
    let relay_info = lease.holder.relay_info().filter(|_| is_its);
    relay_info.map(Octets::from_slice)
}

fn status(view: View<'_>, requester: &Requester, address: Ipv4Addr) -> AddressStatus {
    let Some(network) = view.networks.get(requester.network) else {
        return AddressStatus::OffNetwork;
    };
    if network.subnet_of(address).is_none() {
        return AddressStatus::OffNetwork;
    }
    let held = view.table.held(address);
    let is_its = held.is_some_and(|held| held.client == requester.client);
    let classes = if is_its {
        requester.to_keep
    } else {
        requester.classes
    };
    let may_have = network.may_have(requester.reserved.address, classes, address)
        && !has_better(view, requester, address);
    match held {
        Some(held) if held.client != requester.client => AddressStatus::Unavailable,
        Some(held) => match held.state {
            LeaseState::Revoked => AddressStatus::Revoked,
            LeaseState::Quarantined => AddressStatus::Unavailable,
            LeaseState::Withdrawn if view.table.is_removed(address) => AddressStatus::Unavailable,
            _ if !may_have => AddressStatus::Unavailable,
            // A client that sends such a message has ended the probe.
            LeaseState::Probing => AddressStatus::NotGrantable,
            LeaseState::Offered => AddressStatus::Offered,
            LeaseState::Committing => AddressStatus::Committing,
            LeaseState::Bound => AddressStatus::Bound,
            LeaseState::Deleted | LeaseState::Withdrawn => AddressStatus::Kept,
        },
        None if !may_have => AddressStatus::NotGrantable,
        None if has_lease(view, &requester.client) => AddressStatus::Unavailable,
        None if view.table.current(&requester.client).is_some() => AddressStatus::NotGrantable,
        None => AddressStatus::Free,
    }
}

/// Returns whether to answer about an address that another server may have leased to this client.
fn speaks_to(view: View<'_>, requester: &Requester) -> bool {
    is_authoritative(view, requester) || knows(view, &requester.client)
}

/// Returns whether clients that are unknown on this subnet get a NAK.
fn is_authoritative(view: View<'_>, requester: &Requester) -> bool {
    view.networks
        .get(requester.network)
        .and_then(|network| network.subnet(requester.subnet))
        .is_some_and(|subnet| subnet.authoritative)
}

/// Returns whether there is a record of the client: a lease, or one that it had. An offer does not
/// count, because its client may have chosen another server.
fn knows(view: View<'_>, client: &ClientKey) -> bool {
    has_lease(view, client)
        || view
            .table
            .address_of(client)
            .is_some_and(|address| view.table.is_former(client, address))
}

/// Returns whether a client has an address: the one that the kernel knows it by.
fn is_its(view: View<'_>, client: &ClientKey, address: Ipv4Addr) -> bool {
    let current = view.table.current(client);
    current.is_some_and(|(its, _)| its == address)
}

/// Returns whether the client has an address that is more than offered to it.
fn has_lease(view: View<'_>, client: &ClientKey) -> bool {
    view.table
        .current(client)
        .is_some_and(|(_, held)| !held.state.is_offer() && held.state != LeaseState::Committing)
}

/// Returns whether another address is reserved for the client, and it can have it now.
fn has_better(view: View<'_>, requester: &Requester, address: Ipv4Addr) -> bool {
    requester.reserved.address.is_some_and(|reserved| {
        reserved != address
            && view.table.held(reserved).is_none_or(|held| {
                held.client == requester.client && held.state != LeaseState::Quarantined
            })
    })
}

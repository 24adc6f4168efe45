//! Rate limits for the controller: a token bucket for each source, so that one client or relay
//! agent in a loop does not starve the others, and one for all clients without a published entry,
//! so that a flood from forged addresses does not starve clients that have a lease.

use dhcp_common::abi::{Limit, Meta};

use crate::{ingress::Ingress, packet::Packet, tables::Tables};

/// Kinds of source, in the bits above any address.
const RELAY: u64 = 1 << 48;
const ADDRESS: u64 = 2 << 48;
const HARDWARE: u64 = 3 << 48;
/// Buckets shared by unknown clients. A flood on a link takes none of the tokens for relayed
/// clients.
const UNKNOWN_ON_LINKS: u64 = 4 << 48;
const UNKNOWN_BEHIND_RELAYS: u64 = 5 << 48;

/// Returns whether the controller takes one more request from the source of this one.
///
/// Requests of a relay agent are counted together. The source of a routed renewal is its IP
/// address, because its MAC address is the router's. A client with a published entry takes no token
/// from the bucket that unknown clients share.
#[inline(always)]
pub fn admit<T: Tables>(
    ingress: &Ingress<'_>,
    packet: &Packet,
    is_known: bool,
    meta: &Meta,
    tables: &T,
) -> bool {
    let giaddr = packet.head.bootp.giaddr;
    let shared = if giaddr.is_zero() {
        UNKNOWN_ON_LINKS
    } else {
        UNKNOWN_BEHIND_RELAYS
    };
    let mut shared_bucket = 0;
    if !is_known {
        // Before the source's own bucket, which in a flood is a new one for each frame and evicts
        // an older one.
        match spend(shared, &meta.unknown_limit, tables) {
            Some(bucket) => shared_bucket = bucket,
            None => return false,
        }
    }
    let address = packet.head.ip.source;
    let (source, limit): (u64, &Limit) = if !giaddr.is_zero() {
        (RELAY | u64::from(giaddr.raw()), &meta.relay_limit)
    } else if !address.is_zero() {
        (ADDRESS | u64::from(address.raw()), &meta.client_limit)
    } else {
        (HARDWARE | ingress.source_mac.word(), &meta.client_limit)
    };
    let Some(bucket) = spend(source, limit, tables) else {
        return false;
    };
    tables.set_bucket(source, bucket);
    if !is_known {
        tables.set_bucket(shared, shared_bucket);
    }
    true
}

/// Returns a source's bucket with one token less, or `None` if it has none.
#[inline(always)]
fn spend<T: Tables>(source: u64, limit: &Limit, tables: &T) -> Option<u64> {
    let bucket = tables.bucket(source).unwrap_or(0);
    limit.admit(bucket, tables.now_ns())
}

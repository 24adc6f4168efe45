//! What may reach the controller: a token bucket for each source, so that one client or relay agent in
//! a loop does not starve the others.

use dhcp_common::abi::{Limit, Meta};

use crate::{ingress::Ingress, packet::Packet, tables::Tables};

/// Kinds of source, in the bits above any address.
const RELAY: u64 = 1 << 48;
const ADDRESS: u64 = 2 << 48;
const HARDWARE: u64 = 3 << 48;

/// Whether the controller takes one more request from this one's source.
///
/// Requests of a relay agent are counted together. A renewal that was routed here is known by its IP
/// source, for its MAC address is the router's.
#[inline(always)]
pub fn admit<T: Tables>(ingress: &Ingress<'_>, packet: &Packet, meta: &Meta, tables: &T) -> bool {
    let giaddr = packet.head.bootp.giaddr;
    let address = packet.head.ip.source;
    let (source, limit): (u64, &Limit) = if !giaddr.is_zero() {
        (RELAY | u64::from(giaddr.raw()), &meta.relay_limit)
    } else if !address.is_zero() {
        (ADDRESS | u64::from(address.raw()), &meta.client_limit)
    } else {
        (HARDWARE | ingress.source_mac.word(), &meta.client_limit)
    };
    let bucket = tables.bucket(source).unwrap_or(0);
    match limit.admit(bucket, tables.now_ns()) {
        Some(bucket) => {
            tables.set_bucket(source, bucket);
            true
        }
        None => false,
    }
}

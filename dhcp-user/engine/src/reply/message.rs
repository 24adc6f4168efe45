//! The parts that every reply has.

use std::ops::Range;

use dhcp_common::wire::{self, option};

use super::{fields::Fields, options::LeftOut};
use crate::{effect::Egress, request::Request};

pub const HOPS: usize = 3;
pub const SECS: Range<usize> = 8..10;
pub const FLAGS: Range<usize> = 10..12;
pub const CIADDR: Range<usize> = 12..16;
pub const YIADDR: Range<usize> = 16..20;
pub const SIADDR: Range<usize> = 20..24;

/// A reply, ready to be framed.
#[derive(Debug)]
pub struct Reply {
    pub egress: Egress,
    pub payload: Vec<u8>,
    /// Options that did not fit, without option 82.
    pub left_out: Vec<LeftOut>,
    /// Option 82 did not fit (RFC 3046 §2.2).
    pub relay_info_left_out: bool,
}

/// Returns the fields from `op` to `chaddr`: those of the request, with all 16 octets of `chaddr`,
/// except those that are the same in every reply (RFC 2131 table 3).
pub fn head(request: &Request) -> [u8; wire::BOOTP_HEAD_LEN] {
    let mut head = request.head;
    head[0] = wire::BOOTREPLY;
    head[HOPS] = 0;
    head[SECS].fill(0);
    // The other bits are reserved, and zero in a server's message (RFC 2131 §2, figure 2).
    let flags = request.flags & wire::FLAG_BROADCAST;
    head[FLAGS].copy_from_slice(&flags.to_be_bytes());
    head
}

pub fn message(
    head: &[u8; wire::BOOTP_HEAD_LEN],
    fields: &Fields,
    mut payload: Vec<u8>,
) -> Vec<u8> {
    payload.clear();
    payload.reserve(wire::BOOTP_DEFAULT_MAX_LEN);
    payload.extend_from_slice(head);
    payload.extend_from_slice(&fields.sname);
    payload.extend_from_slice(&fields.file);
    payload.extend_from_slice(&wire::MAGIC_COOKIE.get().to_be_bytes());
    payload.extend_from_slice(&fields.options);
    payload.push(option::END);
    payload.resize(payload.len().max(wire::BOOTP_MIN_LEN), 0);
    payload
}

/// Returns the port that the relay agent listens on. A source port of zero means none (RFC 768).
pub fn relay_port(request: &Request) -> u16 {
    match request.ingress.source_port {
        port @ 1.. if request.relay.has_source_port => port,
        _ => wire::SERVER_PORT,
    }
}

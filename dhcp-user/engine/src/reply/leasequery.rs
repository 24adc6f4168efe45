//! Replies to LEASEQUERY (RFC 4388 §6.4.2).

use std::{net::Ipv4Addr, sync::Arc};

use dhcp_common::wire::{self, message_type, option};
use dhcp_model::ClientOrigin;
use smallvec::smallvec;

use super::{
    fields::{Fields, fit},
    message::{CIADDR, FLAGS, HOPS, Reply, SECS, SIADDR, YIADDR, message, relay_port},
    options::{Encoded, List, configured, lists, octets, optional, secs},
};
use crate::{
    counters::Silence,
    effect::Egress,
    networks::Terms,
    request::{Request, Shape},
};

const HTYPE: usize = 1;
const HLEN: usize = 2;
const CHADDR: std::ops::Range<usize> = 28..44;
/// The most addresses that one option holds.
const MAX_ADDRESSES: usize = u8::MAX as usize / 4;

/// The result of a query.
#[derive(Clone, Debug)]
pub enum Finding {
    Active(Box<Leased>),
    /// The address is one that this server leases, and is not leased.
    Unassigned,
    /// The address is not this server's, or the client has no lease.
    Unknown,
}

/// An active lease, with the times that are left.
#[derive(Clone, Debug)]
pub struct Leased {
    pub address: Ipv4Addr,
    pub origin: ClientOrigin,
    /// The known part of its client's terms.
    pub terms: Arc<Terms>,
    pub remaining_secs: u32,
    /// `None` if it has passed, or is not known.
    pub renewal_secs: Option<u32>,
    /// `None` if it has passed, or is not known.
    pub rebinding_secs: Option<u32>,
    /// The time since the client was last granted the lease, if it is known.
    pub silent_secs: Option<u32>,
    /// All addresses of the client, the last one used first.
    pub addresses: Vec<Ipv4Addr>,
}

/// Encodes the answer, which comes from `source`.
///
/// # Errors
/// The answer does not fit into a message that the relay agent accepts.
pub fn encode(finding: &Finding, source: Ipv4Addr, request: &Request) -> Result<Reply, Silence> {
    let max_len = request.shape.max_len;
    let room = max_len.saturating_sub(wire::BOOTP_FIXED_LEN + 1);
    let options = match finding {
        Finding::Active(leased) => active(leased, &request.shape, room),
        // "MUST NOT include other DHCP options" (§6.4); "no other options are returned" (§6.4.2).
        Finding::Unassigned => smallvec![kind(message_type::LEASE_UNASSIGNED)],
        Finding::Unknown => smallvec![kind(message_type::LEASE_UNKNOWN)],
    };
    let placed = fit(Fields::empty(), &options, room, true).ok_or(Silence::ReplyTooLarge)?;
    Ok(Reply {
        egress: Egress {
            ifindex: request.ingress.ifindex,
            tags: request.ingress.tags,
            destination_mac: request.ingress.source_mac,
            source,
            source_port: wire::SERVER_PORT,
            destination: request.giaddr,
            destination_port: relay_port(request),
        },
        payload: message(&head(finding, request), &placed.fields, Vec::new()),
        left_out: placed.left_out,
        relay_info_left_out: false,
    })
}

/// Returns the head of the request, with the client of the lease in it. The broadcast bit is
/// cleared: the answer is for the relay agent alone, and would not reach a client that asks through
/// one.
fn head(finding: &Finding, request: &Request) -> [u8; wire::BOOTP_HEAD_LEN] {
    let mut head = request.head;
    head[0] = wire::BOOTREPLY;
    head[HOPS] = 0;
    head[SECS].fill(0);
    head[FLAGS].fill(0);
    head[YIADDR].fill(0);
    head[SIADDR].fill(0);
    if let Finding::Active(leased) = finding {
        let hardware = &leased.origin.hardware;
        head[HTYPE] = hardware.htype;
        head[HLEN] = hardware.len;
        head[CHADDR].copy_from_slice(&hardware.chaddr);
        head[CIADDR].copy_from_slice(&leased.address.octets());
    }
    head
}

/// Returns the options of an active lease: those that are always sent; what is left of T1 and T2,
/// and other options that its client was sent, if the query lists them; without a list, everything
/// that a client without one gets (§6.2).
fn active(leased: &Leased, shape: &Shape, room: usize) -> List {
    let Leased { terms, origin, .. } = leased;
    let is_wanted = |code| shape.parameters.is_none() || lists(shape, code);
    let mut options: List = smallvec![
        kind(message_type::LEASE_ACTIVE),
        octets(option::SERVER_ID, &terms.server_id.octets()),
        secs(option::LEASE_TIME, leased.remaining_secs),
    ];
    for (code, time) in [
        (option::RENEWAL_TIME, leased.renewal_secs),
        (option::REBINDING_TIME, leased.rebinding_secs),
    ] {
        options.extend(
            time.filter(|_| is_wanted(code))
                .map(|time| secs(code, time)),
        );
    }
    let silent = leased.silent_secs;
    options.extend(silent.map(|time| secs(option::CLIENT_LAST_TRANSACTION_TIME, time)));
    for (code, said) in [
        (option::CLIENT_ID, &origin.client_id),
        (option::RELAY_INFO, &origin.relay_info),
    ] {
        options.extend(said.as_ref().map(|said| optional(code, said)));
    }
    options.extend(associated(&leased.addresses, room, &options));
    options.extend(told(leased, shape));
    options
}

/// Returns "the list of all of the IP addresses" of a client that has several, requested or not
/// (§6.4.2), truncated to what fits.
fn associated(addresses: &[Ipv4Addr], room: usize, before: &[Encoded]) -> Option<Encoded> {
    if addresses.len() < 2 {
        return None;
    }
    let used: usize = before.iter().map(|option| option.octets.len()).sum();
    let fitting = room.saturating_sub(used + 2) / 4;
    let addresses = addresses.iter().take(fitting.min(MAX_ADDRESSES));
    let value: Vec<u8> = addresses.flat_map(Ipv4Addr::octets).collect();
    (!value.is_empty()).then(|| optional(option::ASSOCIATED_IP, &value))
}

/// Returns the options that the client was sent, each once, or the name that the client gave itself
/// ("acceptable", §6.4.2). Option 60 is omitted: the vendor class that the client sent is not kept,
/// and the one that the server sends is not the client's.
fn told(leased: &Leased, shape: &Shape) -> Vec<Encoded> {
    let terms = &leased.terms;
    let codes = match &shape.parameters {
        Some(list) => list.to_vec(),
        None => {
            let configured = terms.options.iter().map(|option| option.code);
            std::iter::once(option::SUBNET_MASK)
                .chain(configured)
                .collect()
        }
    };
    let mut seen = [false; 256];
    seen[usize::from(option::VENDOR_CLASS)] = true;
    let mut told = Vec::new();
    for code in codes {
        if !std::mem::replace(&mut seen[usize::from(code)], true) {
            told.extend(configured(terms, shape, code).or_else(|| said(&leased.origin, code)));
        }
    }
    told
}

fn said(origin: &ClientOrigin, code: u8) -> Option<Encoded> {
    let name = origin.host_name.as_ref();
    let name = name.filter(|name| code == option::HOST_NAME && !name.is_empty())?;
    Some(optional(code, name.as_bytes()))
}

fn kind(message_type: u8) -> Encoded {
    octets(option::MESSAGE_TYPE, &[message_type])
}

//! What a relay agent is told of a lease that it asks about (RFC 4388 §6.4.2).

use std::{net::Ipv4Addr, sync::Arc};

use dhcp_common::wire::{self, message_type, option};
use dhcp_model::ClientOrigin;
use smallvec::smallvec;

use super::{
    super::{
        counters::Counter,
        effect::Egress,
        profile::Terms,
        request::{Request, Shape},
    },
    CIADDR, FLAGS, HOPS, Reply, SECS, SIADDR, YIADDR,
    fields::{Fields, fit},
    message,
    options::{Encoded, List, configured, lists, octets, optional, secs},
    relay_port,
};

const HTYPE: usize = 1;
const HLEN: usize = 2;
const CHADDR: std::ops::Range<usize> = 28..44;
/// As many as one option holds.
const MAX_ADDRESSES: usize = u8::MAX as usize / 4;

/// What is known of what is asked for.
#[derive(Clone, Debug)]
pub enum Finding {
    Active(Box<Leased>),
    /// This server's to lease, and not leased.
    Unassigned,
    /// Not this server's; or, of a client, that it has no lease.
    Unknown,
}

/// A lease that runs. Times are what is left of them.
#[derive(Clone, Debug)]
pub struct Leased {
    pub address: Ipv4Addr,
    pub origin: ClientOrigin,
    /// What its client is told, as far as that is known.
    pub terms: Arc<Terms>,
    pub remaining_secs: u32,
    /// `None` if it has passed, or is not known.
    pub renewal_secs: Option<u32>,
    /// `None` if it has passed, or is not known.
    pub rebinding_secs: Option<u32>,
    /// Since the client was last given time, if that is known.
    pub silent_secs: Option<u32>,
    /// All that the client has, the last one used first.
    pub addresses: Vec<Ipv4Addr>,
}

/// Encodes the answer, which comes from `source`.
///
/// # Errors
/// It does not fit into what the requester takes.
pub fn encode(finding: &Finding, source: Ipv4Addr, request: &Request) -> Result<Reply, Counter> {
    let max_len = request.shape.max_len;
    let room = max_len.saturating_sub(wire::BOOTP_FIXED_LEN + 1);
    let options = match finding {
        Finding::Active(leased) => active(leased, &request.shape, room),
        // "MUST NOT include other DHCP options" (§6.4); "no other options are returned" (§6.4.2).
        Finding::Unassigned => smallvec![kind(message_type::LEASE_UNASSIGNED)],
        Finding::Unknown => smallvec![kind(message_type::LEASE_UNKNOWN)],
    };
    let (fields, _) = fit(Fields::empty(), options, room, true).ok_or(Counter::ReplyTooLarge)?;
    Ok(Reply {
        egress: Egress {
            ifindex: request.ingress.ifindex,
            tags: request.ingress.tags,
            destination_mac: request.ingress.source_mac,
            source,
            destination: request.giaddr,
            destination_port: relay_port(request),
        },
        payload: message(&head(finding, request), &fields, Vec::new()),
        relay_info_left_out: false,
    })
}

/// The request's, but for whose lease it is. It is for the requester alone: were a client to ask through a
/// relay agent that may ask, without the broadcast bit the answer would not get to it.
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

/// What tells of the lease in any case, and what is left of T1 and T2 and the rest of what its client was
/// told if it is listed; without a list, all that a client without one gets (§6.2).
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

/// "The list of all of the IP addresses" of a client that has several, asked for or not (§6.4.2): as many
/// as there is room for.
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

/// Options that the client was sent, each once; for its name, else, what it said itself ("acceptable",
/// §6.4.2). What it said of its vendor is not kept, and what it was told of that is no answer.
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

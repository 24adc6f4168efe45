//! From a decision to the octets of a reply (RFC 2131 §4.3.1, tables 3 and 4).
//!
//! The options before the echoes depend on terms, shape and kind of answer alone; that is what makes
//! a template of them ([`super::template`]).

use std::{net::Ipv4Addr, ops::Range};

use dhcp_common::wire::{self, message_type, option};

use self::{fields::Fields, options::split};

pub use self::{fields::render, options::is_ipv6_only};
use super::{
    counters::Counter,
    effect::Egress,
    fqdn::Fqdn,
    profile::Terms,
    request::{MessageType as RequestType, Octets, Request},
};

mod fields;
pub mod leasequery;
mod options;

const HOPS: usize = 3;
const SECS: Range<usize> = 8..10;
const FLAGS: Range<usize> = 10..12;
const CIADDR: Range<usize> = 12..16;
const YIADDR: Range<usize> = 16..20;
const SIADDR: Range<usize> = 20..24;

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Offer(Ipv4Addr),
    /// OFFER of no address, to a client that does without IPv4 (RFC 8925 §3.3).
    Ipv6Only,
    Ack(Ipv4Addr),
    /// ACK to an INFORM: options, but no lease (RFC 2131 §4.3.5).
    Inform,
    Nak(NakReason),
    /// To a client that knows no DHCP (RFC 951, RFC 1534 §2).
    Bootp(Ipv4Addr),
}

/// Why a client must start again, option 56.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NakReason {
    /// The address does not belong to the client's network.
    WrongNetwork,
    /// The address is another client's, out of service, or not the one kept for this client.
    NotAvailable,
    /// An operator took the lease away.
    Revoked,
}

impl NakReason {
    const fn text(self) -> &'static str {
        match self {
            Self::WrongNetwork => "requested address is not on this network",
            Self::NotAvailable => "requested address is not available",
            Self::Revoked => "lease revoked",
        }
    }
}

impl Answer {
    /// Option 53, if there is one.
    pub const fn message_type(self) -> Option<u8> {
        match self {
            Self::Offer(_) | Self::Ipv6Only => Some(message_type::OFFER),
            Self::Ack(_) | Self::Inform => Some(message_type::ACK),
            Self::Nak(_) => Some(message_type::NAK),
            Self::Bootp(_) => None,
        }
    }

    /// The address that the answer is about, whose subnet's options it has.
    pub const fn about(self, request: &Request) -> Ipv4Addr {
        match self {
            Self::Offer(address) | Self::Ack(address) | Self::Bootp(address) => address,
            Self::Inform => request.ciaddr,
            Self::Ipv6Only | Self::Nak(_) => Ipv4Addr::UNSPECIFIED,
        }
    }

    /// The next server to boot from, which a NAK has none of (RFC 2131 table 3). In BOOTP it is the one that
    /// answers unless there is another (RFC 951 §3).
    pub fn siaddr(self, terms: &Terms) -> Ipv4Addr {
        let next_server = terms.boot.next_server.filter(|_| !self.is_nak());
        next_server.unwrap_or(match self {
            Self::Bootp(_) => terms.server_id,
            _ => Ipv4Addr::UNSPECIFIED,
        })
    }

    const fn is_nak(self) -> bool {
        matches!(self, Self::Nak(_))
    }

    const fn yiaddr(self) -> Ipv4Addr {
        match self {
            Self::Offer(address) | Self::Ack(address) | Self::Bootp(address) => address,
            Self::Ipv6Only | Self::Inform | Self::Nak(_) => Ipv4Addr::UNSPECIFIED,
        }
    }
}

/// A reply, ready to be framed.
#[derive(Debug)]
pub struct Reply {
    pub egress: Egress,
    pub payload: Vec<u8>,
    /// Option 82 did not fit (RFC 3046 §2.2).
    pub relay_info_left_out: bool,
}

/// Encodes the answer to a request, in the memory of an earlier reply.
///
/// # Errors
/// The reply does not fit into what the client takes.
pub fn encode(
    answer: Answer,
    terms: &Terms,
    request: &Request,
    buffer: Vec<u8>,
) -> Result<Reply, Counter> {
    let egress = egress(answer, terms, request);
    // The answer leaves from our own address all the same. No template is made from this.
    let named = request.relay.server_id_override;
    let named = named.map(|server_id| Terms {
        server_id,
        ..terms.clone()
    });
    let terms = named.as_ref().unwrap_or(terms);
    let fqdn = fqdn(answer, request);
    let echoes = echoes(answer, request);
    let relay_info = echo(option::RELAY_INFO, request.relay_info.as_deref());
    let room = request
        .shape
        .max_len
        .saturating_sub(wire::BOOTP_FIXED_LEN + 1);
    // What does not fit is left out: the client's name first, for it knows that.
    let kept = [[&*fqdn, &*relay_info], [&[], &*relay_info], [&[], &[]]];
    let ([fqdn, kept_relay_info], mut fields) = kept
        .into_iter()
        .find_map(|kept| {
            let kept_len: usize = kept.iter().map(|echo| echo.len()).sum();
            let rest = room.checked_sub(kept_len + echoes.len())?;
            Some((kept, render(answer, terms, &request.shape, rest)?))
        })
        .ok_or(Counter::ReplyTooLarge)?;
    fields.options.extend_from_slice(fqdn);
    fields.options.extend_from_slice(&echoes);
    fields.options.extend_from_slice(kept_relay_info);
    Ok(Reply {
        egress,
        payload: message(&head(answer, terms, request), &fields, buffer),
        relay_info_left_out: kept_relay_info.len() != relay_info.len(),
    })
}

fn message(head: &[u8; wire::BOOTP_HEAD_LEN], fields: &Fields, mut payload: Vec<u8>) -> Vec<u8> {
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

/// Option 81 to a client that sent it, in OFFER and ACK (RFC 4702 §4).
fn fqdn(answer: Answer, request: &Request) -> Octets {
    let fqdn = match answer {
        Answer::Offer(_) | Answer::Ipv6Only | Answer::Ack(_) => request.fqdn.as_ref(),
        Answer::Inform | Answer::Nak(_) | Answer::Bootp(_) => None,
    };
    echo(option::FQDN, fqdn.map(Fqdn::answer).as_deref())
}

/// What an answer has between options 81 and 82 for this client alone, and no template has.
fn echoes(answer: Answer, request: &Request) -> Octets {
    // A NAK says nothing of it (RFC 2131 table 3).
    let selection = request.subnet_selection.as_deref();
    let selection = selection.filter(|_| !matches!(answer, Answer::Nak(_)));
    let mut echoes = echo(option::SUBNET_SELECTION, selection);
    // An ACK without an OFFER before it (RFC 4039 §3.1).
    if request.message_type == RequestType::Discover && matches!(answer, Answer::Ack(_)) {
        echoes.extend([option::RAPID_COMMIT, 0]);
    }
    echoes.extend(echo(option::CLIENT_ID, request.client_id.as_deref()));
    echoes
}

/// `op` to `chaddr`: the request's, all 16 octets of `chaddr` among them, but for what table 3 sets.
fn head(answer: Answer, terms: &Terms, request: &Request) -> [u8; wire::BOOTP_HEAD_LEN] {
    let mut head = request.head;
    head[0] = wire::BOOTREPLY;
    head[HOPS] = 0;
    head[SECS].fill(0);
    // The other bits are reserved, and zero in what a server sends (RFC 2131 §2, figure 2).
    let flags = request.flags & wire::FLAG_BROADCAST;
    head[FLAGS].copy_from_slice(&flags.to_be_bytes());
    head[SIADDR].copy_from_slice(&answer.siaddr(terms).octets());
    head[YIADDR].copy_from_slice(&answer.yiaddr().octets());
    match answer {
        Answer::Ack(_) | Answer::Inform | Answer::Bootp(_) => {}
        Answer::Offer(_) | Answer::Ipv6Only => head[CIADDR].fill(0),
        Answer::Nak(_) => {
            head[CIADDR].fill(0);
            // The relay agent must broadcast it: the client may have no right address (§4.3.2).
            if !request.giaddr.is_unspecified() {
                head[FLAGS].copy_from_slice(&wire::FLAG_BROADCAST.to_be_bytes());
            }
        }
    }
    head
}

/// RFC 2131 §4.1, for INFORM §4.3.5, and for BOOTP RFC 1542 §5.4.
fn egress(answer: Answer, terms: &Terms, request: &Request) -> Egress {
    let ingress = &request.ingress;
    let to = |destination, destination_mac, destination_port| Egress {
        ifindex: ingress.ifindex,
        tags: ingress.tags,
        destination_mac,
        source: terms.server_id,
        destination,
        destination_port,
    };
    let broadcast = || to(Ipv4Addr::BROADCAST, wire::MAC_BROADCAST, wire::CLIENT_PORT);
    let back = |destination| to(destination, ingress.source_mac, wire::CLIENT_PORT);
    match answer {
        Answer::Inform if request.ciaddr.is_unspecified() => back(ingress.source),
        Answer::Inform => back(request.ciaddr),
        Answer::Bootp(_) if !request.ciaddr.is_unspecified() => back(request.ciaddr),
        _ if !request.giaddr.is_unspecified() => {
            to(request.giaddr, ingress.source_mac, relay_port(request))
        }
        Answer::Nak(_) => broadcast(),
        _ if !request.ciaddr.is_unspecified() => back(request.ciaddr),
        _ if request.flags & wire::FLAG_BROADCAST != 0 => broadcast(),
        // There is no address to send it to.
        Answer::Ipv6Only => broadcast(),
        // The client has no address yet to be found by: what it calls its own goes into the frame.
        Answer::Offer(yiaddr) | Answer::Ack(yiaddr) | Answer::Bootp(yiaddr) => {
            let mac = match *request.hardware.octets() {
                [a, b, c, d, e, f] if request.hardware.htype == wire::HTYPE_ETHERNET => {
                    [a, b, c, d, e, f]
                }
                _ => wire::MAC_BROADCAST,
            };
            to(yiaddr, mac, wire::CLIENT_PORT)
        }
    }
}

/// Where the relay agent listens. A port of zero stands for none (RFC 768).
fn relay_port(request: &Request) -> u16 {
    match request.ingress.source_port {
        port @ 1.. if request.relay.has_source_port => port,
        _ => wire::SERVER_PORT,
    }
}

/// An option that the client sent, as it sent it.
fn echo(code: u8, data: Option<&[u8]>) -> Octets {
    data.map_or_else(Octets::new, |data| split(code, data))
}

//! The octets of a reply (RFC 2131 §4.3.1, tables 3 and 4).
//!
//! The options before the echoes depend only on terms, shape and kind of answer, so that they can
//! be rendered as a template ([`crate::template`]).

use std::net::Ipv4Addr;

use dhcp_common::wire::{self, option};

pub use self::{
    answer::{Answer, NakReason},
    fields::render,
    message::Reply,
    options::{LeftOut, is_ipv6_only},
};
use self::{
    message::{CIADDR, FLAGS, SIADDR, YIADDR, message, relay_port},
    options::split,
};
use crate::{
    counters::Silence,
    effect::Egress,
    fqdn::Fqdn,
    networks::Terms,
    request::{MessageType as RequestType, Octets, Request},
};

mod answer;
pub mod boot;
mod fields;
pub mod leasequery;
mod message;
mod options;

/// Encodes the answer to a request into the memory of an earlier reply.
///
/// # Errors
/// The reply does not fit into a message that the client accepts.
pub fn encode(
    answer: Answer,
    terms: &Terms,
    request: &Request,
    buffer: Vec<u8>,
) -> Result<Reply, Silence> {
    let egress = egress(answer, terms, request);
    // The reply still leaves from the server's own address. No template is made from this.
    let named = request.relay.server_id_override;
    let named = named.map(|server_id| Terms {
        server_id,
        ..terms.clone()
    });
    let terms = named.as_ref().unwrap_or(terms);
    let fqdn = fqdn(answer, request);
    let echoes = echoes(answer, request);
    let [_, relay_info] = request.echoed();
    let relay_info = echo(option::RELAY_INFO, relay_info);
    let room = request
        .shape
        .max_len
        .saturating_sub(wire::BOOTP_FIXED_LEN + 1);
    // An echo moves no option: where all echoes fit beside the options of the answer without them,
    // which is the kernel's template, the answer is that of the kernel.
    let placed = render(answer, terms, &request.shape, room).ok_or(Silence::ReplyTooLarge)?;
    let echoes_len = fqdn.len() + echoes.len() + relay_info.len();
    let (kept, mut placed) = if placed.fields.options.len() + echoes_len <= room {
        ([&*fqdn, &*relay_info], placed)
    } else {
        // Echoes that do not fit are left out too, the client's name first, because the client
        // knows it.
        let kept = [[&*fqdn, &*relay_info], [&[], &*relay_info], [&[], &[]]];
        kept.into_iter()
            .find_map(|kept| {
                let kept_len: usize = kept.iter().map(|echo| echo.len()).sum();
                let rest = room.checked_sub(kept_len + echoes.len())?;
                Some((kept, render(answer, terms, &request.shape, rest)?))
            })
            .ok_or(Silence::ReplyTooLarge)?
    };
    let [kept_fqdn, kept_relay_info] = kept;
    if kept_fqdn.len() != fqdn.len() {
        placed.left_out.push(LeftOut {
            code: option::FQDN,
            len: fqdn.len(),
        });
    }
    let mut fields = placed.fields;
    fields.options.extend_from_slice(kept_fqdn);
    fields.options.extend_from_slice(&echoes);
    fields.options.extend_from_slice(kept_relay_info);
    Ok(Reply {
        egress,
        payload: message(&head(answer, terms, request), &fields, buffer),
        left_out: placed.left_out,
        relay_info_left_out: kept_relay_info.len() != relay_info.len(),
    })
}

/// Returns option 81 for a client that sent it, in OFFER and ACK (RFC 4702 §4).
fn fqdn(answer: Answer, request: &Request) -> Octets {
    let fqdn = match answer {
        Answer::Offer(_) | Answer::Ipv6Only | Answer::Ack(_) => request.fqdn.as_ref(),
        Answer::Inform | Answer::Nak(_) | Answer::Bootp(_) => None,
    };
    echo(option::FQDN, fqdn.map(Fqdn::answer).as_deref())
}

/// Returns the options between 81 and 82 that are for this client alone, and that no template has.
fn echoes(answer: Answer, request: &Request) -> Octets {
    // A NAK does not have it (RFC 2131 table 3).
    let selection = request.subnet_selection.as_deref();
    let selection = selection.filter(|_| !matches!(answer, Answer::Nak(_)));
    let mut echoes = echo(option::SUBNET_SELECTION, selection);
    // An ACK without an OFFER before it (RFC 4039 §3.1).
    if request.message_type == RequestType::Discover && matches!(answer, Answer::Ack(_)) {
        echoes.extend([option::RAPID_COMMIT, 0]);
    }
    let [client_id, _] = request.echoed();
    echoes.extend(echo(option::CLIENT_ID, client_id));
    echoes
}

/// Returns the fields from `op` to `chaddr` (RFC 2131 table 3).
fn head(answer: Answer, terms: &Terms, request: &Request) -> [u8; wire::BOOTP_HEAD_LEN] {
    let mut head = message::head(request);
    head[SIADDR].copy_from_slice(&answer.siaddr(terms).octets());
    head[YIADDR].copy_from_slice(&answer.yiaddr().octets());
    match answer {
        Answer::Ack(_) | Answer::Inform | Answer::Bootp(_) => {}
        Answer::Offer(_) | Answer::Ipv6Only => head[CIADDR].fill(0),
        Answer::Nak(_) => {
            head[CIADDR].fill(0);
            // The relay agent must broadcast it: the client may not have a correct address
            // (§4.3.2).
            if !request.giaddr.is_unspecified() {
                head[FLAGS].copy_from_slice(&wire::FLAG_BROADCAST.to_be_bytes());
            }
        }
    }
    head
}

/// Returns where a reply goes (RFC 2131 §4.1; for INFORM §4.3.5; for BOOTP RFC 1542 §5.4).
fn egress(answer: Answer, terms: &Terms, request: &Request) -> Egress {
    let ingress = &request.ingress;
    let to = |destination, destination_mac, destination_port| Egress {
        ifindex: ingress.ifindex,
        tags: ingress.tags,
        destination_mac,
        source: terms.server_id,
        source_port: wire::SERVER_PORT,
        destination,
        destination_port,
    };
    let broadcast = || to(Ipv4Addr::BROADCAST, wire::MAC_BROADCAST, wire::CLIENT_PORT);
    let back = |destination| to(destination, ingress.source_mac, wire::CLIENT_PORT);
    match answer {
        Answer::Inform if !request.ciaddr.is_unspecified() => back(request.ciaddr),
        Answer::Bootp(_) if !request.ciaddr.is_unspecified() => back(request.ciaddr),
        _ if !request.giaddr.is_unspecified() => {
            to(request.giaddr, ingress.source_mac, relay_port(request))
        }
        Answer::Inform => back(ingress.source),
        Answer::Nak(_) => broadcast(),
        _ if !request.ciaddr.is_unspecified() => back(request.ciaddr),
        _ if request.flags & wire::FLAG_BROADCAST != 0 => broadcast(),
        // There is no address to send it to.
        Answer::Ipv6Only => broadcast(),
        // The client does not answer ARP for its address yet: its hardware address goes into the
        // frame.
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

/// Returns an option as the client sent it.
fn echo(code: u8, data: Option<&[u8]>) -> Octets {
    data.map_or_else(Octets::new, |data| split(code, data))
}

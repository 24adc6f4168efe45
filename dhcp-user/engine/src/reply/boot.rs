//! Answers that only say what to boot, to firmware whose address another server gives (PXE 2.1
//! §2.2).

use std::{borrow::Cow, net::Ipv4Addr};

use dhcp_common::wire::{self, FILE_LEN, SNAME_LEN, message_type, option, pxe_suboption};

use super::{
    echo,
    fields::{Fields, fill, fit},
    message::{self, CIADDR, Reply, SIADDR, YIADDR, message, relay_port},
    options::{List, fits_field, octets, optional},
};
use crate::{
    counters::Silence,
    effect::Egress,
    networks::BootTerms,
    request::{BootClass, BootItem, Request, Shape, pxe_entries, pxe_suboption as suboption},
};

/// Options that firmware may list and that have nothing to do with its address: root path, boot
/// server and file, those of PXE (RFC 4578 §3), TFTP servers, iPXE's, iSCSI's and PXELINUX's.
const OF_BOOT: [u8; 17] = [
    17,
    option::TFTP_SERVER_NAME,
    option::BOOTFILE_NAME,
    128,
    129,
    130,
    131,
    132,
    133,
    134,
    135,
    150,
    175,
    203,
    209,
    210,
    211,
];
/// Sub-options of 43 that let firmware boot the file at once: without sub-option 6 it would look
/// for boot servers (PXE 2.1 §2.2, table 2-1).
const BOOT_AT_ONCE: [u8; 4] = [pxe_suboption::DISCOVERY_CONTROL, 1, 8, pxe_suboption::END];

/// Value of sub-option 6: neither broadcast nor multicast, only servers that are listed.
const LISTED_ONLY: u8 = 7;

/// The kinds of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootReply {
    /// To a DISCOVER, beside the OFFER of the server that gives the address.
    Offer,
    /// Of a boot server.
    Ack,
}

/// An answer, and the class of the firmware that gets it.
#[derive(Clone, Copy, Debug)]
pub struct BootAnswer {
    pub kind: BootReply,
    pub class: BootClass,
}

/// Encodes an answer.
///
/// # Errors
/// The answer does not fit into a message that the client accepts.
pub fn encode(
    answer: BootAnswer,
    terms: &BootTerms<'_>,
    request: &Request,
) -> Result<Reply, Silence> {
    let shape = &request.shape;
    let client_id = echo(option::CLIENT_ID, request.client_id.as_deref());
    let relay_info = echo(option::RELAY_INFO, request.relay_info.as_deref());
    let mut fields = Fields::empty();
    fill(&mut fields.sname, terms.server_name());
    fill(&mut fields.file, terms.file());
    let room = shape.max_len.saturating_sub(wire::BOOTP_FIXED_LEN + 1);
    let kept = [&*relay_info, &[]];
    let (kept, mut placed) = kept
        .into_iter()
        .find_map(|kept| {
            let rest = room.checked_sub(client_id.len() + kept.len())?;
            let options = options(answer, terms, shape);
            Some((kept, fit(fields.clone(), &options, rest, true)?))
        })
        .ok_or(Silence::ReplyTooLarge)?;
    placed.fields.options.extend_from_slice(&client_id);
    placed.fields.options.extend_from_slice(kept);
    Ok(Reply {
        egress: egress(answer, terms, request),
        payload: message(&head(answer, terms, request), &placed.fields, Vec::new()),
        left_out: placed.left_out,
        relay_info_left_out: kept.len() != relay_info.len(),
    })
}

/// Returns the options, those that firmware cannot boot without first.
fn options(answer: BootAnswer, terms: &BootTerms<'_>, shape: &Shape) -> List {
    let message_type = match answer.kind {
        BootReply::Offer => message_type::OFFER,
        BootReply::Ack => message_type::ACK,
    };
    let class = terms.option(option::VENDOR_CLASS);
    let mut options = List::new();
    options.extend([
        octets(option::MESSAGE_TYPE, &[message_type]),
        octets(option::SERVER_ID, &terms.server_id.octets()),
        octets(option::VENDOR_CLASS, class.unwrap_or(answer.class.name())),
    ]);
    if let Some(id) = &shape.machine_id {
        options.push(optional(option::CLIENT_MACHINE_ID, id));
    }
    // The option has another meaning for each class (RFC 2132 §8.4).
    if answer.class == BootClass::Pxe {
        options.extend(match shape.boot_item {
            Some(item) => Some(octets(option::VENDOR_OPTIONS, &found(item))),
            None => vendor_options(terms).map(|data| optional(option::VENDOR_OPTIONS, &data)),
        });
    }
    let mut codes: Vec<u8> = match &shape.parameters {
        Some(list) => list.to_vec(),
        None => terms.codes().collect(),
    };
    let is_too_long = |text: Option<&str>, len| text.is_some_and(|text| !fits_field(text, len));
    // UEFI's HTTP boot takes its URL from option 67 (UEFI §24.7.3).
    if is_too_long(terms.file(), FILE_LEN) || answer.class == BootClass::Http {
        codes.push(option::BOOTFILE_NAME);
    }
    if is_too_long(terms.server_name(), SNAME_LEN) {
        codes.push(option::TFTP_SERVER_NAME);
    }
    for (at, code) in codes.iter().enumerate() {
        let is_new = codes.iter().take(at).all(|earlier| earlier != code);
        if is_new && OF_BOOT.contains(code) {
            options.extend(terms.option(*code).map(|data| optional(*code, data)));
        }
    }
    options
}

/// Returns option 43 of an answer that is for no item of a menu. Where the configuration has a menu
/// and does not say who serves its items, this server does: UEFI's firmware does not look for boot
/// servers by broadcast.
fn vendor_options<'a>(terms: &BootTerms<'a>) -> Option<Cow<'a, [u8]>> {
    let Some(configured) = terms.option(option::VENDOR_OPTIONS) else {
        let has_file = terms.option(option::BOOTFILE_NAME).is_some();
        return has_file.then_some(Cow::Borrowed(&BOOT_AT_ONCE));
    };
    let servers = match suboption(configured, pxe_suboption::BOOT_MENU) {
        Some(menu) if !says_who_serves(configured) => servers(menu, terms.server_id),
        _ => None,
    };
    Some(match servers {
        Some(servers) => [&servers, configured].concat().into(),
        None => configured.into(),
    })
}

fn says_who_serves(configured: &[u8]) -> bool {
    let codes = [
        pxe_suboption::DISCOVERY_CONTROL,
        pxe_suboption::BOOT_SERVERS,
    ];
    let mut codes = codes.into_iter();
    codes.any(|code| suboption(configured, code).is_some())
}

/// Returns sub-options 6 and 8, which say that only this server has the items of a menu. `None` if
/// there are too many for one sub-option, or none but the local disk.
fn servers(menu: &[u8], server: Ipv4Addr) -> Option<Vec<u8>> {
    const LOCAL: u16 = 0;
    let kinds = pxe_entries(menu, 1).map(|(kind, _)| kind);
    let servers: Vec<u8> = kinds
        .filter(|kind| *kind != LOCAL)
        .flat_map(|kind| [&kind.to_be_bytes()[..], &[1], &server.octets()].concat())
        .collect();
    let len = u8::try_from(servers.len()).ok().filter(|len| *len > 0)?;
    let head = [
        pxe_suboption::DISCOVERY_CONTROL,
        1,
        LISTED_ONLY,
        pxe_suboption::BOOT_SERVERS,
        len,
    ];
    Some([&head[..], &servers].concat())
}

/// Returns option 43 of the answer for an item of a menu.
fn found(item: BootItem) -> [u8; 7] {
    let ([high, low], [layer_high, layer_low]) = (item.kind.to_be_bytes(), item.layer);
    [
        pxe_suboption::BOOT_ITEM,
        4,
        high,
        low,
        layer_high,
        layer_low,
        pxe_suboption::END,
    ]
}

/// Returns the head of the request as that of a reply without an address.
fn head(
    answer: BootAnswer,
    terms: &BootTerms<'_>,
    request: &Request,
) -> [u8; wire::BOOTP_HEAD_LEN] {
    let mut head = message::head(request);
    head[YIADDR].fill(0);
    head[SIADDR].copy_from_slice(&terms.next_server().octets());
    if answer.kind == BootReply::Offer {
        head[CIADDR].fill(0);
    }
    head
}

/// Returns where an answer goes: to the relay agent; a boot server's to where the request came
/// from, because firmware asks from port 68 or 4011; all others to everybody, because the client
/// has no address.
fn egress(answer: BootAnswer, terms: &BootTerms<'_>, request: &Request) -> Egress {
    let ingress = &request.ingress;
    let to = |destination, destination_mac, destination_port| Egress {
        ifindex: ingress.ifindex,
        tags: ingress.tags,
        destination_mac,
        source: terms.server_id,
        source_port: ingress.destination_port,
        destination,
        destination_port,
    };
    let port = match ingress.source_port {
        port @ 1.. if answer.kind == BootReply::Ack => port,
        _ => wire::CLIENT_PORT,
    };
    let known = [ingress.source, request.ciaddr];
    let mut known = known
        .into_iter()
        .filter(|address| !address.is_unspecified());
    if !request.giaddr.is_unspecified() {
        return to(request.giaddr, ingress.source_mac, relay_port(request));
    }
    match known.next() {
        Some(address) if answer.kind == BootReply::Ack => to(address, ingress.source_mac, port),
        _ => to(Ipv4Addr::BROADCAST, wire::MAC_BROADCAST, port),
    }
}

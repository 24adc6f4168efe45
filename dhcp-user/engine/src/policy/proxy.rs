//! Firmware on a link where another server gives the addresses (PXE 2.1 §2.2): it is told what to
//! boot, and nothing is kept about it.

use std::net::Ipv4Addr;

use dhcp_common::wire::{option, pxe_suboption};
use dhcp_config::Overrides;

use super::View;
use crate::{
    counters::Silence,
    networks::{BootTerms, Reserved},
    reply::boot::{BootAnswer, BootReply},
    request::{BootClass, MessageType, Request, pxe_entries, pxe_suboption as suboption},
};

/// The number that no network has.
const NO_NETWORK: u32 = 0;

/// Returns the answer to a request on such a link, with the terms from these settings of the link.
///
/// # Errors
/// Why there is no answer.
pub fn answer<'a>(
    view: View<'a>,
    settings: &'a Overrides,
    request: &Request,
) -> Result<(BootAnswer, BootTerms<'a>), Silence> {
    let class = BootClass::of(&request.shape).ok_or(Silence::NotFirmware)?;
    let kind = kind(class, request)?;
    let networks = view.networks;
    let classes = networks.classes();
    // Reservations belong to networks, of which the link has none.
    let client = request.client(NO_NETWORK, true);
    let facts = view.facts(&client, &request.origin(), &Reserved::default());
    let set = classes.of(request, &facts);
    if networks.is_refused(set) {
        return Err(Silence::ClassRefused);
    }
    let server_id = networks.answering(&request.ingress);
    let terms = BootTerms::new(
        server_id.ok_or(Silence::UnknownNetwork)?,
        settings,
        classes.members(set).map(|class| &class.overrides),
    );
    let has_menu = class == BootClass::Pxe && terms.option(option::VENDOR_OPTIONS).is_some();
    if terms.option(option::BOOTFILE_NAME).is_none() && !has_menu {
        return Err(Silence::NothingToBoot);
    }
    if !is_ours(view, &terms, request) {
        return Err(Silence::NotForBootServer);
    }
    Ok((BootAnswer { kind, class }, terms))
}

/// Returns the message type of the answer. At the port of DHCP servers, a REQUEST belongs to the
/// server that gives the addresses, unless it is for an item of a boot menu (PXE 2.1 §2.2.4).
fn kind(class: BootClass, request: &Request) -> Result<BootReply, Silence> {
    let is_for_boot_server = request.is_for_boot_server();
    let asks_for_item = is_for_boot_server || request.shape.boot_item.is_some();
    match request.message_type {
        MessageType::Discover if !is_for_boot_server => Ok(BootReply::Offer),
        MessageType::Discover | MessageType::Request | MessageType::Inform
            if class == BootClass::Pxe && asks_for_item =>
        {
            Ok(BootReply::Ack)
        }
        _ => Err(Silence::NotForBootServer),
    }
}

/// Returns whether this server has the item that is asked for. One that was asked alone answers in
/// any case; of those that hear a broadcast, the ones that have it (PXE 2.1 §2.2.4).
fn is_ours(view: View<'_>, terms: &BootTerms<'_>, request: &Request) -> bool {
    let Some(item) = request.shape.boot_item else {
        return true;
    };
    if request.is_unicast() {
        return true;
    }
    let data = terms.option(option::VENDOR_OPTIONS).unwrap_or_default();
    let menu = suboption(data, pxe_suboption::BOOT_MENU).unwrap_or_default();
    let servers = suboption(data, pxe_suboption::BOOT_SERVERS).unwrap_or_default();
    let mut servers = pxe_entries(servers, 4).filter(|(kind, _)| *kind == item.kind);
    let is_listed = |addresses: &[u8]| {
        let (addresses, _) = addresses.as_chunks::<4>();
        let mut addresses = addresses.iter();
        addresses.any(|address| view.networks.is_ours(Ipv4Addr::from(*address)))
    };
    match servers.next() {
        Some((_, addresses)) => is_listed(addresses),
        None => pxe_entries(menu, 1).any(|(kind, _)| kind == item.kind),
    }
}

//! RENEWING and REBINDING.

use std::net::Ipv4Addr;

use anyhow::Result;
use dhcp_common::wire::{message_type::REQUEST, option};
use xtask_lab::{topology::SERVER, wire::Path};

use super::case::{Case, tell, tell_only};
use crate::answers::{
    answer::Answer,
    plan::{LAN, Setting},
    player::Player,
    request::Request,
};

pub(super) const CASES: &[Case] = &[
    Case {
        asks: "RENEWING that names the server (54)",
        rfc: "RFC 2131 §4.3.2, table 5",
        setting: Setting::Plain,
        play: naming_server,
        reason: None,
    },
    Case {
        asks: "RENEWING, to which something on the way has added option 82",
        rfc: "RFC 3046 §2.1, §2.2",
        setting: Setting::Plain,
        play: with_relay_info,
        reason: None,
    },
    Case {
        asks: "RENEWING a free address of the pool, by a client that has no lease (deleted, or lost)",
        rfc: "RFC 2131 §4.3.2",
        setting: Setting::Plain,
        play: unknown_renewing,
        reason: None,
    },
    Case {
        asks: "REBINDING such an address",
        rfc: "RFC 2131 §4.3.2",
        setting: Setting::Plain,
        play: unknown_rebinding,
        reason: Some(
            "Another server may have leased it and be about to answer: a server extends unknown \
             leases only with authority over the address (RFC 2131 §4.3.2), which \
             `authoritative` gives it.",
        ),
    },
    Case {
        asks: "RENEWING the address of another client",
        rfc: "RFC 2131 §4.1, §4.3.2, table 3",
        setting: Setting::Authoritative,
        play: anothers,
        reason: None,
    },
];

const DIRECT: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

/// Renews a client's lease with a modified request, and returns the answer.
fn own(player: &mut Player, change: impl Fn(Request) -> Request) -> Result<Option<Answer>> {
    let mac = player.client();
    let address = player.lease(mac, DIRECT)?;
    let request = Request::new(mac, REQUEST).having(address, "that address");
    player.ask(&change(request), player.to_server(address))
}

fn naming_server(player: &mut Player) -> Result<String> {
    let answer = own(player, |request| request.to_server(SERVER))?;
    Ok(tell(answer.as_ref(), |answer| vec![answer.zero_ciaddr()]))
}

fn with_relay_info(player: &mut Player) -> Result<String> {
    let answer = own(player, |request| {
        request.with(option::RELAY_INFO, &[1, 4, b'p', b'o', b'r', b't'])
    })?;
    Ok(tell(answer.as_ref(), |answer| {
        vec![answer.echo(option::RELAY_INFO)]
    }))
}

fn unknown_renewing(player: &mut Player) -> Result<String> {
    let address = player.free_address(LAN)?;
    let request = Request::new(player.client(), REQUEST).having(address, "that address");
    let answer = player.ask(&request, player.to_server(address))?;
    Ok(tell_only(answer.as_ref()))
}

fn unknown_rebinding(player: &mut Player) -> Result<String> {
    let address = player.free_address(LAN)?;
    let request = Request::new(player.client(), REQUEST).having(address, "that address");
    let answer = player.ask(&request, Path::broadcast_from(address))?;
    Ok(tell_only(answer.as_ref()))
}

fn anothers(player: &mut Player) -> Result<String> {
    let holder = player.client();
    let address = player.lease(holder, DIRECT)?;
    let request = Request::new(player.client(), REQUEST).having(address, "that address");
    let answer = player.ask(&request, player.to_server(address))?;
    Ok(tell(answer.as_ref(), |answer| vec![answer.zero_ciaddr()]))
}

//! RENEWING and REBINDING.

use std::net::Ipv4Addr;

use anyhow::Result;
use dhcp_common::wire::message_type::REQUEST;

use super::{Case, tell, tell_only};
use crate::{
    compare::{
        plan::{LAN, Setting},
        player::Player,
        request::Request,
    },
    lab::raw::Path,
};

pub(super) const CASES: &[Case] = &[
    Case {
        asks: "RENEWING a lease",
        rfc: "RFC 2131 §4.1, §4.3.2",
        setting: Setting::Plain,
        play: own,
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
            "Another server may have leased it and be about to answer: only with authority over the address a server extends what it does not know (RFC 2131 §4.3.2), which `authoritative` gives it.",
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

fn own(player: &mut Player) -> Result<String> {
    let mac = player.client();
    let address = player.lease(mac, DIRECT)?;
    let request = Request::new(mac, REQUEST).having(address, "that address");
    let answer = player.ask(&request, player.to_server(address))?;
    Ok(tell(answer.as_ref(), |answer| vec![answer.zero_ciaddr()]))
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

//! INFORM, and DECLINE and RELEASE of what is another's.

use std::net::Ipv4Addr;

use anyhow::Result;
use dhcp_common::wire::message_type::{DECLINE, INFORM, RELEASE, REQUEST};

use super::{Case, tell, tell_only};
use crate::{
    compare::{
        plan::{BEHIND, Setting},
        player::Player,
        request::Request,
    },
    lab::{raw::Path, topology::SERVER},
};

pub(super) const CASES: &[Case] = &[
    Case {
        asks: "INFORM through a relay agent",
        rfc: "RFC 2131 §4.3.5",
        setting: Setting::Plain,
        play: inform,
        reason: None,
    },
    Case {
        asks: "RENEWING, after another client has sent DECLINE of that address",
        rfc: "RFC 2131 §4.3.3, table 5",
        setting: Setting::Authoritative,
        play: decline,
        reason: None,
    },
    Case {
        asks: "RENEWING, after another client has sent RELEASE of that address",
        rfc: "RFC 2131 §4.3.4",
        setting: Setting::Authoritative,
        play: release,
        reason: None,
    },
];

fn inform(player: &mut Player) -> Result<String> {
    let request = Request::new(player.client(), INFORM)
        .having(BEHIND.host(20), "`ciaddr`")
        .through(BEHIND.router());
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell(answer.as_ref(), |answer| vec![answer.lease_time()]))
}

/// What a client hears that renews, after another one has said something of its address.
fn meddled(
    player: &mut Player,
    meddle: impl Fn(&Player, [u8; 6], Ipv4Addr) -> (Request, Path),
) -> Result<String> {
    let holder = player.client();
    let address = player.lease(holder, Ipv4Addr::UNSPECIFIED)?;
    let other = player.client();
    let (message, path) = meddle(player, other, address);
    let heard = player.ask(&message, path)?;
    let renewal = Request::new(holder, REQUEST).having(address, "that address");
    let answer = player.ask(&renewal, player.to_server(address))?;
    let renewed = tell_only(answer.as_ref());
    Ok(match heard {
        Some(_) => format!("{}; then {renewed}", tell_only(heard.as_ref())),
        None => renewed,
    })
}

fn decline(player: &mut Player) -> Result<String> {
    meddled(player, |_, other, address| {
        let message = Request::new(other, DECLINE)
            .asking(address, "that address")
            .to_server(SERVER);
        (message, Path::BROADCAST)
    })
}

fn release(player: &mut Player) -> Result<String> {
    meddled(player, |player, other, address| {
        let message = Request::new(other, RELEASE)
            .having(address, "that address")
            .to_server(SERVER);
        (message, player.to_server(address))
    })
}

//! INFORM, and DECLINE of another client's address.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use dhcp_common::wire::message_type::{DECLINE, INFORM, REQUEST};
use xtask_lab::{topology::SERVER, wire::Path};

use super::case::{Case, tell, tell_only};
use crate::answers::{
    plan::{BEHIND, Setting},
    player::Player,
    request::Request,
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
];

fn inform(player: &mut Player) -> Result<String> {
    let request = Request::new(player.client(), INFORM)
        .having(BEHIND.host(20), "`ciaddr`")
        .through(BEHIND.router());
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell(answer.as_ref(), |answer| vec![answer.lease_time()]))
}

fn decline(player: &mut Player) -> Result<String> {
    let holder = player.client();
    let address = player.lease(holder, Ipv4Addr::UNSPECIFIED)?;
    let meddling = Request::new(player.client(), DECLINE)
        .asking(address, "that address")
        .to_server(SERVER);
    let heard = player.ask(&meddling, Path::BROADCAST)?;
    ensure!(heard.is_none(), "a DECLINE was answered: {heard:?}");
    let renewal = Request::new(holder, REQUEST).having(address, "that address");
    let answer = player.ask(&renewal, player.to_server(address))?;
    Ok(tell_only(answer.as_ref()))
}

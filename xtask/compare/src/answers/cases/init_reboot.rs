//! INIT-REBOOT: a client returns with an address.

use std::net::Ipv4Addr;

use anyhow::Result;
use dhcp_common::wire::{message_type::REQUEST, option};
use xtask_lab::wire::Path;

use super::case::{Case, tell, tell_only};
use crate::answers::{
    plan::{BEHIND, ELSEWHERE, LAN, Setting},
    player::Player,
    request::Request,
};

pub(super) const CASES: &[Case] = &[
    Case {
        asks: "INIT-REBOOT with another address than the client's",
        rfc: "RFC 2131 §4.3.2",
        setting: Setting::Plain,
        play: wrong,
        reason: None,
    },
    Case {
        asks: "INIT-REBOOT of an unknown client, with a free address of the pool",
        rfc: "RFC 2131 §4.3.2",
        setting: Setting::Plain,
        play: unknown,
        reason: None,
    },
    Case {
        asks: "The same where the server is authoritative",
        rfc: "RFC 2131 §4.3.2",
        setting: Setting::Authoritative,
        play: unknown,
        reason: None,
    },
    Case {
        asks: "INIT-REBOOT of an unknown client, with an address of another network",
        rfc: "RFC 2131 §4.3.2",
        setting: Setting::Plain,
        play: elsewhere,
        reason: Some(
            "Silence is for addresses of the right network; that this one cannot be used there \
             is known whoever leased it (RFC 2131 §4.3.2: SHOULD send NAK).",
        ),
    },
    Case {
        asks: "INIT-REBOOT with an address of another network, through a relay agent with option 82",
        rfc: "RFC 2131 §4.1, §4.3.2; RFC 3046 §2.2",
        setting: Setting::Authoritative,
        play: elsewhere_relayed,
        reason: None,
    },
];

const DIRECT: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

fn wrong(player: &mut Player) -> Result<String> {
    let mac = player.client();
    player.lease(mac, DIRECT)?;
    let address = player.free_address(LAN)?;
    let request = Request::new(mac, REQUEST).asking(address, "that address");
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell_only(answer.as_ref()))
}

fn unknown(player: &mut Player) -> Result<String> {
    let address = player.free_address(LAN)?;
    let request = Request::new(player.client(), REQUEST).asking(address, "that address");
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell_only(answer.as_ref()))
}

fn elsewhere(player: &mut Player) -> Result<String> {
    let request = Request::new(player.client(), REQUEST).asking(ELSEWHERE, "that address");
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell_only(answer.as_ref()))
}

fn elsewhere_relayed(player: &mut Player) -> Result<String> {
    let request = Request::new(player.client(), REQUEST)
        .asking(ELSEWHERE, "that address")
        .with(option::RELAY_INFO, &[1, 4, b'p', b'o', b'r', b't'])
        .through(BEHIND.router());
    let answer = player.ask(&request, Path::BROADCAST)?;
    Ok(tell(answer.as_ref(), |answer| {
        vec![
            answer.flags(),
            answer.echo(option::RELAY_INFO),
            answer.position(option::RELAY_INFO),
        ]
    }))
}
